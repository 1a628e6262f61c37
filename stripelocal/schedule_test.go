package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// scheduledDowngrade is a subscription with quantity five whose schedule changes it to a cheaper
// price with quantity three at the end of the period.
func scheduledDowngrade(t *testing.T) (*clockCustomer, *stripe.Subscription, *stripe.SubscriptionSchedule, string) {
	t.Helper()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 2000, "month"), 5)
	cheap := l.createPriceIn("usd", 900, "month")
	x := must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{FromSubscription: stripe.String(sub.ID)}))
	x = must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.Update(x.ID, &stripe.SubscriptionScheduleParams{
		EndBehavior: stripe.String("release"),
		Phases: []*stripe.SubscriptionSchedulePhaseParams{
			{
				StartDate: stripe.Int64(x.CurrentPhase.StartDate), EndDate: stripe.Int64(x.CurrentPhase.EndDate),
				Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(sub.Items.Data[0].Price.ID), Quantity: stripe.Int64(5)}},
			},
			{
				Items:             []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(cheap), Quantity: stripe.Int64(3)}},
				ProrationBehavior: stripe.String("none"), Iterations: stripe.Int64(1),
			},
		},
	}))
	return k, l.subscription(sub.ID), x, cheap
}

func TestAScheduleDowngradesAtThePeriodsEnd(t *testing.T) {
	k, sub, x, cheap := scheduledDowngrade(t)
	if sub.Schedule == nil || sub.Schedule.ID != x.ID || sub.Items.Data[0].Quantity != 5 || len(x.Phases) != 2 || x.Phases[1].EndDate != noon+61*day {
		t.Fatalf("schedule %v, %d seats, phases %d", sub.Schedule, sub.Items.Data[0].Quantity, len(x.Phases))
	}
	shown := must[*stripe.Invoice](t)(k.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Subscription: stripe.String(sub.ID)}))
	k.advance(sub.CurrentPeriodEnd + 3600)
	got := k.subscription(sub.ID)
	if item := got.Items.Data[0]; item.Price.ID != cheap || item.Quantity != 3 || item.ID != sub.Items.Data[0].ID || got.LatestInvoice.AmountPaid != 2700 || shown.AmountDue != 2700 {
		t.Errorf("%d of %s, paid %d, shown %d", item.Quantity, item.Price.ID, got.LatestInvoice.AmountPaid, shown.AmountDue)
	}
	for _, line := range got.LatestInvoice.Lines.Data {
		if line.Proration {
			t.Errorf("a proration of %d", line.Amount)
		}
	}
	k.advance(got.CurrentPeriodEnd + 3600)
	if got = k.subscription(sub.ID); got.Schedule != nil || got.LatestInvoice.AmountPaid != 2700 || got.Status != "active" {
		t.Errorf("after the last phase: schedule %v, %s", got.Schedule, got.Status)
	}
	wantOrder(t, k.testServer, "subscription_schedule.created", "subscription_schedule.updated", "customer.subscription.updated", "subscription_schedule.updated", "subscription_schedule.released")
}

func TestAScheduleIsReleased(t *testing.T) {
	k, sub, x, _ := scheduledDowngrade(t)
	_, err := k.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	x = must[*stripe.SubscriptionSchedule](t)(k.api.SubscriptionSchedules.Release(x.ID, nil))
	if x.Status != "released" || x.Subscription != nil || x.ReleasedSubscription.ID != sub.ID {
		t.Errorf("%s of %v", x.Status, x.ReleasedSubscription)
	}
	k.advance(sub.CurrentPeriodEnd + 3600)
	if got := k.subscription(sub.ID); got.Items.Data[0].Quantity != 5 || got.LatestInvoice.AmountPaid != 10000 {
		t.Errorf("%d seats, paid %d", got.Items.Data[0].Quantity, got.LatestInvoice.AmountPaid)
	}
}

func TestAScheduleEndsWithItsSubscription(t *testing.T) {
	k, sub, x, _ := scheduledDowngrade(t)
	must[*stripe.Subscription](t)(k.api.Subscriptions.Cancel(sub.ID, &stripe.SubscriptionCancelParams{}))
	if x = must[*stripe.SubscriptionSchedule](t)(k.api.SubscriptionSchedules.Get(x.ID, nil)); x.Status != "canceled" {
		t.Errorf("it is %s", x.Status)
	}
}

func TestAScheduleCancelsAtItsEnd(t *testing.T) {
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	x := must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{
		Customer: stripe.String(k.customer), StartDateNow: stripe.Bool(true), EndBehavior: stripe.String("cancel"),
		Phases: []*stripe.SubscriptionSchedulePhaseParams{{
			Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(l.createPriceIn("usd", 900, "month")), Quantity: stripe.Int64(2)}}, Iterations: stripe.Int64(2),
		}},
	}))
	k.advance(noon + 35*day)
	if got := l.subscription(x.Subscription.ID); got.Status != "active" || got.LatestInvoice.AmountPaid != 1800 {
		t.Errorf("in the second month: %s, paid %d", got.Status, got.LatestInvoice.AmountPaid)
	}
	k.advance(noon + 61*day)
	if got := l.subscription(x.Subscription.ID); got.Status != "canceled" || got.EndedAt != noon+61*day {
		t.Errorf("at the end: %s", got.Status)
	}
	wantEvents(t, l, "subscription_schedule.completed")
}

// A phase that does not list the discounts of the subscription has none (API reference: update a
// schedule, phases.discounts).
func TestAPhaseHasTheDiscountsThatItLists(t *testing.T) {
	for name, keeps := range map[string]bool{"listed": true, "not listed": false} {
		t.Run(name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			coupon := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")})
			sub := k.subscribe(l.createPriceIn("usd", 2000, "month"), 1, func(p *stripe.SubscriptionParams) { p.Coupon = stripe.String(coupon.ID) })
			x := must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{FromSubscription: stripe.String(sub.ID)}))
			listed := x.Phases[0].Discounts
			if len(listed) != 1 || listed[0].Discount.ID != sub.Discount.ID || listed[0].Coupon.ID != coupon.ID {
				t.Fatalf("the first phase has %+v", listed)
			}
			discounts := []*stripe.SubscriptionSchedulePhaseDiscountParams{{Discount: stripe.String(sub.Discount.ID)}}
			next := &stripe.SubscriptionSchedulePhaseParams{
				Items:      []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(l.createPriceIn("usd", 900, "month"))}},
				Iterations: stripe.Int64(1), ProrationBehavior: stripe.String("none"),
			}
			if keeps {
				next.Discounts = discounts
			}
			must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.Update(x.ID, &stripe.SubscriptionScheduleParams{Phases: []*stripe.SubscriptionSchedulePhaseParams{
				{StartDate: stripe.Int64(x.CurrentPhase.StartDate), EndDate: stripe.Int64(x.CurrentPhase.EndDate), Discounts: discounts,
					Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(sub.Items.Data[0].Price.ID)}}}, next,
			}}))
			k.advance(sub.CurrentPeriodEnd + 3600)
			got, want := k.subscription(sub.ID), map[bool]int64{true: 450, false: 900}[keeps]
			if got.LatestInvoice.Total != want || (got.Discount != nil) != keeps || keeps && got.Discount.ID != sub.Discount.ID {
				t.Errorf("the next invoice is %d, discount %+v", got.LatestInvoice.Total, got.Discount)
			}
		})
	}
}
