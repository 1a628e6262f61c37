package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"usher/billing"
)

const seatStateColumns = `organization_id, desired_seats, last_applied_seats, last_sync_at, sync_error, sync_version, applied_version,
	first_change_at, due_at, attempt, attempt_open, open_item_id, open_quantity, open_version, failures, lease_until,
	open_proration, minimum_seats, paid_seats, paid_until, release_at, drift_version, drifts, drift_at, told_at, summary_since, summary_due_at`

type seatStateRow struct {
	OrganizationID   string     `db:"organization_id"`
	DesiredSeats     int        `db:"desired_seats"`
	LastAppliedSeats *int       `db:"last_applied_seats"`
	LastSyncAt       *time.Time `db:"last_sync_at"`
	SyncError        string     `db:"sync_error"`
	SyncVersion      int64      `db:"sync_version"`
	AppliedVersion   int64      `db:"applied_version"`
	FirstChangeAt    *time.Time `db:"first_change_at"`
	DueAt            *time.Time `db:"due_at"`
	Attempt          int64      `db:"attempt"`
	AttemptOpen      bool       `db:"attempt_open"`
	OpenItemID       string     `db:"open_item_id"`
	OpenQuantity     int        `db:"open_quantity"`
	OpenVersion      int64      `db:"open_version"`
	Failures         int        `db:"failures"`
	LeaseUntil       *time.Time `db:"lease_until"`
	OpenProration    string     `db:"open_proration"`
	MinimumSeats     int        `db:"minimum_seats"`
	PaidSeats        int        `db:"paid_seats"`
	PaidUntil        *time.Time `db:"paid_until"`
	ReleaseAt        *time.Time `db:"release_at"`
	DriftVersion     int64      `db:"drift_version"`
	Drifts           int        `db:"drifts"`
	DriftAt          *time.Time `db:"drift_at"`
	ToldAt           *time.Time `db:"told_at"`
	SummarySince     *time.Time `db:"summary_since"`
	SummaryDueAt     *time.Time `db:"summary_due_at"`
}

func (r seatStateRow) seatState() billing.SeatState {
	return billing.SeatState{
		OrganizationID: r.OrganizationID, DesiredSeats: r.DesiredSeats, LastAppliedSeats: r.LastAppliedSeats,
		LastSyncAt: utc(r.LastSyncAt), SyncError: r.SyncError, SyncVersion: r.SyncVersion, AppliedVersion: r.AppliedVersion,
		FirstChangeAt: utc(r.FirstChangeAt), DueAt: utc(r.DueAt), Attempt: r.Attempt, Open: r.AttemptOpen,
		OpenItemID: r.OpenItemID, OpenQuantity: r.OpenQuantity, OpenVersion: r.OpenVersion, Failures: r.Failures,
		LeaseUntil: utc(r.LeaseUntil), OpenProration: billing.Proration(r.OpenProration), MinimumSeats: r.MinimumSeats,
		PaidSeats: r.PaidSeats, PaidUntil: utc(r.PaidUntil), ReleaseAt: utc(r.ReleaseAt),
		DriftVersion: r.DriftVersion, Drifts: r.Drifts, DriftAt: utc(r.DriftAt), ToldAt: utc(r.ToldAt),
		SummarySince: utc(r.SummarySince), SummaryDueAt: utc(r.SummaryDueAt),
	}
}

const (
	selectSeatState = `select ` + seatStateColumns + ` from billing_seat_state where organization_id = $1`
	lockSeatState   = selectSeatState + ` for no key update`
)

// SeatState implements [billing.SeatQueries].
func (q queries) SeatState(ctx context.Context, organizationID string) (billing.SeatState, error) {
	row, err := get[seatStateRow](ctx, q, "read seat state", selectSeatState, organizationID)
	return row.seatState(), err
}

// LockSeatState implements [billing.SeatQueries].
func (q queries) LockSeatState(ctx context.Context, organizationID string) (billing.SeatState, error) {
	row, err := get[seatStateRow](ctx, q, "lock seat state", lockSeatState, organizationID)
	return row.seatState(), err
}

// The count is as of the statement's begin, which the organization's lock makes good enough: nobody else changes a membership meanwhile.
const lockSeats = `select ` + seatStateColumns + `,
		(select count(*) from organization_members m where m.organization_id = $1 and m.billable and m.status = 'active') as billed
	from billing_seat_state where organization_id = $1 for no key update`

type countedSeatsRow struct {
	seatStateRow
	Billed int `db:"billed"`
}

// LockSeats implements [billing.SeatQueries].
func (q queries) LockSeats(ctx context.Context, organizationID string) (billing.SeatState, int, error) {
	row, err := get[countedSeatsRow](ctx, q, "lock seat state", lockSeats, organizationID)
	if errors.Is(err, billing.ErrNotFound) {
		billed, err := q.CountBillable(ctx, organizationID)
		return billing.SeatState{}, billed, err
	}
	return row.seatState(), row.Billed, err
}

const putSeatState = `insert into billing_seat_state (` + seatStateColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
		$17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)
	on conflict (organization_id) do update set
		desired_seats = excluded.desired_seats, last_applied_seats = excluded.last_applied_seats,
		last_sync_at = excluded.last_sync_at, sync_error = excluded.sync_error, sync_version = excluded.sync_version,
		applied_version = excluded.applied_version, first_change_at = excluded.first_change_at, due_at = excluded.due_at,
		attempt = excluded.attempt, attempt_open = excluded.attempt_open, open_item_id = excluded.open_item_id,
		open_quantity = excluded.open_quantity, open_version = excluded.open_version, failures = excluded.failures,
		lease_until = excluded.lease_until, open_proration = excluded.open_proration, minimum_seats = excluded.minimum_seats,
		paid_seats = excluded.paid_seats, paid_until = excluded.paid_until, release_at = excluded.release_at,
		drift_version = excluded.drift_version, drifts = excluded.drifts, drift_at = excluded.drift_at, told_at = excluded.told_at,
		summary_since = excluded.summary_since, summary_due_at = excluded.summary_due_at`

// PutSeatState implements [billing.SeatQueries].
func (q queries) PutSeatState(ctx context.Context, s billing.SeatState) error {
	return q.exec(ctx, "put seat state", putSeatState,
		s.OrganizationID, s.DesiredSeats, s.LastAppliedSeats, s.LastSyncAt, s.SyncError, s.SyncVersion, s.AppliedVersion,
		s.FirstChangeAt, s.DueAt, s.Attempt, s.Open, s.OpenItemID, s.OpenQuantity, s.OpenVersion, s.Failures, s.LeaseUntil,
		s.OpenProration, s.MinimumSeats, s.PaidSeats, s.PaidUntil, s.ReleaseAt, s.DriftVersion, s.Drifts, s.DriftAt, s.ToldAt,
		s.SummarySince, s.SummaryDueAt)
}

const insertSeatChange = `insert into seat_changes
	(organization_id, at, actor_user_id, subject_user_id, reason, from_seats, to_seats, version)
	values ($1, $2, $3, $4, $5, $6, $7, $8)`

// InsertSeatChange implements [billing.SeatQueries]. The id is the database's.
func (q queries) InsertSeatChange(ctx context.Context, c billing.SeatChange) error {
	return q.exec(ctx, "insert seat change", insertSeatChange,
		c.OrganizationID, c.At, textOrNull(c.ActorUserID), textOrNull(c.SubjectUserID), c.Reason, c.From, c.To, c.Version)
}

const seatChangeColumns = `c.id, c.organization_id, c.at, c.actor_user_id, actor.name as actor_name,
	c.subject_user_id, subject.name as subject_name, c.reason, c.from_seats, c.to_seats, c.version, told.request_id,
	billed.invoice_id, billed.invoice_number, billed.currency, billed.amount`

// seatChangeTold finds the first request with which Stripe took a change: its own version's or, where changes were gathered, a later one's.
// A change's moment begins the period of the lines that charge for it; ours is known to the second, less the time the call took.
const seatChangeTold = ` left join lateral (select request_id, version, subscription_id, told_at from seat_attempts
		where organization_id = c.organization_id and version >= c.version and accepted order by version, at limit 1) told on true
	left join lateral (select i.id as invoice_id, i.number as invoice_number, i.currency, sum(l.amount) as amount
		from invoice_prorations l join invoices i on i.id = l.invoice_id
		where told.version = c.version and l.subscription_id = told.subscription_id and i.status <> 'void'
			and l.period_start between told.told_at - interval '1 second' and told.told_at + interval '3 seconds'
		group by i.id order by i.created_at limit 1) billed on true
	left join users actor on actor.id = c.actor_user_id
	left join users subject on subject.id = c.subject_user_id`

type seatChangeRow struct {
	InvoiceID      sql.NullString `db:"invoice_id"`
	InvoiceNumber  sql.NullString `db:"invoice_number"`
	Currency       sql.NullString `db:"currency"`
	Amount         sql.NullInt64  `db:"amount"`
	ID             int64          `db:"id"`
	OrganizationID string         `db:"organization_id"`
	At             time.Time      `db:"at"`
	ActorUserID    sql.NullString `db:"actor_user_id"`
	ActorName      sql.NullString `db:"actor_name"`
	SubjectUserID  sql.NullString `db:"subject_user_id"`
	SubjectName    sql.NullString `db:"subject_name"`
	Reason         string         `db:"reason"`
	From           int            `db:"from_seats"`
	To             int            `db:"to_seats"`
	Version        int64          `db:"version"`
	RequestID      sql.NullString `db:"request_id"`
}

func (r seatChangeRow) seatChange() billing.SeatChange {
	return billing.SeatChange{
		ID: r.ID, OrganizationID: r.OrganizationID, At: r.At.UTC(),
		ActorUserID: r.ActorUserID.String, ActorName: r.ActorName.String,
		SubjectUserID: r.SubjectUserID.String, SubjectName: r.SubjectName.String,
		Reason: r.Reason, From: r.From, To: r.To, Version: r.Version, RequestID: r.RequestID.String,
		InvoiceID: r.InvoiceID.String, InvoiceNumber: r.InvoiceNumber.String, Invoiced: billing.Money{Minor: r.Amount.Int64, Currency: r.Currency.String},
	}
}

// Changes of an organization are written under its lock, so the order of ids is the order of events.
const selectSeatChanges = `select ` + seatChangeColumns + ` from seat_changes c` + seatChangeTold + `
	where c.organization_id = $1 order by c.id desc limit $2`

// SeatChanges implements [billing.SeatQueries].
func (q queries) SeatChanges(ctx context.Context, organizationID string, limit int) ([]billing.SeatChange, error) {
	rows, err := list[seatChangeRow](ctx, q, "list seat changes", selectSeatChanges, organizationID, limit)
	return collect(rows, seatChangeRow.seatChange), err
}

// The text is looked for as it is: position takes no wildcards.
const fittingSeatChanges = ` from seat_changes c` + seatChangeTold + `
	where c.organization_id = $1
		and ($2 = '' or position(lower($2) in lower(concat_ws(' ', subject.name, c.reason))) > 0 or position(lower($2) in lower(actor.name)) > 0)
		and ($3 = '' or $3 = 'more' and c.to_seats > c.from_seats or $3 = 'fewer' and c.to_seats < c.from_seats)`

const (
	searchSeatChanges = `select ` + seatChangeColumns + fittingSeatChanges + ` order by c.id desc limit $4 offset $5`
	countSeatChanges  = `select count(*)` + fittingSeatChanges
)

// SearchSeatChanges implements [billing.SeatQueries].
func (q queries) SearchSeatChanges(ctx context.Context, organizationID string, search billing.LedgerSearch) ([]billing.SeatChange, int, error) {
	total, err := get[int](ctx, q, "count seat changes", countSeatChanges, organizationID, search.Text, search.Direction)
	if err != nil || total == 0 {
		return nil, 0, err
	}
	rows, err := list[seatChangeRow](ctx, q, "search seat changes", searchSeatChanges,
		organizationID, search.Text, search.Direction, search.Limit, search.Offset)
	return collect(rows, seatChangeRow.seatChange), total, err
}

const selectDueSeatSyncs = `select organization_id from billing_seat_state
	where due_at <= $1 and (lease_until is null or lease_until <= $1) order by due_at, organization_id limit $2`

// DueSeatSyncs implements [billing.SeatQueries].
func (q queries) DueSeatSyncs(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q, "list due seat syncs", selectDueSeatSyncs, now, limit)
}

const selectDueSeatSummaries = `select organization_id from billing_seat_state where summary_due_at <= $1 order by summary_due_at limit $2`

// DueSeatSummaries implements [billing.SeatQueries].
func (q queries) DueSeatSummaries(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q, "list due seat summaries", selectDueSeatSummaries, now, limit)
}
