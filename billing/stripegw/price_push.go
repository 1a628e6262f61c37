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

// PlanPrice is a price of the plan file as it is to be at Stripe.
type PlanPrice struct {
	PlanID      string           // or pack_<id>
	PlanName    string           // the product's name, where it has to be created
	Description string           // the product's description, likewise; may be empty
	Interval    catalog.Interval // empty: paid once
	Amount      catalog.Money    // per seat, or flat
	LookupKey   string
}

// PlanPrices lists what a catalogue finds at Stripe by lookup key, of plans and packs alike.
func PlanPrices(plans catalog.Catalog) []PlanPrice {
	var prices []PlanPrice
	for _, plan := range plans.Plans {
		for _, price := range plan.Prices {
			prices = append(prices, PlanPrice{
				PlanID: plan.ID, PlanName: plan.Name, Description: plan.Description,
				Interval: price.Interval, Amount: price.Amount, LookupKey: price.LookupKey,
			})
		}
	}
	for _, pack := range plans.Packs {
		prices = append(prices, PlanPrice{
			PlanID: "pack_" + pack.ID, PlanName: pack.Name, Amount: pack.Price.Amount, LookupKey: pack.Price.LookupKey,
		})
	}
	return slices.DeleteFunc(prices, func(p PlanPrice) bool { return p.LookupKey == "" })
}

// EnsurePrice makes Stripe have an active price with the lookup key that charges what the plan file says, and tells whether it had to
// create it. A changed amount becomes a new price of the same product, to which the key is transferred; the old one stays as it is for
// the subscriptions that hold it. A second run writes nothing.
func (g *Gateway) EnsurePrice(ctx context.Context, want PlanPrice) (catalog.StripePrice, bool, error) {
	if want.LookupKey == "" || want.PlanID == "" || want.Interval != "" && !want.Interval.Valid() {
		return catalog.StripePrice{}, false, apperr.Errorf(apperr.CodeInvalid, "A price needs a plan or pack, a lookup key, and an interval or none.")
	}
	holders, err := g.pricesByLookupKey(ctx, []string{want.LookupKey}, false)
	if err != nil {
		return catalog.StripePrice{}, false, err
	}
	for _, holder := range holders {
		if matchesPlanPrice(holder, want) {
			return mapPrice(holder), false, nil
		}
	}
	var replaced *stripe.Price
	if len(holders) > 0 {
		replaced = holders[0]
	}
	created, err := g.createPrice(ctx, want, replaced)
	return created, err == nil, err
}

// matchesPlanPrice tells whether a price at Stripe is active and charges exactly what is wanted.
func matchesPlanPrice(p *stripe.Price, want PlanPrice) bool {
	return p.Active && isLicensed(p) &&
		p.BillingScheme != stripe.PriceBillingSchemeTiered &&
		p.UnitAmount == want.Amount.Minor &&
		strings.EqualFold(string(p.Currency), want.Amount.Currency) &&
		interval(p.Recurring) == want.Interval
}

func (g *Gateway) createPrice(ctx context.Context, want PlanPrice, replaced *stripe.Price) (catalog.StripePrice, error) {
	productID, err := g.productFor(ctx, want, replaced)
	if err != nil {
		return catalog.StripePrice{}, err
	}
	created, x, err := call(ctx, "create price", func(ctx context.Context) (*stripe.Price, error) {
		return g.prices.New(priceParams(ctx, want, productID, replaced))
	})
	if err == nil && created.ID == "" {
		err = invalidResponse(x, "the answer is no price")
	}
	if err != nil {
		return catalog.StripePrice{}, err
	}
	return mapPrice(created), nil
}

// priceParams makes an idempotency key that holds the replaced price as well: an amount that goes up, down and up again within a day
// must not be answered with the first price from Stripe's memory.
func priceParams(ctx context.Context, want PlanPrice, productID string, replaced *stripe.Price) *stripe.PriceParams {
	currency := strings.ToLower(want.Amount.Currency)
	params := &stripe.PriceParams{
		Product:           stripe.String(productID),
		Currency:          stripe.String(currency),
		UnitAmount:        stripe.Int64(want.Amount.Minor),
		LookupKey:         stripe.String(want.LookupKey),
		TransferLookupKey: stripe.Bool(true),
		Metadata:          map[string]string{"usher_plan": want.PlanID},
		Expand:            stripe.StringSlice([]string{"product"}),
	}
	if want.Interval != "" {
		params.Recurring = &stripe.PriceRecurringParams{Interval: stripe.String(string(want.Interval))}
	}
	replacedID := "none"
	if replaced != nil {
		replacedID = replaced.ID
	}
	params.Context = ctx
	params.SetIdempotencyKey(hashedKey("price", productID, want.PlanID, want.LookupKey, string(want.Interval),
		fmt.Sprint(want.Amount.Minor), currency, replacedID))
	return params
}

// productFor finds the plan's product: the one whose price is replaced, else the one whose prices the portal offers for the plan, by
// its id usher_<plan>, else that one is created.
func (g *Gateway) productFor(ctx context.Context, want PlanPrice, replaced *stripe.Price) (string, error) {
	if replaced != nil && replaced.Product != nil && !replaced.Product.Deleted {
		return replaced.Product.ID, nil
	}
	if id, err := g.productByPlan(ctx, want.PlanID); err == nil || !isMissing(err) {
		return id, err
	}
	_, _, err := call(ctx, "create product", func(ctx context.Context) (*stripe.Product, error) {
		return g.products.New(productParams(ctx, want))
	})
	var refused *apperr.StripeError
	if errors.As(err, &refused) && refused.Code == string(stripe.ErrorCodeResourceAlreadyExists) {
		err = nil // another push was faster
	}
	return productID(want.PlanID), err
}

func (g *Gateway) productByPlan(ctx context.Context, planID string) (string, error) {
	found, _, err := call(ctx, "read product", func(ctx context.Context) (*stripe.Product, error) {
		params := &stripe.ProductParams{}
		params.Context = ctx
		return g.products.Get(productID(planID), params)
	})
	if err != nil {
		return "", err
	}
	return found.ID, nil
}

func productID(planID string) string { return "usher_" + planID }

func productParams(ctx context.Context, want PlanPrice) *stripe.ProductParams {
	params := &stripe.ProductParams{
		ID:       stripe.String(productID(want.PlanID)),
		Name:     stripe.String(want.PlanName),
		Metadata: map[string]string{"usher_plan": want.PlanID},
	}
	if want.Description != "" { // Stripe refuses an empty one
		params.Description = stripe.String(want.Description)
	}
	params.Context = ctx
	params.SetIdempotencyKey(hashedKey("product", want.PlanID, want.PlanName, want.Description))
	return params
}
