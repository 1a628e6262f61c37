package db

import (
	"context"
	"time"

	"usher/billing"
)

// cancellationStore implements [billing.CancellationStore].
type cancellationStore struct{ queries }

// Cancellations implements [billing.Tx].
func (q queries) Cancellations() billing.CancellationStore { return cancellationStore{q} }

var planCancellationTable = tableOf[billing.Cancellation]("cancellations")

var insertCancellation = planCancellationTable.insert()

// Insert implements [billing.CancellationStore].
func (q cancellationStore) Insert(ctx context.Context, c billing.Cancellation) error {
	return q.exec(ctx, "insert cancellation", insertCancellation, planCancellationTable.values(c)...)
}

var (
	selectCancellation     = `select ` + planCancellationTable.list("") + ` from cancellations where organization_id = $1 and id = $2`
	selectOpenCancellation = `select ` + planCancellationTable.list("") + ` from cancellations
	where organization_id = $1 and status = 'open' order by requested_at desc, id limit 1`
	selectCancellations = `select ` + planCancellationTable.list("") + ` from cancellations
	where organization_id = $1 order by requested_at desc, id`
)

// Get implements [billing.CancellationStore].
func (q cancellationStore) Get(ctx context.Context, organizationID, id string) (billing.Cancellation, error) {
	return get[billing.Cancellation](ctx, q.queries, "read cancellation", selectCancellation, organizationID, id)
}

// Open implements [billing.CancellationStore].
func (q cancellationStore) Open(ctx context.Context, organizationID string) (billing.Cancellation, error) {
	return get[billing.Cancellation](ctx, q.queries, "read open cancellation", selectOpenCancellation, organizationID)
}

// List implements [billing.CancellationStore].
func (q cancellationStore) List(ctx context.Context, organizationID string) ([]billing.Cancellation, error) {
	return list[billing.Cancellation](ctx, q.queries, "list cancellations", selectCancellations, organizationID)
}

var updateCancellation = planCancellationTable.update("id")

// Put implements [billing.CancellationStore]; ErrNotFound if it is not stored.
func (q cancellationStore) Put(ctx context.Context, c billing.Cancellation) error {
	return q.execOne(ctx, "write cancellation", updateCancellation, planCancellationTable.values(c)...)
}

const markCancellationsResumed = `update cancellations
	set status = 'resumed', due_at = null, done_at = coalesce(done_at, $4), resumed_by = $3, resumed_at = $4
	where organization_id = $1 and subscription_id = $2 and status in ('open', 'set')`

// MarkResumed implements [billing.CancellationStore].
func (q cancellationStore) MarkResumed(ctx context.Context, organizationID, subscriptionID, userID string, at time.Time) error {
	return q.exec(ctx, "mark cancellations resumed", markCancellationsResumed, organizationID, subscriptionID, userID, at)
}

// As in claimDueEvent: skip locked rows, and update what the select found.
var claimDueCancellation = `with due as materialized (
		select id from cancellations where status = 'open' and due_at <= $1
		order by due_at limit 1 for no key update skip locked
	)
	update cancellations set due_at = $2 where id = (select id from due)
	returning ` + planCancellationTable.list("")

// ClaimDue implements [billing.CancellationStore].
func (q cancellationStore) ClaimDue(ctx context.Context, now, leaseUntil time.Time) (billing.Cancellation, error) {
	return get[billing.Cancellation](ctx, q.queries, "claim due cancellation", claimDueCancellation, now, leaseUntil)
}
