package billing_test

import (
	"context"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// subscribeYearly buys a plan yearly.
func (env *testEnv) subscribeYearly(plan string) billing.Subscription {
	env.t.Helper()
	session, err := env.service.Checkouts.Start(env.t.Context(), env.access, billing.CheckoutRequest{PlanID: plan, Interval: catalog.Yearly})
	env.must(err)
	env.pay(session)
	_, err = env.service.Checkouts.Complete(env.t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	return *env.overview().Subscription
}

// intervalGateway counts updates with a pending invoice interval, and runs a function instead of
// each of them if there is one.
type intervalGateway struct {
	billing.Gateway
	updates *atomic.Int64
	instead func(billing.Gateway, billing.QuantityUpdate) (billing.UpdatedSubscription, error)
}

func (g intervalGateway) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	if update.PendingInvoiceInterval == "" {
		return g.Gateway.UpdateQuantity(ctx, update)
	}
	g.updates.Add(1)
	if g.instead != nil {
		return g.instead(g.Gateway, update)
	}
	return g.Gateway.UpdateQuantity(ctx, update)
}

// useIntervalGateway replaces the service with one that has an intervalGateway and uses the clock
// of the local Stripe. It returns the number of updates with an interval.
func (env *testEnv) useIntervalGateway(instead func(billing.Gateway, billing.QuantityUpdate) (billing.UpdatedSubscription, error)) *atomic.Int64 {
	env.t.Helper()
	updates := &atomic.Int64{}
	options := env.options(env.store)
	options.Now, options.Gateway = env.stripe.Now, intervalGateway{env.gateway(), updates, instead}
	env.useService(env.startService(options))
	return updates
}

// pendingInterval fetches the subscription's pending invoice interval from Stripe.
func (env *testEnv) pendingInterval(id string) string {
	env.t.Helper()
	fetched, err := env.gateway().Subscription(env.t.Context(), id)
	env.must(err)
	return fetched.PendingInvoiceInterval
}

// Seats that are added to a yearly plan are invoiced within a month, not at the renewal in a year.
// The invoice is no renewal: it sends no mail about one and grants no credits.
func TestYearlySeatsAreInvoicedMonthly(t *testing.T) {
	env := newTestEnv(t)
	updates := env.useIntervalGateway(nil)
	env.startBackground()
	current := env.subscribeYearly("pro")
	env.waitFor("the pending invoice interval", func(o billing.Overview) bool { return o.Subscription.PendingInvoiceInterval == "month" })
	start := current.CurrentPeriodStart
	env.stripe.AdvanceClock(start.AddDate(0, 0, 10))
	env.addMembers(2)
	env.waitForSeats(3)
	env.stripe.AdvanceClock(start.AddDate(0, 1, 0).Add(3 * time.Hour))
	var invoices struct {
		Data []struct {
			BillingReason string `json:"billing_reason"`
			Status        string
			Total         int64
		}
	}
	env.waitFor("the invoice of the seats", func(billing.Overview) bool {
		return env.queryInt(`select count(*) from invoices where reason = 'automatic_pending_invoice_item_invoice' and status = 'paid'`) == 1
	})
	env.stripeGet("/v1/invoices?limit=100&subscription="+current.ID, &invoices)
	year := current.CurrentPeriodEnd.Sub(start)
	want := int64(2 * 29000 * (float64(year-10*24*time.Hour) / float64(year)))
	if got := invoices.Data[0]; len(invoices.Data) != 2 || got.Total < want-20 || got.Total > want+20 {
		t.Errorf("two seats for 355 days are invoiced with %+v, want %d", invoices.Data, want)
	}
	if n := env.countMails(mail.KindRenewed); n != 0 {
		t.Errorf("%d mails about a renewal", n)
	}
	if n := env.queryInt(`select count(*) from credit_entries e join invoices i on position(i.id in e.source) > 0
		where i.reason = 'automatic_pending_invoice_item_invoice'`); n != 0 {
		t.Errorf("the invoice of the seats made %d entries of the credit ledger", n)
	}
	if updates.Load() != 1 {
		t.Errorf("the interval was sent %d times", updates.Load())
	}
}

func TestMonthlyPriceNeedsNoPendingInterval(t *testing.T) {
	env := newTestEnv(t)
	updates := env.useIntervalGateway(nil)
	current := env.subscribe("pro")
	env.addMembers(1)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	if got := env.pendingInterval(current.ID); got != "" || updates.Load() != 0 {
		t.Errorf("interval %q, sent %d times", got, updates.Load())
	}
}

// The first change of seats sets the interval in the same update. It is cleared once the price is
// monthly, and set again for a yearly one.
func TestPendingIntervalFollowsThePrice(t *testing.T) {
	env := newTestEnv(t)
	updates := env.useIntervalGateway(nil)
	current := env.subscribeYearly("pro")
	env.addMembers(1)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 2, 2, billing.SyncOK)
	if got := env.pendingInterval(current.ID); got != "month" || env.quantityUpdates.Load() != 1 || updates.Load() != 1 {
		t.Fatalf("interval %q after %d updates of the quantity and %d of the interval", got, env.quantityUpdates.Load(), updates.Load())
	}
	for n, interval := range []catalog.Interval{catalog.Monthly, catalog.Yearly} {
		env.switchPriceAtStripe(current, env.planPriceID("starter", interval), 2, catalog.ProrationCreateProrations)
		env.makeSeatsDue()
		env.must(env.syncSeats())
		want := map[catalog.Interval]string{catalog.Monthly: "", catalog.Yearly: "month"}[interval]
		if got := env.pendingInterval(current.ID); got != want || updates.Load() != int64(n+2) {
			t.Errorf("per %s: interval %q after %d updates", interval, got, updates.Load())
		}
		wantSeats(t, env, 2, 2, billing.SyncOK)
		if state := env.seatState(); state.DueAt != nil {
			t.Errorf("per %s: an update is still due: %+v", interval, state)
		}
	}
	if env.quantityUpdates.Load() != 1 {
		t.Errorf("%d updates of the quantity, want 1", env.quantityUpdates.Load())
	}
}

// If Stripe refuses the interval, the seats are synced all the same, and the refusal is shown.
func TestRefusedPendingIntervalDoesNotHoldUpSeats(t *testing.T) {
	env := newTestEnv(t)
	env.useIntervalGateway(func(billing.Gateway, billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
		return billing.UpdatedSubscription{}, &apperr.StripeError{Status: 400, Code: "parameter_invalid", Message: "No such interval.", RequestID: "req_refused"}
	})
	env.subscribeYearly("pro")
	env.addMembers(2)
	for range 3 {
		env.makeSeatsDue()
		env.must(env.syncSeats())
	}
	if got := env.stripeQuantity(); got != 3 {
		t.Errorf("quantity %d at Stripe, want 3", got)
	}
	if seats := env.overview().Seats; seats.Status != billing.SyncError || !strings.Contains(seats.Error, "No such interval.") || seats.DueAt == nil {
		t.Errorf("seats %+v", seats)
	}
}

// An answer without the interval is not followed by another update at once.
func TestIgnoredPendingIntervalIsSentWithBackoff(t *testing.T) {
	env := newTestEnv(t)
	updates := env.useIntervalGateway(func(g billing.Gateway, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
		current, err := g.Subscription(context.Background(), update.SubscriptionID)
		return billing.UpdatedSubscription{Subscription: current, RequestID: "req_ignored"}, err
	})
	env.subscribeYearly("pro")
	for n := range 3 {
		env.makeSeatsDue()
		env.must(env.syncSeats())
		if state := env.seatState(); updates.Load() != int64(n+1) || state.Failures != n+1 || !state.DueAt.After(env.stripe.Now()) {
			t.Fatalf("after %d updates: %+v", updates.Load(), state)
		}
	}
}

// An update of the interval whose answer is lost is not repeated: a refetch shows its effect.
func TestLostPendingIntervalUpdateIsRefetched(t *testing.T) {
	env := newTestEnv(t)
	updates := env.useIntervalGateway(func(g billing.Gateway, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
		_, _ = g.UpdateQuantity(context.Background(), update)
		return billing.UpdatedSubscription{}, &apperr.StripeError{OutcomeUnknown: true, ShouldRetry: true, Message: "time-out"}
	})
	env.subscribeYearly("pro")
	for range 2 {
		env.makeSeatsDue()
		env.must(env.syncSeats())
	}
	wantSeats(t, env, 1, 1, billing.SyncOK)
	if state := env.seatState(); updates.Load() != 1 || state.DueAt != nil || state.AttemptOpen || state.SyncError != "" {
		t.Errorf("after %d updates: %+v", updates.Load(), state)
	}
}

// The interval was cleared at Stripe, and the webhook was lost: the reconciler finds it.
func TestReconcilerChecksPendingInterval(t *testing.T) {
	env := newTestEnv(t)
	env.useIntervalGateway(nil)
	current := env.subscribeYearly("pro")
	env.makeSeatsDue()
	env.must(env.syncSeats())
	env.stripeRequest("POST", "/v1/subscriptions/"+current.ID, url.Values{"pending_invoice_item_interval": {""}})
	found := strings.Join(env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID}), "; ")
	if !strings.Contains(found, "pending_invoice_item_interval month here, none at Stripe") {
		t.Errorf("found %q", found)
	}
	env.makeSeatsDue()
	env.must(env.syncSeats())
	if got := env.pendingInterval(current.ID); got != "month" {
		t.Errorf("interval %q after the reconciliation", got)
	}
}
