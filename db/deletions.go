package db

import (
	"context"
	"time"

	"usher/billing"
)

// deletionStore implements [billing.DeletionStore].
type deletionStore struct{ queries }

// Deletions implements [billing.Tx].
func (q queries) Deletions() billing.DeletionStore { return deletionStore{q} }

var deletionTable = tableOf[billing.Deletion]("deletions")

var insertDeletion = deletionTable.insert()

// Insert implements [billing.DeletionStore].
func (q deletionStore) Insert(ctx context.Context, d billing.Deletion) error {
	return q.exec(ctx, "insert deletion", insertDeletion, deletionTable.values(d)...)
}

var selectDeletion = `select ` + deletionTable.list("") + ` from deletions where organization_id = $1`

// Get implements [billing.DeletionStore].
func (q deletionStore) Get(ctx context.Context, organizationID string) (billing.Deletion, error) {
	return get[billing.Deletion](ctx, q.queries, "read deletion", selectDeletion, organizationID)
}

// Put implements [billing.DeletionStore].
func (q deletionStore) Put(ctx context.Context, d billing.Deletion) error {
	return q.exec(ctx, "put deletion", `update deletions set due_at = $2, failures = $3, error = $4, begun_at = $5
		where organization_id = $1`, d.OrganizationID, d.DueAt, d.Failures, d.Error, d.BegunAt)
}

// Remove implements [billing.DeletionStore].
func (q deletionStore) Remove(ctx context.Context, organizationID string) error {
	return q.exec(ctx, "remove deletion", `delete from deletions where organization_id = $1`, organizationID)
}

// Due implements [billing.DeletionStore].
func (q deletionStore) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due deletions", `select organization_id from deletions where due_at <= $1 order by due_at limit $2`, now, limit)
}

const wakeCancellation = `insert into deletion_cancellations (subscription_id, organization_id, due_at, failures, error)
		select $2, id, $3, 0, '' from organizations where id = $1 and deletes_at is not null and deleted_at is null
	on conflict (subscription_id) do update set due_at = excluded.due_at`

// WakeCancellation implements [billing.DeletionStore].
func (q deletionStore) WakeCancellation(ctx context.Context, organizationID, subscriptionID string, now time.Time) error {
	return q.exec(ctx, "wake cancellation", wakeCancellation, organizationID, subscriptionID, now)
}

// WakeCancellations implements [billing.DeletionStore].
func (q deletionStore) WakeCancellations(ctx context.Context, organizationID string, now time.Time) (int, error) {
	n, err := q.execCount(ctx, "wake cancellations", `update deletion_cancellations set due_at = $2 where organization_id = $1`, organizationID, now)
	return int(n), err
}

var cancellationTable = tableOf[billing.DeletionCancellation]("deletion_cancellations")

var claimCancellation = `with due as materialized (
		select subscription_id from deletion_cancellations
		where due_at <= $2 and ($1 = '' or organization_id = $1) and (lease_until is null or lease_until <= $2)
		order by due_at limit 1 for no key update skip locked
	)
	update deletion_cancellations set lease_until = $3 where subscription_id = (select subscription_id from due)
	returning ` + cancellationTable.list("")

// ClaimCancellation implements [billing.DeletionStore].
func (q deletionStore) ClaimCancellation(
	ctx context.Context, organizationID string, now, leaseUntil time.Time,
) (billing.DeletionCancellation, error) {
	return get[billing.DeletionCancellation](ctx, q.queries, "claim cancellation", claimCancellation, organizationID, now, leaseUntil)
}

// PutCancellation implements [billing.DeletionStore].
func (q deletionStore) PutCancellation(ctx context.Context, c billing.DeletionCancellation) error {
	return q.exec(ctx, "put cancellation", `update deletion_cancellations set due_at = $2, failures = $3, error = $4, lease_until = null
		where subscription_id = $1`, c.SubscriptionID, c.DueAt, c.Failures, c.Error)
}

// RemoveCancellation implements [billing.DeletionStore].
func (q deletionStore) RemoveCancellation(ctx context.Context, subscriptionID string) error {
	return q.exec(ctx, "remove cancellation", `delete from deletion_cancellations where subscription_id = $1`, subscriptionID)
}

const markDeleted = `with organization as (update organizations set deleted_at = $2 where id = $1 returning id),
		request as (delete from deletions where organization_id = $1),
		cancellations as (delete from deletion_cancellations where organization_id = $1)
	update invitations set revoked_at = $2 where organization_id = (select id from organization) and accepted_at is null and revoked_at is null`

// MarkDeleted implements [billing.DeletionStore].
func (q deletionStore) MarkDeleted(ctx context.Context, organizationID string, at time.Time) error {
	return q.exec(ctx, "mark organization deleted", markDeleted, organizationID, at)
}
