package db

import (
	"context"
	"time"

	"github.com/lib/pq"

	"usher/billing"
	"usher/billing/account"
)

// seatLedgerStore implements [billing.SeatLedgerStore].
type seatLedgerStore struct{ queries }

// SeatLedger implements [billing.Tx].
func (q queries) SeatLedger() billing.SeatLedgerStore { return seatLedgerStore{q} }

// One lookup per member: the ledger of a large organization is long, a page of members is not.
var selectLatestSeatChanges = `select ` + seatChangeColumns + ` from unnest($2::text[]) as person (id)
	join lateral (select * from seat_changes where organization_id = $1 and subject_user_id = person.id order by id desc limit 1) c on true` + seatChangeOutcome

// Latest implements [billing.SeatLedgerStore].
func (q seatLedgerStore) Latest(ctx context.Context, organizationID string, userIDs []string) ([]billing.SeatChange, error) {
	return list[billing.SeatChange](ctx, q.queries, "list latest seat changes", selectLatestSeatChanges, organizationID, pq.Array(userIDs))
}

var seatChangeTable = tableOf[billing.SeatChange]("seat_changes")

var insertSeatChange = seatChangeTable.insert()

// Insert implements [billing.SeatLedgerStore]. The database assigns the id.
func (q seatLedgerStore) Insert(ctx context.Context, c billing.SeatChange) error {
	return q.exec(ctx, "insert seat change", insertSeatChange, seatChangeTable.values(c)...)
}

var insertSeatChanges = seatChangeTable.insertAll()

// InsertAll implements [billing.SeatLedgerStore].
func (q seatLedgerStore) InsertAll(ctx context.Context, changes []billing.SeatChange) error {
	rows, err := seatChangeTable.rows(changes)
	if err != nil {
		return err
	}
	return q.exec(ctx, "insert seat changes", insertSeatChanges, rows)
}

var seatChangeColumns = seatChangeTable.list("c") + `, actor.name as actor_name, subject.name as subject_name, attempt.request_id,
	charge.invoice_id, charge.invoice_number, charge.amount as "invoiced.minor", charge.currency as "invoiced.currency"`

// seatChangeOutcome joins the first acknowledged attempt of a change: that of its own version, or
// of a later one if changes were debounced. The period of a proration line starts when Stripe
// changed the quantity; acknowledged_at is that time to the second, minus the duration of the call.
// An answer that came late may be the repeated one of an earlier call, see SeatAttempt.madeAt.
const seatChangeOutcome = ` left join lateral (select request_id, version, subscription_id, at, acknowledged_at from seat_attempts
		where organization_id = c.organization_id and version >= c.version and accepted order by version, at limit 1) attempt on true
	left join lateral (select i.id as invoice_id, i.number as invoice_number, i.currency, sum(l.amount)::bigint as amount
		from invoice_prorations l join invoices i on i.id = l.invoice_id
		where attempt.version = c.version and l.subscription_id = attempt.subscription_id and i.status <> 'void'
			and (l.period_start between attempt.acknowledged_at - interval '1 second' and attempt.acknowledged_at + interval '3 seconds'
				or attempt.acknowledged_at > attempt.at + interval '2 minutes'
					and l.period_start between attempt.at - interval '3 seconds' and attempt.at + interval '2 minutes')
		group by i.id order by i.created_at limit 1) charge on true` + seatChangeNames

const seatChangeNames = ` left join users actor on actor.id = c.actor_user_id
	left join users subject on subject.id = c.subject_user_id`

// Changes are written under the organization's lock, so ids are in chronological order.
var selectSeatChanges = `select ` + seatChangeColumns + ` from seat_changes c` + seatChangeOutcome + `
	where c.organization_id = $1 order by c.id desc limit $2`

// List implements [billing.SeatLedgerStore].
func (q seatLedgerStore) List(ctx context.Context, organizationID string, limit int) ([]billing.SeatChange, error) {
	return list[billing.SeatChange](ctx, q.queries, "list seat changes", selectSeatChanges, organizationID, limit)
}

// Each step finds the last line before the month of the one before, in an index: the ledger of a
// large organization is long. Of the lines of the last minute the one that was written last counts,
// since the clocks of replicas differ. The month before a time stands for all before it.
const selectMonthEnds = `with recursive ends as (
		(select at from seat_changes where organization_id = $1 order by at desc limit 1)
		union all
		select earlier.at from ends, lateral (
			select at from seat_changes where organization_id = $1 and at < date_trunc('month', ends.at, 'utc') order by at desc limit 1) earlier
		where ends.at >= $2
	)
	select greatest(date_trunc('month', at, 'utc'), $2::timestamptz - interval '1 month') as month, (
		select to_seats from seat_changes where organization_id = $1 and at between ends.at - interval '1 minute' and ends.at
		order by id desc limit 1) as seats
	from ends order by month`

// MonthEnds implements [billing.SeatLedgerStore].
func (q seatLedgerStore) MonthEnds(ctx context.Context, organizationID string, since time.Time) ([]billing.MonthSeats, error) {
	return list[billing.MonthSeats](ctx, q.queries, "list seats by month", selectMonthEnds, organizationID, since)
}

var (
	selectNamedSeatChanges = `select ` + seatChangeTable.list("c") + `, actor.name as actor_name, subject.name as subject_name from seat_changes c` + seatChangeNames + `
	where c.organization_id = $1`
	selectSeatHistory     = selectNamedSeatChanges + ` order by c.id`
	selectSeatChangesPart = selectNamedSeatChanges + ` and c.version > $2 and c.version <= $3 order by c.id`
)

// History implements [billing.SeatLedgerStore].
func (q seatLedgerStore) History(ctx context.Context, organizationID string) ([]billing.SeatChange, error) {
	return list[billing.SeatChange](ctx, q.queries, "read the seat ledger", selectSeatHistory, organizationID)
}

// Between implements [billing.SeatLedgerStore].
func (q seatLedgerStore) Between(ctx context.Context, organizationID string, since, until int64) ([]billing.SeatChange, error) {
	return list[billing.SeatChange](ctx, q.queries, "read a part of the seat ledger", selectSeatChangesPart, organizationID, since, until)
}

const countSeatChangesUntil = `select subject_user_id, count(*) as lines from seat_changes
	where organization_id = $1 and subject_user_id = any($2) and version <= $3 group by subject_user_id`

// CountUntil implements [billing.SeatLedgerStore].
func (q seatLedgerStore) CountUntil(ctx context.Context, organizationID string, userIDs []string, until int64) (map[string]int, error) {
	counts := map[string]int{}
	if len(userIDs) == 0 {
		return counts, nil
	}
	rows, err := list[struct {
		UserID string `db:"subject_user_id"`
		Lines  int    `db:"lines"`
	}](ctx, q.queries, "count lines of the seat ledger", countSeatChangesUntil, organizationID, pq.Array(userIDs), until)
	for _, row := range rows {
		counts[row.UserID] = row.Lines
	}
	return counts, err
}

var selectUnrecorded = selectMemberOf + ` and m.billable and m.status = 'active' and not exists (
		select from seat_changes c where c.organization_id = m.organization_id and c.subject_user_id = m.user_id)
	order by m.id`

// Unrecorded implements [billing.SeatLedgerStore].
func (q seatLedgerStore) Unrecorded(ctx context.Context, organizationID string) ([]account.Member, error) {
	return list[account.Member](ctx, q.queries, "list members without a line in the seat ledger", selectUnrecorded, organizationID)
}

// The search text has no wildcards: position compares literally.
const (
	inDirection         = ` and ($2 = '' or $2 = 'more' and c.to_seats > c.from_seats or $2 = 'fewer' and c.to_seats < c.from_seats)`
	matchingSeatChanges = ` where c.organization_id = $1` + inDirection + `
		and ($3 = '' or position(lower($3) in lower(concat_ws(' ', subject.name, c.reason))) > 0 or position(lower($3) in lower(actor.name)) > 0)`
)

var (
	searchSeatChanges        = `select ` + seatChangeColumns + ` from seat_changes c` + seatChangeOutcome + matchingSeatChanges + ` order by c.id desc limit $4 offset $5`
	countSeatChanges         = `select count(*) from seat_changes c where c.organization_id = $1` + inDirection
	countMatchingSeatChanges = `select count(*) from seat_changes c` + seatChangeNames + matchingSeatChanges
)

// Search implements [billing.SeatLedgerStore].
func (q seatLedgerStore) Search(ctx context.Context, organizationID string, search billing.LedgerSearch) ([]billing.SeatChange, int, error) {
	var total int
	var err error
	if search.Text == "" {
		total, err = get[int](ctx, q.queries, "count seat changes", countSeatChanges, organizationID, search.Direction)
	} else {
		total, err = get[int](ctx, q.queries, "count matching seat changes", countMatchingSeatChanges, organizationID, search.Direction, search.Text)
	}
	if err != nil || total == 0 {
		return nil, 0, err
	}
	rows, err := list[billing.SeatChange](ctx, q.queries, "search seat changes", searchSeatChanges,
		organizationID, search.Direction, search.Text, search.Limit, search.Offset)
	return rows, total, err
}
