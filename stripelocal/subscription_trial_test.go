package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func trialing(days int64) func(*stripe.SubscriptionParams) {
	return func(p *stripe.SubscriptionParams) { p.TrialPeriodDays = stripe.Int64(days) }
}

func missingMethod(what string) func(*stripe.SubscriptionParams) {
	return func(p *stripe.SubscriptionParams) {
		p.TrialSettings = &stripe.SubscriptionTrialSettingsParams{EndBehavior: &stripe.SubscriptionTrialSettingsEndBehaviorParams{MissingPaymentMethod: stripe.String(what)}}
	}
}

func TestATrialIsAnnouncedAndEndsBeforeItIsPaid(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 2, trialing(14))
	if sub.Status != "trialing" || sub.LatestInvoice.Total != 0 || sub.LatestInvoice.Status != "paid" || sub.CurrentPeriodEnd != noon+14*day {
		t.Fatalf("%s, first invoice %s over %d", sub.Status, sub.LatestInvoice.Status, sub.LatestInvoice.Total)
	}
	k.advance(noon + 11*day - 1)
	if count(l, "customer.subscription.trial_will_end") != 0 {
		t.Error("trial_will_end was sent too early")
	}
	k.advance(noon + 11*day)
	if count(l, "customer.subscription.trial_will_end") != 1 {
		t.Error("trial_will_end was not sent three days before")
	}
	k.advance(noon + 14*day)
	got := l.subscription(sub.ID)
	if got.Status != "active" || got.LatestInvoice.Status != "draft" || got.LatestInvoice.BillingReason != "subscription_cycle" || got.LatestInvoice.AmountDue != 2000 {
		t.Errorf("at the end: %s, invoice %s %s over %d", got.Status, got.LatestInvoice.Status, got.LatestInvoice.BillingReason, got.LatestInvoice.AmountDue)
	}
	k.advance(noon + 14*day + 3600)
	if got = l.subscription(sub.ID); got.LatestInvoice.Status != "paid" {
		t.Errorf("an hour later the invoice is %s", got.LatestInvoice.Status)
	}
	if count(l, "customer.subscription.trial_will_end") != 1 {
		t.Error("trial_will_end was sent again")
	}
}

// count is the number of events of a type.
func count(l *testServer, kind string) int {
	n := 0
	for _, other := range l.allEventTypes() {
		if other == kind {
			n++
		}
	}
	return n
}

func TestAShortTrialIsAnnouncedAtOnce(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.createOnTestClock("pm_card_visa").subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(2))
	if count(l, "customer.subscription.trial_will_end") != 1 {
		t.Error("trial_will_end was not sent")
	}
}

func TestATrialIsEndedAndMoved(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(14))
	k.advance(noon + 5*day)
	later := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{TrialEnd: stripe.Int64(noon + 20*day)}))
	if later.Status != "trialing" || later.CurrentPeriodEnd != noon+20*day || later.TrialEnd != noon+20*day || later.LatestInvoice.ID != sub.LatestInvoice.ID {
		t.Errorf("moved: %s until %d", later.Status, later.CurrentPeriodEnd)
	}
	end := &stripe.SubscriptionParams{TrialEndNow: stripe.Bool(true)}
	end.AddExpand("latest_invoice")
	now := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, end))
	if now.Status != "active" || now.CurrentPeriodStart != noon+5*day || now.BillingCycleAnchor != noon+5*day || now.LatestInvoice.Status != "paid" || now.LatestInvoice.AmountPaid != 1000 {
		t.Errorf("ended: %s from %d, invoice %s over %d", now.Status, now.CurrentPeriodStart, now.LatestInvoice.Status, now.LatestInvoice.AmountPaid)
	}
	if count(l, "customer.subscription.trial_will_end") != 1 {
		t.Error("trial_end=now does not send trial_will_end")
	}
}

func TestATrialThatEndsWithoutACard(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]stripe.SubscriptionStatus{"cancel": "canceled", "pause": "paused", "create_invoice": "past_due"} {
		t.Run(what, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("")
			sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(14), missingMethod(what))
			k.advance(noon + 14*day + 3600)
			if got := l.subscription(sub.ID); got.Status != want {
				t.Errorf("%s, want %s", got.Status, want)
			}
		})
	}
}

func TestAPausedSubscriptionIsResumed(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(14), missingMethod("pause"))
	k.advance(noon + 40*day)
	wantEvents(t, l, "customer.subscription.paused")
	got := must[*stripe.Subscription](t)(l.api.Subscriptions.Resume(sub.ID, nil))
	if got.Status != "paused" || l.invoice(got.LatestInvoice.ID).Status != "open" {
		t.Fatalf("resumed without a card: %s", got.Status)
	}
	k.setDefaultCard("pm_card_visa")
	must[*stripe.Invoice](t)(l.api.Invoices.Pay(got.LatestInvoice.ID, nil))
	if got = l.subscription(sub.ID); got.Status != "active" || got.CurrentPeriodStart != noon+40*day {
		t.Errorf("once paid: %s from %d", got.Status, got.CurrentPeriodStart)
	}
	wantEvents(t, l, "customer.subscription.resumed")
	_, err := l.api.Subscriptions.Resume(sub.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestAnUnpaidResumeStaysPaused(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(14), missingMethod("pause"))
	k.advance(noon + 15*day)
	got := must[*stripe.Subscription](t)(l.api.Subscriptions.Resume(sub.ID, nil))
	k.advance(noon + 15*day + 23*3600)
	if inv := l.invoice(got.LatestInvoice.ID); inv.Status != "void" || l.subscription(sub.ID).Status != "paused" {
		t.Errorf("after 23 hours: invoice %s, %s", inv.Status, l.subscription(sub.ID).Status)
	}
}

// The first period before a chosen anchor is billed proportionally (inferred from prorations).
func TestAnAnchorAhead(t *testing.T) {
	t.Parallel()
	for behavior, want := range map[string]int64{"create_prorations": 333, "none": 0} {
		t.Run(behavior, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			sub := l.createOnTestClock("pm_card_visa").subscribe(l.createPriceIn("usd", 1033, "month"), 1, func(p *stripe.SubscriptionParams) {
				p.BillingCycleAnchor, p.ProrationBehavior = stripe.Int64(noon+10*day), stripe.String(behavior)
			})
			// The full period would be 31 days, from 11 March to 11 April: 1033 * 10/31 = 333.23.
			if sub.CurrentPeriodEnd != noon+10*day || sub.LatestInvoice.Total != want || sub.Status != "active" {
				t.Errorf("%s until %d, first invoice over %d", sub.Status, sub.CurrentPeriodEnd, sub.LatestInvoice.Total)
			}
		})
	}
}

// A trial costs nothing, so a change in it is not prorated.
func TestSeatsInATrialAreNotProrated(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(14))
	k.advance(noon + 5*day)
	got := must[*stripe.Subscription](t)(l.setQuantity(sub, 4, behavior("always_invoice")))
	if got.Items.Data[0].Quantity != 4 || got.Status != "trialing" || got.LatestInvoice.ID != sub.LatestInvoice.ID || l.api.InvoiceItems.List(&stripe.InvoiceItemListParams{Customer: stripe.String(k.customer)}).Next() {
		t.Errorf("%s with %d seats, invoice over %d", got.Status, got.Items.Data[0].Quantity, got.LatestInvoice.Total)
	}
}
