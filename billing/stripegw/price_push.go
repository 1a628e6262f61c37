package stripegw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v79"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// planMetadata is the metadata key of products and prices for the plan, or pack_<id>, that they
// belong to.
const planMetadata = "usher_plan"

// PlanPrice is a price of the plan file to create at Stripe.
type PlanPrice struct {
	PlanID      string           // or pack_<id>
	PlanName    string           // the product's name if it is created
	Description string           // the product's description if it is created; may be empty
	Interval    catalog.Interval // empty: one-time
	Amount      catalog.Money    // per seat, or flat
	LookupKey   string
	TaxBehavior catalog.TaxBehavior
}

// PushResult is what [Gateway.EnsurePrice] did.
type PushResult string

// The results of a push.
const (
	PushUnchanged PushResult = "unchanged"
	PushCreated   PushResult = "created"
	PushUpdated   PushResult = "updated" // its tax behavior was set
)

// PlanPrices lists the catalog's prices with a lookup key, of plans and packs.
func PlanPrices(plans catalog.Catalog) []PlanPrice {
	var prices []PlanPrice
	for _, plan := range plans.Plans {
		for _, price := range plan.Prices {
			prices = append(prices, PlanPrice{
				PlanID: plan.ID, PlanName: plan.Name, Description: plan.Description,
				Interval: price.Interval, Amount: price.Amount, LookupKey: price.LookupKey,
				TaxBehavior: price.TaxBehavior,
			})
		}
	}
	for _, pack := range plans.Packs {
		prices = append(prices, PlanPrice{
			PlanID: "pack_" + pack.ID, PlanName: pack.Name, Amount: pack.Price.Amount, LookupKey: pack.Price.LookupKey,
			TaxBehavior: pack.Price.TaxBehavior,
		})
	}
	return slices.DeleteFunc(prices, func(p PlanPrice) bool { return p.LookupKey == "" })
}

// EnsurePrice returns an active price with the lookup key and the plan file's amount and tax
// behavior, and what it did. It sets a tax behavior that is unspecified, which Stripe allows once.
// For a changed amount, or the opposite tax behavior, it creates a new price of the same product
// and transfers the key; existing subscriptions keep the old one. It is idempotent.
func (c *priceCalls) EnsurePrice(ctx context.Context, desired PlanPrice) (catalog.StripePrice, PushResult, error) {
	if desired.LookupKey == "" || desired.PlanID == "" || desired.Interval != "" && !desired.Interval.Valid() {
		return catalog.StripePrice{}, "", apperr.Errorf(apperr.CodeInvalid, "A price needs a plan or pack, a lookup key, and an interval or none.")
	}
	holders, err := c.pricesByLookupKey(ctx, []string{desired.LookupKey}, false)
	if err != nil {
		return catalog.StripePrice{}, "", err
	}
	for _, holder := range holders {
		switch {
		case !matchesPlanPrice(holder, desired):
		case desired.TaxBehavior.Accepts(catalog.TaxBehavior(holder.TaxBehavior)):
			return mapPrice(holder), PushUnchanged, nil
		case holder.TaxBehavior == stripe.PriceTaxBehaviorUnspecified || holder.TaxBehavior == "":
			updated, err := c.setTaxBehavior(ctx, holder.ID, desired.TaxBehavior)
			return updated, PushUpdated, err
		}
	}
	var replaced *stripe.Price
	if len(holders) > 0 {
		replaced = holders[0]
	}
	created, err := c.createPrice(ctx, desired, replaced)
	return created, PushCreated, err
}

// matchesPlanPrice reports whether a price at Stripe is active and charges exactly the amount.
func matchesPlanPrice(p *stripe.Price, desired PlanPrice) bool {
	return p.Active && priceModel(p) == "" && isLicensed(p) &&
		p.UnitAmount == desired.Amount.Minor &&
		strings.EqualFold(string(p.Currency), desired.Amount.Currency) &&
		interval(p.Recurring) == desired.Interval
}

// setTaxBehavior sets the tax behavior of a price that has none.
func (c *priceCalls) setTaxBehavior(ctx context.Context, id string, behavior catalog.TaxBehavior) (catalog.StripePrice, error) {
	key := hashedKey("tax_behavior", id, string(behavior))
	updated, info, err := callKeyed(ctx, "set tax behavior", key, func(ctx context.Context, key string) (*stripe.Price, error) {
		params := &stripe.PriceParams{TaxBehavior: stripe.String(string(behavior)), Expand: stripe.StringSlice([]string{"product"})}
		params.Context = ctx
		params.SetIdempotencyKey(key)
		return c.prices.Update(id, params)
	})
	if err == nil && updated.ID == "" {
		err = invalidResponse(info, "the response is no price")
	}
	if err != nil {
		return catalog.StripePrice{}, err
	}
	return mapPrice(updated), nil
}

func (c *priceCalls) createPrice(ctx context.Context, desired PlanPrice, replaced *stripe.Price) (catalog.StripePrice, error) {
	productID, err := c.productFor(ctx, desired, replaced)
	if err != nil {
		return catalog.StripePrice{}, err
	}
	created, info, err := callKeyed(ctx, "create price", priceKey(desired, productID, replaced), func(ctx context.Context, key string) (*stripe.Price, error) {
		params := priceParams(desired, productID)
		params.Context = ctx
		params.SetIdempotencyKey(key)
		return c.prices.New(params)
	})
	if err == nil && created.ID == "" {
		err = invalidResponse(info, "the response is no price")
	}
	if err != nil {
		return catalog.StripePrice{}, err
	}
	return mapPrice(created), nil
}

// priceKey returns the idempotency key of a new price. It includes the replaced price: if an amount
// changes and changes back within a day, Stripe must not replay the response with the first price.
func priceKey(desired PlanPrice, productID string, replaced *stripe.Price) string {
	replacedID := "none"
	if replaced != nil {
		replacedID = replaced.ID
	}
	return hashedKey("price", productID, desired.PlanID, desired.LookupKey, string(desired.Interval), fmt.Sprint(desired.Amount.Minor),
		strings.ToLower(desired.Amount.Currency), replacedID, string(desired.TaxBehavior))
}

func priceParams(desired PlanPrice, productID string) *stripe.PriceParams {
	params := &stripe.PriceParams{
		Product:           stripe.String(productID),
		Currency:          stripe.String(strings.ToLower(desired.Amount.Currency)),
		UnitAmount:        stripe.Int64(desired.Amount.Minor),
		LookupKey:         stripe.String(desired.LookupKey),
		TaxBehavior:       stripe.String("exclusive"), // the portal switches no unspecified prices
		TransferLookupKey: stripe.Bool(true),
		Metadata:          map[string]string{planMetadata: desired.PlanID},
		Expand:            stripe.StringSlice([]string{"product"}),
	}
	if desired.Interval != "" {
		params.Recurring = &stripe.PriceRecurringParams{Interval: stripe.String(string(desired.Interval))}
	}
	if desired.TaxBehavior != "" && desired.TaxBehavior != catalog.TaxUnspecified {
		params.TaxBehavior = stripe.String(string(desired.TaxBehavior))
	}
	return params
}

// productFor returns the plan's product: that of the replaced price, which the portal offers, or
// the one with the id usher_<plan>, which it creates if necessary.
func (c *priceCalls) productFor(ctx context.Context, desired PlanPrice, replaced *stripe.Price) (string, error) {
	if replaced != nil && replaced.Product != nil && !replaced.Product.Deleted {
		return replaced.Product.ID, nil
	}
	if id, err := c.productByPlan(ctx, desired.PlanID); err == nil || !isMissing(err) {
		return id, err
	}
	key := hashedKey("product", desired.PlanID, desired.PlanName, desired.Description)
	_, _, err := callKeyed(ctx, "create product", key, func(ctx context.Context, key string) (*stripe.Product, error) {
		params := productParams(desired)
		params.Context = ctx
		params.SetIdempotencyKey(key)
		return c.products.New(params)
	})
	var refused *apperr.StripeError
	if errors.As(err, &refused) && refused.Code == string(stripe.ErrorCodeResourceAlreadyExists) {
		err = nil // created concurrently
	}
	return productID(desired.PlanID), err
}

func (c *priceCalls) productByPlan(ctx context.Context, planID string) (string, error) {
	found, _, err := call(ctx, "read product", func(ctx context.Context) (*stripe.Product, error) {
		params := &stripe.ProductParams{}
		params.Context = ctx
		return c.products.Get(productID(planID), params)
	})
	if err != nil {
		return "", err
	}
	return found.ID, nil
}

func productID(planID string) string { return "usher_" + planID }

func productParams(desired PlanPrice) *stripe.ProductParams {
	params := &stripe.ProductParams{
		ID:       stripe.String(productID(desired.PlanID)),
		Name:     stripe.String(desired.PlanName),
		Metadata: map[string]string{planMetadata: desired.PlanID},
	}
	if desired.Description != "" { // Stripe rejects an empty one
		params.Description = stripe.String(desired.Description)
	}
	return params
}
