package db

import (
	"context"
	"time"

	"usher/billing"
)

const surplusColumns = `subscription_id, organization_id, kept_id, status, found_at, canceling_at, attempts, error, next_attempt_at,
	refunded_minor, currency, done_at`

type surplusRow struct {
	SubscriptionID string     `db:"subscription_id"`
	OrganizationID string     `db:"organization_id"`
	KeptID         string     `db:"kept_id"`
	Status         string     `db:"status"`
	FoundAt        time.Time  `db:"found_at"`
	CancelingAt    *time.Time `db:"canceling_at"`
	Attempts       int        `db:"attempts"`
	Error          string     `db:"error"`
	NextAttemptAt  *time.Time `db:"next_attempt_at"`
	RefundedMinor  int64      `db:"refunded_minor"`
	Currency       string     `db:"currency"`
	DoneAt         *time.Time `db:"done_at"`
}

func (r surplusRow) surplus() billing.Surplus {
	return billing.Surplus{
		SubscriptionID: r.SubscriptionID, OrganizationID: r.OrganizationID, KeptID: r.KeptID, Status: billing.SurplusStatus(r.Status),
		FoundAt: r.FoundAt.UTC(), CancelingAt: utc(r.CancelingAt), Attempts: r.Attempts, Error: r.Error, NextAttemptAt: utc(r.NextAttemptAt),
		Refunded: billing.Money{Minor: r.RefundedMinor, Currency: r.Currency}, DoneAt: utc(r.DoneAt),
	}
}

// One that was spared and is in the way again begins anew.
const insertSurplus = `insert into surplus_subscriptions (` + surplusColumns + `) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
	on conflict (subscription_id) do update set kept_id = excluded.kept_id, status = excluded.status, found_at = excluded.found_at,
		attempts = 0, error = '', next_attempt_at = excluded.next_attempt_at, done_at = null
		where surplus_subscriptions.status = 'spared'`

// InsertSurplus implements [billing.SurplusQueries].
func (q queries) InsertSurplus(ctx context.Context, s billing.Surplus) (bool, error) {
	n, err := q.execCount(ctx, "insert surplus subscription", insertSurplus, s.SubscriptionID, s.OrganizationID, s.KeptID, s.Status, s.FoundAt,
		s.CancelingAt, s.Attempts, s.Error, s.NextAttemptAt, s.Refunded.Minor, s.Refunded.Currency, s.DoneAt)
	return n == 1, err
}

// As for events: the inner select skips what somebody else is just claiming; once that is committed it is due no more.
const claimDueSurplus = `with due as materialized (
		select subscription_id from surplus_subscriptions where status = 'ending' and next_attempt_at <= $1
		order by next_attempt_at limit 1 for no key update skip locked
	)
	update surplus_subscriptions set next_attempt_at = $2, attempts = attempts + 1 where subscription_id = (select subscription_id from due)
	returning ` + surplusColumns

// ClaimDueSurplus implements [billing.SurplusQueries].
func (q queries) ClaimDueSurplus(ctx context.Context, now, leaseUntil time.Time) (billing.Surplus, error) {
	row, err := get[surplusRow](ctx, q, "claim due surplus subscription", claimDueSurplus, now, leaseUntil)
	return row.surplus(), err
}

const updateSurplus = `update surplus_subscriptions set status = $2, canceling_at = $3, attempts = $4, error = $5, next_attempt_at = $6,
	refunded_minor = $7, currency = $8, done_at = $9 where subscription_id = $1`

// PutSurplus implements [billing.SurplusQueries]; ErrNotFound where it is not known.
func (q queries) PutSurplus(ctx context.Context, s billing.Surplus) error {
	return q.execOne(ctx, "write surplus subscription", updateSurplus, s.SubscriptionID, s.Status, s.CancelingAt, s.Attempts, s.Error,
		s.NextAttemptAt, s.Refunded.Minor, s.Refunded.Currency, s.DoneAt)
}

const selectSurpluses = `select ` + surplusColumns + ` from surplus_subscriptions
	where organization_id = $1 and found_at >= $2 order by found_at desc, subscription_id`

// Surpluses implements [billing.SurplusQueries].
func (q queries) Surpluses(ctx context.Context, organizationID string, since time.Time) ([]billing.Surplus, error) {
	rows, err := list[surplusRow](ctx, q, "list surplus subscriptions", selectSurpluses, organizationID, since)
	return collect(rows, surplusRow.surplus), err
}
