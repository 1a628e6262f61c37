package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"usher/billing"
)

// One statement, so that of two replicas at once the second sees the first one's lease.
const takeReconcile = `insert into reconcile_states (account, livemode, lease_until) values ($1, $2, $5)
	on conflict (account, livemode) do update set lease_until = excluded.lease_until
		where (reconcile_states.lease_until is null or reconcile_states.lease_until <= $3)
			and (reconcile_states.finished_at is null or reconcile_states.finished_at <= $4)
	returning read_until`

// TakeReconcile implements [billing.ReconcileQueries].
func (q queries) TakeReconcile(ctx context.Context, account billing.StripeAccount, now, due, leaseUntil time.Time) (time.Time, error) {
	readUntil, err := get[*time.Time](ctx, q, "take reconcile", takeReconcile, account.ID, account.Livemode, now, due, leaseUntil)
	if err != nil || readUntil == nil {
		return time.Time{}, err
	}
	return readUntil.UTC(), nil
}

const finishReconcile = `update reconcile_states set lease_until = null, read_until = coalesce($3, read_until), finished_at = $4
	where account = $1 and livemode = $2`

// FinishReconcile implements [billing.ReconcileQueries].
func (q queries) FinishReconcile(ctx context.Context, account billing.StripeAccount, readUntil, finishedAt time.Time) error {
	return q.exec(ctx, "finish reconcile", finishReconcile, account.ID, account.Livemode, timeOrNull(readUntil), timeOrNull(finishedAt))
}

const driftReportColumns = `id, organization_id, started_at, finished_at, dry_run, events, subscriptions, invoices, customers, checkouts, error, drifts`

type driftReportRow struct {
	ID             string         `db:"id"`
	OrganizationID sql.NullString `db:"organization_id"`
	StartedAt      time.Time      `db:"started_at"`
	FinishedAt     time.Time      `db:"finished_at"`
	DryRun         bool           `db:"dry_run"`
	Events         int            `db:"events"`
	Subscriptions  int            `db:"subscriptions"`
	Invoices       int            `db:"invoices"`
	Customers      int            `db:"customers"`
	Checkouts      int            `db:"checkouts"`
	Error          string         `db:"error"`
	Drifts         []byte         `db:"drifts"`
}

func (r driftReportRow) report() (billing.DriftReport, error) {
	report := billing.DriftReport{
		ID: r.ID, OrganizationID: r.OrganizationID.String, StartedAt: r.StartedAt.UTC(), FinishedAt: r.FinishedAt.UTC(), DryRun: r.DryRun,
		Events: r.Events, Subscriptions: r.Subscriptions, Invoices: r.Invoices, Customers: r.Customers, Checkouts: r.Checkouts, Error: r.Error,
	}
	if err := json.Unmarshal(r.Drifts, &report.Drifts); err != nil {
		return report, fmt.Errorf("drift report %s: %w", r.ID, err)
	}
	return report, nil
}

const insertDriftReport = `insert into drift_reports (` + driftReportColumns + `) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// InsertDriftReport implements [billing.ReconcileQueries].
func (q queries) InsertDriftReport(ctx context.Context, r billing.DriftReport) error {
	drifts, err := json.Marshal(r.Drifts)
	if err != nil {
		return fmt.Errorf("insert drift report: %w", err)
	}
	return q.exec(ctx, "insert drift report", insertDriftReport, r.ID, textOrNull(r.OrganizationID), r.StartedAt, r.FinishedAt, r.DryRun,
		r.Events, r.Subscriptions, r.Invoices, r.Customers, r.Checkouts, r.Error, string(drifts))
}

const selectDriftReports = `select ` + driftReportColumns + ` from drift_reports
	where $1 = '' or organization_id = $1 order by started_at desc, id limit $2`

// DriftReports implements [billing.ReconcileQueries].
func (q queries) DriftReports(ctx context.Context, organizationID string, limit int) ([]billing.DriftReport, error) {
	rows, err := list[driftReportRow](ctx, q, "list drift reports", selectDriftReports, organizationID, limit)
	if err != nil {
		return nil, err
	}
	reports := make([]billing.DriftReport, len(rows))
	for i, row := range rows {
		if reports[i], err = row.report(); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

// PruneDriftReports implements [billing.ReconcileQueries].
func (q queries) PruneDriftReports(ctx context.Context, before time.Time) error {
	return q.exec(ctx, "prune drift reports", `delete from drift_reports where started_at < $1`, before)
}

const selectCustomerLinks = `select ` + customerLinkColumns + ` from billing_customers
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and stripe_customer_id is not null and deleted_at is null
	order by stripe_customer_id`

// CustomerLinks implements [billing.ReconcileQueries].
func (q queries) CustomerLinks(ctx context.Context, account billing.StripeAccount, organizationID string) ([]billing.CustomerLink, error) {
	rows, err := list[customerLinkRow](ctx, q, "list customer links", selectCustomerLinks, account.ID, account.Livemode, organizationID)
	return collect(rows, customerLinkRow.link), err
}

const selectLiveSubscriptions = `select ` + subscriptionColumns + ` from subscriptions
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and status not in ('canceled', 'incomplete_expired') order by id`

// LiveSubscriptions implements [billing.ReconcileQueries].
func (q queries) LiveSubscriptions(ctx context.Context, account billing.StripeAccount, organizationID string) ([]billing.Subscription, error) {
	rows, err := list[subscriptionRow](ctx, q, "list live subscriptions", selectLiveSubscriptions, account.ID, account.Livemode, organizationID)
	return collect(rows, subscriptionRow.subscription), err
}

const selectOpenInvoices = `select ` + invoiceColumns + ` from invoices
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and status in ('draft', 'open') order by id`

// OpenInvoices implements [billing.ReconcileQueries].
func (q queries) OpenInvoices(ctx context.Context, account billing.StripeAccount, organizationID string) ([]billing.Invoice, error) {
	rows, err := list[invoiceRow](ctx, q, "list open invoices", selectOpenInvoices, account.ID, account.Livemode, organizationID)
	return collect(rows, invoiceRow.invoice), err
}

// What a session sold is a fact of its own source; a session of which one was counted needs no question any more.
const selectUnsettledCheckouts = `select ` + checkoutColumns + ` from checkout_sessions s
	where account = $1 and livemode = $2 and ($3 = '' or organization_id = $3) and stripe_session_id is not null
		and (status = 'open' or (mode = 'payment' and status = 'complete' and created_at >= $4 and not exists (
			select 1 from credit_facts f where f.organization_id = s.organization_id and f.source = 'pack:' || s.stripe_session_id)))
	order by id`

// UnsettledCheckouts implements [billing.ReconcileQueries].
func (q queries) UnsettledCheckouts(
	ctx context.Context, account billing.StripeAccount, organizationID string, since time.Time,
) ([]billing.CheckoutSession, error) {
	rows, err := list[checkoutRow](ctx, q, "list unsettled checkouts", selectUnsettledCheckouts, account.ID, account.Livemode, organizationID, since)
	return collect(rows, checkoutRow.session), err
}
