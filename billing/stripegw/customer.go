package stripegw

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// CreateCustomer creates the organization's customer. The idempotency key is org:<organization> for
// the first generation and org:<organization>:<generation> for later ones, so that Stripe does not
// replay the response with a deleted customer.
func (g *Gateway) CreateCustomer(ctx context.Context, link billing.CustomerLink) (string, error) {
	created, info, err := call(ctx, "create customer", func(ctx context.Context) (*stripe.Customer, error) {
		return g.customers.New(customerParams(ctx, link))
	})
	if err != nil {
		return "", err
	}
	if created.ID == "" {
		return "", invalidResponse(info, "the response is no customer")
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

// Customer reads a customer. Stripe returns a deleted one with status 200 and deleted: true
// (https://docs.stripe.com/api/customers/retrieve).
func (g *Gateway) Customer(ctx context.Context, id string) (billing.StripeCustomer, error) {
	found, info, err := call(ctx, "read customer", func(ctx context.Context) (*stripe.Customer, error) {
		params := &stripe.CustomerParams{}
		params.Context = ctx
		return g.customers.Get(id, params)
	})
	if err != nil {
		return billing.StripeCustomer{}, err
	}
	return mapCustomer(found, info)
}

// UpdateCustomer sets a customer's name and, unless it is empty, e-mail address
// (https://docs.stripe.com/api/customers/update).
func (g *Gateway) UpdateCustomer(ctx context.Context, id, name, email string) (billing.StripeCustomer, error) {
	changed, info, err := call(ctx, "update customer", func(ctx context.Context) (*stripe.Customer, error) {
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
	return mapCustomer(changed, info)
}

// SetCustomerOrganization writes the orgId into a customer's metadata. Other keys stay as they are
// (https://docs.stripe.com/api/customers/update#update_customer-metadata).
func (g *Gateway) SetCustomerOrganization(ctx context.Context, customerID, organizationID string) error {
	key := hashedKey("import", customerID, organizationID)
	_, _, err := callKeyed(ctx, "set customer's organization", key, func(ctx context.Context, key string) (*stripe.Customer, error) {
		params := &stripe.CustomerParams{Metadata: map[string]string{"orgId": organizationID}}
		params.Context = ctx
		params.SetIdempotencyKey(key)
		return g.customers.Update(customerID, params)
	})
	return err
}

func mapCustomer(c *stripe.Customer, info callInfo) (billing.StripeCustomer, error) {
	asOf, err := info.snapshotTime()
	return billing.StripeCustomer{
		ID: c.ID, Name: validID(c.Name), Email: validID(c.Email), Delinquent: c.Delinquent, Deleted: c.Deleted,
		OrgID: validID(c.Metadata["orgId"]), Currency: string(c.Currency), AsOf: asOf,
	}, err
}

// CustomersWithOrgID searches the customers whose metadata has the key orgId
// (https://docs.stripe.com/search#query-structure-and-terminology).
func (g *Gateway) CustomersWithOrgID(ctx context.Context, after string) (billing.Page[billing.StripeCustomer], error) {
	found, info, err := call(ctx, "search customers", func(ctx context.Context) (*stripe.CustomerSearchResult, error) {
		params := &stripe.CustomerSearchParams{}
		params.Query = `-metadata["orgId"]:null`
		params.Context, params.Limit, params.Single = ctx, stripe.Int64(pageSize), true
		if after != "" {
			params.Page = stripe.String(after)
		}
		search := g.customers.Search(params)
		return search.CustomerSearchResult(), search.Err()
	})
	var page billing.Page[billing.StripeCustomer]
	if err != nil {
		return page, err
	}
	for _, c := range found.Data {
		customer, err := mapCustomer(c, info)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, customer)
	}
	if found.HasMore && found.NextPage != nil {
		page.Next = *found.NextPage
	}
	return page, nil
}
