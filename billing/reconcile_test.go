package billing_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// All changes happen at Stripe and no event is delivered.
func TestReconcilerAppliesMissedChanges(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(2)
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.pay(session)
	before := env.reconcile(billing.ReconcileOptions{DryRun: true})
	if text := strings.Join(before, "\n"); !strings.Contains(text, "subscription: not known here, active at Stripe") ||
		!strings.Contains(text, "invoice: not known here, paid at Stripe") || !strings.Contains(text, "customer.subscription.created was not received") {
		t.Fatalf("drifts:\n%s", text)
	}
	if env.overview().Subscription != nil || env.queryInt(`select count(*) from stripe_events`) != 0 || env.queryInt(`select count(*) from drift_reports`) != 0 {
		t.Fatal("the dry run wrote")
	}
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	o := env.overview()
	if o.Subscription == nil || o.Subscription.Status != billing.StatusActive || o.Credits.Balance != 1000 || o.Seats.Status != billing.SyncOK {
		t.Fatalf("after the first run: %+v", o)
	}
	if again := env.reconcile(billing.ReconcileOptions{}); len(again) != 0 {
		t.Errorf("drifts in the second run:\n%s", strings.Join(again, "\n"))
	}

	env.setQuantityAtStripe(*o.Subscription, 40)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+o.Subscription.ID, map[string][]string{"cancel_at_period_end": {"true"}})
	found := env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
	if text := strings.Join(found, "\n"); !strings.Contains(text, "quantity 3 here, 40 at Stripe; cancel_at_period_end false here, true at Stripe") {
		t.Errorf("drifts:\n%s", text)
	}
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 3, 3, billing.SyncOK)

	env.stripeRequest(http.MethodDelete, "/v1/customers/"+o.CustomerID, nil)
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	if o := env.overview(); o.CustomerID != "" || o.Subscription.Status != billing.StatusCanceled || o.Credits.Balance != 0 {
		t.Errorf("after the customer was deleted at Stripe: %+v", o)
	}
	if again := env.reconcile(billing.ReconcileOptions{}); len(again) != 0 {
		t.Errorf("drifts in the last run:\n%s", strings.Join(again, "\n"))
	}
}

// Events count as missed if no webhook delivered them in time, and until the next comparison.
func TestReconcilerCountsMissedEvents(t *testing.T) {
	env := newTestEnv(t)
	var later time.Duration
	options := env.options(env.store)
	options.WallClock = func() time.Time { return time.Now().Add(later) }
	env.useService(env.startService(options))
	missed := func() int {
		t.Helper()
		env.reconcile(billing.ReconcileOptions{})
		backlog, err := env.service.Operations.Backlog(t.Context())
		env.must(err)
		return backlog.MissedEvents
	}
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.pay(session)
	if n := missed(); n != 0 {
		t.Errorf("%d events are missed whose webhooks may still come", n)
	}
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+env.overview().Subscription.ID, map[string][]string{"cancel_at_period_end": {"true"}})
	later = 10 * time.Minute
	if n := missed(); n != 1 {
		t.Errorf("%d events are missed, want 1", n)
	}
	if n := missed(); n != 0 {
		t.Errorf("%d events are missed after they were read", n)
	}
}

// Objects of other applications on the same Stripe account are ignored.
func TestReconcilerIgnoresOtherApplications(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	var other struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/customers", map[string][]string{"email": {"other@example.com"}}, &other)
	env.reconcile(billing.ReconcileOptions{})
	if n := env.queryInt(`select count(*) from billing_customers`); n != 1 {
		t.Errorf("%d linked customers, want 1", n)
	}
}

func TestReconcilerRepairsSeatsAndInvoices(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(2)
	env.subscribe("pro")
	env.reconcile(billing.ReconcileOptions{})
	_, err := env.store.DB().ExecContext(t.Context(), `update billing_seat_state set desired_seats = 7, due_at = null`)
	env.must(err)
	_, err = env.store.DB().ExecContext(t.Context(), `update invoices set status = 'open', revision = revision + 1`)
	env.must(err)
	text := strings.Join(env.reconcile(billing.ReconcileOptions{}), "\n")
	if !strings.Contains(text, "seats: desired seats 7 here, 3 at Stripe") || !strings.Contains(text, "invoice: status open here, paid at Stripe") {
		t.Errorf("drifts:\n%s", text)
	}
	wantSeats(t, env, 3, 3, billing.SyncOK)
}

// Of several replicas that reconcile at the same time, one acquires the lease.
func TestOneReplicaReconcilesAtATime(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	ctx := t.Context()
	acct, err := env.gateway().Account(ctx)
	env.must(err)
	now := env.stripe.Now()
	acquired := make(chan bool, 16)
	var group sync.WaitGroup
	for range cap(acquired) {
		group.Go(func() {
			_, err := env.store.Reconciliation().Claim(ctx, acct, now, now.Add(-time.Minute), now.Add(time.Minute))
			acquired <- err == nil
		})
	}
	group.Wait()
	close(acquired)
	leases := 0
	for ok := range acquired {
		if ok {
			leases++
		}
	}
	if leases != 1 {
		t.Errorf("%d replicas acquired the lease, want 1", leases)
	}
}

func TestResyncPermissionAndRateLimit(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	member := testOrganization{env, env.access.Organization.ID}.insertMember(account.RoleMember, false)
	if _, err := env.service.Reconciler.Resync(t.Context(), member); apperr.CodeOf(err) != apperr.CodeForbidden {
		t.Errorf("resync by a member: %v", err)
	}
	for attempt := range 6 {
		_, err := env.service.Reconciler.Resync(t.Context(), env.access)
		if limited := apperr.CodeOf(err) == apperr.CodeRateLimited; limited != (attempt == 5) || !limited && err != nil {
			t.Errorf("attempt %d: %v", attempt+1, err)
		}
	}
}
