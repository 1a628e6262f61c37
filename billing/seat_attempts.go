package billing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// SeatAttempt is something Stripe was told of seats, under one idempotency key.
type SeatAttempt struct {
	Key            string     `db:"key"`
	OrganizationID string     `db:"organization_id"`
	SubscriptionID string     `db:"subscription_id"`
	Version        int64      `db:"version"` // the version of the wanted number it told
	Quantity       int        `db:"quantity"`
	Proration      Proration  `db:"proration"`
	At             time.Time  `db:"at"`         // when it was first sent
	RequestID      string     `db:"request_id"` // Stripe's; empty while no answer was read
	Accepted       *bool      `db:"accepted"`   // nil: no answer was read
	Error          string     `db:"error"`
	ToldAt         *time.Time `db:"acknowledged_at"` // the moment of Stripe's yes, by its clock; nil: none, or it was an old one
}

// SeatAttemptQueries keep what Stripe was told of seats.
type SeatAttemptQueries interface {
	// InsertSeatAttempt writes an attempt once; a repeated key changes nothing.
	InsertSeatAttempt(ctx context.Context, a SeatAttempt) error
	// AnswerSeatAttempt writes what Stripe said to it: RequestID, Accepted, Error and ToldAt.
	AnswerSeatAttempt(ctx context.Context, a SeatAttempt) error
	// SeatAttempts lists a subscription's attempts sent at since or later, the oldest first.
	SeatAttempts(ctx context.Context, subscriptionID string, since time.Time) ([]SeatAttempt, error)
	// DueSeatReleases lists organizations whose seats are to be given back at now, longest due first.
	DueSeatReleases(ctx context.Context, now time.Time, limit int) ([]string, error)
}

// Stripe's limits for one subscription (https://docs.stripe.com/billing/subscriptions/quantities and rate limits: 200 quantity updates an
// hour, 10 new invoices a minute, 20 a day), with a rest left for what others do to it.
const (
	updatesAnHour    = 180
	invoicesAMinute  = 8
	invoicesADay     = 16
	seatAttemptsKept = 24 * time.Hour // as far back as the limits look
)

// pace holds the next change of seats against what was sent before: how long to wait, and with what proration to send it then. Where the
// day's invoices are used up the number is told all the same and its money left to the next invoice.
func pace(before []SeatAttempt, now time.Time, proration Proration) (time.Duration, Proration) {
	wait := window(before, now, time.Hour, updatesAnHour, anySeatAttempt)
	if proration != ProrateAtOnce {
		return wait, proration
	}
	if window(before, now, 24*time.Hour, invoicesADay, SeatAttempt.invoiced) > 0 {
		return wait, ProrateNextInvoice
	}
	return max(wait, window(before, now, time.Minute, invoicesAMinute, SeatAttempt.invoiced)), proration
}

func anySeatAttempt(SeatAttempt) bool { return true }

func (a SeatAttempt) invoiced() bool { return a.Proration == ProrateAtOnce }

// window returns how long to wait until fewer than limit of the attempts that count lie within the window.
func window(before []SeatAttempt, now time.Time, length time.Duration, limit int, counts func(SeatAttempt) bool) time.Duration {
	var within []time.Time
	for _, a := range before {
		if counts(a) && now.Sub(a.At) < length {
			within = append(within, a.At)
		}
	}
	if len(within) < limit {
		return 0
	}
	return within[len(within)-limit].Add(length).Sub(now)
}

// openNextAttempt opens the next attempt and stores it, or puts it off where Stripe's limits say so: an empty update then.
func (s *Service) openNextAttempt(ctx context.Context, q Queries, state *SeatState, current Subscription) (SeatUpdate, error) {
	now := s.now()
	before, err := q.SeatAttempts(ctx, current.ID, now.Add(-seatAttemptsKept))
	if err != nil {
		return SeatUpdate{}, fmt.Errorf("read what Stripe was told: %w", err)
	}
	proration := s.seatProration(*state, current)
	if !state.repeats(current) {
		var wait time.Duration
		if wait, proration = pace(before, now, proration); wait > 0 {
			later := now.Add(wait)
			state.DueAt = &later
			return SeatUpdate{}, q.PutSeatState(ctx, *state)
		}
	}
	update := s.nextAttempt(state, current, proration)
	if err := q.PutSeatState(ctx, *state); err != nil {
		return SeatUpdate{}, err
	}
	return update, q.InsertSeatAttempt(ctx, SeatAttempt{
		Key: update.IdempotencyKey, OrganizationID: state.OrganizationID, SubscriptionID: current.ID, Version: state.SyncVersion,
		Quantity: update.Quantity, Proration: Proration(update.Proration), At: now,
	})
}

// refusedAttempt is what a failed call left to write down; one without an answer stays open.
func refusedAttempt(update SeatUpdate, cause error) SeatAttempt {
	attempt := SeatAttempt{Key: update.IdempotencyKey, Error: cause.Error()}
	var refused *StripeError
	if errors.As(cause, &refused) {
		attempt.RequestID, attempt.Error = refused.RequestID, seatFailure(refused, cause)
		if !refused.Unanswered {
			no := false
			attempt.Accepted = &no
		}
	}
	return attempt
}
