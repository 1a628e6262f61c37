package db

import (
	"context"
	"errors"
	"time"

	"usher/billing"

	"usher/billing/apperr"
)

// seatStore implements [billing.SeatStore].
type seatStore struct{ queries }

// Seats implements [billing.Tx].
func (q queries) Seats() billing.SeatStore { return seatStore{q} }

const selectDueSeatReleases = `select organization_id from billing_seat_state where release_at <= $1 order by release_at, organization_id limit $2`

// DueReleases implements [billing.SeatStore].
func (q seatStore) DueReleases(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due seat releases", selectDueSeatReleases, now, limit)
}

var seatStateTable = tableOf[billing.SeatState]("billing_seat_state")

var (
	selectSeatState = `select ` + seatStateTable.list("") + ` from billing_seat_state where organization_id = $1`
	lockSeatState   = selectSeatState + ` for no key update`
)

// State implements [billing.SeatStore].
func (q seatStore) State(ctx context.Context, organizationID string) (billing.SeatState, error) {
	return get[billing.SeatState](ctx, q.queries, "read seat state", selectSeatState, organizationID)
}

// LockState implements [billing.SeatStore].
func (q seatStore) LockState(ctx context.Context, organizationID string) (billing.SeatState, error) {
	return get[billing.SeatState](ctx, q.queries, "lock seat state", lockSeatState, organizationID)
}

// The count is as of the start of the statement. That is sufficient, since the caller's lock on the
// organization excludes other membership changes.
var lockAndCountSeats = `select ` + seatStateTable.list("") + `,
		(select count(*) from organization_members m where m.organization_id = $1 and m.billable and m.status = 'active') as billed
	from billing_seat_state where organization_id = $1 for no key update`

type countedSeatsRow struct {
	billing.SeatState
	Billed int `db:"billed"`
}

// LockAndCount implements [billing.SeatStore].
func (q seatStore) LockAndCount(ctx context.Context, organizationID string) (billing.SeatState, int, error) {
	if row, ok := q.batch.countedSeats(organizationID); ok {
		return row.SeatState, row.Billed, nil
	}
	row, err := get[countedSeatsRow](ctx, q.queries, "lock seat state", lockAndCountSeats, organizationID)
	if errors.Is(err, apperr.ErrNotFound) {
		billed, err := q.Members().CountBillable(ctx, organizationID)
		return billing.SeatState{}, billed, err
	}
	return row.SeatState, row.Billed, err
}

var putSeatState = seatStateTable.upsert("organization_id")

// PutState implements [billing.SeatStore].
func (q seatStore) PutState(ctx context.Context, s billing.SeatState) error {
	if err := q.exec(ctx, "put seat state", putSeatState, seatStateTable.values(s)...); err != nil {
		return err
	}
	return q.stateChanged(ctx, s.OrganizationID)
}

const selectDueSeatSyncs = `select organization_id from billing_seat_state
	where due_at <= $1 and (lease_until is null or lease_until <= $1) order by due_at, organization_id limit $2`

// DueSyncs implements [billing.SeatStore].
func (q seatStore) DueSyncs(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due seat syncs", selectDueSeatSyncs, now, limit)
}

const selectDueSeatSummaries = `select organization_id from billing_seat_state where summary_due_at <= $1 order by summary_due_at limit $2`

// DueSummaries implements [billing.SeatStore].
func (q seatStore) DueSummaries(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due seat summaries", selectDueSeatSummaries, now, limit)
}
