package stripelocal_test

import (
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func pendingEvery(interval string, count int64) func(*stripe.SubscriptionParams) {
	return func(p *stripe.SubscriptionParams) {
		p.PendingInvoiceItemInterval = &stripe.SubscriptionPendingInvoiceItemIntervalParams{Interval: stripe.String(interval), IntervalCount: stripe.Int64(count)}
	}
}

// invoicesOf returns a customer's invoices, oldest first.
func (l *testServer) invoicesOf(customer string) []*stripe.Invoice {
	l.t.Helper()
	var out []*stripe.Invoice
	p := &stripe.InvoiceListParams{Customer: stripe.String(customer)}
	p.Limit = stripe.Int64(100)
	it := l.api.Invoices.List(p)
	for it.Next() {
		out = append([]*stripe.Invoice{it.Invoice()}, out...)
	}
	if it.Err() != nil {
		l.t.Fatal(it.Err())
	}
	return out
}

// at is noon UTC of a day, as the test clock's start.
func at(year int, month time.Month, d int) int64 {
	return time.Date(year, month, d, 12, 0, 0, 0, time.UTC).Unix()
}

// Seats added to a yearly plan are invoiced each month: 2 seats at $365 a year from 1 April, a
// third on 16 April, which is 350 of 365 days: $350.00.
func TestPendingItemsOfAYearlyPlanAreInvoicedMonthly(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	if noon != at(2026, time.April, 1) {
		t.Fatalf("the clock starts at %s", time.Unix(noon, 0).UTC())
	}
	sub := k.subscribe(l.createPriceIn("usd", 36500, "year"), 2)
	if sub.PendingInvoiceItemInterval != nil || sub.NextPendingInvoiceItemInvoice != 0 {
		t.Errorf("without an interval: %+v, next %d", sub.PendingInvoiceItemInterval, sub.NextPendingInvoiceItemInvoice)
	}
	k.advance(noon + 5*day)
	p := &stripe.SubscriptionParams{}
	pendingEvery("month", 1)(p)
	set := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, p))
	if i := set.PendingInvoiceItemInterval; i == nil || i.Interval != "month" || i.IntervalCount != 1 || set.NextPendingInvoiceItemInvoice != at(2026, time.May, 1) {
		t.Fatalf("interval %+v, next %d", i, set.NextPendingInvoiceItemInvoice)
	}
	k.advance(noon + 15*day)
	must[*stripe.Subscription](t)(l.setQuantity(sub, 3))
	k.advance(at(2026, time.May, 1) - 1)
	if n := len(l.invoicesOf(k.customer)); n != 1 {
		t.Fatalf("%d invoices before the date", n)
	}
	k.advance(at(2026, time.May, 1))
	inv := l.invoicesOf(k.customer)[1]
	if inv.Status != "draft" || inv.BillingReason != "automatic_pending_invoice_item_invoice" || !inv.AutoAdvance || inv.AutomaticallyFinalizesAt != at(2026, time.May, 1)+3600 || inv.AmountDue != 35000 || len(inv.Lines.Data) != 2 {
		t.Errorf("on the date: %s %s of %d in %d lines, finalizes at %d", inv.Status, inv.BillingReason, inv.AmountDue, len(inv.Lines.Data), inv.AutomaticallyFinalizesAt)
	}
	k.advance(at(2026, time.May, 1) + 3600)
	got := l.subscription(sub.ID)
	if got.LatestInvoice.ID != inv.ID || got.LatestInvoice.AmountPaid != 35000 || got.NextPendingInvoiceItemInvoice != at(2026, time.June, 1) || got.CurrentPeriodEnd != at(2027, time.April, 1) || got.Status != "active" {
		t.Errorf("an hour later: %s paid %d, next %d, period until %d", got.LatestInvoice.Status, got.LatestInvoice.AmountPaid, got.NextPendingInvoiceItemInvoice, got.CurrentPeriodEnd)
	}
	k.advance(at(2026, time.September, 15))
	if n := len(l.invoicesOf(k.customer)); n != 2 {
		t.Errorf("%d invoices after months without pending items", n)
	}
}

// The renewal takes what is pending on its day; the interval then finds nothing.
func TestTheRenewalTakesPendingItemsOfItsDay(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 36500, "year"), 1, pendingEvery("month", 1))
	if sub.NextPendingInvoiceItemInvoice != at(2026, time.May, 1) {
		t.Fatalf("next %d", sub.NextPendingInvoiceItemInvoice)
	}
	k.advance(at(2027, time.March, 22)) // ten days of 365 are left: $10
	must[*stripe.Subscription](t)(l.setQuantity(sub, 2))
	k.advance(at(2027, time.April, 1) + 3600)
	all := l.invoicesOf(k.customer)
	if last := all[len(all)-1]; len(all) != 2 || last.BillingReason != "subscription_cycle" || last.AmountPaid != 73000+1000 {
		t.Errorf("%d invoices, the last %s over %d", len(all), last.BillingReason, last.AmountPaid)
	}
	if got := l.subscription(sub.ID); got.NextPendingInvoiceItemInvoice != at(2027, time.May, 1) {
		t.Errorf("next %d", got.NextPendingInvoiceItemInvoice)
	}
}

func TestPendingIntervalIsClearedAndLimited(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 36500, "year"), 1, pendingEvery("week", 2))
	if sub.NextPendingInvoiceItemInvoice != noon+14*day {
		t.Errorf("next %d", sub.NextPendingInvoiceItemInvoice)
	}
	for interval, count := range map[string]int64{"day": 366, "week": 53, "month": 13, "year": 2} {
		p := &stripe.SubscriptionParams{}
		pendingEvery(interval, count)(p)
		_, err := l.api.Subscriptions.Update(sub.ID, p)
		if e := wantError(t, err, 400, "parameter_invalid_integer", stripe.ErrorTypeInvalidRequest); e.Param != "pending_invoice_item_interval[interval_count]" {
			t.Errorf("%d %ss: param %q", count, interval, e.Param)
		}
	}
	must[*stripe.Subscription](t)(l.setQuantity(sub, 2))
	clear := &stripe.SubscriptionParams{}
	clear.AddExtra("pending_invoice_item_interval", "")
	got := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, clear))
	if got.PendingInvoiceItemInterval != nil || got.NextPendingInvoiceItemInvoice != 0 {
		t.Errorf("cleared: %+v, next %d", got.PendingInvoiceItemInterval, got.NextPendingInvoiceItemInvoice)
	}
	k.advance(noon + 60*day)
	if n := len(l.invoicesOf(k.customer)); n != 1 {
		t.Errorf("%d invoices after clearing", n)
	}
}

// Another interval of the price moves the anchor, and the dates of the interval with it.
func TestPendingIntervalFollowsTheAnchor(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 3000, "month"), 1, pendingEvery("month", 1))
	k.advance(noon + 9*day)
	yearly := l.createPriceIn("usd", 30000, "year")
	got := must[*stripe.Subscription](t)(l.updateSubscription(sub, func(p *stripe.SubscriptionParams) {
		p.Items[0].Price, p.Items[0].Quantity = stripe.String(yearly), stripe.Int64(1)
	}))
	if got.NextPendingInvoiceItemInvoice != at(2026, time.May, 10) {
		t.Errorf("next %s", time.Unix(got.NextPendingInvoiceItemInvoice, 0).UTC())
	}
	end := must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(sub.ID, nil))
	if end.NextPendingInvoiceItemInvoice != 0 {
		t.Errorf("canceled: next %d", end.NextPendingInvoiceItemInvoice)
	}
}

// A subscription keeps its interval while a schedule manages it.
func TestPendingIntervalUnderASchedule(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 36500, "year"), 1, pendingEvery("month", 1))
	must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{FromSubscription: stripe.String(sub.ID)}))
	must[*stripe.Subscription](t)(l.setQuantity(sub, 2))
	k.advance(at(2026, time.May, 1) + 3600)
	if all := l.invoicesOf(k.customer); len(all) != 2 || all[1].AmountPaid != 36500 {
		t.Errorf("%d invoices", len(all))
	}
}

// A failed payment of such an invoice sets the subscription to past_due, as a renewal's does.
func TestADeclinedPendingInvoice(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 36500, "year"), 1, pendingEvery("month", 1))
	k.setDefaultCard("pm_card_chargeCustomerFail")
	must[*stripe.Subscription](t)(l.setQuantity(sub, 2))
	k.advance(at(2026, time.May, 1) + 3600)
	if got := l.subscription(sub.ID); got.Status != "past_due" || got.LatestInvoice.Status != "open" || got.LatestInvoice.BillingReason != "automatic_pending_invoice_item_invoice" || got.NextPendingInvoiceItemInvoice != at(2026, time.June, 1) {
		t.Errorf("%s, invoice %s %s", got.Status, got.LatestInvoice.Status, got.LatestInvoice.BillingReason)
	}
}

// Checkout's subscription_data has no such parameter at this version.
func TestCheckoutHasNoPendingInterval(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	price := l.createPrice("pro", 1000, "month")
	p := &stripe.CheckoutSessionParams{
		Mode: stripe.String("subscription"), SuccessURL: stripe.String("http://app.test/ok"),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(price.ID), Quantity: stripe.Int64(1)}},
	}
	p.AddExtra("subscription_data[pending_invoice_item_interval][interval]", "month")
	_, err := l.api.CheckoutSessions.New(p)
	if e := wantError(t, err, 400, "parameter_unknown", stripe.ErrorTypeInvalidRequest); e.Param != "subscription_data[pending_invoice_item_interval]" {
		t.Errorf("param %q", e.Param)
	}
}

// The account's own clock invoices them too.
func TestPendingItemsOnTheAccountsClock(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(1)
	p := &stripe.SubscriptionParams{}
	pendingEvery("day", 3)(p)
	must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, p))
	must[*stripe.Subscription](t)(l.setQuantity(sub, 2))
	l.AdvanceClock(time.Unix(sub.CurrentPeriodStart, 0).Add(73*time.Hour + time.Second))
	if got := l.subscription(sub.ID); got.LatestInvoice.BillingReason != "automatic_pending_invoice_item_invoice" || got.LatestInvoice.Status != "paid" {
		t.Errorf("%s invoice %s", got.LatestInvoice.BillingReason, got.LatestInvoice.Status)
	}
}
