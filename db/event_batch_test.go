package db

import (
	"context"
	"errors"
	"slices"
	"testing"

	"usher/billing"
)

// batchStore returns a store with two linked organizations, each with a current subscription and
// seats.
func batchStore(t *testing.T, parameters ...string) *Store {
	t.Helper()
	store, ctx := newTestStore(t, parameters...), t.Context()
	for _, n := range []string{"1", "2"} {
		insertUserAndOrganization(t, store, "usr_"+n, "org_"+n)
		must(t, store.Customers().PutLink(ctx, billing.CustomerLink{OrganizationID: "org_" + n, Generation: 1, StripeCustomerID: "cus_" + n,
			Account: stripeAccount.ID, Livemode: stripeAccount.Livemode, CreatedAt: at(0), UpdatedAt: at(0)}))
		storeSubscription(t, store, subscription("sub_"+n, "org_"+n))
		must(t, store.Subscriptions().SetCurrent(ctx, "org_"+n, "sub_"+n, stripeAccount))
		must(t, store.Seats().PutState(ctx, billing.SeatState{OrganizationID: "org_" + n, DesiredSeats: 3}))
	}
	return store
}

func updateEvent(id, n string) billing.Event {
	return billing.Event{ID: id, Created: at(0), Payload: []byte(`{"a": "\"b\", {c}"}`), CustomerID: "cus_" + n, SubscriptionID: "sub_" + n}
}

// applied is how an event is stored that changed one thing.
func applied(e billing.Event, organizationID string) billing.StoredEvent {
	return billing.StoredEvent{Event: e, OrganizationID: organizationID, Outcome: billing.OutcomeApplied, ReceivedAt: at(1)}
}

// putQuantity locks the event's subscription and writes it with one more seat.
func putQuantity(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, []billing.Subscription, error) {
	owner, s, err := tx.Subscriptions().LockWithOwner(ctx, e.CustomerID, stripeAccount, e.SubscriptionID)
	if err != nil {
		return billing.StoredEvent{}, nil, err
	}
	s.Quantity++
	all, err := tx.Subscriptions().Put(ctx, s)
	tx.Record("%s has %d", s.ID, s.Quantity)
	return applied(e, owner), all, err
}

// An event of every kind: two of one subscription, one of another, one of a customer that is not
// linked, one without a customer.
func TestBatchIsStoredTogether(t *testing.T) {
	t.Parallel()
	store, ctx := batchStore(t), t.Context()
	events := []billing.Event{
		updateEvent("evt_3", "1"), updateEvent("evt_1", "2"), updateEvent("evt_2", "1"), updateEvent("evt_4", "9"),
		{ID: "evt_5", Created: at(0), Payload: []byte("{}")},
	}
	var decided []string
	stored, err := store.InBatch(ctx, stripeAccount, events, func(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, error) {
		decided = append(decided, e.ID)
		if e.CustomerID == "" {
			return applied(e, ""), nil
		}
		row, all, err := putQuantity(ctx, tx, e)
		if err != nil {
			return row, err
		}
		listed, err := tx.Subscriptions().List(ctx, row.OrganizationID, stripeAccount)
		wantEqual(t, all, listed) // as if it had been written at once
		return row, err
	})
	must(t, err)
	wantEqual(t, stored, []bool{true, true, true, false, true})
	wantEqual(t, decided, []string{"evt_3", "evt_1", "evt_2", "evt_5"})
	for n, want := range map[string]int{"1": 3, "2": 2} {
		got, err := store.Subscriptions().Get(ctx, "sub_"+n)
		must(t, err)
		wantEqual(t, got.Quantity, want)
		wantEqual(t, got.Revision, int64(want))
	}
	for id, changes := range map[string][]string{"evt_3": {"sub_1 has 2"}, "evt_2": {"sub_1 has 3"}, "evt_1": {"sub_2 has 2"}, "evt_5": nil} {
		got, err := store.Events().Get(ctx, id)
		must(t, err)
		want := applied(events[slices.IndexFunc(events, func(e billing.Event) bool { return e.ID == id })], got.OrganizationID)
		want.Changes = changes
		wantEqual(t, got, want)
	}
}

// Without a statement of its own an event is served by what was read in advance, and sees what the
// events before it have written.
func TestBatchServesItsEvents(t *testing.T) {
	t.Parallel()
	store, ctx := batchStore(t), t.Context()
	store.db.SetMaxOpenConns(1) // nothing is read beside the transaction
	var quantities, seats []int
	events := []billing.Event{updateEvent("evt_1", "1"), updateEvent("evt_2", "2"), updateEvent("evt_3", "1")}
	_, err := store.InBatch(ctx, stripeAccount, events, func(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, error) {
		owner, err := tx.Customers().LockOwner(ctx, e.CustomerID, stripeAccount)
		must(t, err)
		row, all, err := putQuantity(ctx, tx, e)
		must(t, err)
		wantEqual(t, owner, row.OrganizationID)
		wantEqual(t, all[0].IsCurrent, true)
		state, billed, err := tx.Seats().LockAndCount(ctx, owner)
		quantities, seats = append(quantities, all[0].Quantity), append(seats, state.DesiredSeats, billed)
		return row, err
	})
	must(t, err)
	wantEqual(t, quantities, []int{2, 2, 3})
	wantEqual(t, seats, []int{3, 0, 3, 0, 3, 0})
}

// What an event changes by itself is what the next one of its organization sees.
func TestBatchForgetsWhatAnEventChanged(t *testing.T) {
	t.Parallel()
	store, ctx := batchStore(t), t.Context()
	events := []billing.Event{updateEvent("evt_1", "1"), updateEvent("evt_2", "1")}
	_, err := store.InBatch(ctx, stripeAccount, events, func(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, error) {
		row, all, err := putQuantity(ctx, tx, e)
		must(t, err)
		wantEqual(t, all[0].IsCurrent, e.ID == "evt_1")
		state, _, err := tx.Seats().LockAndCount(ctx, "org_1")
		must(t, err)
		wantEqual(t, state.DesiredSeats, map[string]int{"evt_1": 3, "evt_2": 4}[e.ID])
		state.DesiredSeats++
		return row, errors.Join(tx.Subscriptions().ClearCurrent(ctx, "org_1", stripeAccount), tx.Seats().PutState(ctx, state))
	})
	must(t, err)
}

func TestBatchIsStoredWhollyOrNotAtAll(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*Store) error{
		"an error":       func(*Store) error { return errors.New("no") },
		"a stored event": func(store *Store) error { insertEvents(t, store, event("evt_2")); return nil },
		"an event twice": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, ctx := batchStore(t), t.Context()
			before := one[int](t, store, `select count(*) from stripe_events`)
			events := []billing.Event{updateEvent("evt_1", "1"), updateEvent("evt_2", "2")}
			if fail == nil {
				events = append(events, events[0])
			}
			_, err := store.InBatch(ctx, stripeAccount, events, func(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, error) {
				row, _, err := putQuantity(ctx, tx, e)
				if e.ID == "evt_2" && fail != nil {
					if failed := fail(store); failed != nil {
						return row, failed
					}
					before = one[int](t, store, `select count(*) from stripe_events`)
				}
				return row, err
			})
			if err == nil {
				t.Fatal("no error")
			}
			wantEqual(t, one[int](t, store, `select count(*) from stripe_events`), before)
			wantEqual(t, one[int](t, store, `select sum(quantity) from subscriptions`), 2)
		})
	}
}

// An organization that another transaction has locked does not delay the others.
func TestBatchLeavesLockedOrganizationsOut(t *testing.T) {
	t.Parallel()
	store, ctx := batchStore(t, "lock_timeout", "100ms"), t.Context()
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		if _, err := tx.Organizations().Lock(ctx, "org_1"); err != nil {
			return err
		}
		stored, err := store.InBatch(ctx, stripeAccount, []billing.Event{updateEvent("evt_1", "1"), updateEvent("evt_2", "2")},
			func(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, error) {
				row, _, err := putQuantity(ctx, tx, e)
				return row, err
			})
		wantEqual(t, stored, []bool{false, true})
		return err
	}))
}

// A snapshot of a batch is like one that was written and read, whatever its fields.
func TestBatchWritesEveryColumn(t *testing.T) {
	t.Parallel()
	store, ctx := batchStore(t), t.Context()
	want := fullSubscription()
	want.Account, want.Livemode = stripeAccount.ID, stripeAccount.Livemode
	want.CardFingerprint, want.PendingItems = "fp", want.Items
	want.CurrentPhase, want.NextPhase = want.Items, want.Items
	var all []billing.Subscription
	_, err := store.InBatch(ctx, stripeAccount, []billing.Event{updateEvent("evt_1", "1")}, func(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, error) {
		other := stored(want, false, 0)
		other.Foreign = false
		var err error
		all, err = tx.Subscriptions().Put(ctx, other)
		return applied(e, "org_1"), err
	})
	must(t, err)
	got, err := store.Subscriptions().Get(ctx, "sub_1")
	must(t, err)
	wantEqual(t, all, []billing.Subscription{got})
	want.CardFingerprint, want.PendingItems, want.CurrentPhase, want.NextPhase, want.Foreign = "", nil, nil, nil, false
	wantEqual(t, got, stored(want, true, 2))
}
