package billing_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/stripelocal"
)

// changePlans replaces the service with one that has changed plans and uses the clock of the local
// Stripe.
func (env *testEnv) changePlans(change func(plans map[string]*catalog.Plan)) {
	env.t.Helper()
	options := env.options(env.store)
	options.Now = env.stripe.Now
	plans := map[string]*catalog.Plan{}
	for i := range options.Catalog.Plans {
		plans[options.Catalog.Plans[i].ID] = &options.Catalog.Plans[i]
	}
	change(plans)
	env.useService(env.startService(options))
}

// switchPriceAtStripe changes the price of the seat item as another client, and refreshes the
// subscription.
func (env *testEnv) switchPriceAtStripe(current billing.Subscription, price string, quantity int, proration catalog.Proration) {
	env.t.Helper()
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{
		"items[0][id]": {current.ItemID}, "items[0][price]": {price}, "items[0][quantity]": {strconv.Itoa(quantity)},
		"proration_behavior": {string(proration)},
	})
	env.must(env.service.Subscriptions.Refresh(env.t.Context(), env.access))
}

// billedInAll returns the total of a subscription's invoices and of its pending invoice items, in
// cents: what the customer pays in the end.
func (env *testEnv) billedInAll(current billing.Subscription) int64 {
	env.t.Helper()
	var invoices struct{ Data []struct{ Total int64 } }
	env.stripeGet("/v1/invoices?limit=100&subscription="+current.ID, &invoices)
	var items struct{ Data []struct{ Amount int64 } }
	env.stripeGet("/v1/invoiceitems?limit=100&pending=true&customer="+current.CustomerID, &items)
	var total int64
	for _, invoice := range invoices.Data {
		total += invoice.Total
	}
	for _, item := range items.Data {
		total += item.Amount
	}
	return total
}

// A switch from a plan per seat to a flat one keeps the quantity at Stripe. The flat plan must be
// billed once, however the switch was prorated.
func TestFlatPlanIsBilledOnce(t *testing.T) {
	for _, proration := range []catalog.Proration{catalog.ProrationCreateProrations, catalog.ProrationAlwaysInvoice} {
		t.Run(string(proration), func(t *testing.T) {
			env := newTestEnv(t)
			env.changePlans(func(plans map[string]*catalog.Plan) { plans["pro"].PerSeat = false })
			env.addMembers(4)
			current := env.subscribe("starter")
			env.startWorker(env.service)
			wantSeats(t, env, 5, 5, billing.SyncOK)
			half := current.CurrentPeriodStart.Add(current.CurrentPeriodEnd.Sub(current.CurrentPeriodStart) / 2)
			env.stripe.AdvanceClock(half)
			env.switchPriceAtStripe(current, env.planPriceID("pro", catalog.Monthly), 5, proration)
			env.waitFor("the quantity of the flat plan", func(o billing.Overview) bool {
				return o.Plan.ID == "pro" && o.Subscription.Quantity == 1 && o.Seats.Status == billing.SyncOK
			})
			// Five seats of Starter for the first half of the month, Pro once for the second half.
			// The clock moves between the requests, so that each amount may differ by some cents.
			if got, want := env.billedInAll(current), int64(5*900/2+2900/2); got < want-3 || got > want+3 {
				t.Errorf("billed %d in all, want %d", got, want)
			}
			if o := env.overview(); o.Seats.Desired != 5 || o.Seats.Billable != 5 || o.Seats.Synced {
				t.Errorf("seats of the flat plan: %+v", o.Seats)
			}
			changes, _, err := env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 1})
			env.must(err)
			if line := changes[0]; line.From != 5 || line.To != 1 || line.Reason != billing.ReasonResent {
				t.Errorf("newest line of the ledger: %+v", line)
			}
		})
	}
}

// Members of a flat plan are unlimited and cost nothing. A switch to a plan per seat raises the
// quantity to them.
func TestFlatToPerSeatRaisesQuantity(t *testing.T) {
	env := newTestEnv(t)
	env.changePlans(func(plans map[string]*catalog.Plan) { plans["pro"].PerSeat = false })
	env.addMembers(2)
	current := env.subscribe("pro")
	if current.Quantity != 1 {
		t.Fatalf("a flat plan was bought %d times", current.Quantity)
	}
	env.addMembers(2)
	env.startWorker(env.service)
	if o := env.overview(); o.Seats.Desired != 5 || o.Seats.Status != billing.SyncOK || o.Subscription.Quantity != 1 {
		t.Fatalf("seats of the flat plan: %+v", o.Seats)
	}
	env.switchPriceAtStripe(current, env.planPriceID("starter", catalog.Monthly), 1, catalog.ProrationAlwaysInvoice)
	env.waitForSeats(5)
	if env.quantityUpdates.Load() != 1 {
		t.Errorf("%d updates of the quantity, want 1", env.quantityUpdates.Load())
	}
}

func TestCheckoutRefusesMoreThanSeatMaximum(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.SeatMaximum = 3 })
	env.addMembers(9)
	const message = "Pro has seats for at most 3 people, and 10 would need one. Choose a larger plan, or free 7 seats."
	for _, request := range []billing.CheckoutRequest{{PlanID: "pro", Interval: catalog.Yearly}, {PriceID: env.planPriceID("pro", catalog.Monthly)}} {
		_, err := env.service.Checkouts.Start(t.Context(), env.access, request)
		if apperr.CodeOf(err) != apperr.CodeConflict || apperr.MessageOf(err) != message {
			t.Errorf("%+v: %v", request, err)
		}
	}
	if n := env.queryInt(`select count(*) from checkout_sessions`); n != 0 {
		t.Errorf("%d sessions were reserved", n)
	}
	if _, err := env.service.Checkouts.StartPack(t.Context(), env.access, billing.CheckoutRequest{PackID: "credits_500"}); err != nil {
		t.Errorf("a pack: %v", err)
	}
	env.subscribe("starter") // has no maximum
}

// Whoever joins while the Checkout page is open stays. The subscription has more seats than the
// plan's maximum, and no further people can be added.
func TestMembersWhoJoinDuringCheckoutStay(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.SeatMaximum = 3 })
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.addMembers(4)
	env.pay(session)
	_, err = env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	env.startWorker(env.service)
	env.waitForSeats(5)
	if over := env.overview().Seats.OverMaximum; over != 2 {
		t.Errorf("%d people more than the plan takes, want 2", over)
	}
	env.checkSeatMaximum(env.service)
	if _, err := env.service.Users.CreateMember(t.Context(), env.access.Organization.ID, account.NewMember{
		Name: "One more", Email: "more@example.com", Password: testPassword, RoleID: account.RoleMember, Billable: true,
	}); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("another member: %v", err)
	}
	env.removeMembers(3)
	env.waitForSeats(2)
	if over := env.overview().Seats.OverMaximum; over != 0 {
		t.Errorf("%d people more than the plan takes, want none", over)
	}
}

// advancePastRenewal moves the clock past the end of the period without any event or refetch: the
// webhook of the renewal is late.
func (env *testEnv) advancePastRenewal(end time.Time) {
	env.t.Helper()
	env.stripe.AdvanceClock(end.Add(10 * time.Minute))
	if stored := env.overview().Subscription; !stored.CurrentPeriodEnd.Equal(end) {
		env.t.Fatalf("the renewal is known here: the period ends %v", stored.CurrentPeriodEnd)
	}
}

// keepUntilRenewal subscribes ten people to a plan that keeps removed seats until the renewal, and
// removes five of them just before it.
func (env *testEnv) keepUntilRenewal() (current billing.Subscription) {
	env.t.Helper()
	env.sellPro(func(p *catalog.Plan) {
		p.ProrationOnIncrease, p.ProrationOnDecrease = catalog.ProrationAlwaysInvoice, catalog.ProrationAtRenewal
	})
	env.addMembers(9)
	current = env.subscribe("pro")
	env.startWorker(env.service)
	env.waitForSeats(10)
	env.removeMembers(5)
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.Add(-30 * time.Minute))
	env.waitForSeats(5)
	return current
}

// Stripe has renewed with five seats, and its webhook is late. Five more seats are not paid by the
// former period: the new one must pay for them.
func TestSeatsAddedAfterUnseenRenewalAreCharged(t *testing.T) {
	env := newTestEnv(t)
	current := env.keepUntilRenewal()
	env.advancePastRenewal(current.CurrentPeriodEnd)
	env.addMembers(5)
	env.waitForSeats(10)
	env.stripe.AdvanceClock(env.stripe.Now().Add(2 * time.Hour)) // the renewal's invoice is paid
	// Ten seats for the first month, and ten for the second less ten minutes of five.
	if got, want := env.billedInAll(current), int64(20*2900); got < want-10 || got > want {
		t.Errorf("billed %d in all, want about %d", got, want)
	}
}

// Ten seats are renewed because the release failed, and the webhook is late. They are paid for the
// new period, so that none is given back.
func TestPaidSeatsOfUnseenRenewalAreKept(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.ProrationOnDecrease = catalog.ProrationAtRenewal })
	env.addMembers(9)
	current := env.subscribe("pro")
	env.removeMembers(5)
	env.advancePastRenewal(current.CurrentPeriodEnd)
	env.must(env.recountSeats()) // releases the seats
	env.must(env.syncSeats())
	if got := env.stripeQuantity(); got != 10 {
		t.Errorf("quantity %d at Stripe, want the 10 that are paid", got)
	}
	wantSeats(t, env, 5, 10, billing.SyncOK)
}

// An update at no cost is sent before the renewal and lost. It must not be repeated after the
// renewal, when the seats are not paid any more.
func TestLostFreeUpdateIsNotRepeatedAfterRenewal(t *testing.T) {
	env := newTestEnv(t)
	current := env.keepUntilRenewal()
	env.faults.set(requestLost)
	env.addMembers(5)
	env.waitFor("the lost update", func(o billing.Overview) bool {
		if o.Seats.DueAt != nil && o.Seats.Failures == 0 {
			env.stripe.AdvanceClock(o.Seats.DueAt.Add(time.Second))
		}
		return o.Seats.Status == billing.SyncError
	})
	if state := env.seatState(); !state.AttemptOpen || state.OpenProration != catalog.ProrationNone {
		t.Fatalf("after the lost update: %+v", state)
	}
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.Add(10 * time.Minute))
	env.faults.set(noFault)
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access)) // the renewal is known
	env.waitForSeats(10)
	env.stripe.AdvanceClock(env.stripe.Now().Add(2 * time.Hour))
	if got, want := env.billedInAll(current), int64(20*2900); got < want-20 || got > want {
		t.Errorf("billed %d in all, want about %d", got, want)
	}
}

// The quantity was changed at Stripe, and the webhook was lost: a retry must find out.
func TestRetryRefetchesSubscription(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.setQuantityAtStripe(current, 40)
	wantSeats(t, env, 1, 1, billing.SyncOK) // by the stored snapshot
	queued, err := env.service.SeatSyncer.Retry(t.Context(), env.access)
	if err != nil || !queued {
		t.Fatalf("queued %v, %v, although Stripe has 40 seats", queued, err)
	}
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 1, 1, billing.SyncOK)
	if got := env.stripeQuantity(); got != 1 {
		t.Errorf("quantity %d at Stripe, want 1", got)
	}
	if queued, err = env.service.SeatSyncer.Retry(t.Context(), env.access); err != nil || queued {
		t.Errorf("with equal quantities: queued %v, %v", queued, err)
	}
}

// Without an answer of Stripe it is not known whether the quantity differs. A retry then does not
// report that nothing is to be sent.
func TestRetryReportsUnavailableStripe(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodGet, Path: "/v1/subscriptions/*", Calls: -1})
	env.must(err)
	if queued, err := env.service.SeatSyncer.Retry(context.WithoutCancel(t.Context()), env.access); apperr.CodeOf(err) != apperr.CodeStripe || queued {
		t.Errorf("queued %v, %v", queued, err)
	}
	env.addMembers(1) // a pending update is queued without a call
	if queued, err := env.service.SeatSyncer.Retry(t.Context(), env.access); err != nil || !queued {
		t.Errorf("with a pending update: queued %v, %v", queued, err)
	}
}
