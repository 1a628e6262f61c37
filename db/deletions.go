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
	return q.exec(ctx, "put deletion", `update deletions set due_at = $2, failures = $3, error = $4 where organization_id = $1`,
		d.OrganizationID, d.DueAt, d.Failures, d.Error)
}

// Remove implements [billing.DeletionStore].
func (q deletionStore) Remove(ctx context.Context, organizationID string) error {
	return q.exec(ctx, "remove deletion", `delete from deletions where organization_id = $1`, organizationID)
}

// Due implements [billing.DeletionStore].
func (q deletionStore) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due deletions", `select organization_id from deletions where due_at <= $1 order by due_at limit $2`, now, limit)
}

const markDeleted = `with organization as (update organizations set deleted_at = $2 where id = $1 returning id),
		request as (delete from deletions where organization_id = $1)
	update invitations set revoked_at = $2 where organization_id = (select id from organization) and accepted_at is null and revoked_at is null`

// MarkDeleted implements [billing.DeletionStore].
func (q deletionStore) MarkDeleted(ctx context.Context, organizationID string, at time.Time) error {
	return q.exec(ctx, "mark organization deleted", markDeleted, organizationID, at)
}
