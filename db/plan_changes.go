package db

import (
	"context"
	"time"

	"usher/billing"
)

// planChangeStore implements [billing.PlanChangeStore].
type planChangeStore struct{ queries }

// PlanChanges implements [billing.Tx].
func (q queries) PlanChanges() billing.PlanChangeStore { return planChangeStore{q} }

var planChangeTable = tableOf[billing.PlanChange]("plan_changes")

var insertPlanChange = planChangeTable.insert()

// Insert implements [billing.PlanChangeStore].
func (q planChangeStore) Insert(ctx context.Context, c billing.PlanChange) error {
	return q.exec(ctx, "insert plan change", insertPlanChange, planChangeTable.values(c)...)
}

var (
	selectPlanChange           = `select ` + planChangeTable.list("") + ` from plan_changes where organization_id = $1 and id = $2`
	selectPlanChangeBySchedule = `select ` + planChangeTable.list("") + ` from plan_changes
	where organization_id = $1 and schedule_id = $2 and schedule_id <> ''`
	selectRunningPlanChange = `select ` + planChangeTable.list("") + ` from plan_changes
	where organization_id = $1 and status in ('open', 'pending', 'scheduled') order by confirmed_at desc, id limit 1`
	selectPlanChangesOfInvoice = `select ` + planChangeTable.list("") + ` from plan_changes
	where organization_id = $1 and subscription_id = $2 and invoice_id in ($3, '') and kind = 'upgrade'
		and status in ('open', 'pending', 'applied') order by confirmed_at, id`
)

// Get implements [billing.PlanChangeStore].
func (q planChangeStore) Get(ctx context.Context, organizationID, id string) (billing.PlanChange, error) {
	return get[billing.PlanChange](ctx, q.queries, "read plan change", selectPlanChange, organizationID, id)
}

// BySchedule implements [billing.PlanChangeStore].
func (q planChangeStore) BySchedule(ctx context.Context, organizationID, scheduleID string) (billing.PlanChange, error) {
	return get[billing.PlanChange](ctx, q.queries, "read plan change of schedule", selectPlanChangeBySchedule, organizationID, scheduleID)
}

// Running implements [billing.PlanChangeStore].
func (q planChangeStore) Running(ctx context.Context, organizationID string) (billing.PlanChange, error) {
	return get[billing.PlanChange](ctx, q.queries, "read running plan change", selectRunningPlanChange, organizationID)
}

var selectConfirmedPlanChanges = `select ` + planChangeTable.list("") + ` from plan_changes
	where organization_id = $1 and status <> 'previewed' order by confirmed_at, id`

// Confirmed implements [billing.PlanChangeStore].
func (q planChangeStore) Confirmed(ctx context.Context, organizationID string) ([]billing.PlanChange, error) {
	return list[billing.PlanChange](ctx, q.queries, "list confirmed plan changes", selectConfirmedPlanChanges, organizationID)
}

// OfInvoice implements [billing.PlanChangeStore].
func (q planChangeStore) OfInvoice(ctx context.Context, organizationID, subscriptionID, invoiceID string) ([]billing.PlanChange, error) {
	return list[billing.PlanChange](ctx, q.queries, "list plan changes of invoice", selectPlanChangesOfInvoice, organizationID, subscriptionID, invoiceID)
}

var updatePlanChange = planChangeTable.update("id")

// Put implements [billing.PlanChangeStore]; ErrNotFound if it is not stored.
func (q planChangeStore) Put(ctx context.Context, c billing.PlanChange) error {
	return q.execOne(ctx, "write plan change", updatePlanChange, planChangeTable.values(c)...)
}

const markPlanChangeDue = `update plan_changes set next_attempt_at = $3
	where subscription_id = $1 and status in ('pending', 'scheduled') and ($2 = '' or price_id = $2)
		and (next_attempt_at is null or next_attempt_at > $3)`

// MarkDue implements [billing.PlanChangeStore].
func (q planChangeStore) MarkDue(ctx context.Context, subscriptionID, priceID string, at time.Time) error {
	return q.exec(ctx, "make plan change due", markPlanChangeDue, subscriptionID, priceID, at)
}

// As in claimDueEvent: skip locked rows, and update what the select found.
var claimDuePlanChange = `with due as materialized (
		select id from plan_changes where status in ('open', 'pending', 'scheduled') and next_attempt_at <= $1
		order by next_attempt_at limit 1 for no key update skip locked
	)
	update plan_changes set next_attempt_at = $2 where id = (select id from due)
	returning ` + planChangeTable.list("")

// ClaimDue implements [billing.PlanChangeStore].
func (q planChangeStore) ClaimDue(ctx context.Context, now, leaseUntil time.Time) (billing.PlanChange, error) {
	return get[billing.PlanChange](ctx, q.queries, "claim due plan change", claimDuePlanChange, now, leaseUntil)
}

// Prune implements [billing.PlanChangeStore].
func (q planChangeStore) Prune(ctx context.Context, before time.Time) error {
	return q.exec(ctx, "prune plan previews", `delete from plan_changes where status = 'previewed' and previewed_at < $1`, before)
}
