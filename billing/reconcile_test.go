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
func (s *stage) drifts(o billing.ReconcileOptions) []string {
	s.t.Helper()
	report, err := s.service.Reconciler.Reconcile(s.t.Context(), o)
	s.must(err)
	var found []string
	for _, d := range report.Drifts {
		if d.Error != "" {
			s.t.Errorf("%+v", d)
		}
		found = append(found, string(d.Kind)+": "+d.Difference)
	}
	return found
}

// TestReconcilerFindsWhatNoWebhookTold: everything happens at Stripe and no event comes.
func TestReconcilerFindsWhatNoWebhookTold(t *testing.T) {
	s := openStage(t)
	s.join(2)
	session, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	s.must(err)
	s.pay(session)
	before := s.drifts(billing.ReconcileOptions{DryRun: true})
	if text := strings.Join(before, "\n"); !strings.Contains(text, "subscription: not known here, active at Stripe") ||
		!strings.Contains(text, "invoice: not known here, paid at Stripe") || !strings.Contains(text, "customer.subscription.created was not received") {
		t.Fatalf("found:\n%s", text)
	}
	if s.overview().Subscription != nil || s.one(`select count(*) from stripe_events`) != 0 || s.one(`select count(*) from drift_reports`) != 0 {
		t.Fatal("a dry run writes")
	}
	s.drifts(billing.ReconcileOptions{})
	s.settleEvents()
	o := s.overview()
	if o.Subscription == nil || o.Subscription.Status != billing.StatusActive || o.Credits.Balance != 1000 || o.Seats.Status != billing.SyncOK {
		t.Fatalf("after the first run: %+v", o)
	}
	if again := s.drifts(billing.ReconcileOptions{}); len(again) != 0 {
		t.Errorf("the second run finds:\n%s", strings.Join(again, "\n"))
	}

	s.setQuantityInDashboard(*o.Subscription, 40)
	s.postStripe(http.MethodPost, "/v1/subscriptions/"+o.Subscription.ID, map[string][]string{"cancel_at_period_end": {"true"}})
	found := s.drifts(billing.ReconcileOptions{OrganizationID: s.access.Organization.ID})
	if text := strings.Join(found, "\n"); !strings.Contains(text, "quantity 3 here, 40 at Stripe; cancel_at_period_end false here, true at Stripe") {
		t.Errorf("found:\n%s", text)
	}
	s.due()
	s.must(s.sync())
	wantSeats(t, s, 3, 3, billing.SyncOK)

	s.postStripe(http.MethodDelete, "/v1/customers/"+o.CustomerID, nil)
	s.drifts(billing.ReconcileOptions{})
	s.settleEvents()
	if o := s.overview(); o.CustomerID != "" || o.Subscription.Status != billing.StatusCanceled || o.Credits.Balance != 0 {
		t.Errorf("the customer was deleted at Stripe, and here is %+v", o)
	}
	if again := s.drifts(billing.ReconcileOptions{}); len(again) != 0 {
		t.Errorf("the last run finds:\n%s", strings.Join(again, "\n"))
	}
}

// settleEvents asks Stripe about everything that is pending, until nothing is.
func (s *stage) settleEvents() {
	s.t.Helper()
	for range 200 {
		_, err := s.service.Worker.RunJob(s.t.Context(), job.Job{Kind: job.KindEvent})
		s.must(err)
		if s.one(`select count(*) from stripe_events where outcome = 'pending'`) == 0 {
			return
		}
	}
	s.t.Fatal("events are pending still")
}

// TestReconcilerLeavesOthersAlone: objects of other applications on the same account are none of ours.
func TestReconcilerLeavesOthersAlone(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	var foreign struct{ ID string }
	s.postStripe(http.MethodPost, "/v1/customers", map[string][]string{"email": {"foreign@example.com"}}, &foreign)
	s.drifts(billing.ReconcileOptions{})
	if n := s.one(`select count(*) from billing_customers`); n != 1 {
		t.Errorf("%d customers are linked", n)
	}
}

func TestReconcilerComparesRecountsAndOpenInvoices(t *testing.T) {
	s := openStage(t)
	s.join(2)
	s.subscribe("pro")
	s.drifts(billing.ReconcileOptions{})
	_, err := s.store.DB().ExecContext(t.Context(), `update billing_seat_state set desired_seats = 7, due_at = null`)
	s.must(err)
	_, err = s.store.DB().ExecContext(t.Context(), `update invoices set status = 'open', revision = revision + 1`)
	s.must(err)
	text := strings.Join(s.drifts(billing.ReconcileOptions{}), "\n")
	if !strings.Contains(text, "seats: desired seats 7 here, 3 at Stripe") || !strings.Contains(text, "invoice: status open here, paid at Stripe") {
		t.Errorf("found:\n%s", text)
	}
	wantSeats(t, s, 3, 3, billing.SyncOK)
}

// TestReconcileIsOneReplicasTurn: of many replicas one compares, and the next hour's turn is free for all.
func TestReconcileIsOneReplicasTurn(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	ctx := t.Context()
	acct, err := s.gateway().Account(ctx)
	s.must(err)
	now := s.stripe.Now()
	taken := make(chan bool, 16)
	var group sync.WaitGroup
	for range cap(taken) {
		group.Go(func() {
			_, err := s.store.Reconciliation().Claim(ctx, acct, now, now.Add(-1), now.Add(1000))
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

func TestResyncIsForBillingAdminsAndBounded(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	member := troupe{s, s.access.Organization.ID}.person(account.RoleMember, false)
	if _, err := s.service.Reconciler.Resync(t.Context(), member); apperr.CodeOf(err) != apperr.CodeForbidden {
		t.Errorf("a member re-syncs: %v", err)
	}
	for try := range 6 {
		_, err := s.service.Reconciler.Resync(t.Context(), s.access)
		if limited := apperr.CodeOf(err) == apperr.CodeRateLimited; limited != (try == 5) || !limited && err != nil {
			t.Errorf("try %d: %v", try+1, err)
		}
	}
}
