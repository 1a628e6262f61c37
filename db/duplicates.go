package db

import (
	"context"
	"time"

	"usher/billing"
)

// duplicateStore implements [billing.DuplicateStore].
type duplicateStore struct{ queries }

// Duplicates implements [billing.Tx].
func (q queries) Duplicates() billing.DuplicateStore { return duplicateStore{q} }

// A refund is stored in two columns.
var (
	duplicateTable = tableOf[billing.DuplicateSubscription]("duplicate_subscriptions").
			computed("refunded_minor", func(s billing.DuplicateSubscription) any { return s.Refunded.Minor }).
			computed("currency", func(s billing.DuplicateSubscription) any { return s.Refunded.Currency })
	duplicateColumns = duplicateTable.list("") + `, refunded_minor as "refunded.minor", currency as "refunded.currency"`
)

// A subscription that was kept and is found to be a duplicate again starts over.
var insertDuplicate = duplicateTable.insert() + `
	on conflict (subscription_id) do update set kept_subscription_id = excluded.kept_subscription_id, status = excluded.status, found_at = excluded.found_at,
		attempts = 0, error = '', next_attempt_at = excluded.next_attempt_at, done_at = null
		where duplicate_subscriptions.status = 'kept'`

// Insert implements [billing.DuplicateStore].
func (q duplicateStore) Insert(ctx context.Context, s billing.DuplicateSubscription) (bool, error) {
	n, err := q.execCount(ctx, "insert duplicate subscription", insertDuplicate, duplicateTable.values(s)...)
	return n == 1, err
}

// As in claimDueEvent: skip locked rows, and update what the select found.
var claimDueDuplicate = `with due as materialized (
		select subscription_id from duplicate_subscriptions where next_attempt_at <= $1
		order by next_attempt_at limit 1 for no key update skip locked
	)
	update duplicate_subscriptions set next_attempt_at = $2, attempts = attempts + 1 where subscription_id = (select subscription_id from due)
	returning ` + duplicateColumns

// ClaimDue implements [billing.DuplicateStore].
func (q duplicateStore) ClaimDue(ctx context.Context, now, leaseUntil time.Time) (billing.DuplicateSubscription, error) {
	return get[billing.DuplicateSubscription](ctx, q.queries, "claim due duplicate subscription", claimDueDuplicate, now, leaseUntil)
}

const updateDuplicate = `update duplicate_subscriptions set status = $2, canceling_at = $3, attempts = $4, error = $5, next_attempt_at = $6,
	refunded_minor = $7, currency = $8, done_at = $9 where subscription_id = $1`

// Put implements [billing.DuplicateStore]; ErrNotFound if it is not stored.
func (q duplicateStore) Put(ctx context.Context, s billing.DuplicateSubscription) error {
	return q.execOne(ctx, "write duplicate subscription", updateDuplicate, s.SubscriptionID, s.Status, s.CancelingAt, s.Attempts, s.Error,
		s.NextAttemptAt, s.Refunded.Minor, s.Refunded.Currency, s.DoneAt)
}

var selectDuplicates = `select ` + duplicateColumns + ` from duplicate_subscriptions
	where organization_id = $1 and found_at >= $2 order by found_at desc, subscription_id`

// List implements [billing.DuplicateStore].
func (q duplicateStore) List(ctx context.Context, organizationID string, since time.Time) ([]billing.DuplicateSubscription, error) {
	return list[billing.DuplicateSubscription](ctx, q.queries, "list duplicate subscriptions", selectDuplicates, organizationID, since)
}
