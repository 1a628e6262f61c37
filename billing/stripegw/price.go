package stripegw

import (
	"context"
	"fmt"
	"slices"

	"github.com/stripe/stripe-go/v79"

	"usher/billing/catalog"
)

// lookupKeysPerCall is the maximum number of lookup keys of a list request
// (https://docs.stripe.com/api/prices/list#list_prices-lookup_keys).
const lookupKeysPerCall = 10

// Prices returns active prices by lookup key and prices, active or not, by id. Missing ones are
// omitted.
func (c *priceCalls) Prices(ctx context.Context, lookupKeys, ids []string) ([]catalog.StripePrice, error) {
	var prices []catalog.StripePrice
	for chunk := range slices.Chunk(distinct(lookupKeys), lookupKeysPerCall) {
		found, err := c.pricesByLookupKey(ctx, chunk, true)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			prices = append(prices, mapPrice(p))
		}
	}
	for _, id := range distinct(ids) {
		found, err := c.priceByID(ctx, id)
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

// SoldPrices returns all active prices of active products, the newest first.
func (c *priceCalls) SoldPrices(ctx context.Context) ([]catalog.StripePrice, error) {
	found, _, err := call(ctx, "list prices", func(ctx context.Context) ([]catalog.StripePrice, error) {
		params := &stripe.PriceListParams{Active: stripe.Bool(true), Expand: stripe.StringSlice([]string{"data.product"})}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var sold []catalog.StripePrice
		list := c.prices.List(params)
		for list.Next() {
			if p := list.Price(); p.Product != nil && p.Product.Active {
				sold = append(sold, mapPrice(p))
			}
		}
		return sold, list.Err()
	})
	return found, err
}

func (c *priceCalls) pricesByLookupKey(ctx context.Context, keys []string, activeOnly bool) ([]*stripe.Price, error) {
	found, _, err := call(ctx, "list prices", func(ctx context.Context) ([]*stripe.Price, error) {
		params := &stripe.PriceListParams{LookupKeys: stripe.StringSlice(keys), Expand: stripe.StringSlice([]string{"data.product"})}
		if activeOnly {
			params.Active = stripe.Bool(true)
		}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.Price
		list := c.prices.List(params)
		for list.Next() {
			all = append(all, list.Price())
		}
		return all, list.Err()
	})
	return found, err
}

func (c *priceCalls) priceByID(ctx context.Context, id string) (*stripe.Price, error) {
	found, info, err := call(ctx, "read price", func(ctx context.Context) (*stripe.Price, error) {
		params := &stripe.PriceParams{Expand: stripe.StringSlice([]string{"product"})}
		params.Context = ctx
		return c.prices.Get(id, params)
	})
	if err == nil && found.ID == "" {
		err = invalidResponse(info, "the response is no price")
	}
	return found, err
}

func mapPrice(p *stripe.Price) catalog.StripePrice {
	mapped := catalog.StripePrice{
		ID:          p.ID,
		LookupKey:   p.LookupKey,
		Amount:      catalog.Money{Minor: p.UnitAmount, Currency: string(p.Currency)},
		Interval:    interval(p.Recurring),
		Active:      p.Active,
		Model:       priceModel(p),
		TaxBehavior: catalog.TaxBehavior(p.TaxBehavior),
		UsherPlan:   p.Metadata[planMetadata],
	}
	if p.Product != nil {
		mapped.ProductID, mapped.ProductName = p.Product.ID, p.Product.Name
		mapped.ProductPlan = p.Product.Metadata[planMetadata]
	}
	return mapped
}

// priceModel returns how the price's amount comes about. A unit amount with fractions of a minor
// unit is null at Stripe, which stripe-go reads as 0.
func priceModel(p *stripe.Price) catalog.PriceModel {
	switch {
	case p.Recurring != nil && p.Recurring.UsageType == stripe.PriceRecurringUsageTypeMetered:
		return catalog.ModelMetered
	case p.BillingScheme == stripe.PriceBillingSchemeTiered:
		return catalog.ModelTiered
	case p.TransformQuantity != nil:
		return catalog.ModelPackages
	case p.CustomUnitAmount != nil:
		return catalog.ModelCustom
	case p.UnitAmount == 0 && p.UnitAmountDecimal != 0:
		return catalog.ModelFractional
	}
	return ""
}

// interval returns the billing interval. One with a count ("3 month") matches no plan and must not
// be confused with the single one.
func interval(recurring *stripe.PriceRecurring) catalog.Interval {
	switch {
	case recurring == nil:
		return ""
	case recurring.IntervalCount > 1:
		return catalog.Interval(fmt.Sprintf("%d %s", recurring.IntervalCount, recurring.Interval))
	}
	return catalog.Interval(recurring.Interval)
}

// distinct returns the values in order, without empty and repeated ones.
func distinct(values []string) []string {
	var kept []string
	for _, v := range values {
		if v != "" && !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}
