package main

import (
	"context"
	"fmt"

	"usher/billing/catalog"
	"usher/billing/stripegw"
	"usher/stripelocal"
)

// latePricesRound is the round before which some prices change in odd batches.
const latePricesRound = 1

// newAmounts are the amounts, in cents, of prices that are replaced during a batch.
var newAmounts = map[string]int64{"usher_starter_month": 1_100, "usher_pro_month": 3_100, "usher_pro_year": 30_000}

// unreadablePrices is the number of calls for prices that fail after the change.
const unreadablePrices = 12

// pushNewPrices replaces prices as `usher plans push` does. The replicas learn of the new ones
// later: from their next look at the stored prices, or from a subscription or an invoice. Reading
// prices fails for a while.
func (e *environment) pushNewPrices(ctx context.Context, round int) error {
	if round != latePricesRound || e.losesEvents() {
		return nil
	}
	var prices []catalog.StripePrice
	for _, desired := range stripegw.PlanPrices(plansForSale()) {
		if amount, replaced := newAmounts[desired.LookupKey]; replaced {
			desired.Amount.Minor = amount
		}
		var failed error
		err := waitUntil(ctx, "a new price", func() bool { // injected errors of Stripe
			price, _, err := e.gateway.EnsurePrice(ctx, desired)
			if failed = err; err == nil {
				prices = append(prices, price)
			}
			return err == nil
		})
		if err != nil {
			return fmt.Errorf("%w: %w", err, failed)
		}
	}
	plans, _ := plansForSale().Resolved(prices)
	e.plans = plans.WithFormer(e.prices)
	e.results.countFault("prices: replaced during a batch", len(newAmounts))
	return e.hidePrices()
}

func (e *environment) hidePrices() error {
	for _, path := range []string{"/v1/prices", "/v1/prices/*"} {
		_, err := e.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Path: path, Method: "GET", Calls: unreadablePrices})
		if err != nil {
			return err
		}
	}
	return nil
}
