package db

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"usher/billing"
)

const eventColumns = `id, type, api_version, livemode, account, created, received_at, object_id, object_type, customer_id,
	subscription_id, org_id, test_clock, organization_id, outcome, attempts, error, next_attempt_at, payload, changes`

type eventRow struct {
	ID             string         `db:"id"`
	Type           string         `db:"type"`
	APIVersion     string         `db:"api_version"`
	Livemode       bool           `db:"livemode"`
	Account        string         `db:"account"`
	Created        time.Time      `db:"created"`
	ReceivedAt     time.Time      `db:"received_at"`
	ObjectID       string         `db:"object_id"`
	ObjectType     string         `db:"object_type"`
	CustomerID     string         `db:"customer_id"`
	SubscriptionID string         `db:"subscription_id"`
	OrgID          string         `db:"org_id"`
	TestClock      bool           `db:"test_clock"`
	OrganizationID sql.NullString `db:"organization_id"`
	Outcome        string         `db:"outcome"`
	Attempts       int            `db:"attempts"`
	Error          string         `db:"error"`
	NextAttemptAt  *time.Time     `db:"next_attempt_at"`
	Payload        []byte         `db:"payload"`
	Changes        string         `db:"changes"`
}

func (r eventRow) event() billing.StoredEvent {
	return billing.StoredEvent{
		Event: billing.Event{
			ID: r.ID, Type: r.Type, APIVersion: r.APIVersion, Livemode: r.Livemode, Account: r.Account,
			Created: r.Created.UTC(), Payload: r.Payload, ObjectID: r.ObjectID, ObjectType: r.ObjectType,
			CustomerID: r.CustomerID, SubscriptionID: r.SubscriptionID, OrgID: r.OrgID, TestClock: r.TestClock,
		},
		OrganizationID: r.OrganizationID.String, Outcome: billing.Outcome(r.Outcome), Attempts: r.Attempts, Error: r.Error,
		ReceivedAt: r.ReceivedAt.UTC(), NextAttemptAt: utc(r.NextAttemptAt), Changes: linesOf(r.Changes),
	}
}

// A second delivery that runs beside the first waits for the first one's commit here, so 'known' always means committed.
const insertEvent = `insert into stripe_events (` + eventColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
	on conflict (id) do nothing`

// InsertEvent implements [billing.EventQueries]. The objects read from the payload (Subscription, Checkout) are not stored: the payload
// is, and can be read again. NextAttemptAt is kept for pending events alone, and those must have one.
func (q queries) InsertEvent(ctx context.Context, e billing.StoredEvent) (bool, error) {
	n, err := q.execCount(ctx, "insert event", insertEvent,
		e.ID, e.Type, e.APIVersion, e.Livemode, e.Account, e.Created, e.ReceivedAt, e.ObjectID, e.ObjectType, e.CustomerID,
		e.SubscriptionID, e.OrgID, e.TestClock, textOrNull(e.OrganizationID), e.Outcome, e.Attempts, e.Error,
		nextAttempt(e), e.Payload, strings.Join(e.Changes, "\n"))
	return n == 1, err
}

// linesOf reads what was written a line each.
func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func nextAttempt(e billing.StoredEvent) *time.Time {
	if e.Outcome != billing.OutcomePending {
		return nil
	}
	return e.NextAttemptAt
}

// An event of nobody has the turn of '-', which comes before every organization's. The inner select skips what somebody else is just claiming; once
// that is committed it is due no more.
const claimDueEvent = `with due as materialized (
		select id from stripe_events where outcome = 'pending' and next_attempt_at <= $1 and coalesce(organization_id, '-') > $3
		order by coalesce(organization_id, '-'), next_attempt_at limit 1 for no key update skip locked
	)
	update stripe_events set next_attempt_at = $2, attempts = attempts + 1 where id = (select id from due)
	returning ` + eventColumns

// ClaimDueEvent implements [billing.EventQueries].
func (q queries) ClaimDueEvent(ctx context.Context, now, leaseUntil time.Time, after billing.Turn) (billing.StoredEvent, error) {
	row, err := get[eventRow](ctx, q, "claim due event", claimDueEvent, now, leaseUntil, after)
	return row.event(), err
}

const finishEvent = `update stripe_events set outcome = $2, organization_id = $3, error = $4, next_attempt_at = $5, changes = $6 where id = $1`

// FinishEvent implements [billing.EventQueries]; ErrNotFound where the event is not in the inbox.
func (q queries) FinishEvent(ctx context.Context, e billing.StoredEvent) error {
	return q.execOne(ctx, "finish event", finishEvent, e.ID, e.Outcome, textOrNull(e.OrganizationID), e.Error, nextAttempt(e),
		strings.Join(e.Changes, "\n"))
}

const selectEvent = `select ` + eventColumns + ` from stripe_events where id = $1`

// Event implements [billing.EventQueries].
func (q queries) Event(ctx context.Context, id string) (billing.StoredEvent, error) {
	row, err := get[eventRow](ctx, q, "read event", selectEvent, id)
	return row.event(), err
}

// A beginning is compared by range of characters, not by like: what is searched for takes no wildcards but the last *.
const searchEvents = `select ` + eventColumns + ` from stripe_events
	where ($1 = '' or outcome = $1)
		and ($2 = '' or type = $2 or right($2, 1) = '*' and starts_with(type, left($2, -1)))
		and ($3 = '' or organization_id = $3)
		and ($4 = '' or $4 in (object_id, subscription_id, customer_id))
		and ($5 = '' or (received_at, id) < (select received_at, id from stripe_events where id = $5))
	order by received_at desc, id desc limit $6`

// SearchEvents implements [billing.InboxQueries].
func (q queries) SearchEvents(ctx context.Context, s billing.EventSearch) ([]billing.StoredEvent, error) {
	rows, err := list[eventRow](ctx, q, "search events", searchEvents, s.Outcome, s.Type, s.OrganizationID, s.ObjectID, s.Before, s.Limit)
	return collect(rows, eventRow.event), err
}

const requeueEvent = `update stripe_events set outcome = 'pending', next_attempt_at = $2, attempts = 0, error = '' where id = $1`

// RequeueEvent implements [billing.InboxQueries].
func (q queries) RequeueEvent(ctx context.Context, id string, now time.Time) error {
	return q.execOne(ctx, "requeue event", requeueEvent, id, now)
}

const pruneEvents = `delete from stripe_events where id in (
		select id from stripe_events where received_at < $1 and outcome not in ('pending', 'failed') order by received_at limit $2
		for update skip locked
	)`

// PruneEvents implements [billing.InboxQueries].
func (q queries) PruneEvents(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := q.execCount(ctx, "prune events", pruneEvents, before, limit)
	return int(n), err
}
