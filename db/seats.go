package db

import (
	"context"
	"errors"
	"time"

	"usher/billing"
	"usher/billing/apperr"
)

var seatStateTable = tableOf[billing.SeatState]("billing_seat_state")

var (
	selectSeatState = `select ` + seatStateTable.list("") + ` from billing_seat_state where organization_id = $1`
	lockSeatState   = selectSeatState + ` for no key update`
)

// SeatState implements [billing.SeatQueries].
func (q seatStore) State(ctx context.Context, organizationID string) (billing.SeatState, error) {
	return get[billing.SeatState](ctx, q.queries, "read seat state", selectSeatState, organizationID)
}

// LockSeatState implements [billing.SeatQueries].
func (q seatStore) LockState(ctx context.Context, organizationID string) (billing.SeatState, error) {
	return get[billing.SeatState](ctx, q.queries, "lock seat state", lockSeatState, organizationID)
}

// The count is as of the start of the statement. That is sufficient, since the caller's lock on the
// organization excludes other membership changes.
var lockSeats = `select ` + seatStateTable.list("") + `,
		(select count(*) from organization_members m where m.organization_id = $1 and m.billable and m.status = 'active') as billed
	from billing_seat_state where organization_id = $1 for no key update`

type countedSeatsRow struct {
	billing.SeatState
	Billed int `db:"billed"`
}

// LockSeats implements [billing.SeatQueries].
func (q seatStore) LockAndCount(ctx context.Context, organizationID string) (billing.SeatState, int, error) {
	row, err := get[countedSeatsRow](ctx, q.queries, "lock seat state", lockSeats, organizationID)
	if errors.Is(err, apperr.ErrNotFound) {
		billed, err := q.Members().CountBillable(ctx, organizationID)
		return billing.SeatState{}, billed, err
	}
	return row.SeatState, row.Billed, err
}

var putSeatState = seatStateTable.upsert("organization_id")

// PutSeatState implements [billing.SeatQueries].
func (q seatStore) PutState(ctx context.Context, s billing.SeatState) error {
	return q.exec(ctx, "put seat state", putSeatState, seatStateTable.values(s)...)
}

var seatChangeTable = tableOf[billing.SeatChange]("seat_changes")

var insertSeatChange = seatChangeTable.insert()

// Insert implements [billing.SeatLedgerStore]. The database assigns the id.
func (q seatLedgerStore) Insert(ctx context.Context, c billing.SeatChange) error {
	return q.exec(ctx, "insert seat change", insertSeatChange, seatChangeTable.values(c)...)
}

var seatChangeColumns = seatChangeTable.list("c") + `, actor.name as actor_name, subject.name as subject_name, attempt.request_id,
	charge.invoice_id, charge.invoice_number, charge.amount as "invoiced.minor", charge.currency as "invoiced.currency"`

// seatChangeOutcome joins the first acknowledged attempt of a change: that of its own version, or
// of a later one if changes were debounced. The period of a proration line starts when Stripe
// changed the quantity; acknowledged_at is that time to the second, minus the duration of the call.
const seatChangeOutcome = ` left join lateral (select request_id, version, subscription_id, acknowledged_at from seat_attempts
		where organization_id = c.organization_id and version >= c.version and accepted order by version, at limit 1) attempt on true
	left join lateral (select i.id as invoice_id, i.number as invoice_number, i.currency, sum(l.amount)::bigint as amount
		from invoice_prorations l join invoices i on i.id = l.invoice_id
		where attempt.version = c.version and l.subscription_id = attempt.subscription_id and i.status <> 'void'
			and l.period_start between attempt.acknowledged_at - interval '1 second' and attempt.acknowledged_at + interval '3 seconds'
		group by i.id order by i.created_at limit 1) charge on true
	left join users actor on actor.id = c.actor_user_id
	left join users subject on subject.id = c.subject_user_id`

// Changes are written under the organization's lock, so ids are in chronological order.
var selectSeatChanges = `select ` + seatChangeColumns + ` from seat_changes c` + seatChangeOutcome + `
	where c.organization_id = $1 order by c.id desc limit $2`

// SeatChanges implements [billing.SeatQueries].
func (q seatLedgerStore) List(ctx context.Context, organizationID string, limit int) ([]billing.SeatChange, error) {
	return list[billing.SeatChange](ctx, q.queries, "list seat changes", selectSeatChanges, organizationID, limit)
}

// The search text has no wildcards: position compares literally.
const matchingSeatChanges = ` from seat_changes c` + seatChangeOutcome + `
	where c.organization_id = $1
		and ($2 = '' or position(lower($2) in lower(concat_ws(' ', subject.name, c.reason))) > 0 or position(lower($2) in lower(actor.name)) > 0)
		and ($3 = '' or $3 = 'more' and c.to_seats > c.from_seats or $3 = 'fewer' and c.to_seats < c.from_seats)`

var (
	searchSeatChanges = `select ` + seatChangeColumns + matchingSeatChanges + ` order by c.id desc limit $4 offset $5`
	countSeatChanges  = `select count(*)` + matchingSeatChanges
)

// SearchSeatChanges implements [billing.SeatQueries].
func (q seatLedgerStore) Search(ctx context.Context, organizationID string, search billing.LedgerSearch) ([]billing.SeatChange, int, error) {
	total, err := get[int](ctx, q.queries, "count seat changes", countSeatChanges, organizationID, search.Text, search.Direction)
	if err != nil || total == 0 {
		return nil, 0, err
	}
	rows, err := list[billing.SeatChange](ctx, q.queries, "search seat changes", searchSeatChanges,
		organizationID, search.Text, search.Direction, search.Limit, search.Offset)
	return rows, total, err
}

const selectDueSeatSyncs = `select organization_id from billing_seat_state
	where due_at <= $1 and (lease_until is null or lease_until <= $1) order by due_at, organization_id limit $2`

// DueSeatSyncs implements [billing.SeatQueries].
func (q seatStore) DueSyncs(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due seat syncs", selectDueSeatSyncs, now, limit)
}

const selectDueSeatSummaries = `select organization_id from billing_seat_state where summary_due_at <= $1 order by summary_due_at limit $2`

// DueSeatSummaries implements [billing.SeatQueries].
func (q seatStore) DueSummaries(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due seat summaries", selectDueSeatSummaries, now, limit)
}
