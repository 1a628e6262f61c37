package db

import (
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

func TestStripeAccount(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	_, err := store.Stripe().Account(ctx, "key 1")
	wantNotFound(t, err)
	must(t, store.Stripe().PutAccount(ctx, "key 1", billing.StripeAccount{ID: "acct_0"}))
	must(t, store.Stripe().PutAccount(ctx, "key 1", stripeAccount))
	must(t, store.Stripe().PutAccount(ctx, "key 2", billing.StripeAccount{ID: "acct_2"}))
	got, err := store.Stripe().Account(ctx, "key 1")
	must(t, err)
	wantEqual(t, got, stripeAccount)
}

func TestStripePrices(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	first := catalog.StripePrice{ID: "price_z", ProductID: "prod_1", ProductName: "Pro", LookupKey: "pro_month",
		Amount: catalog.Money{Minor: 2900, Currency: "usd"}, Interval: "month", Active: true, Model: catalog.ModelTiered, TaxBehavior: "exclusive",
		UsherPlan: "pro", ProductPlan: "pro", FormerLookupKey: "read only", Configured: true, PlanID: "pro", CheckedAt: at(1)}
	wantFilled(t, first)
	first.FormerLookupKey = ""
	second := catalog.StripePrice{ID: "price_a", Amount: catalog.Money{Minor: -1, Currency: "jpy"}, CheckedAt: at(2)}
	must(t, store.Stripe().PutPrices(ctx, stripeAccount, []catalog.StripePrice{first, second, first}))
	must(t, store.Stripe().PutPrices(ctx, billing.StripeAccount{ID: stripeAccount.ID}, []catalog.StripePrice{second}))

	got, err := store.Stripe().Prices(ctx, stripeAccount)
	must(t, err)
	wantEqual(t, got, []catalog.StripePrice{first, second})

	replaced := catalog.StripePrice{ID: "price_z", ProductID: "prod_2", ProductName: "Pro 2", LookupKey: "other",
		Amount: catalog.Money{Minor: 3000, Currency: "eur"}, Interval: "year", CheckedAt: at(3)}
	must(t, store.Stripe().PutPrices(ctx, stripeAccount, []catalog.StripePrice{replaced}))
	// What it was before stays true.
	replaced.Configured, replaced.PlanID, replaced.FormerLookupKey = true, "pro", "pro_month"
	got, err = store.Stripe().Prices(ctx, stripeAccount)
	must(t, err)
	wantEqual(t, got, []catalog.StripePrice{replaced, second})

	got, err = store.Stripe().Prices(ctx, billing.StripeAccount{ID: "acct_2"})
	must(t, err)
	wantEqual(t, got, []catalog.StripePrice{})
}

func TestLookupKeyBelongsToOneStoredPrice(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	price := func(id, key string) catalog.StripePrice {
		return catalog.StripePrice{ID: id, LookupKey: key, Amount: catalog.Money{Currency: "usd"}, CheckedAt: at(0)}
	}
	put := func(p catalog.StripePrice) {
		must(t, store.Stripe().PutPrices(ctx, stripeAccount, []catalog.StripePrice{p}))
	}
	put(price("price_1", "pro_month"))
	put(price("price_2", "pro_month"))
	put(price("price_1", "")) // as Stripe has it now
	moved := price("price_1", "")
	moved.FormerLookupKey = "pro_month"
	got, err := store.Stripe().Prices(ctx, stripeAccount)
	must(t, err)
	wantEqual(t, got, []catalog.StripePrice{moved, price("price_2", "pro_month")})
}

func TestPrunePricesKeepsPlans(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	price := func(id, plan string, configured bool, checked int) catalog.StripePrice {
		return catalog.StripePrice{ID: id, PlanID: plan, Configured: configured, Amount: catalog.Money{Currency: "usd"}, CheckedAt: at(checked)}
	}
	prices := []catalog.StripePrice{
		price("price_sold", "", true, 1), price("price_former", "pro", false, 1), price("price_recent", "", false, 2), price("price_foreign", "", false, 1),
	}
	must(t, store.Stripe().PutPrices(ctx, stripeAccount, prices))
	must(t, store.Stripe().PrunePrices(ctx, stripeAccount, at(2)))
	got, err := store.Stripe().Prices(ctx, stripeAccount)
	must(t, err)
	wantEqual(t, got, prices[:3])
}
