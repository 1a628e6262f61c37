package db

import (
	"context"
	"time"

	"usher/billing"
)

// reconciliationStore implements [billing.ReconciliationStore].
type reconciliationStore struct{ queries }

// Reconciliation implements [billing.Tx].
func (q queries) Reconciliation() billing.ReconciliationStore { return reconciliationStore{q} }

var reconcileStateTable = tableOf[billing.ReconcileState]("reconcile_states")

// One statement, so that a concurrent replica sees the lease of the first.
var takeReconciliation = `insert into reconcile_states (account, livemode, lease_until) values ($1, $2, $5)
	on conflict (account, livemode) do update set lease_until = excluded.lease_until
		where (reconcile_states.lease_until is null or reconcile_states.lease_until <= $3)
			and (reconcile_states.finished_at is null or reconcile_states.finished_at <= $4)
	returning ` + reconcileStateTable.list("")

// Claim implements [billing.ReconciliationStore].
func (q reconciliationStore) Claim(
	ctx context.Context, acct billing.StripeAccount, now, due, leaseUntil time.Time,
) (billing.ReconcileState, error) {
	return get[billing.ReconcileState](ctx, q.queries, "take reconciliation", takeReconciliation, acct.ID, acct.Livemode, now, due, leaseUntil)
}

const saveReconciliation = `update reconcile_states set read_until = $3, progress = $4 where account = $1 and livemode = $2`

// SaveState implements [billing.ReconciliationStore].
func (q reconciliationStore) SaveState(ctx context.Context, acct billing.StripeAccount, s billing.ReconcileState) error {
	return q.exec(ctx, "save reconciliation", saveReconciliation, acct.ID, acct.Livemode, timeOrNull(s.ReadUntil), jsonColumn{s.Progress})
}

const finishReconciliation = `update reconcile_states set lease_until = null, finished_at = $3 where account = $1 and livemode = $2`

// Finish implements [billing.ReconciliationStore].
func (q reconciliationStore) Finish(ctx context.Context, acct billing.StripeAccount, finishedAt time.Time) error {
	return q.exec(ctx, "finish reconciliation", finishReconciliation, acct.ID, acct.Livemode, finishedAt)
}

const putCompared = `insert into reconcile_states (account, livemode, unrepaired, missed_events, compared_at) values ($1, $2, $3, $4, $5)
	on conflict (account, livemode) do update
		set unrepaired = excluded.unrepaired, missed_events = excluded.missed_events, compared_at = excluded.compared_at`

// PutCompared implements [billing.ReconciliationStore].
func (q reconciliationStore) PutCompared(
	ctx context.Context, acct billing.StripeAccount, unrepaired map[billing.DriftKind]int, missed int, comparedAt time.Time,
) error {
	return q.exec(ctx, "put the result of a comparison", putCompared, acct.ID, acct.Livemode, jsonColumn{unrepaired}, missed, comparedAt)
}

var driftReportTable = tableOf[billing.DriftReport]("drift_reports")

var insertDriftReport = driftReportTable.insert()

// InsertReport implements [billing.ReconciliationStore].
func (q reconciliationStore) InsertReport(ctx context.Context, r billing.DriftReport) error {
	return q.exec(ctx, "insert drift report", insertDriftReport, driftReportTable.values(r)...)
}

var selectDriftReports = `select ` + driftReportTable.list("") + ` from drift_reports
	where $1 = '' or organization_id = $1 order by started_at desc, id limit $2`

// Reports implements [billing.ReconciliationStore].
func (q reconciliationStore) Reports(ctx context.Context, organizationID string, limit int) ([]billing.DriftReport, error) {
	return list[billing.DriftReport](ctx, q.queries, "list drift reports", selectDriftReports, organizationID, limit)
}

// PruneReports implements [billing.ReconciliationStore].
func (q reconciliationStore) PruneReports(ctx context.Context, before time.Time) error {
	return q.exec(ctx, "prune drift reports", `delete from drift_reports where started_at < $1`, before)
}
