package db

import (
	"testing"

	"usher/billing"
)

func TestPaymentRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	_, err := store.Payments().Get(ctx, "ch_1")
	wantNotFound(t, err)
	full := billing.Payment{
		ID: "ch_1", OrganizationID: "org_1", CustomerID: "cus_1", InvoiceID: "in_1", Account: "acct_1", Livemode: true, TestClock: true,
		Currency: "usd", Amount: 2900, Refunded: 100, Lost: 200, Disputed: 300, AsOf: at(1), Revision: 1,
	}
	wantFilled(t, full)
	must(t, store.Payments().Put(ctx, full))
	got, err := store.Payments().Lock(ctx, "ch_1")
	must(t, err)
	wantEqual(t, got, full)
	full.Refunded, full.Revision = 2900, 2
	must(t, store.Payments().Put(ctx, full))
	got, err = store.Payments().Get(ctx, "ch_1")
	must(t, err)
	wantEqual(t, got, full)
}

func TestCreditFacts(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := billing.CreditFact{
		OrganizationID: "org_1", Account: "acct_1", Livemode: true, Source: "invoice:in_1", Kind: billing.FactPeriod, InvoiceID: "in_1", SubscriptionID: "sub_1", ChargeID: "ch_9",
		PlanID: "pro", Credits: 1000, At: at(1), PeriodStart: at(2), PeriodEnd: at(3), Months: 12, FromCredits: 5, Paid: 400, Refunded: 100,
	}
	wantFilled(t, full)
	pack := billing.CreditFact{OrganizationID: "org_1", Account: "acct_1", Livemode: true, Source: "pack:cs_1", Kind: billing.FactPack, ChargeID: "ch_2", Credits: 5, At: at(4), Paid: 300, Refunded: 300}
	whole := billing.CreditFact{OrganizationID: "org_1", Account: "acct_1", Livemode: true, Source: "upgrade:in_2", Kind: billing.FactUpgrade, InvoiceID: "in_2", Credits: 7, At: at(5),
		PeriodStart: at(2), PeriodEnd: at(3)}
	// The total decides, not the charge, and what was credited is returned too.
	byBalance := billing.CreditFact{
		OrganizationID: "org_1", Account: "acct_1", Livemode: true, Source: "invoice:in_3", Kind: billing.FactPeriod, InvoiceID: "in_3", At: at(6), PeriodStart: at(2), PeriodEnd: at(3),
		Paid: 2900, Refunded: 1000 + 30 + 4,
	}
	testMode := pack
	testMode.Source, testMode.Livemode = "pack:cs_2", false
	for _, f := range []billing.CreditFact{full, pack, whole, byBalance, testMode} {
		for _, want := range []bool{true, false} {
			fresh, err := store.Credits().InsertFact(ctx, f)
			must(t, err)
			wantEqual(t, fresh, want)
		}
	}
	for _, p := range []billing.Payment{
		{ID: "ch_1", InvoiceID: "in_1", Amount: 400, Refunded: 100},
		{ID: "ch_2", Amount: 300, Refunded: 300, Lost: 300},
		{ID: "ch_3", InvoiceID: "in_2", Amount: 300},
		{ID: "ch_4", InvoiceID: "in_3", Amount: 1000, Refunded: 1000},
	} {
		p.OrganizationID, p.AsOf = "org_1", at(6)
		must(t, store.Payments().Put(ctx, p))
	}
	must(t, store.Invoices().Put(ctx, billing.Invoice{
		ID: "in_3", OrganizationID: "org_1", Status: "paid", Total: 2900, Credited: 1030, CreditedUnrefunded: 30, CreditedBeforePayment: 4, CreatedAt: at(6), AsOf: at(6),
	}))
	got, err := store.Credits().Facts(ctx, "org_1", billing.StripeAccount{ID: "acct_1", Livemode: true})
	must(t, err)
	wantEqual(t, got, []billing.CreditFact{full, pack, whole, byBalance})
}
