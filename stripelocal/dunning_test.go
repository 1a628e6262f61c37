package stripelocal_test

import (
	"net/url"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// declinedRenewal is a subscription whose first renewal was declined.
func declinedRenewal(t *testing.T, l *testServer, card string) (*clockCustomer, *stripe.Subscription, int64) {
	t.Helper()
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPrice("pro", 1000, "month").ID, 3)
	k.setDefaultCard(card)
	refused := sub.CurrentPeriodEnd + 3600
	k.advance(refused)
	return k, l.subscription(sub.ID), refused
}

func TestDunningTriesEightTimesInTwoWeeks(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]stripe.SubscriptionStatus{"cancel": "canceled", "unpaid": "unpaid", "past_due": "past_due"} {
		t.Run(setting, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			if got := l.browse("POST", "/_usher/settings", url.Values{"after_dunning": {setting}}); got.status != 200 {
				t.Fatalf("settings: %d %s", got.status, got.body)
			}
			k, sub, refused := declinedRenewal(t, l, "pm_card_chargeCustomerFail")
			inv := sub.LatestInvoice
			if sub.Status != "past_due" || inv.Status != "open" || inv.AttemptCount != 1 || inv.NextPaymentAttempt != refused+day {
				t.Fatalf("after the first try: %s, invoice %s, attempt %d, next at +%d", sub.Status, inv.Status, inv.AttemptCount, inv.NextPaymentAttempt-refused)
			}
			if !must[*stripe.Customer](t)(l.api.Customers.Get(k.customer, nil)).Delinquent {
				t.Error("the customer is not delinquent")
			}
			for i, at := range []int64{1, 3, 5, 7, 9, 11, 13} {
				k.advance(refused + at*day)
				if inv = l.invoice(inv.ID); inv.AttemptCount != int64(i)+2 || inv.NextPaymentAttempt <= refused+at*day {
					t.Fatalf("day %d: attempt %d, next at +%d", at, inv.AttemptCount, inv.NextPaymentAttempt-refused)
				}
			}
			k.advance(refused + 14*day)
			inv = l.invoice(inv.ID)
			if got := l.subscription(sub.ID); got.Status != want || inv.AttemptCount != 9 || inv.NextPaymentAttempt != 0 || inv.Status != "open" || inv.AutoAdvance {
				t.Errorf("after two weeks: %s, invoice %s, attempt %d, next %d", got.Status, inv.Status, inv.AttemptCount, inv.NextPaymentAttempt)
			}
			wantOrder(t, l, "invoice.payment_failed", "customer.subscription.updated")
		})
	}
}

func TestDunningCancelsWithReasonPaymentFailed(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k, sub, refused := declinedRenewal(t, l, "pm_card_chargeCustomerFail")
	k.advance(refused + 14*day)
	if got := l.subscription(sub.ID); got.CancellationDetails.Reason != "payment_failed" || got.EndedAt != refused+14*day {
		t.Errorf("reason %s, ended at %d", got.CancellationDetails.Reason, got.EndedAt)
	}
	wantOrder(t, l, "invoice.payment_failed", "customer.subscription.deleted")
	if bad := l.browse("POST", "/_usher/settings", url.Values{"after_dunning": {"forgive"}}); bad.status != 400 {
		t.Errorf("an unknown setting: %d", bad.status)
	}
}

func TestANewCardEndsDunning(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k, sub, refused := declinedRenewal(t, l, "pm_card_chargeCustomerFail")
	k.setDefaultCard("pm_card_visa")
	k.advance(refused + day)
	if got := l.subscription(sub.ID); got.Status != "active" || got.LatestInvoice.Status != "paid" || got.LatestInvoice.AttemptCount != 2 {
		t.Errorf("%s, invoice %s, attempt %d", got.Status, got.LatestInvoice.Status, got.LatestInvoice.AttemptCount)
	}
	if must[*stripe.Customer](t)(l.api.Customers.Get(k.customer, nil)).Delinquent {
		t.Error("the customer is still delinquent")
	}
}

// A card that requires 3-D Secure on a renewal is not retried automatically. The customer completes
// it.
func TestHardDeclineIsNotRetried(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k, sub, refused := declinedRenewal(t, l, "pm_card_authenticationRequired")
	if sub.Status != "past_due" || sub.LatestInvoice.PaymentIntent.Status != "requires_action" {
		t.Fatalf("%s, payment %s", sub.Status, sub.LatestInvoice.PaymentIntent.Status)
	}
	k.advance(refused + 5*day)
	inv := l.invoice(sub.LatestInvoice.ID)
	if inv.AttemptCount != 1 || inv.NextPaymentAttempt != refused+7*day {
		t.Errorf("after five days: attempt %d, next at +%d", inv.AttemptCount, inv.NextPaymentAttempt-refused)
	}
	l.browse("POST", authenticationPage(inv.PaymentIntent.ID), url.Values{"complete": {"1"}})
	if got := l.subscription(sub.ID); got.Status != "active" || got.LatestInvoice.Status != "paid" {
		t.Errorf("once authenticated: %s, invoice %s", got.Status, got.LatestInvoice.Status)
	}
	wantEvents(t, l, "invoice.payment_action_required")
}

func TestPaymentReactivatesAnUnpaidSubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	if err := l.SetAfterDunning(stripelocal.AfterDunningUnpaid); err != nil {
		t.Fatal(err)
	}
	k, sub, refused := declinedRenewal(t, l, "pm_card_chargeCustomerFail")
	k.advance(refused + 14*day)
	k.advance(sub.CurrentPeriodEnd + 7200)
	next := l.subscription(sub.ID)
	if next.Status != "unpaid" || next.LatestInvoice.Status != "draft" || next.LatestInvoice.AutoAdvance {
		t.Errorf("renewed while unpaid: %s, invoice %s", next.Status, next.LatestInvoice.Status)
	}
	k.setDefaultCard("pm_card_visa")
	must[*stripe.Invoice](t)(l.api.Invoices.Pay(sub.LatestInvoice.ID, &stripe.InvoicePayParams{OffSession: stripe.Bool(true)}))
	if got := l.subscription(sub.ID); got.Status != "active" {
		t.Errorf("once paid: %s", got.Status)
	}
}

func TestMarkingUncollectibleEndsPastDue(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testServer, string) (*stripe.Invoice, error){
		"uncollectible": func(l *testServer, id string) (*stripe.Invoice, error) {
			return l.api.Invoices.MarkUncollectible(id, nil)
		},
		"void": func(l *testServer, id string) (*stripe.Invoice, error) { return l.api.Invoices.VoidInvoice(id, nil) },
		"out of band": func(l *testServer, id string) (*stripe.Invoice, error) {
			return l.api.Invoices.Pay(id, &stripe.InvoicePayParams{PaidOutOfBand: stripe.Bool(true)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			_, sub, _ := declinedRenewal(t, l, "pm_card_chargeCustomerFail")
			must[*stripe.Invoice](t)(end(l, sub.LatestInvoice.ID))
			if got := l.subscription(sub.ID); got.Status != "active" {
				t.Errorf("the subscription is %s", got.Status)
			}
		})
	}
}
