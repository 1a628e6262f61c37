package db

import (
	"context"
	"time"

	"usher/billing"
)

// operationsStore implements [billing.OperationsStore].
type operationsStore struct{ queries }

// Operations implements [billing.Tx].
func (q queries) Operations() billing.OperationsStore { return operationsStore{q} }

type organizationLineRow struct {
	billing.OrganizationLine
	Total int `db:"total"`
}

// Each kind of search term is a separate subquery with its own index; only names are scanned.
const searchOrganizations = `with matching as (
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
	from matching o
	left join subscriptions s on s.organization_id = o.id and s.account = $4 and s.livemode = $5 and s.is_current and not s.is_foreign
	left join billing_seat_state b on b.organization_id = o.id
	order by o.created_at desc, o.id`

// SearchOrganizations implements [billing.OperationsStore]. The total is read from the rows of the
// page, so a page beyond the last has none.
func (q operationsStore) SearchOrganizations(
	ctx context.Context, search billing.OrganizationSearch, acct billing.StripeAccount,
) ([]billing.OrganizationLine, int, error) {
	rows, err := list[organizationLineRow](ctx, q.queries, "search organizations", searchOrganizations,
		search.Text, search.Limit, search.Offset, acct.ID, acct.Livemode)
	total := 0
	lines := make([]billing.OrganizationLine, 0, len(rows))
	for _, row := range rows {
		total = row.Total
		lines = append(lines, row.OrganizationLine)
	}
	return lines, total, err
}

// Every count reads a small partial index.
const selectBacklog = `select
	(select count(*) from stripe_events where outcome = 'pending') as pending_events,
	(select min(received_at) from stripe_events where outcome = 'pending') as oldest_pending,
	(select count(*) from stripe_events where outcome = 'failed') as failed_events,
	(select min(received_at) from stripe_events where outcome = 'failed') as failed_since,
	(select count(*) from billing_seat_state where due_at is not null) as waiting_seats,
	(select count(*) from billing_seat_state where sync_error <> '') as failing_seats,
	(select count(*) from duplicate_subscriptions where status = 'failed') as failed_ends,
	(select count(*) from plan_changes where charged is not null and charged <> amount_due
		and confirmed_at > now() - interval '90 days') as mischarged_changes,
	(select count(*) ` + secondSubscriptions + `) as second_subscriptions,
	(select count(*) from emails where status = 'queued') as queued_mails,
	(select count(*) from emails where status = 'failed') as failed_mails,
	coalesce((select json_object_agg(state, n) from (select state, count(*) as n from river_job group by state) j), '{}') as jobs,
	coalesce((select unrepaired from reconcile_states where compared_at is not null order by compared_at desc limit 1), '{}') as drifts,
	coalesce((select missed_events from reconcile_states where compared_at is not null order by compared_at desc limit 1), 0) as missed_events,
	(select max(compared_at) from reconcile_states) as compared_at,
	(select max(received_at) from stripe_events) as last_received,
	(select min(scheduled_at) from river_job where state = 'available') as oldest_job`

// Backlog implements [billing.OperationsStore].
func (q operationsStore) Backlog(ctx context.Context) (billing.Backlog, error) {
	return get[billing.Backlog](ctx, q.queries, "count the backlog", selectBacklog)
}

const selectEventsByHour = `select date_trunc('hour', received_at, 'UTC') as hour, count(*) as events, count(*) filter (where outcome = 'failed') as failed
	from stripe_events where received_at >= $1 group by 1 order by 1`

// EventsByHour implements [billing.OperationsStore].
func (q operationsStore) EventsByHour(ctx context.Context, since time.Time) ([]billing.EventHour, error) {
	return list[billing.EventHour](ctx, q.queries, "count events by hour", selectEventsByHour, since)
}

// Jobs of the previous release have the kind as "about"; see formerJobArgs.
const selectOpenJobs = `select id, coalesce(args ->> 'kind', args ->> 'about') as about, args ->> 'id' as object, state::text as state,
		attempt, scheduled_at, coalesce(errors[array_length(errors, 1)] ->> 'error', '') as error
	from river_job where state in ('running', 'retryable', 'discarded') and kind in ($2, $3) order by id desc limit $1`

// OpenJobs implements [billing.OperationsStore].
func (q operationsStore) OpenJobs(ctx context.Context, limit int) ([]billing.QueuedJob, error) {
	return list[billing.QueuedJob](ctx, q.queries, "list open jobs", selectOpenJobs, limit, jobArgs{}.Kind(), formerJobArgs{}.Kind())
}
