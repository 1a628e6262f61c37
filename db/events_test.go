package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"usher/billing"
	"usher/billing/apperr"
)

func event(id string) billing.StoredEvent {
	return billing.StoredEvent{Event: billing.Event{ID: id, Created: at(0), Payload: []byte("{}")},
		Outcome: billing.OutcomeApplied, ReceivedAt: at(1)}
}

func pending(id string, due int) billing.StoredEvent {
	e := event(id)
	e.Outcome, e.NextAttemptAt = billing.OutcomePending, ptr(at(due))
	return e
}

func insertEvents(t *testing.T, store *Store, events ...billing.StoredEvent) {
	t.Helper()
	for _, e := range events {
		isNew, err := store.Events().Insert(t.Context(), e)
		must(t, err)
		wantEqual(t, isNew, true)
	}
}

func TestEventRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	// Longer than a page; every byte must be kept, since the signature covers them.
	payload := []byte("{\n  \"id\": \"evt_1\", \"x\": \"ü\\u0000'\\\\\", \"pad\": \"" + strings.Repeat("é€", 5000) + "\"}\n")
	full := billing.StoredEvent{
		Event: billing.Event{
			ID: "evt_1", Type: "customer.subscription.updated", APIVersion: "2024-06-20", Livemode: true, Account: "acct_1",
			Created: testTime, Payload: payload, ObjectID: "sub_1", ObjectType: "subscription", CustomerID: "cus_1",
			SubscriptionID: "sub_2", OrgID: "org_meta", TestClock: true,
		},
		OrganizationID: "org_1", Outcome: billing.OutcomePending, Attempts: 3, Error: "not yet", ReceivedAt: testTime,
		NextAttemptAt: ptr(testTime), Changes: []string{"a line", "another"},
	}
	wantFilled(t, full.Event, "Subscription", "Invoice", "Checkout", "ChargeID", "InvoiceID", "PendingWebhooks")
	wantFilled(t, full)
	insertEvents(t, store, full, event("evt_2"))
	full.Created, full.ReceivedAt, full.NextAttemptAt = at(0), at(0), ptr(at(0))

	for _, want := range []billing.StoredEvent{full, event("evt_2")} {
		got, err := store.Events().Get(ctx, want.ID)
		must(t, err)
		wantEqual(t, got, want)
	}
	_, err := store.Events().Get(ctx, "evt_3")
	wantNotFound(t, err)
}

func TestEventIsInsertedOnce(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	var inserted atomic.Int32
	var deliveries sync.WaitGroup
	for range 50 {
		deliveries.Go(func() {
			err := store.InTx(ctx, func(tx billing.Tx) error {
				isNew, err := tx.Events().Insert(ctx, event("evt_1"))
				if isNew {
					inserted.Add(1)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	deliveries.Wait()
	wantEqual(t, inserted.Load(), 1)
	wantEqual(t, one[int](t, store, `select count(*) from stripe_events`), 1)
}

func TestClaimDueEvent(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertEvents(t, store, pending("evt_due", -1), pending("evt_longer_due", -5), pending("evt_later", 1), event("evt_done"))

	for _, id := range []string{"evt_longer_due", "evt_due"} {
		got, err := store.Events().ClaimDue(ctx, testTime, at(60), "")
		must(t, err)
		want := pending(id, 60)
		want.Attempts = 1
		wantEqual(t, got, want)
	}
	_, err := store.Events().ClaimDue(ctx, testTime, at(60), "")
	wantNotFound(t, err)

	// The lease expired without a finish: the event is due again, and the attempt counts.
	got, err := store.Events().ClaimDue(ctx, at(60), at(120), "")
	must(t, err)
	wantEqual(t, got.ID, "evt_later")
	got, err = store.Events().ClaimDue(ctx, at(60), at(120), "")
	must(t, err)
	wantEqual(t, got.Attempts, 2)
}

// An uncommitted claim hides its event from other workers and does not block them.
func TestClaimSkipsLockedEvents(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t, "lock_timeout", "100ms"), t.Context()
	insertEvents(t, store, pending("evt_1", -2), pending("evt_2", -1))
	must(t, store.InTx(ctx, func(q billing.Tx) error {
		first, err := q.Events().ClaimDue(ctx, testTime, at(60), "")
		must(t, err)
		second, err := store.Events().ClaimDue(ctx, testTime, at(60), "")
		must(t, err)
		wantEqual(t, []string{first.ID, second.ID}, []string{"evt_1", "evt_2"})
		_, err = store.Events().ClaimDue(ctx, testTime, at(60), "")
		wantNotFound(t, err)
		return nil
	}))
}

func TestNoEventIsClaimedTwice(t *testing.T) {
	t.Parallel()
	const events, claimants = 100, 8
	store, ctx := newTestStore(t), t.Context()
	var want []string
	for i := range events {
		e := pending(fmt.Sprintf("evt_%03d", i), -1)
		insertEvents(t, store, e)
		want = append(want, e.ID)
	}
	claimed := make([][]string, claimants)
	var group sync.WaitGroup
	for i := range claimants {
		group.Go(func() { claimed[i] = claimAll(ctx, t, store) })
	}
	group.Wait()
	got := slices.Concat(claimed...)
	slices.Sort(got)
	wantEqual(t, got, want)
}

func claimAll(ctx context.Context, t *testing.T, store *Store) []string {
	var ids []string
	for {
		e, err := store.Events().ClaimDue(ctx, testTime, at(60), "")
		if errors.Is(err, apperr.ErrNotFound) {
			return ids
		}
		if err != nil {
			t.Error(err)
			return ids
		}
		ids = append(ids, e.ID)
	}
}

func TestFinishEvent(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertEvents(t, store, pending("evt_1", -1))

	again := pending("evt_1", 30)
	again.OrganizationID, again.Error = "org_1", "Stripe is away"
	must(t, store.Events().Finish(ctx, again))
	got, err := store.Events().Get(ctx, "evt_1")
	must(t, err)
	wantEqual(t, got, again)

	// NextAttemptAt is dropped for events that are not pending.
	done := again
	done.Outcome, done.Error = billing.OutcomeStale, ""
	must(t, store.Events().Finish(ctx, done))
	got, err = store.Events().Get(ctx, "evt_1")
	must(t, err)
	done.NextAttemptAt = nil
	wantEqual(t, got, done)

	wantNotFound(t, store.Events().Finish(ctx, event("evt_2")))
}

func TestPendingEventMustHaveANextAttempt(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	e := event("evt_1")
	e.Outcome = billing.OutcomePending
	_, err := store.Events().Insert(ctx, e)
	wantConstraint(t, err, "stripe_events_pending_check")
}

func TestEventWithInvalidTextIsRefused(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	e := event("evt_1")
	e.Payload = []byte("{\"id\":\"\xff\"}")
	_, err := store.Events().Insert(t.Context(), e)
	wantEqual(t, apperr.CodeOf(err), apperr.CodeInvalid)
}

func TestClaimIsRoundRobin(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	for n, organization := range []string{"org_a", "org_b", "org_b", "org_b", "", "org_c"} {
		e := event(fmt.Sprintf("evt_%d", n))
		e.OrganizationID, e.Outcome, e.NextAttemptAt = organization, billing.OutcomePending, ptr(at(n))
		insertEvents(t, store, e)
	}
	claim := func(after billing.QueueCursor) string {
		got, err := store.Events().ClaimDue(ctx, at(10), at(60), after)
		if errors.Is(err, apperr.ErrNotFound) {
			return "none"
		}
		must(t, err)
		return got.ID
	}
	got := []string{claim(""), claim(billing.NoOrganization), claim("org_a"), claim("org_b"), claim("org_c"), claim(""), claim("org_b")}
	wantEqual(t, got, []string{"evt_4", "evt_0", "evt_1", "evt_5", "none", "evt_2", "none"})
}
