package db

import (
	"context"
	"time"

	"usher/billing"
)

const insertSeatAttempt = `insert into seat_attempts
	(key, organization_id, subscription_id, version, quantity, proration, at, request_id, accepted, error)
	values ($1, $2, $3, $4, $5, $6, $7, '', null, '') on conflict (key) do nothing`

// InsertSeatAttempt implements [billing.SeatAttemptQueries].
func (q queries) InsertSeatAttempt(ctx context.Context, a billing.SeatAttempt) error {
	return q.exec(ctx, "insert seat attempt", insertSeatAttempt,
		a.Key, a.OrganizationID, a.SubscriptionID, a.Version, a.Quantity, a.Proration, a.At)
}

const answerSeatAttempt = `update seat_attempts set request_id = $2, accepted = $3, error = $4, told_at = $5 where key = $1`

// AnswerSeatAttempt implements [billing.SeatAttemptQueries].
func (q queries) AnswerSeatAttempt(ctx context.Context, a billing.SeatAttempt) error {
	return q.exec(ctx, "answer seat attempt", answerSeatAttempt, a.Key, a.RequestID, a.Accepted, a.Error, a.ToldAt)
}

type seatAttemptRow struct {
	Key            string    `db:"key"`
	OrganizationID string    `db:"organization_id"`
	SubscriptionID string    `db:"subscription_id"`
	Version        int64     `db:"version"`
	Quantity       int       `db:"quantity"`
	Proration      string    `db:"proration"`
	At             time.Time `db:"at"`
	RequestID      string    `db:"request_id"`
	Accepted       *bool     `db:"accepted"`
	Error          string    `db:"error"`

	ToldAt *time.Time `db:"told_at"`
}

func (r seatAttemptRow) attempt() billing.SeatAttempt {
	return billing.SeatAttempt{
		Key: r.Key, OrganizationID: r.OrganizationID, SubscriptionID: r.SubscriptionID, Version: r.Version, Quantity: r.Quantity,
		Proration: billing.Proration(r.Proration), At: r.At.UTC(), RequestID: r.RequestID, Accepted: r.Accepted, Error: r.Error, ToldAt: utc(r.ToldAt),
	}
}

const selectSeatAttempts = `select key, organization_id, subscription_id, version, quantity, proration, at, request_id, accepted, error, told_at
	from seat_attempts where subscription_id = $1 and at >= $2 order by at, key`

// SeatAttempts implements [billing.SeatAttemptQueries].
func (q queries) SeatAttempts(ctx context.Context, subscriptionID string, since time.Time) ([]billing.SeatAttempt, error) {
	rows, err := list[seatAttemptRow](ctx, q, "list seat attempts", selectSeatAttempts, subscriptionID, since)
	return collect(rows, seatAttemptRow.attempt), err
}

const selectDueSeatReleases = `select organization_id from billing_seat_state where release_at <= $1 order by release_at, organization_id limit $2`

// DueSeatReleases implements [billing.SeatAttemptQueries].
func (q queries) DueSeatReleases(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q, "list due seat releases", selectDueSeatReleases, now, limit)
}
