package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// futureSchedule creates a schedule of one monthly phase that starts in ten days.
func (k *clockCustomer) futureSchedule(more ...func(*stripe.SubscriptionScheduleParams)) (*stripe.SubscriptionSchedule, error) {
	p := &stripe.SubscriptionScheduleParams{
		Customer: stripe.String(k.customer), StartDate: stripe.Int64(noon + 10*day), EndBehavior: stripe.String("release"),
		Phases: []*stripe.SubscriptionSchedulePhaseParams{{
			Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(k.createPriceIn("usd", 900, "month")), Quantity: stripe.Int64(2)}}, Iterations: stripe.Int64(1),
		}},
	}
	for _, change := range more {
		change(p)
	}
	return k.api.SubscriptionSchedules.New(p)
}

func TestAScheduleStartsLater(t *testing.T) {
	k := start(t, stripelocal.Options{}).createOnTestClock("pm_card_visa")
	coupon := k.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("repeating"), DurationInMonths: stripe.Int64(3)})
	x := must[*stripe.SubscriptionSchedule](t)(k.futureSchedule(func(p *stripe.SubscriptionScheduleParams) {
		p.Phases[0].Discounts = []*stripe.SubscriptionSchedulePhaseDiscountParams{{Coupon: stripe.String(coupon.ID)}}
	}))
	if x.Status != "not_started" || x.Subscription != nil || x.CurrentPhase != nil || x.Phases[0].StartDate != noon+10*day {
		t.Fatalf("%s, %+v", x.Status, x.CurrentPhase)
	}
	if it := k.api.SubscriptionSchedules.List(&stripe.SubscriptionScheduleListParams{Customer: stripe.String(k.customer), Scheduled: stripe.Bool(true)}); !it.Next() || it.SubscriptionSchedule().ID != x.ID {
		t.Error("it is not listed as scheduled")
	}
	_, err := k.api.Subscriptions.New(&stripe.SubscriptionParams{Customer: stripe.String(k.customer), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(k.createPriceIn("eur", 900, "month"))}}})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	k.advance(noon + 9*day)
	if x = must[*stripe.SubscriptionSchedule](t)(k.api.SubscriptionSchedules.Get(x.ID, nil)); x.Status != "not_started" {
		t.Errorf("before its start it is %s", x.Status)
	}
	k.advance(noon + 10*day)
	if x = must[*stripe.SubscriptionSchedule](t)(k.api.SubscriptionSchedules.Get(x.ID, nil)); x.Status != "active" || x.CurrentPhase.StartDate != noon+10*day {
		t.Fatalf("at its start it is %s", x.Status)
	}
	sub := k.subscription(x.Subscription.ID)
	if sub.Status != "active" || sub.StartDate != noon+10*day || sub.LatestInvoice.AmountPaid != 900 || sub.Schedule.ID != x.ID || sub.Discount.Start != noon+10*day {
		t.Errorf("%s since %d, paid %d, discount %+v", sub.Status, sub.StartDate-noon, sub.LatestInvoice.AmountPaid, sub.Discount)
	}
	k.advance(sub.CurrentPeriodEnd + 3600)
	if got := k.subscription(sub.ID); got.Schedule != nil || got.Status != "active" {
		t.Errorf("after the phase: %s, schedule %v", got.Status, got.Schedule)
	}
	wantOrder(t, k.testServer, "subscription_schedule.created", "customer.subscription.created", "subscription_schedule.updated", "invoice.paid", "subscription_schedule.released")
}

func TestAScheduleEndsBeforeItsStart(t *testing.T) {
	for status, end := range map[string]func(*clockCustomer, string) (*stripe.SubscriptionSchedule, error){
		"released": func(k *clockCustomer, id string) (*stripe.SubscriptionSchedule, error) {
			return k.api.SubscriptionSchedules.Release(id, nil)
		},
		"canceled": func(k *clockCustomer, id string) (*stripe.SubscriptionSchedule, error) {
			return k.api.SubscriptionSchedules.Cancel(id, nil)
		},
	} {
		t.Run(status, func(t *testing.T) {
			k := start(t, stripelocal.Options{}).createOnTestClock("pm_card_visa")
			x := must[*stripe.SubscriptionSchedule](t)(k.futureSchedule())
			x = must[*stripe.SubscriptionSchedule](t)(end(k, x.ID))
			if string(x.Status) != status || x.Subscription != nil || x.ReleasedSubscription != nil || x.ReleasedAt+x.CanceledAt != noon {
				t.Errorf("%+v", x)
			}
			_, err := k.api.SubscriptionSchedules.Update(x.ID, &stripe.SubscriptionScheduleParams{EndBehavior: stripe.String("cancel")})
			wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
			k.advance(noon + 11*day)
			if it := k.api.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(k.customer)}); it.Next() {
				t.Error("it started a subscription")
			}
			wantEvents(t, k.testServer, "subscription_schedule."+status)
		})
	}
}

func TestAScheduleThatHasNotStartedIsMoved(t *testing.T) {
	k := start(t, stripelocal.Options{}).createOnTestClock("pm_card_visa")
	x := must[*stripe.SubscriptionSchedule](t)(k.futureSchedule())
	move := func(change func(*stripe.SubscriptionSchedulePhaseParams)) (*stripe.SubscriptionSchedule, error) {
		phase := &stripe.SubscriptionSchedulePhaseParams{Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(x.Phases[0].Items[0].Price.ID), Quantity: stripe.Int64(3)}}}
		change(phase)
		return k.api.SubscriptionSchedules.Update(x.ID, &stripe.SubscriptionScheduleParams{Phases: []*stripe.SubscriptionSchedulePhaseParams{phase}})
	}
	_, err := move(func(p *stripe.SubscriptionSchedulePhaseParams) { p.StartDate = stripe.Int64(noon - day) })
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	must[*stripe.SubscriptionSchedule](t)(move(func(p *stripe.SubscriptionSchedulePhaseParams) { p.StartDate = stripe.Int64(noon + 20*day) }))
	k.advance(noon + 15*day)
	if x = must[*stripe.SubscriptionSchedule](t)(k.api.SubscriptionSchedules.Get(x.ID, nil)); x.Status != "not_started" {
		t.Fatalf("on its earlier date it is %s", x.Status)
	}
	x = must[*stripe.SubscriptionSchedule](t)(move(func(p *stripe.SubscriptionSchedulePhaseParams) { p.StartDateNow = stripe.Bool(true) }))
	if x.Status != "active" {
		t.Fatalf("it is %s", x.Status)
	}
	if sub := k.subscription(x.Subscription.ID); sub.StartDate != noon+15*day || sub.LatestInvoice.AmountPaid != 2700 {
		t.Errorf("since %d, paid %d", sub.StartDate-noon, sub.LatestInvoice.AmountPaid)
	}
}

// A schedule without a test clock starts on the account's clock, also after a restart.
func TestAScheduleStartsAfterARestart(t *testing.T) {
	path := t.TempDir() + "/state.json"
	l := start(t, stripelocal.Options{StatePath: path})
	begin := l.time.Load() + 10*day
	x := must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{
		Customer: stripe.String(l.createCustomer().ID), StartDate: stripe.Int64(begin),
		Phases: []*stripe.SubscriptionSchedulePhaseParams{{Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(l.createPrice("pro", 900, "month").ID)}}}},
	}))
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, stripelocal.Options{StatePath: path})
	again.time.Store(begin)
	x = must[*stripe.SubscriptionSchedule](t)(again.api.SubscriptionSchedules.Get(x.ID, nil))
	if x.Status != "active" {
		t.Fatalf("it is %s", x.Status)
	}
	if sub := again.subscription(x.Subscription.ID); sub.Created != begin || sub.Status != "past_due" {
		t.Errorf("since %d, %s", sub.Created-begin, sub.Status)
	}
}

func TestDeletingACustomerCancelsSchedules(t *testing.T) {
	k := start(t, stripelocal.Options{}).createOnTestClock("pm_card_visa")
	x := must[*stripe.SubscriptionSchedule](t)(k.futureSchedule())
	must[*stripe.Customer](t)(k.api.Customers.Del(k.customer, nil))
	if x = must[*stripe.SubscriptionSchedule](t)(k.api.SubscriptionSchedules.Get(x.ID, nil)); x.Status != "canceled" {
		t.Errorf("it is %s", x.Status)
	}
}
