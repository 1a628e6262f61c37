package billing_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/job"
)

// drifts runs a comparison and lists what it found, a line each.
func (env *testEnv) reconcile(o billing.ReconcileOptions) []string {
	env.t.Helper()
	report, err := env.service.Reconciler.Reconcile(env.t.Context(), o)
	env.must(err)
	var found []string
	for _, d := range report.Drifts {
		if d.Error != "" {
			env.t.Errorf("%+v", d)
		}
		found = append(found, string(d.Kind)+": "+d.Difference)
	}
	return found
}

// TestReconcilerFindsWhatNoWebhookTold: everything happens at Stripe and no event comes.
func TestReconcilerAppliesMissedChanges(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(2)
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.pay(session)
	before := env.reconcile(billing.ReconcileOptions{DryRun: true})
	if text := strings.Join(before, "\n"); !strings.Contains(text, "subscription: not known here, active at Stripe") ||
		!strings.Contains(text, "invoice: not known here, paid at Stripe") || !strings.Contains(text, "customer.subscription.created never came") {
		t.Fatalf("found:\n%s", text)
	}
	if env.overview().Subscription != nil || env.queryInt(`select count(*) from stripe_events`) != 0 || env.queryInt(`select count(*) from drift_reports`) != 0 {
		t.Fatal("a dry run writes")
	}
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	o := env.overview()
	if o.Subscription == nil || o.Subscription.Status != billing.StatusActive || o.Credits.Balance != 1000 || o.Seats.Status != billing.SyncOK {
		t.Fatalf("after the first run: %+v", o)
	}
	if again := env.reconcile(billing.ReconcileOptions{}); len(again) != 0 {
		t.Errorf("the second run finds:\n%s", strings.Join(again, "\n"))
	}

	env.setQuantityAtStripe(*o.Subscription, 40)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+o.Subscription.ID, map[string][]string{"cancel_at_period_end": {"true"}})
	found := env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
	if text := strings.Join(found, "\n"); !strings.Contains(text, "quantity 3 here, 40 at Stripe; cancel at the period's end false here, true at Stripe") {
		t.Errorf("found:\n%s", text)
	}
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 3, 3, billing.SyncOK)

	env.stripeRequest(http.MethodDelete, "/v1/customers/"+o.CustomerID, nil)
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	if o := env.overview(); o.CustomerID != "" || o.Subscription.Status != billing.StatusCanceled || o.Credits.Balance != 0 {
		t.Errorf("the customer was deleted at Stripe, and here is %+v", o)
	}
	if again := env.reconcile(billing.ReconcileOptions{}); len(again) != 0 {
		t.Errorf("the last run finds:\n%s", strings.Join(again, "\n"))
	}
}

// settleEvents asks Stripe about everything that is pending, until nothing is.
func (env *testEnv) processEvents() {
	env.t.Helper()
	for range 200 {
		_, err := env.service.Worker.RunJob(env.t.Context(), job.Job{Kind: job.KindEvent})
		env.must(err)
		if env.queryInt(`select count(*) from stripe_events where outcome = 'pending'`) == 0 {
			return
		}
	}
	env.t.Fatal("events are pending still")
}

// TestReconcilerLeavesOthersAlone: objects of other applications on the same account are none of ours.
func TestReconcilerIgnoresOtherApplications(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	var foreign struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/customers", map[string][]string{"email": {"foreign@example.com"}}, &foreign)
	env.reconcile(billing.ReconcileOptions{})
	if n := env.queryInt(`select count(*) from billing_customers`); n != 1 {
		t.Errorf("%d customers are linked", n)
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
	if !strings.Contains(text, "seats: seats wanted 7 here, 3 at Stripe") || !strings.Contains(text, "invoice: status open here, paid at Stripe") {
		t.Errorf("found:\n%s", text)
	}
	wantSeats(t, env, 3, 3, billing.SyncOK)
}

// TestReconcileIsOneReplicasTurn: of many replicas one compares, and the next hour's turn is free for all.
func TestOneReplicaReconcilesAtATime(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	ctx := t.Context()
	acct, err := env.gateway().Account(ctx)
	env.must(err)
	now := env.stripe.Now()
	taken := make(chan bool, 16)
	var group sync.WaitGroup
	for range cap(taken) {
		group.Go(func() {
			_, err := env.store.Reconciliation().Take(ctx, acct, now, now.Add(-1), now.Add(1000))
			taken <- err == nil
		})
	}
	group.Wait()
	close(taken)
	turns := 0
	for mine := range taken {
		if mine {
			turns++
		}
	}
	if turns != 1 {
		t.Errorf("%d replicas compare at once", turns)
	}
}

func TestResyncPermissionAndRateLimit(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	member := testOrganization{env, env.access.Organization.ID}.insertMember(account.RoleMember, false)
	if _, err := env.service.Reconciler.Resync(t.Context(), member); apperr.CodeOf(err) != apperr.CodeForbidden {
		t.Errorf("a member re-syncs: %v", err)
	}
	for try := range 6 {
		_, err := env.service.Reconciler.Resync(t.Context(), env.access)
		if limited := apperr.CodeOf(err) == apperr.CodeRateLimited; limited != (try == 5) || !limited && err != nil {
			t.Errorf("try %d: %v", try+1, err)
		}
	}
}
