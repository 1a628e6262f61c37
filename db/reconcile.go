package db

import (
	"context"
	"time"

	"usher/billing"
)

// One statement, so that a concurrent replica sees the lease of the first.
const takeReconcile = `insert into reconcile_states (account, livemode, lease_until) values ($1, $2, $5)
	on conflict (account, livemode) do update set lease_until = excluded.lease_until
		where (reconcile_states.lease_until is null or reconcile_states.lease_until <= $3)
			and (reconcile_states.finished_at is null or reconcile_states.finished_at <= $4)
	returning read_until`

// TakeReconcile implements [billing.ReconcileQueries].
func (q reconciliationStore) Claim(ctx context.Context, acct billing.StripeAccount, now, due, leaseUntil time.Time) (time.Time, error) {
	readUntil, err := get[*time.Time](ctx, q.queries, "take reconcile", takeReconcile, acct.ID, acct.Livemode, now, due, leaseUntil)
	if err != nil || readUntil == nil {
		return time.Time{}, err
	}
	return readUntil.UTC(), nil
}

const finishReconcile = `update reconcile_states set lease_until = null, read_until = coalesce($3, read_until), finished_at = $4
	where account = $1 and livemode = $2`

// FinishReconcile implements [billing.ReconcileQueries].
func (q reconciliationStore) Finish(ctx context.Context, acct billing.StripeAccount, readUntil, finishedAt time.Time) error {
	return q.exec(ctx, "finish reconcile", finishReconcile, acct.ID, acct.Livemode, timeOrNull(readUntil), timeOrNull(finishedAt))
}

var driftReportTable = tableOf[billing.DriftReport]("drift_reports")

var insertDriftReport = driftReportTable.insert()

// InsertDriftReport implements [billing.ReconcileQueries].
func (q reconciliationStore) InsertReport(ctx context.Context, r billing.DriftReport) error {
	return q.exec(ctx, "insert drift report", insertDriftReport, driftReportTable.values(r)...)
}

var selectDriftReports = `select ` + driftReportTable.list("") + ` from drift_reports
	where $1 = '' or organization_id = $1 order by started_at desc, id limit $2`

// DriftReports implements [billing.ReconcileQueries].
func (q reconciliationStore) Reports(ctx context.Context, organizationID string, limit int) ([]billing.DriftReport, error) {
	return list[billing.DriftReport](ctx, q.queries, "list drift reports", selectDriftReports, organizationID, limit)
}

// PruneDriftReports implements [billing.ReconcileQueries].
func (q reconciliationStore) PruneReports(ctx context.Context, before time.Time) error {
	return q.exec(ctx, "prune drift reports", `delete from drift_reports where started_at < $1`, before)
}

var selectCustomerLinks = `select ` + customerLinkTable.list("") + ` from billing_customers
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and stripe_customer_id is not null and deleted_at is null
	order by stripe_customer_id`

// CustomerLinks implements [billing.ReconcileQueries].
func (q customerStore) Links(ctx context.Context, acct billing.StripeAccount, organizationID string) ([]billing.CustomerLink, error) {
	return list[billing.CustomerLink](ctx, q.queries, "list customer links", selectCustomerLinks, acct.ID, acct.Livemode, organizationID)
}

var selectLiveSubscriptions = `select ` + subscriptionTable.list("") + ` from subscriptions
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and status not in ('canceled', 'incomplete_expired') order by id`

// LiveSubscriptions implements [billing.ReconcileQueries].
func (q subscriptionStore) Live(ctx context.Context, acct billing.StripeAccount, organizationID string) ([]billing.Subscription, error) {
	return list[billing.Subscription](ctx, q.queries, "list live subscriptions", selectLiveSubscriptions, acct.ID, acct.Livemode, organizationID)
}

var selectOpenInvoices = `select ` + invoiceTable.list("") + ` from invoices
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and status in ('draft', 'open') order by id`

// OpenInvoices implements [billing.ReconcileQueries].
func (q invoiceStore) Open(ctx context.Context, acct billing.StripeAccount, organizationID string) ([]billing.Invoice, error) {
	return list[billing.Invoice](ctx, q.queries, "list open invoices", selectOpenInvoices, acct.ID, acct.Livemode, organizationID)
}

// A completed pack session becomes a credit fact of its own source; sessions with a fact need no
// request.
var selectUnsettledCheckouts = `select ` + checkoutTable.list("") + ` from checkout_sessions s
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and stripe_session_id is not null
		and (status = 'open' or (mode = 'payment' and status = 'complete' and created_at >= $4 and not exists (
			select 1 from credit_facts f where f.organization_id = s.organization_id and f.source = 'pack:' || s.stripe_session_id)))
	order by id`

// UnsettledCheckouts implements [billing.ReconcileQueries].
func (q checkoutStore) Unfinished(
	ctx context.Context, acct billing.StripeAccount, organizationID string, since time.Time,
) ([]billing.CheckoutSession, error) {
	return list[billing.CheckoutSession](ctx, q.queries, "list unsettled checkouts", selectUnsettledCheckouts, acct.ID, acct.Livemode, organizationID, since)
}
