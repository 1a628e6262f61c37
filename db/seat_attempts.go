package db

import (
	"context"
	"time"

	"usher/billing"
)

// seatAttemptStore implements [billing.SeatAttemptStore].
type seatAttemptStore struct{ queries }

// SeatAttempts implements [billing.Tx].
func (q queries) SeatAttempts() billing.SeatAttemptStore { return seatAttemptStore{q} }

var seatAttemptTable = tableOf[billing.SeatAttempt]("seat_attempts")

var insertSeatAttempt = seatAttemptTable.insert() + ` on conflict (key) do nothing`

// Insert implements [billing.SeatAttemptStore].
func (q seatAttemptStore) Insert(ctx context.Context, a billing.SeatAttempt) error {
	return q.exec(ctx, "insert seat attempt", insertSeatAttempt, seatAttemptTable.values(a)...)
}

const answerSeatAttempt = `update seat_attempts set request_id = $2, accepted = $3, error = $4, acknowledged_at = $5 where key = $1`

// RecordAnswer implements [billing.SeatAttemptStore].
func (q seatAttemptStore) RecordAnswer(ctx context.Context, a billing.SeatAttempt) error {
	return q.exec(ctx, "answer seat attempt", answerSeatAttempt, a.Key, a.RequestID, a.Accepted, a.Error, a.AcknowledgedAt)
}

var selectSeatAttempts = `select ` + seatAttemptTable.list("") + `
	from seat_attempts where subscription_id = $1 and at >= $2 order by at, key`

// List implements [billing.SeatAttemptStore].
func (q seatAttemptStore) List(ctx context.Context, subscriptionID string, since time.Time) ([]billing.SeatAttempt, error) {
	return list[billing.SeatAttempt](ctx, q.queries, "list seat attempts", selectSeatAttempts, subscriptionID, since)
}

var selectOrganizationsSeatAttempts = `select ` + seatAttemptTable.list("") + `
	from seat_attempts where organization_id = $1 order by at, key`

// OfOrganization implements [billing.SeatAttemptStore].
func (q seatAttemptStore) OfOrganization(ctx context.Context, organizationID string) ([]billing.SeatAttempt, error) {
	return list[billing.SeatAttempt](ctx, q.queries, "list seat attempts of the organization", selectOrganizationsSeatAttempts, organizationID)
}
