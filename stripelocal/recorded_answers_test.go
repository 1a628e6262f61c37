package stripelocal_test

import (
	"net/url"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// The tests of this file hold answers of the real API, recorded by public test suites:
// pay-rails/pay unless another is named.

// Without a return_url a payment that requires 3-D Secure names Stripe.js, with one a redirect.
func TestRecordedNextAction(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	without := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(2000, "pm_card_authenticationRequired")))
	if a := without.NextAction; a.Type != "use_stripe_sdk" || a.UseStripeSDK == nil || a.RedirectToURL != nil {
		t.Errorf("without a return_url: %+v", a)
	}
	with := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(2000, "pm_card_authenticationRequired", func(p *stripe.PaymentIntentParams) {
		p.ReturnURL = stripe.String("http://app.test/back")
	})))
	if a := with.NextAction; a.Type != "redirect_to_url" || a.RedirectToURL == nil || a.RedirectToURL.ReturnURL != "http://app.test/back" || a.UseStripeSDK != nil {
		t.Errorf("with a return_url: %+v", a)
	}
}

// A first invoice that waits for 3-D Secure was attempted, with an attempt_count of 0.
func TestRecordedFirstInvoiceRequiresAction(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_authenticationRequired")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	inv := sub.LatestInvoice
	if sub.Status != "incomplete" || inv.Status != "open" || inv.AttemptCount != 0 || !inv.Attempted || inv.NextPaymentAttempt != 0 || inv.PaymentIntent.Status != "requires_action" || inv.PaymentIntent.NextAction.Type != "use_stripe_sdk" {
		t.Errorf("%s, invoice %s, attempts %d, attempted %v, next %d, intent %s", sub.Status, inv.Status, inv.AttemptCount, inv.Attempted, inv.NextPaymentAttempt, inv.PaymentIntent.Status)
	}
	l.browse("POST", authenticationPage(inv.PaymentIntent.ID), url.Values{"complete": {"1"}})
	if got := l.subscription(sub.ID); got.Status != "active" || got.LatestInvoice.AttemptCount != 1 {
		t.Errorf("authenticated: %s, attempts %d", got.Status, got.LatestInvoice.AttemptCount)
	}
}

// DELETE of a subscription that was set to end with its period clears the date. canceled_at keeps
// the time of the first request.
func TestRecordedCancelOfAnEndingSubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	ending := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))
	if !ending.CancelAtPeriodEnd || ending.CancelAt != sub.CurrentPeriodEnd {
		t.Fatalf("ending: %v %d", ending.CancelAtPeriodEnd, ending.CancelAt)
	}
	k.advance(noon + day)
	got := must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(sub.ID, nil))
	if got.Status != "canceled" || got.CancelAtPeriodEnd || got.CancelAt != 0 || got.CanceledAt != noon || got.EndedAt != noon+day || got.CancellationDetails.Reason != "cancellation_requested" {
		t.Errorf("%s, at period end %v, cancel_at %d, canceled_at %d, ended_at %d, %s", got.Status, got.CancelAtPeriodEnd, got.CancelAt, got.CanceledAt, got.EndedAt, got.CancellationDetails.Reason)
	}
}

// One that ends by itself keeps the flag: it "did cancel at the end of the period" (API reference).
func TestEndingWithThePeriodKeepsTheFlag(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))
	k.advance(sub.CurrentPeriodEnd)
	if got := l.subscription(sub.ID); got.Status != "canceled" || !got.CancelAtPeriodEnd || got.CancelAt != sub.CurrentPeriodEnd {
		t.Errorf("%s, at period end %v, cancel_at %d", got.Status, got.CancelAtPeriodEnd, got.CancelAt)
	}
}

// An invoice for a subscription with nothing pending is a draft over 0.
func TestRecordedEmptyInvoiceOfASubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	k.advance(noon + day)
	inv := must[*stripe.Invoice](t)(l.api.Invoices.New(&stripe.InvoiceParams{Customer: stripe.String(k.customer), Subscription: stripe.String(sub.ID)}))
	if inv.Status != "draft" || inv.BillingReason != "manual" || inv.AutoAdvance || inv.Total != 0 || inv.AmountDue != 0 || len(inv.Lines.Data) != 0 || inv.PeriodStart != noon || inv.PeriodEnd != noon+day || inv.Currency != "usd" {
		t.Errorf("%s %s over %d, auto_advance %v, %d lines, period %d to %d", inv.Status, inv.BillingReason, inv.Total, inv.AutoAdvance, len(inv.Lines.Data), inv.PeriodStart, inv.PeriodEnd)
	}
	if paid := must[*stripe.Invoice](t)(l.api.Invoices.FinalizeInvoice(inv.ID, nil)); paid.Status != "paid" || paid.PaymentIntent != nil {
		t.Errorf("finalized: %s", paid.Status)
	}
}

// A first invoice over nothing is paid, attempted, and has neither an attempt nor a charge.
func TestRecordedFirstInvoiceOfATrial(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	inv := l.createOnTestClock("pm_card_visa").subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(14)).LatestInvoice
	if inv.Status != "paid" || !inv.Attempted || inv.AttemptCount != 0 || inv.PaymentIntent != nil || inv.Charge != nil || inv.AutoAdvance {
		t.Errorf("%s, attempted %v, attempts %d, intent %v", inv.Status, inv.Attempted, inv.AttemptCount, inv.PaymentIntent)
	}
}

// 4000 0027 6000 3184 requires authentication on every payment, 4000 0025 0000 3155 only until it
// was set up (docs: testing, regulatory cards).
func TestAuthenticationOnEveryRenewal(t *testing.T) {
	t.Parallel()
	for card, want := range map[string]stripe.SubscriptionStatus{"pm_card_authenticationRequired": "past_due", "pm_card_authenticationRequiredOnSetup": "active"} {
		t.Run(card, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock(card)
			sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
			l.browse("POST", authenticationPage(sub.LatestInvoice.PaymentIntent.ID), url.Values{"complete": {"1"}})
			k.advance(sub.CurrentPeriodEnd + 3600)
			got := l.subscription(sub.ID)
			if got.Status != want {
				t.Fatalf("renewed: %s, invoice %s", got.Status, got.LatestInvoice.Status)
			}
			if want == "active" {
				return
			}
			if pi := got.LatestInvoice.PaymentIntent; pi.Status != "requires_action" || count(l, "invoice.payment_action_required") != 2 {
				t.Errorf("the renewal's intent is %s, %d events", pi.Status, count(l, "invoice.payment_action_required"))
			}
			l.browse("POST", authenticationPage(got.LatestInvoice.PaymentIntent.ID), url.Values{"complete": {"1"}})
			if got = l.subscription(sub.ID); got.Status != "active" || got.LatestInvoice.Status != "paid" {
				t.Errorf("authenticated: %s, invoice %s", got.Status, got.LatestInvoice.Status)
			}
		})
	}
}

// Changes between $35 and $85 a month in a period of 30 days, to the second (recorded by
// onetimesecret/onetimesecret).
func TestRecordedProrations(t *testing.T) {
	t.Parallel()
	const begin, end = int64(1775589264), int64(1778181264)
	cases := []struct{ from, to, date, credit, charge int64 }{
		{8500, 3500, 1775590677, -8495, 3498},
		{3500, 8500, 1775602690, -3482, 8456},
		{8500, 3500, 1775796934, -7819, 3220},
	}
	for _, c := range cases {
		l := start(t, stripelocal.Options{})
		clock := must[*stripe.TestHelpersTestClock](t)(l.api.TestHelpersTestClocks.New(&stripe.TestHelpersTestClockParams{FrozenTime: stripe.Int64(begin)}))
		owner := must[*stripe.Customer](t)(l.api.Customers.New(&stripe.CustomerParams{TestClock: stripe.String(clock.ID)}))
		k := &clockCustomer{testServer: l, clock: clock.ID, customer: owner.ID}
		k.setDefaultCard("pm_card_visa")
		sub := k.subscribe(l.createPriceIn("cad", float64(c.from), "month"), 1)
		if sub.CurrentPeriodEnd != begin+30*day || end != begin+30*day {
			t.Fatalf("the period ends at %d", sub.CurrentPeriodEnd)
		}
		got := must[*stripe.Invoice](t)(l.api.Invoices.CreatePreview(&stripe.InvoiceCreatePreviewParams{
			Subscription: stripe.String(sub.ID),
			SubscriptionDetails: &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{
				Items: []*stripe.InvoiceCreatePreviewSubscriptionDetailsItemParams{{
					ID: stripe.String(sub.Items.Data[0].ID), Price: stripe.String(l.createPriceIn("cad", float64(c.to), "month")), Quantity: stripe.Int64(1),
				}},
				ProrationBehavior: stripe.String("always_invoice"), ProrationDate: stripe.Int64(c.date),
			},
		})).Lines.Data
		if len(got) != 2 || got[0].Amount != c.credit || got[1].Amount != c.charge {
			t.Errorf("from %d to %d: lines %+v, recorded %d and %d", c.from, c.to, got, c.credit, c.charge)
		}
	}
}
