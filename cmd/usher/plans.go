package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"usher/billing"
	"usher/billing/stripegw"
)

func plansCommand() command {
	return command{
		name: "plans", summary: "compare the plan file with Stripe, or create there what is missing", usage: "diff|push [--json]",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			asJSON := set.Bool("json", false, "print JSON")
			return func(ctx context.Context, p program, args []string) error {
				if len(args) != 1 || args[0] != "diff" && args[0] != "push" {
					return usageError{"takes one word, diff or push"}
				}
				return plans(ctx, p, args[0] == "push", *asJSON)
			}
		},
	}
}

// pricePush is what a push did, or a diff found, about one price.
type pricePush struct {
	Plan      string `json:"plan"`
	Interval  string `json:"interval"`
	LookupKey string `json:"lookupKey"`
	PriceID   string `json:"priceId,omitempty"`
	Result    string `json:"result"` // created, unchanged, missing, differs
}

func plans(ctx context.Context, p program, push, asJSON bool) error {
	config, catalogue, err := loadStripeConfig(p)
	if err != nil {
		return err
	}
	gateway := stripegw.New(stripegw.Options{SecretKey: config.StripeKey, APIBase: config.StripeAPIBase, Log: newLogger(p.stderr, config)})
	results := []pricePush{}
	collect := func(r pricePush) { results = append(results, r) }
	if push {
		err = pushPlans(ctx, gateway, catalogue, collect)
	} else {
		err = diffPlans(ctx, gateway, catalogue, collect)
	}
	if err != nil {
		return err
	}
	return printPushes(p, results, asJSON)
}

// loadStripeConfig reads what a subcommand that speaks to a Stripe account needs.
func loadStripeConfig(p program) (Config, billing.Catalogue, error) {
	config, err := loadConfig(p.getenv, dotenvFile)
	if err != nil {
		return config, billing.Catalogue{}, err
	}
	if err := config.require("this subcommand needs it", "STRIPE_SECRET_KEY"); err != nil {
		return config, billing.Catalogue{}, err
	}
	catalogue, err := config.catalogue()
	return config, catalogue, err
}

func discardPush(pricePush) {}

// pushPlans has Stripe make what the catalogue names by lookup key and does not have yet. Prices named by id are left alone.
func pushPlans(ctx context.Context, gateway *stripegw.Gateway, catalogue billing.Catalogue, tell func(pricePush)) error {
	return eachKeyedPrice(catalogue, func(price stripegw.PlanPrice) error {
		made, created, err := gateway.EnsurePrice(ctx, price)
		if err != nil {
			return fmt.Errorf("push %s %s: %w", price.PlanID, paidHow(price.Interval), err)
		}
		result := "unchanged"
		if created {
			result = "created"
		}
		tell(pricePush{price.PlanID, paidHow(price.Interval), price.LookupKey, made.ID, result})
		return nil
	})
}

// diffPlans tells what a push would do, without writing.
func diffPlans(ctx context.Context, gateway *stripegw.Gateway, catalogue billing.Catalogue, tell func(pricePush)) error {
	found, err := gateway.Prices(ctx, catalogue.LookupKeys(), nil)
	if err != nil {
		return fmt.Errorf("read the prices from Stripe: %w", err)
	}
	held := map[string]billing.StripePrice{}
	for _, price := range found {
		held[price.LookupKey] = price
	}
	return eachKeyedPrice(catalogue, func(price stripegw.PlanPrice) error {
		at, known := held[price.LookupKey]
		result := "unchanged"
		switch {
		case !known:
			result = "missing"
		case at.Amount != price.Amount || at.Interval != price.Interval:
			result = "differs"
		}
		tell(pricePush{price.PlanID, paidHow(price.Interval), price.LookupKey, at.ID, result})
		return nil
	})
}

// paidHow is an interval, or that there is none.
func paidHow(interval billing.Interval) string { return cmp.Or(string(interval), "once") }

func eachKeyedPrice(catalogue billing.Catalogue, do func(stripegw.PlanPrice) error) error {
	for _, price := range stripegw.KeyedPrices(catalogue) {
		if err := do(price); err != nil {
			return err
		}
	}
	return nil
}

func printPushes(p program, results []pricePush, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(results)
	}
	for _, r := range results {
		if _, err := fmt.Fprintf(p.stdout, "%-10s %-14s %-6s %-28s %s\n", r.Result, r.Plan, r.Interval, r.LookupKey, r.PriceID); err != nil {
			return err
		}
	}
	return nil
}
