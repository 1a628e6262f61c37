package db

import (
	"testing"
	"time"

	"usher/billing"
)

// An attempt counts once, and what is stored of it does not depend on the order of the reports.
func TestPaymentAttempts(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := billing.PaymentAttempt{
		Account: "acct_1", Livemode: true, ID: "ch_1", OrganizationID: "org_1", InvoiceID: "in_1", Number: 2, At: at(5), Amount: 2900,
		Currency: "usd", Outcome: billing.AttemptDeclined, DeclineCode: "insufficient_funds", PaymentMethodID: "pm_1",
		NextAttemptAt: ptr(at(90)), AsOf: at(6),
	}
	wantFilled(t, full)
	earlier, fromCharge := full, full
	earlier.NextAttemptAt, earlier.AsOf, earlier.Number = ptr(at(50)), at(5), 1
	fromCharge.NextAttemptAt, fromCharge.AsOf, fromCharge.Number = nil, time.Time{}, 0
	for i, order := range [][]billing.PaymentAttempt{{full, earlier, fromCharge}, {fromCharge, full, earlier}, {earlier, fromCharge, full}} {
		want := full
		want.ID = []string{"ch_1", "ch_2", "ch_3"}[i]
		want.InvoiceID = "in_" + want.ID
		for n, a := range order {
			a.ID, a.InvoiceID = want.ID, want.InvoiceID
			fresh, err := store.PaymentAttempts().Put(ctx, a)
			must(t, err)
			wantEqual(t, fresh, n == 0)
		}
		got, err := store.PaymentAttempts().List(ctx, "org_1", want.InvoiceID)
		must(t, err)
		wantEqual(t, got, []billing.PaymentAttempt{want})
	}
	// The same charge in test mode is another attempt; the newest is first.
	test, later := full, full
	test.Livemode, later.ID, later.At = false, "ch_9", at(7)
	for _, a := range []billing.PaymentAttempt{full, test, later} {
		a.InvoiceID = "in_9"
		if a.ID == "ch_1" && a.Livemode {
			a.ID = "ch_8"
		}
		fresh, err := store.PaymentAttempts().Put(ctx, a)
		must(t, err)
		wantEqual(t, fresh, true)
	}
	listed, err := store.PaymentAttempts().List(ctx, "org_1", "in_9")
	must(t, err)
	if len(listed) != 3 || listed[0].ID != "ch_9" {
		t.Errorf("%+v", listed)
	}
}

func TestInvoicePayments(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	acct := billing.StripeAccount{ID: "acct_1", Livemode: true}
	full := billing.InvoicePayment{
		ID: "pay_1", OrganizationID: "org_1", Account: "acct_1", Livemode: true, InvoiceID: "in_1", SubscriptionID: "sub_1",
		Origin: billing.PaymentByCard, PaymentMethodID: "pm_1", Amount: 2900, Currency: "usd", RequestedBy: "usr_1", RequestedAt: at(1),
		Status: billing.PaymentOpen, DeclineCode: "generic_decline", KeyNumber: 2, Attempts: 3, Error: "declined", RequestID: "req_1",
		NextAttemptAt: ptr(at(10)),
	}
	wantFilled(t, full, "DoneAt")
	insert := func(change func(*billing.InvoicePayment)) bool {
		p := full
		change(&p)
		fresh, err := store.InvoicePayments().InsertForCard(ctx, p)
		must(t, err)
		return fresh
	}
	wantEqual(t, insert(func(*billing.InvoicePayment) {}), true)
	wantEqual(t, insert(func(p *billing.InvoicePayment) { p.ID, p.PaymentMethodID = "pay_2", "pm_2" }), false) // one is open
	got, err := store.InvoicePayments().Open(ctx, "in_1")
	must(t, err)
	wantEqual(t, got, full)
	_, err = store.InvoicePayments().ClaimDue(ctx, acct, at(9), at(40))
	wantNotFound(t, err)
	_, err = store.InvoicePayments().ClaimDue(ctx, billing.StripeAccount{ID: "acct_1"}, at(10), at(40))
	wantNotFound(t, err)
	claimed, err := store.InvoicePayments().ClaimDue(ctx, acct, at(10), at(40))
	must(t, err)
	full.NextAttemptAt = ptr(at(40))
	wantEqual(t, claimed, full)

	full.Status, full.DoneAt, full.NextAttemptAt = billing.PaymentDeclined, ptr(at(12)), nil
	must(t, store.InvoicePayments().Put(ctx, full))
	late := full
	late.Status = billing.PaymentPaid // an ended payment stays as it is
	must(t, store.InvoicePayments().Put(ctx, late))
	got, err = store.InvoicePayments().Latest(ctx, "org_1", acct)
	must(t, err)
	wantEqual(t, got, full)
	wantEqual(t, insert(func(p *billing.InvoicePayment) { p.ID, p.Status, p.DoneAt = "pay_3", billing.PaymentOpen, nil }), false) // the same card
	wantEqual(t, insert(func(p *billing.InvoicePayment) {
		p.ID, p.PaymentMethodID, p.Status, p.DoneAt, p.RequestedAt = "pay_4", "pm_4", billing.PaymentOpen, nil, at(20)
	}), true)
	got, err = store.InvoicePayments().Latest(ctx, "org_1", acct)
	must(t, err)
	wantEqual(t, got.ID, "pay_4")
}
