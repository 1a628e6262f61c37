package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"usher/billing"
)

const setOperator = `update users set operator = $2 where id = $1`

// SetOperator implements [billing.OperatorQueries].
func (q queries) SetOperator(ctx context.Context, userID string, operator bool) error {
	return q.execOne(ctx, "set operator", setOperator, userID, operator)
}

type organizationLineRow struct {
	organizationRow
	Members      int            `db:"members"`
	CustomerID   sql.NullString `db:"customer_id"`
	Subscription sql.NullString `db:"subscription_id"`
	Status       sql.NullString `db:"status"`
	PriceID      sql.NullString `db:"price_id"`
	Quantity     sql.NullInt64  `db:"quantity"`
	DesiredSeats sql.NullInt64  `db:"desired_seats"`
	SyncError    sql.NullString `db:"sync_error"`
	Total        int            `db:"total"`
}

func (r organizationLineRow) line() billing.OrganizationLine {
	return billing.OrganizationLine{
		Organization: r.organization(), Members: r.Members, CustomerID: r.CustomerID.String, Subscription: r.Subscription.String,
		Status: billing.SubscriptionStatus(r.Status.String), PriceID: r.PriceID.String, Quantity: int(r.Quantity.Int64),
		DesiredSeats: int(r.DesiredSeats.Int64), SyncError: r.SyncError.String,
	}
}

// Each kind of thing that can be looked for is a look-up of its own, so that each has its index; only names are read one by one.
const searchOrganizations = `with fitting as (
		select o.id, o.name, o.created_at, count(*) over () as total from organizations o
		where $1 = '' or strpos(lower(o.name), lower($1)) > 0 or o.id in (
			select $1
			union all select organization_id from billing_customers where stripe_customer_id = $1
			union all select organization_id from subscriptions where id = $1
			union all select m.organization_id from organization_members m join users u on u.id = m.user_id where lower(u.email) = lower($1)
		)
		order by o.created_at desc, o.id limit $2 offset $3
	)
	select o.id, o.name, o.created_at, o.total,
		(select count(*) from organization_members m where m.organization_id = o.id and m.status = 'active') as members,
		(select c.stripe_customer_id from billing_customers c where c.organization_id = o.id and c.account = $4 and c.livemode = $5
			and c.deleted_at is null order by c.generation desc limit 1) as customer_id,
		s.id as subscription_id, s.status, s.price_id, s.quantity, b.desired_seats, b.sync_error
	from fitting o
	left join subscriptions s on s.organization_id = o.id and s.account = $4 and s.livemode = $5 and s.is_current
	left join billing_seat_state b on b.organization_id = o.id
	order by o.created_at desc, o.id`

// SearchOrganizations implements [billing.OperatorQueries]. The total is that of the page: a page beyond the last one has none.
func (q queries) SearchOrganizations(
	ctx context.Context, search billing.OrganizationSearch, account billing.StripeAccount,
) ([]billing.OrganizationLine, int, error) {
	rows, err := list[organizationLineRow](ctx, q, "search organizations", searchOrganizations,
		search.Text, search.Limit, search.Offset, account.ID, account.Livemode)
	total := 0
	if len(rows) > 0 {
		total = rows[0].Total
	}
	return collect(rows, organizationLineRow.line), total, err
}

type backlogRow struct {
	PendingEvents int          `db:"pending_events"`
	OldestPending sql.NullTime `db:"oldest_pending"`
	FailedEvents  int          `db:"failed_events"`
	WaitingSeats  int          `db:"waiting_seats"`
	FailingSeats  int          `db:"failing_seats"`
	FailedEnds    int          `db:"failed_ends"`
	QueuedMails   int          `db:"queued_mails"`
	FailedMails   int          `db:"failed_mails"`
	Jobs          []byte       `db:"jobs"`
}

// Every count reads a partial index that holds what is counted and little else.
const selectBacklog = `select
	(select count(*) from stripe_events where outcome = 'pending') as pending_events,
	(select min(received_at) from stripe_events where outcome = 'pending') as oldest_pending,
	(select count(*) from stripe_events where outcome = 'failed') as failed_events,
	(select count(*) from billing_seat_state where due_at is not null) as waiting_seats,
	(select count(*) from billing_seat_state where sync_error <> '') as failing_seats,
	(select count(*) from surplus_subscriptions where status = 'failed') as failed_ends,
	(select count(*) from emails where status = 'queued') as queued_mails,
	(select count(*) from emails where status = 'failed') as failed_mails,
	coalesce((select json_object_agg(state, n) from (select state, count(*) as n from river_job group by state) j), '{}') as jobs`

// Backlog implements [billing.OperatorQueries].
func (q queries) Backlog(ctx context.Context) (billing.Backlog, error) {
	row, err := get[backlogRow](ctx, q, "count the backlog", selectBacklog)
	if err != nil {
		return billing.Backlog{}, err
	}
	backlog := billing.Backlog{
		PendingEvents: row.PendingEvents, FailedEvents: row.FailedEvents, WaitingSeats: row.WaitingSeats, FailingSeats: row.FailingSeats,
		FailedEnds: row.FailedEnds, QueuedMails: row.QueuedMails, FailedMails: row.FailedMails,
	}
	if row.OldestPending.Valid {
		oldest := row.OldestPending.Time.UTC()
		backlog.OldestPending = &oldest
	}
	return backlog, json.Unmarshal(row.Jobs, &backlog.Jobs)
}

type jobRow struct {
	ID          int64     `db:"id"`
	About       string    `db:"about"`
	Object      string    `db:"object"`
	State       string    `db:"state"`
	Attempt     int       `db:"attempt"`
	ScheduledAt time.Time `db:"scheduled_at"`
	Error       string    `db:"error"`
}

func (r jobRow) job() billing.Job {
	return billing.Job{
		ID: r.ID, About: billing.AlarmKind(r.About), Object: r.Object, State: r.State, Attempt: r.Attempt,
		ScheduledAt: r.ScheduledAt.UTC(), Error: r.Error,
	}
}

const selectUnsettledJobs = `select id, args ->> 'about' as about, args ->> 'id' as object, state::text as state, attempt, scheduled_at,
		coalesce(errors[array_length(errors, 1)] ->> 'error', '') as error
	from river_job where state in ('running', 'retryable', 'discarded') and kind = $2 order by id desc limit $1`

// UnsettledJobs implements [billing.OperatorQueries].
func (q queries) UnsettledJobs(ctx context.Context, limit int) ([]billing.Job, error) {
	rows, err := list[jobRow](ctx, q, "list jobs", selectUnsettledJobs, limit, alarmArgs{}.Kind())
	return collect(rows, jobRow.job), err
}
