package db

import (
	"testing"

	"usher/billing"
)

var testAccount = billing.StripeAccount{ID: "acct_1", Livemode: true}

func TestReconciliationLease(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	take := func(now int) (billing.ReconcileState, error) {
		return store.Reconciliation().Claim(ctx, testAccount, at(now), at(now-60), at(now+20))
	}
	state, err := take(0)
	must(t, err)
	wantEqual(t, state, billing.ReconcileState{})
	_, err = take(19)
	wantNotFound(t, err) // leased
	_, err = take(20)
	must(t, err) // the lease expired
	stopped := billing.ReconcileState{ReadUntil: at(20), Progress: billing.ReconcileProgress{
		Step: "invoices", After: "list:in_1", Units: 3, Unrepaired: map[billing.DriftKind]int{billing.DriftCharge: 2},
		Events: billing.EventPosition{Since: at(1), Began: at(2), After: "evt_1"}, CheckedCustomer: "cus_1",
	}}
	must(t, store.Reconciliation().SaveState(ctx, testAccount, stopped))
	must(t, store.Reconciliation().Finish(ctx, testAccount, at(21)))
	_, err = take(80)
	wantNotFound(t, err) // not due yet
	state, err = take(81)
	must(t, err)
	wantEqual(t, state, stopped)
	must(t, store.Reconciliation().PutCompared(ctx, testAccount, map[billing.DriftKind]int{billing.DriftCharge: 2}, 3, at(82)))
	must(t, store.Reconciliation().Finish(ctx, testAccount, at(82)))
	state, err = take(200)
	must(t, err)
	wantEqual(t, state, stopped)
	_, err = store.Reconciliation().Claim(ctx, billing.StripeAccount{ID: "acct_1"}, at(0), at(0), at(1))
	must(t, err) // the other mode has its own state
}

func TestDriftReports(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := billing.DriftReport{
		ID: "drf_1", OrganizationID: "org_1", StartedAt: at(1), FinishedAt: at(2), DryRun: true, Partial: true, Calls: 9, Events: 3,
		Subscriptions: 4, Invoices: 5, Charges: 8, Customers: 6, Checkouts: 7, Error: "no answer",
		Drifts: []billing.Drift{{Kind: billing.DriftInvoice, ObjectID: "in_1", OrganizationID: "org_1", Difference: "status", Repaired: true, Error: "x"}},
	}
	wantFilled(t, full)
	bare := billing.DriftReport{ID: "drf_2", StartedAt: at(3), FinishedAt: at(4), Drifts: []billing.Drift{}}
	for _, r := range []billing.DriftReport{full, bare} {
		must(t, store.Reconciliation().InsertReport(ctx, r))
	}
	got, err := store.Reconciliation().Reports(ctx, "", 10)
	must(t, err)
	wantEqual(t, got, []billing.DriftReport{bare, full})
	got, err = store.Reconciliation().Reports(ctx, "org_1", 10)
	must(t, err)
	wantEqual(t, got, []billing.DriftReport{full})
	must(t, store.Reconciliation().PruneReports(ctx, at(2)))
	got, err = store.Reconciliation().Reports(ctx, "", 10)
	must(t, err)
	wantEqual(t, got, []billing.DriftReport{bare})
}

func TestInboxIsSearchedRequeuedAndPruned(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	event := func(id, kind string, outcome billing.Outcome, received int) billing.StoredEvent {
		e := billing.StoredEvent{ReceivedAt: at(received), Outcome: outcome, Error: "why", Attempts: 4}
		e.ID, e.Type, e.ObjectID, e.CustomerID, e.SubscriptionID, e.Created = id, kind, "obj_"+id, "cus_1", "sub_1", at(received)
		e.Payload = []byte("{}")
		if outcome == billing.OutcomePending {
			e.NextAttemptAt = ptr(at(received))
		}
		return e
	}
	insertEvents(t, store, event("evt_1", "invoice.paid", billing.OutcomeApplied, 1), event("evt_2", "invoice.voided", billing.OutcomeFailed, 2),
		event("evt_3", "customer.deleted", billing.OutcomePending, 3), event("evt_4", "invoice.paid", billing.OutcomeIgnored, 4))
	ids := func(s billing.EventSearch) (got []string) {
		t.Helper()
		if s.Limit == 0 {
			s.Limit = 10
		}
		found, err := store.Events().Search(ctx, s)
		must(t, err)
		for _, e := range found {
			got = append(got, e.ID)
		}
		return got
	}
	wantEqual(t, ids(billing.EventSearch{}), []string{"evt_4", "evt_3", "evt_2", "evt_1"})
	wantEqual(t, ids(billing.EventSearch{Limit: 1, Before: "evt_3"}), []string{"evt_2"})
	wantEqual(t, ids(billing.EventSearch{Type: "invoice.*"}), []string{"evt_4", "evt_2", "evt_1"})
	wantEqual(t, ids(billing.EventSearch{Type: "invoice.paid", Outcome: billing.OutcomeApplied}), []string{"evt_1"})
	wantEqual(t, ids(billing.EventSearch{ObjectID: "obj_evt_2"}), []string{"evt_2"})
	wantEqual(t, len(ids(billing.EventSearch{ObjectID: "sub_1"})), 4)

	must(t, store.Events().Requeue(ctx, "evt_2", at(9)))
	again, err := store.Events().Get(ctx, "evt_2")
	must(t, err)
	if again.Outcome != billing.OutcomePending || again.Attempts != 0 || again.Error != "" || !again.NextAttemptAt.Equal(at(9)) {
		t.Errorf("requeued: %+v", again)
	}
	wantNotFound(t, store.Events().Requeue(ctx, "evt_9", at(9)))

	removed, err := store.Events().Prune(ctx, at(9), 1)
	must(t, err)
	wantEqual(t, removed, 1)
	removed, err = store.Events().Prune(ctx, at(9), 10)
	must(t, err)
	wantEqual(t, removed, 1)
	wantEqual(t, ids(billing.EventSearch{}), []string{"evt_3", "evt_2"}) // unfinished reports stay
}
