package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"usher/billing/catalog"
	"usher/billing/stripegw"
)

// priceResult is what a push did to one price, or what a diff found.
type priceResult struct {
	Plan      string `json:"plan"`
	Interval  string `json:"interval"` // month, year, or once for a pack
	LookupKey string `json:"lookupKey"`
	PriceID   string `json:"priceId,omitempty"`
	Result    string `json:"result"` // created, updated, unchanged, missing, differs
	// Differences says what differs at Stripe, by field.
	Differences []string `json:"differences,omitempty"`
}

func runPlans(ctx context.Context, inv *invocation) error {
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	if len(args) != 1 || !slices.Contains([]string{"diff", "push", "pull"}, args[0]) {
		return usageError("takes one argument, diff, push or pull")
	}
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	if err := config.require("this subcommand needs it", "STRIPE_SECRET_KEY"); err != nil {
		return err
	}
	gateway := newGateway(config, nil, newLogger(inv.stderr, config), nil)
	if args[0] == "pull" {
		return pullPlans(ctx, inv, gateway)
	}
	plans, err := config.catalog()
	if err != nil {
		return err
	}
	sync := diffPlans
	if args[0] == "push" {
		sync = pushPlans
	}
	results, err := sync(ctx, gateway, plans)
	if err != nil {
		return err
	}
	return inv.print(results, formatPrices(results))
}

// pullPlans prints a plan file that sells what the account sells already, and on the standard error
// which prices it leaves out.
func pullPlans(ctx context.Context, inv *invocation, gateway *stripegw.Gateway) error {
	prices, err := gateway.SoldPrices(ctx)
	if err != nil {
		return fmt.Errorf("read the prices from Stripe: %w", err)
	}
	draft := catalog.DraftPlans(prices)
	for _, left := range draft.LeftOut {
		fmt.Fprintf(inv.stderr, "Left out: %s of %s: %s.\n", left.PriceID, left.Product, left.Reason)
	}
	return inv.print(draft, draft.Text)
}

// pushPlans creates the prices at Stripe that the catalog names by lookup key and that do not
// exist yet. It leaves prices named by id alone.
func pushPlans(
	ctx context.Context, gateway *stripegw.Gateway, plans catalog.Catalog,
) ([]priceResult, error) {
	results := []priceResult{}
	for _, price := range stripegw.PlanPrices(plans) {
		interval := intervalName(price.Interval)
		stored, result, err := gateway.EnsurePrice(ctx, price)
		if err != nil {
			return nil, fmt.Errorf("push %s %s: %w", price.PlanID, interval, err)
		}
		results = append(results, priceResult{
			Plan: price.PlanID, Interval: interval, LookupKey: price.LookupKey, PriceID: stored.ID, Result: string(result),
		})
	}
	return results, nil
}

// diffPlans compares the prices of the catalog, by lookup key or id, with Stripe's.
func diffPlans(
	ctx context.Context, gateway *stripegw.Gateway, plans catalog.Catalog,
) ([]priceResult, error) {
	found, err := gateway.Prices(ctx, plans.LookupKeys(), plans.PriceIDs())
	if err != nil {
		return nil, fmt.Errorf("read the prices from Stripe: %w", err)
	}
	results := []priceResult{}
	for _, c := range plans.Compare(found) {
		r := priceResult{
			Plan: c.Owner, Interval: intervalName(cmp.Or(c.Price.Interval, c.Stripe.Interval)), LookupKey: c.Price.LookupKey,
			PriceID: cmp.Or(c.Stripe.ID, c.Price.ID), Result: "unchanged", Differences: c.Differences,
		}
		switch {
		case !c.Exists:
			r.Result = "missing"
		case len(c.Differences) > 0:
			r.Result = "differs"
		}
		results = append(results, r)
	}
	return results, nil
}

func intervalName(interval catalog.Interval) string { return cmp.Or(string(interval), "once") }

func formatPrices(results []priceResult) string {
	var text strings.Builder
	for _, r := range results {
		fmt.Fprintf(&text, "%-10s %-14s %-6s %-28s %s\n",
			r.Result, r.Plan, r.Interval, r.LookupKey, r.PriceID)
		for _, difference := range r.Differences {
			fmt.Fprintf(&text, "%10s %s\n", "", difference)
		}
	}
	return text.String()
}
