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
		Amount: catalog.Money{Minor: 2900, Currency: "usd"}, Interval: "month", Active: true}
	wantFilled(t, first)
	second := catalog.StripePrice{ID: "price_a", Amount: catalog.Money{Minor: -1, Currency: "jpy"}}
	must(t, store.Stripe().PutPrices(ctx, stripeAccount, []catalog.StripePrice{first, second, first}))
	must(t, store.Stripe().PutPrices(ctx, billing.StripeAccount{ID: stripeAccount.ID}, []catalog.StripePrice{second}))

	got, err := store.Stripe().Prices(ctx, stripeAccount)
	must(t, err)
	wantEqual(t, got, []catalog.StripePrice{first, second})

	replaced := catalog.StripePrice{ID: "price_z", ProductID: "prod_2", ProductName: "Pro 2", LookupKey: "other",
		Amount: catalog.Money{Minor: 3000, Currency: "eur"}, Interval: "year"}
	must(t, store.Stripe().PutPrices(ctx, stripeAccount, []catalog.StripePrice{replaced}))
	got, err = store.Stripe().Prices(ctx, stripeAccount)
	must(t, err)
	wantEqual(t, got, []catalog.StripePrice{replaced, second})

	got, err = store.Stripe().Prices(ctx, billing.StripeAccount{ID: "acct_2"})
	must(t, err)
	wantEqual(t, got, []catalog.StripePrice{})
}
