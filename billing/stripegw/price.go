package stripegw

import (
	"context"
	"fmt"
	"slices"

	"github.com/stripe/stripe-go/v79"

	"usher/billing/catalog"
)

// lookupKeysPerCall is the most lookup keys that one list request may ask for
// (https://docs.stripe.com/api/prices/list#list_prices-lookup_keys).
const lookupKeysPerCall = 10

// Prices finds active prices by lookup key and prices, active or not, by id; what does not exist is left out.
func (g *Gateway) Prices(ctx context.Context, lookupKeys, ids []string) ([]catalog.StripePrice, error) {
	var prices []catalog.StripePrice
	for chunk := range slices.Chunk(distinct(lookupKeys), lookupKeysPerCall) {
		found, err := g.pricesByLookupKey(ctx, chunk, true)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			prices = append(prices, mapPrice(p))
		}
	}
	for _, id := range distinct(ids) {
		found, err := g.priceByID(ctx, id)
		if isMissing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		prices = append(prices, mapPrice(found))
	}
	return prices, nil
}

func (g *Gateway) pricesByLookupKey(ctx context.Context, keys []string, activeOnly bool) ([]*stripe.Price, error) {
	found, _, err := call(ctx, "list prices", func(ctx context.Context) ([]*stripe.Price, error) {
		params := &stripe.PriceListParams{LookupKeys: stripe.StringSlice(keys), Expand: stripe.StringSlice([]string{"data.product"})}
		if activeOnly {
			params.Active = stripe.Bool(true)
		}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.Price
		list := g.prices.List(params)
		for list.Next() {
			all = append(all, list.Price())
		}
		return all, list.Err()
	})
	return found, err
}

func (g *Gateway) priceByID(ctx context.Context, id string) (*stripe.Price, error) {
	found, x, err := call(ctx, "read price", func(ctx context.Context) (*stripe.Price, error) {
		params := &stripe.PriceParams{Expand: stripe.StringSlice([]string{"product"})}
		params.Context = ctx
		return g.prices.Get(id, params)
	})
	if err == nil && found.ID == "" {
		err = invalidResponse(x, "the answer is no price")
	}
	return found, err
}

func mapPrice(p *stripe.Price) catalog.StripePrice {
	mapped := catalog.StripePrice{
		ID:        p.ID,
		LookupKey: p.LookupKey,
		Amount:    catalog.Money{Minor: p.UnitAmount, Currency: string(p.Currency)},
		Interval:  interval(p.Recurring),
		Active:    p.Active,
	}
	if p.Product != nil {
		mapped.ProductID, mapped.ProductName = p.Product.ID, p.Product.Name
	}
	return mapped
}

// interval reads how often a price is paid. One that counts several ("3 month") is none that a plan can have, and must not be taken for
// the single one.
func interval(recurring *stripe.PriceRecurring) catalog.Interval {
	switch {
	case recurring == nil:
		return ""
	case recurring.IntervalCount > 1:
		return catalog.Interval(fmt.Sprintf("%d %s", recurring.IntervalCount, recurring.Interval))
	}
	return catalog.Interval(recurring.Interval)
}

// distinct returns the values without empty and repeated ones, in their order.
func distinct(values []string) []string {
	var kept []string
	for _, v := range values {
		if v != "" && !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}
