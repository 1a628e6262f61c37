package stripegw

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// CreateCustomer creates the organization's customer. The idempotency key is the seed's, org:<organization>, for the first generation
// and org:<organization>:<generation> for later ones, so that a deleted customer is not handed out again by Stripe's memory of the key.
func (g *Gateway) CreateCustomer(ctx context.Context, link billing.CustomerLink) (string, error) {
	created, x, err := call(ctx, "create customer", func(ctx context.Context) (*stripe.Customer, error) {
		return g.customers.New(customerParams(ctx, link))
	})
	if err != nil {
		return "", err
	}
	if created.ID == "" {
		return "", invalidResponse(x, "the answer is no customer")
	}
	return created.ID, nil
}

func customerParams(ctx context.Context, link billing.CustomerLink) *stripe.CustomerParams {
	params := &stripe.CustomerParams{Metadata: map[string]string{"orgId": link.OrganizationID}}
	if link.Email != "" {
		params.Email = stripe.String(link.Email)
	}
	if link.Name != "" {
		params.Name = stripe.String(link.Name)
	}
	params.Context = ctx
	params.SetIdempotencyKey(customerKey(link))
	return params
}

func customerKey(link billing.CustomerLink) string {
	if link.Generation <= 1 {
		return "org:" + link.OrganizationID
	}
	return fmt.Sprintf("org:%s:%d", link.OrganizationID, link.Generation)
}

// Customer reads a customer. A deleted one is answered with 200 and deleted: true (https://docs.stripe.com/api/customers/retrieve).
func (g *Gateway) Customer(ctx context.Context, id string) (billing.StripeCustomer, error) {
	found, x, err := call(ctx, "read customer", func(ctx context.Context) (*stripe.Customer, error) {
		params := &stripe.CustomerParams{}
		params.Context = ctx
		return g.customers.Get(id, params)
	})
	if err != nil {
		return billing.StripeCustomer{}, err
	}
	return mapCustomer(found, x)
}

// UpdateCustomer sets a customer's name and, unless it is empty, its address (https://docs.stripe.com/api/customers/update).
func (g *Gateway) UpdateCustomer(ctx context.Context, id, name, email string) (billing.StripeCustomer, error) {
	changed, x, err := call(ctx, "name customer", func(ctx context.Context) (*stripe.Customer, error) {
		params := &stripe.CustomerParams{Name: stripe.String(name)}
		if email != "" {
			params.Email = stripe.String(email)
		}
		params.Context = ctx
		return g.customers.Update(id, params)
	})
	if err != nil {
		return billing.StripeCustomer{}, err
	}
	return mapCustomer(changed, x)
}

func mapCustomer(c *stripe.Customer, x callInfo) (billing.StripeCustomer, error) {
	moment, err := x.snapshotTime()
	return billing.StripeCustomer{
		ID: c.ID, Name: validID(c.Name), Email: validID(c.Email), Delinquent: c.Delinquent, Deleted: c.Deleted, AsOf: moment,
	}, err
}
