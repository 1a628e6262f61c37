package main

import (
	"cmp"
	"context"
	"fmt"
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
	Result    string `json:"result"` // created, unchanged, missing, differs
}

func runPlans(ctx context.Context, inv *invocation) error {
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	if len(args) != 1 || args[0] != "diff" && args[0] != "push" {
		return usageError("takes one argument, diff or push")
	}
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	if err := config.require("this subcommand needs it", "STRIPE_SECRET_KEY"); err != nil {
		return err
	}
	plans, err := config.catalog()
	if err != nil {
		return err
	}
	sync := diffPlans
	if args[0] == "push" {
		sync = pushPlans
	}
	results, err := sync(ctx, newGateway(config, nil, newLogger(inv.stderr, config)), plans)
	if err != nil {
		return err
	}
	return inv.print(results, formatPrices(results))
}

// pushPlans creates the prices at Stripe that the catalog names by lookup key and that do not
// exist yet. It leaves prices named by id alone.
func pushPlans(
	ctx context.Context, gateway *stripegw.Gateway, plans catalog.Catalog,
) ([]priceResult, error) {
	results := []priceResult{}
	for _, price := range stripegw.PlanPrices(plans) {
		interval := intervalName(price.Interval)
		stored, created, err := gateway.EnsurePrice(ctx, price)
		if err != nil {
			return nil, fmt.Errorf("push %s %s: %w", price.PlanID, interval, err)
		}
		result := "unchanged"
		if created {
			result = "created"
		}
		results = append(results, priceResult{price.PlanID, interval, price.LookupKey, stored.ID, result})
	}
	return results, nil
}

// diffPlans compares the prices that the catalog names by lookup key with Stripe's.
func diffPlans(
	ctx context.Context, gateway *stripegw.Gateway, plans catalog.Catalog,
) ([]priceResult, error) {
	found, err := gateway.Prices(ctx, plans.LookupKeys(), nil)
	if err != nil {
		return nil, fmt.Errorf("read the prices from Stripe: %w", err)
	}
	byKey := map[string]catalog.StripePrice{}
	for _, price := range found {
		byKey[price.LookupKey] = price
	}
	results := []priceResult{}
	for _, price := range stripegw.PlanPrices(plans) {
		stored, exists := byKey[price.LookupKey]
		result := "unchanged"
		switch {
		case !exists:
			result = "missing"
		case stored.Amount != price.Amount || stored.Interval != price.Interval:
			result = "differs"
		}
		results = append(results,
			priceResult{price.PlanID, intervalName(price.Interval), price.LookupKey, stored.ID, result})
	}
	return results, nil
}

func intervalName(interval catalog.Interval) string { return cmp.Or(string(interval), "once") }

func formatPrices(results []priceResult) string {
	var text strings.Builder
	for _, r := range results {
		fmt.Fprintf(&text, "%-10s %-14s %-6s %-28s %s\n",
			r.Result, r.Plan, r.Interval, r.LookupKey, r.PriceID)
	}
	return text.String()
}
