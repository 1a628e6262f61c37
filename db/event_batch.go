package db

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/lib/pq"

	"usher/billing"
)

// InBatch implements [billing.Store]. What most handlers lock and read is read for all events in
// advance, in one statement; the snapshots that they write and the events are written in another. A
// handler that runs another statement first writes the snapshots of those before it.
func (s *Store) InBatch(
	ctx context.Context, acct billing.StripeAccount, events []billing.Event, decide func(context.Context, billing.Tx, billing.Event) (billing.StoredEvent, error),
) (stored []bool, err error) {
	err = s.runTx(ctx, nil, func(tx billing.Tx) error {
		q := tx.(queries)
		b, err := lockBatch(ctx, q, acct, events)
		if err != nil {
			return err
		}
		rows := make([]billing.StoredEvent, 0, len(events))
		stored = make([]bool, len(events))
		for i, e := range events {
			if !b.has(e) {
				continue
			}
			row, err := b.decide(ctx, q, e, decide)
			if err != nil {
				return err
			}
			rows, stored[i] = append(rows, row), true
		}
		return b.finish(ctx, q, rows)
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

// errStoredAlready rolls back a batch with an event that is stored.
var errStoredAlready = errors.New("an event of the batch is stored already")

var (
	insertAllEvents    = eventTable.insertArrays(0) + ` on conflict (id) do nothing`
	updateAndInsertAll = `with updated as (` + updateSubscriptions + `)
		` + eventTable.insertArrays(subscriptionTable.width()) + ` on conflict (id) do nothing`
)

// finish writes the snapshots that wait and inserts the events, in the order of their ids, so that
// two batches with the same events do not wait for each other.
func (b *eventBatch) finish(ctx context.Context, q queries, rows []billing.StoredEvent) error {
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b billing.StoredEvent) int { return cmp.Compare(a.ID, b.ID) })
	for i := range rows {
		rows[i].NextAttemptAt = nextAttempt(rows[i])
	}
	statement, arguments := insertAllEvents, eventTable.arrays(rows)
	if len(b.writes) > 0 {
		statement, arguments = updateAndInsertAll, append(subscriptionTable.arrays(b.writes), arguments...)
	}
	n, err := q.execCount(ctx, "insert events", statement, arguments...)
	if err == nil && n < int64(len(rows)) {
		return errStoredAlready
	}
	return err
}

// eventBatch has what several events of one transaction have locked and read. The methods that
// stores call are false, and the store runs its statement, if the batch cannot serve it.
type eventBatch struct {
	account       billing.StripeAccount
	owners        map[string]ownerRow             // by customer
	subscriptions map[string]billing.Subscription // by id, as they are after the writes
	seats         map[string]countedSeatsRow      // by organization
	writes        []billing.Subscription          // that are still to be written
	// left means that the current event has run a statement of its own: what was read may not be
	// true any more.
	left bool
}

// An organization that another transaction has locked is left out: its events must not delay those
// of others. So nothing here waits while it has a lock. The locks are taken in the order of the
// clauses, organization first, as everywhere.
var lockOwners = `select c.stripe_customer_id as customer, o.id as owner, o.has_webhooks, ` + subscriptionTable.nested("s", "subscription") + `,
		` + seatStateTable.nested("t", "seats") + `,
		(select count(*) from organization_members m where m.organization_id = o.id and m.billable and m.status = 'active') as billed
	from billing_customers c
	join organizations o on o.id = c.organization_id
	join subscriptions s on s.organization_id = o.id and s.account = c.account and s.livemode = c.livemode
	join billing_seat_state t on t.organization_id = o.id
	where c.stripe_customer_id = any($1) and c.account = $2 and c.livemode = $3
	order by o.id, s.id for no key update of o skip locked for no key update of s, t`

type batchRow struct {
	Customer string `db:"customer"`
	ownerRow
	Subscription billing.Subscription `db:"subscription"`
	Seats        billing.SeatState    `db:"seats"`
	Billed       int                  `db:"billed"`
}

// lockBatch locks the organizations of the events' customers, their subscriptions and their seats.
func lockBatch(ctx context.Context, q queries, acct billing.StripeAccount, events []billing.Event) (*eventBatch, error) {
	b := &eventBatch{account: acct, owners: map[string]ownerRow{}, subscriptions: map[string]billing.Subscription{}, seats: map[string]countedSeatsRow{}}
	customers := map[string]bool{}
	for _, e := range events {
		if e.CustomerID != "" {
			customers[e.CustomerID] = true
		}
	}
	if len(customers) == 0 {
		return b, nil
	}
	ids := slices.Collect(maps.Keys(customers))
	rows, err := list[batchRow](ctx, q, "lock organizations", lockOwners, pq.Array(ids), acct.ID, acct.Livemode)
	for _, row := range rows {
		q.webhooks.mark(row.Owner, row.HasWebhooks)
		b.owners[row.Customer] = row.ownerRow
		b.subscriptions[row.Subscription.ID] = row.Subscription
		b.seats[row.Owner] = countedSeatsRow{row.Seats, row.Billed}
	}
	return b, err
}

// has reports whether the batch has locked what an event is about: its customer has a subscription
// and seats, as nearly all have. An event without a customer locks nothing here.
func (b *eventBatch) has(e billing.Event) bool {
	_, locked := b.owners[e.CustomerID]
	return locked || e.CustomerID == ""
}

// decide decides about one event.
func (b *eventBatch) decide(
	ctx context.Context, q queries, e billing.Event, decide func(context.Context, billing.Tx, billing.Event) (billing.StoredEvent, error),
) (billing.StoredEvent, error) {
	var changes billing.ChangeLog
	q.changes, q.batch = &changes, b
	row, err := decide(ctx, q, e)
	row.Changes = changes.Lines
	b.next(e)
	return row, err
}

// next begins the next event. What the last one has read or written by itself is forgotten.
func (b *eventBatch) next(last billing.Event) {
	if !b.left {
		return
	}
	b.left = false
	owner, locked := b.owners[last.CustomerID]
	maps.DeleteFunc(b.subscriptions, func(_ string, s billing.Subscription) bool { return !locked || s.OrganizationID == owner.Owner })
	maps.DeleteFunc(b.seats, func(organizationID string, _ countedSeatsRow) bool { return !locked || organizationID == owner.Owner })
}

// leaveBatch is called before every statement: one that an event of a batch runs by itself must see
// what the batch has written.
func (q queries) leaveBatch(ctx context.Context) error {
	if q.batch == nil {
		return nil
	}
	b := q.batch
	b.left, q.batch = true, nil
	return b.write(ctx, q)
}

var updateSubscriptions = `update subscriptions set ` + subscriptionTable.without("id").setFrom("written") + `, revision = subscriptions.revision + 1
	from ` + subscriptionTable.unnest("written", 0) + ` where subscriptions.id = written.id`

// write writes the snapshots that wait.
func (b *eventBatch) write(ctx context.Context, q queries) error {
	if len(b.writes) == 0 {
		return nil
	}
	writes := b.writes
	b.writes = nil
	return q.exec(ctx, "put subscriptions", updateSubscriptions, subscriptionTable.arrays(writes)...)
}

// owner is [customerStore.LockOwner].
func (b *eventBatch) owner(customerID string, acct billing.StripeAccount) (ownerRow, bool) {
	if b == nil || acct != b.account {
		return ownerRow{}, false
	}
	row, locked := b.owners[customerID]
	return row, locked
}

// ownedSubscription is [subscriptionStore.LockWithOwner].
func (b *eventBatch) ownedSubscription(customerID string, acct billing.StripeAccount, id string) (string, billing.Subscription, bool) {
	owner, locked := b.owner(customerID, acct)
	if !locked || b.left {
		return "", billing.Subscription{}, false
	}
	s, known := b.subscriptions[id]
	return owner.Owner, s, known
}

// countedSeats is [seatStore.LockAndCount].
func (b *eventBatch) countedSeats(organizationID string) (countedSeatsRow, bool) {
	if b == nil || b.left {
		return countedSeatsRow{}, false
	}
	row, known := b.seats[organizationID]
	return row, known
}

// put is [subscriptionStore.Put] of a snapshot that is stored and was not written in this batch.
func (b *eventBatch) put(s billing.Subscription) ([]billing.Subscription, bool) {
	if b == nil || b.left {
		return nil, false
	}
	before, known := b.subscriptions[s.ID]
	waits := slices.ContainsFunc(b.writes, func(w billing.Subscription) bool { return w.ID == s.ID })
	if !known || waits || before.OrganizationID != s.OrganizationID || before.Account != s.Account || before.Livemode != s.Livemode {
		return nil, false
	}
	s = asStored(s)
	s.IsCurrent, s.Revision = before.IsCurrent, before.Revision+1
	b.subscriptions[s.ID] = s
	b.writes = append(b.writes, s)
	all := []billing.Subscription{}
	for _, other := range b.subscriptions {
		if other.OrganizationID == s.OrganizationID && !other.Foreign {
			all = append(all, other)
		}
	}
	slices.SortFunc(all, func(a, b billing.Subscription) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, true
}

// asStored returns a snapshot as it is read: without what is not stored.
func asStored(s billing.Subscription) billing.Subscription {
	s.CardFingerprint, s.PendingItems, s.CurrentPhase, s.NextPhase = "", nil, nil, nil
	return s
}
