package db

import (
	"context"
	"time"

	"usher/billing"
)

var seatAttemptTable = tableOf[billing.SeatAttempt]("seat_attempts")

var insertSeatAttempt = seatAttemptTable.insert() + ` on conflict (key) do nothing`

// InsertSeatAttempt implements [billing.SeatAttemptQueries].
func (q seatAttemptStore) Insert(ctx context.Context, a billing.SeatAttempt) error {
	return q.exec(ctx, "insert seat attempt", insertSeatAttempt, seatAttemptTable.values(a)...)
}

const answerSeatAttempt = `update seat_attempts set request_id = $2, accepted = $3, error = $4, acknowledged_at = $5 where key = $1`

// AnswerSeatAttempt implements [billing.SeatAttemptQueries].
func (q seatAttemptStore) RecordAnswer(ctx context.Context, a billing.SeatAttempt) error {
	return q.exec(ctx, "answer seat attempt", answerSeatAttempt, a.Key, a.RequestID, a.Accepted, a.Error, a.AcknowledgedAt)
}

var selectSeatAttempts = `select ` + seatAttemptTable.list("") + `
	from seat_attempts where subscription_id = $1 and at >= $2 order by at, key`

// SeatAttempts implements [billing.SeatAttemptQueries].
func (q seatAttemptStore) List(ctx context.Context, subscriptionID string, since time.Time) ([]billing.SeatAttempt, error) {
	return list[billing.SeatAttempt](ctx, q.queries, "list seat attempts", selectSeatAttempts, subscriptionID, since)
}

const selectDueSeatReleases = `select organization_id from billing_seat_state where release_at <= $1 order by release_at, organization_id limit $2`

// DueSeatReleases implements [billing.SeatAttemptQueries].
func (q seatStore) DueReleases(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list due seat releases", selectDueSeatReleases, now, limit)
}
