package db

import (
	"context"
	"strings"
	"time"

	"github.com/lib/pq"

	"usher/billing"
)

// eventStore implements [billing.EventStore].
type eventStore struct{ queries }

// Events implements [billing.Tx].
func (q queries) Events() billing.EventStore { return eventStore{q} }

var eventTable = tableOf[billing.StoredEvent]("stripe_events")

// A concurrent second delivery blocks here until the first commits, so a conflict always means that
// the event is committed.
var insertEvent = eventTable.insert() + ` on conflict (id) do nothing`

// Insert implements [billing.EventStore]. Objects parsed from the payload (Subscription,
// Checkout) are not stored, since the payload is. Pending events must have a NextAttemptAt; other
// events are stored without one.
func (q eventStore) Insert(ctx context.Context, e billing.StoredEvent) (bool, error) {
	e.NextAttemptAt = nextAttempt(e)
	n, err := q.execCount(ctx, "insert event", insertEvent, eventTable.values(e)...)
	return n == 1, err
}

func nextAttempt(e billing.StoredEvent) *time.Time {
	if e.Outcome != billing.OutcomePending {
		return nil
	}
	return e.NextAttemptAt
}

// Events without an organization sort first, as '-'. "Skip locked" passes over an event that
// another worker is claiming; after that claim commits, the event is not due.
var claimDueEvent = `with due as materialized (
		select id from stripe_events where outcome = 'pending' and next_attempt_at <= $1 and coalesce(organization_id, '-') > $3
		order by coalesce(organization_id, '-'), next_attempt_at limit 1 for no key update skip locked
	)
	update stripe_events set next_attempt_at = $2, attempts = attempts + 1 where id = (select id from due)
	returning ` + eventTable.list("")

// ClaimDue implements [billing.EventStore].
func (q eventStore) ClaimDue(ctx context.Context, now, leaseUntil time.Time, after billing.QueueCursor) (billing.StoredEvent, error) {
	return get[billing.StoredEvent](ctx, q.queries, "claim due event", claimDueEvent, now, leaseUntil, after)
}

const finishEvent = `update stripe_events set outcome = $2, organization_id = $3, error = $4, next_attempt_at = $5, changes = $6 where id = $1`

// Finish implements [billing.EventStore]; ErrNotFound if the event is not in the inbox.
func (q eventStore) Finish(ctx context.Context, e billing.StoredEvent) error {
	return q.execOne(ctx, "finish event", finishEvent, e.ID, e.Outcome, textOrNull(e.OrganizationID), e.Error, nextAttempt(e),
		strings.Join(e.Changes, "\n"))
}

var selectEvent = `select ` + eventTable.list("") + ` from stripe_events where id = $1`

// Get implements [billing.EventStore].
func (q eventStore) Get(ctx context.Context, id string) (billing.StoredEvent, error) {
	return get[billing.StoredEvent](ctx, q.queries, "read event", selectEvent, id)
}

// Prefixes are compared with starts_with, not like, so that a search has no wildcards but the final
// *.
var searchEvents = `select ` + eventTable.list("") + ` from stripe_events
	where ($1 = '' or outcome = $1)
		and ($2 = '' or type = $2 or right($2, 1) = '*' and starts_with(type, left($2, -1)))
		and ($3 = '' or organization_id = $3)
		and ($4 = '' or $4 in (object_id, subscription_id, customer_id))
		and ($5 = '' or (received_at, id) < (select received_at, id from stripe_events where id = $5))
	order by received_at desc, id desc limit $6`

// Search implements [billing.EventStore].
func (q eventStore) Search(ctx context.Context, s billing.EventSearch) ([]billing.StoredEvent, error) {
	return list[billing.StoredEvent](ctx, q.queries, "search events", searchEvents, s.Outcome, s.Type, s.OrganizationID, s.ObjectID, s.Before, s.Limit)
}

// Stored implements [billing.EventStore].
func (q eventStore) Stored(ctx context.Context, ids []string) ([]string, error) {
	return list[string](ctx, q.queries, "look up events", `select id from stripe_events where id = any($1)`, pq.Array(ids))
}

var selectFailedEvents = `select ` + eventTable.list("") + ` from stripe_events
	where outcome = 'failed' and ($1 = '' or organization_id = $1) and id > $2 order by id limit $3`

// Failed implements [billing.EventStore].
func (q eventStore) Failed(ctx context.Context, organizationID, id string, limit int) ([]billing.StoredEvent, error) {
	return list[billing.StoredEvent](ctx, q.queries, "list failed events", selectFailedEvents, organizationID, id, limit)
}

const requeueEvent = `update stripe_events set outcome = 'pending', next_attempt_at = $2, attempts = 0, error = '' where id = $1`

// Requeue implements [billing.EventStore].
func (q eventStore) Requeue(ctx context.Context, id string, now time.Time) error {
	return q.execOne(ctx, "requeue event", requeueEvent, id, now)
}

const pruneEvents = `delete from stripe_events where id in (
		select id from stripe_events where received_at < $1 and outcome not in ('pending', 'failed') order by received_at limit $2
		for update skip locked
	)`

// Prune implements [billing.EventStore].
func (q eventStore) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := q.execCount(ctx, "prune events", pruneEvents, before, limit)
	return int(n), err
}
