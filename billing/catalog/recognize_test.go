package catalog_test

import (
	"testing"

	"usher/billing/catalog"
)

const recognizeFile = `
[[plan]]
id = "starter"
name = "Starter"
[[plan.price]]
interval = "month"
amount = 9
price_id = "price_starter"

[[plan]]
id = "pro"
name = "Pro"
[[plan.price]]
interval = "month"
amount = 29
lookup_key = "pro_month"
former_prices = ["price_listed"]

[[pack]]
id = "credits"
name = "Credits"
credits = 10
amount = 5
lookup_key = "pack_credits"
former_prices = ["price_pack_listed"]
`

func usd(minor int64) catalog.Money { return catalog.Money{Minor: minor, Currency: "usd"} }

// recognizeCatalog has the prices for sale resolved. Both plans have one product, which also holds
// prices of other applications.
func recognizeCatalog(t *testing.T) catalog.Catalog {
	t.Helper()
	plans, err := catalog.ParsePlans("plans.toml", []byte(recognizeFile))
	if err != nil {
		t.Fatal(err)
	}
	resolved, missing := plans.Resolved([]catalog.StripePrice{
		{ID: "price_starter", ProductID: "prod_shared", Amount: usd(900), Interval: "month", Active: true},
		{ID: "price_pro", ProductID: "prod_shared", LookupKey: "pro_month", Amount: usd(2900), Interval: "month", Active: true},
		{ID: "price_pack", ProductID: "prod_pack", LookupKey: "pack_credits", Amount: usd(500), Active: true},
	})
	if len(missing) > 0 {
		t.Fatal(missing)
	}
	return resolved
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	plans := recognizeCatalog(t)
	month := func(p catalog.StripePrice) catalog.StripePrice {
		p.ID, p.Interval = "price_x", catalog.Monthly
		return p
	}
	for name, tc := range map[string]struct {
		price catalog.StripePrice
		want  string
	}{
		"listed as former":                      {catalog.StripePrice{ID: "price_listed", Interval: "year"}, "pro"},
		"pack listed as former":                 {catalog.StripePrice{ID: "price_pack_listed"}, "pack_credits"},
		"pushed for a plan":                     {month(catalog.StripePrice{UsherPlan: "pro"}), "pro"},
		"pushed for a pack":                     {catalog.StripePrice{ID: "price_x", UsherPlan: "pack_credits"}, "pack_credits"},
		"pushed for a plan since renamed":       {month(catalog.StripePrice{UsherPlan: "old", FormerLookupKey: "pro_month"}), "pro"},
		"has the lookup key, archived":          {month(catalog.StripePrice{LookupKey: "pro_month"}), "pro"},
		"had the lookup key":                    {month(catalog.StripePrice{FormerLookupKey: "pro_month"}), "pro"},
		"had another lookup key":                {month(catalog.StripePrice{FormerLookupKey: "other"}), ""},
		"sold under the plan":                   {month(catalog.StripePrice{Configured: true, PlanID: "pro"}), "pro"},
		"sold under a plan since removed":       {month(catalog.StripePrice{Configured: true, PlanID: "old"}), ""},
		"decided once, no longer":               {month(catalog.StripePrice{PlanID: "pro"}), ""},
		"special price on Usher's product":      {month(catalog.StripePrice{ProductPlan: "pro"}), "pro"},
		"quarterly special price":               {catalog.StripePrice{ID: "price_x", Interval: "3 month", ProductPlan: "pro"}, "pro"},
		"excluded on Usher's product":           {month(catalog.StripePrice{ProductPlan: "pro", UsherPlan: "none"}), ""},
		"metered on Usher's product":            {month(catalog.StripePrice{ProductPlan: "pro", Model: catalog.ModelMetered}), ""},
		"one-time on Usher's product":           {catalog.StripePrice{ID: "price_x", ProductPlan: "pro"}, ""},
		"recurring on a pack's product":         {month(catalog.StripePrice{ProductPlan: "pack_credits"}), ""},
		"support's price on a shared product":   {month(catalog.StripePrice{ProductID: "prod_shared"}), ""},
		"of the release before, shared product": {month(catalog.StripePrice{ProductID: "prod_shared", Configured: true}), ""},
		"of the release before, pack":           {catalog.StripePrice{ID: "price_x", ProductID: "prod_pack", Configured: true}, "pack_credits"},
		"another application's":                 {month(catalog.StripePrice{}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.price.Amount = usd(1234)
			known := plans.WithFormer([]catalog.StripePrice{tc.price})
			if got := known.Owner(tc.price.ID); got != tc.want {
				t.Errorf("belongs to %q, want %q", got, tc.want)
			}
			if _, price, ok := known.ByPrice(tc.price.ID); ok && (price.Amount != tc.price.Amount || price.Interval != tc.price.Interval) {
				t.Errorf("price %+v, want its own amount and interval", price)
			}
			if got, wanted := known.Recognize(tc.price.ID), tc.want == ""; (got == catalog.PriceUnknown) != wanted {
				t.Errorf("recognized as %s", got)
			}
			if got := known.WithForeign([]string{tc.price.ID}).Recognize(tc.price.ID); (got == catalog.PriceForeign) != (tc.want == "") {
				t.Errorf("recognized as %s", got)
			}
		})
	}
}

func TestRecognizeCurrentPrices(t *testing.T) {
	t.Parallel()
	plans := recognizeCatalog(t).WithForeign([]string{"price_other", "price_pro"})
	for id, want := range map[string]catalog.Recognition{
		"price_starter": catalog.PriceOfPlan, "price_pro": catalog.PriceOfPlan, "price_pack": catalog.PriceOfPack,
		"price_listed": catalog.PriceOfPlan, "price_pack_listed": catalog.PriceOfPack,
		"price_other": catalog.PriceForeign, "": catalog.PriceForeign, "price_new": catalog.PriceUnknown,
	} {
		if got := plans.Recognize(id); got != want {
			t.Errorf("%q is %s, want %s", id, got, want)
		}
	}
}

func TestFormerPriceHasItsOwnAmount(t *testing.T) {
	t.Parallel()
	former := catalog.StripePrice{ID: "price_old", ProductID: "prod_old", UsherPlan: "pro", Interval: "year", Amount: catalog.Money{Minor: 19900, Currency: "eur"}}
	plan, price, known := recognizeCatalog(t).WithFormer([]catalog.StripePrice{former}).ByPrice("price_old")
	want := catalog.Price{ID: "price_old", ProductID: "prod_old", Interval: "year", Amount: former.Amount}
	if !known || plan.ID != "pro" || price.Amount != want.Amount || price.Interval != want.Interval || price.ID != want.ID {
		t.Errorf("plan %s, price %+v, want %+v", plan.ID, price, want)
	}
	if sold, _ := plan.Price("year"); sold.ID != "" { // the plan has only a monthly price
		t.Errorf("a former price is for sale: %+v", sold)
	}
}
