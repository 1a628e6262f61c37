package catalog_test

import (
	"strings"
	"testing"

	"usher/billing/catalog"
)

func TestMismatches(t *testing.T) {
	t.Parallel()
	plans, err := catalog.ParsePlans("plans.toml", []byte(recognizeFile))
	if err != nil {
		t.Fatal(err)
	}
	starter := catalog.StripePrice{ID: "price_starter", Amount: usd(1100), Interval: "month", Active: true}
	with := func(change func(*catalog.StripePrice)) catalog.StripePrice {
		price := starter
		change(&price)
		return price
	}
	pack := func(interval catalog.Interval) catalog.StripePrice {
		return catalog.StripePrice{ID: "price_pack", LookupKey: "pack_credits", Amount: usd(500), Interval: interval, Active: true}
	}
	for name, tc := range map[string]struct {
		found []catalog.StripePrice
		want  string // in the only mismatch; empty: none
	}{
		"another amount fits": {[]catalog.StripePrice{starter}, ""},
		"interval":            {[]catalog.StripePrice{with(func(p *catalog.StripePrice) { p.Interval = "year" })}, "the interval is year at Stripe, month in the plan file: name a price"},
		"three months":        {[]catalog.StripePrice{with(func(p *catalog.StripePrice) { p.Interval = "3 month" })}, "the interval is 3 month at Stripe"},
		"one-time":            {[]catalog.StripePrice{with(func(p *catalog.StripePrice) { p.Interval = "" })}, "the type is one-time at Stripe"},
		"currency":            {[]catalog.StripePrice{with(func(p *catalog.StripePrice) { p.Amount.Currency = "eur" })}, "the currency is EUR at Stripe"},
		"metered":             {[]catalog.StripePrice{with(func(p *catalog.StripePrice) { p.Model = catalog.ModelMetered })}, "the type is metered at Stripe"},
		"of another mode":     {nil, `plan starter, price per month: price_id "price_starter": there is no such price in this account and mode`},
		"pack":                {[]catalog.StripePrice{starter, pack("")}, ""},
		"recurring pack":      {[]catalog.StripePrice{starter, pack("month")}, `pack credits: lookup_key "pack_credits": the type is recurring at Stripe`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mismatches := plans.Mismatches(tc.found)
			switch {
			case tc.want == "" && len(mismatches) > 0:
				t.Errorf("mismatches %v, want none", mismatches)
			case tc.want != "" && (len(mismatches) != 1 || !strings.Contains(mismatches[0].String(), tc.want)):
				t.Errorf("mismatches %v, want %q", mismatches, tc.want)
			}
		})
	}
	single := catalog.SinglePrice("price_1")
	if got := single.Mismatches([]catalog.StripePrice{{ID: "price_1", Amount: usd(1), Interval: "year"}}); len(got) > 0 {
		t.Errorf("the single price does not fit: %v", got)
	}
}
