package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// SeatAttempt is something Stripe was told of seats, under one idempotency key.
type SeatAttempt struct {
	Key            string            `db:"key"`
	OrganizationID string            `db:"organization_id"`
	SubscriptionID string            `db:"subscription_id"`
	Version        int64             `db:"version"` // the version of the wanted number it told
	Quantity       int               `db:"quantity"`
	Proration      catalog.Proration `db:"proration"`
	At             time.Time         `db:"at"`         // when it was first sent
	RequestID      string            `db:"request_id"` // Stripe's; empty while no answer was read
	Accepted       *bool             `db:"accepted"`   // nil: no answer was read
	Error          string            `db:"error"`
	AcknowledgedAt *time.Time        `db:"acknowledged_at"` // the moment of Stripe's yes, by its clock; nil: none, or it was an old one
}

// Stripe's limits for one subscription (https://docs.stripe.com/billing/subscriptions/quantities and rate limits: 200 quantity updates an
// hour, 10 new invoices a minute, 20 a day), with a rest left for what others do to it.
const (
	updatesPerHour    = 180
	invoicesPerMinute = 8
	invoicesPerDay    = 16
	seatAttemptsKept  = 24 * time.Hour // as far back as the limits look
)

// throttle holds the next change of seats against what was sent before: how long to wait, and with what proration to send it then. Where the
// day's invoices are used up the number is told all the same and its money left to the next invoice.
func throttle(before []SeatAttempt, now time.Time, proration catalog.Proration) (time.Duration, catalog.Proration) {
	wait := waitForWindow(before, now, time.Hour, updatesPerHour, countAll)
	if proration != catalog.ProrationAlwaysInvoice {
		return wait, proration
	}
	if waitForWindow(before, now, 24*time.Hour, invoicesPerDay, SeatAttempt.invoiced) > 0 {
		return wait, catalog.ProrationCreateProrations
	}
	return max(wait, waitForWindow(before, now, time.Minute, invoicesPerMinute, SeatAttempt.invoiced)), proration
}

func countAll(SeatAttempt) bool { return true }

func (a SeatAttempt) invoiced() bool { return a.Proration == catalog.ProrationAlwaysInvoice }

// waitForWindow returns how long to wait until fewer than limit of the attempts that count lie within the window.
func waitForWindow(before []SeatAttempt, now time.Time, length time.Duration, limit int, counts func(SeatAttempt) bool) time.Duration {
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
func (sy *SeatSyncer) openNextAttempt(ctx context.Context, tx Tx, state *SeatState, current Subscription) (QuantityUpdate, error) {
	now := sy.Now()
	before, err := tx.SeatAttempts().List(ctx, current.ID, now.Add(-seatAttemptsKept))
	if err != nil {
		return QuantityUpdate{}, fmt.Errorf("read what Stripe was told: %w", err)
	}
	proration := sy.seatProration(*state, current)
	if !state.retries(current) {
		var wait time.Duration
		if wait, proration = throttle(before, now, proration); wait > 0 {
			later := now.Add(wait)
			state.DueAt = &later
			return QuantityUpdate{}, tx.Seats().PutState(ctx, *state)
		}
	}
	update := sy.nextAttempt(state, current, proration)
	if err := tx.Seats().PutState(ctx, *state); err != nil {
		return QuantityUpdate{}, err
	}
	return update, tx.SeatAttempts().Insert(ctx, SeatAttempt{
		Key: update.IdempotencyKey, OrganizationID: state.OrganizationID, SubscriptionID: current.ID, Version: state.SyncVersion,
		Quantity: update.Quantity, Proration: catalog.Proration(update.Proration), At: now,
	})
}

// refusedAttempt is what a failed call left to write down; one without an answer stays open.
func refusedAttempt(update QuantityUpdate, cause error) SeatAttempt {
	attempt := SeatAttempt{Key: update.IdempotencyKey, Error: cause.Error()}
	var refused *apperr.StripeError
	if errors.As(cause, &refused) {
		attempt.RequestID, attempt.Error = refused.RequestID, seatErrorMessage(refused, cause)
		if !refused.OutcomeUnknown {
			no := false
			attempt.Accepted = &no
		}
	}
	return attempt
}
