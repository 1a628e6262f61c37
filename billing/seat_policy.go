package billing

import (
	"context"
	"fmt"
	"time"
)

// releaseLead is how long before a period ends the seats nobody sits on any more are given back, where the plan keeps what is paid until
// then: the renewal's invoice counts what Stripe has at that moment (https://docs.stripe.com/billing/subscriptions/quantities).
const releaseLead = time.Hour

// driftPause bounds how soon a number that is changed behind us again and again is brought back: no fight loop.
const (
	driftPauseFirst = 10 * time.Second
	driftPauseLimit = time.Hour
	driftMemory     = 2 * driftPauseLimit // without a change behind us for so long, the next one is a first again
)

// desiredSeats is max(1, billed) as the seed has it, raised to the plan's minimum, to a number adopted from Stripe, and to what is paid for
// the running period where the plan keeps that.
func (s *Service) desiredSeats(state *SeatState, current Subscription, billed int) int {
	plan, _, known := s.Catalog().ByPrice(current.PriceID)
	if !known || !plan.PerSeat {
		return max(1, billed)
	}
	wanted := max(plan.Quantity(billed), state.AcceptedQuantity)
	if state.PaidUntil == nil || state.PaidSeats <= wanted {
		state.ReleaseAt = nil
		return wanted
	}
	release := state.PaidUntil.Add(-releaseLead)
	if !s.now().Before(release) {
		state.ReleaseAt = nil
		return wanted
	}
	if state.ReleaseAt == nil || !state.ReleaseAt.Equal(release) { // an equal one stays, so that nothing is written where nothing changed
		state.ReleaseAt = &release
	}
	return state.PaidSeats
}

// recordPaidSeats keeps the highest number paid for the running period, where the plan gives seats back at the renewal only. A new period begins
// with what its invoice counted; a trial has paid for none.
func (s *SeatState) recordPaidSeats(plan Plan, current Subscription) {
	switch end := current.CurrentPeriodEnd; {
	case !plan.DecreaseAtRenewal || current.Status == StatusTrialing:
		s.PaidSeats, s.PaidUntil = 0, nil
	case s.PaidUntil == nil || !s.PaidUntil.Equal(end):
		s.PaidSeats, s.PaidUntil = current.Quantity, &end
	default:
		s.PaidSeats = max(s.PaidSeats, min(current.Quantity, s.DesiredSeats)) // more than was wanted was changed behind us
	}
}

// drifted tells that the number at Stripe was changed behind us: it had been seen to be what is wanted.
func (s *SeatState) drifted(current Subscription) bool {
	return s.SyncVersion > 0 && s.AppliedVersion == s.SyncVersion && s.DueAt == nil && s.LastSyncAt != nil && current.Quantity != s.DesiredSeats
}

// adopt takes a number set at Stripe as the minimum, where the plan says so and nobody billed would go without a seat.
func (s *SeatState) acceptQuantity(plan Plan, current Subscription, billed int) {
	if !plan.AcceptQuantity || !s.drifted(current) {
		return
	}
	s.AcceptedQuantity = 0
	if current.Quantity > plan.Quantity(billed) {
		s.AcceptedQuantity = current.Quantity
	}
}

// revertQuantity makes the wanted number a version of its own, to be told again: at once the first time, later and later where it is changed
// behind us again and again.
func (s *SeatState) revertQuantity(now time.Time) {
	if s.DriftAt == nil || now.Sub(*s.DriftAt) > driftMemory {
		s.Drifts = 0
	}
	due := now
	if s.Drifts > 0 {
		due = now.Add(min(driftPauseLimit, driftPauseFirst<<min(s.Drifts-1, 20)))
	}
	s.Drifts++
	s.DriftAt, s.DriftVersion, s.DueAt = &now, s.SyncVersion, &due
}

// releaseUnusedSeats recounts the organizations whose paid period is about to end with seats that nobody sits on.
func (s *Service) releaseUnusedSeats(ctx context.Context) error {
	due, err := s.store.Seats().DueReleases(ctx, s.now(), seatBatch)
	if err != nil {
		return fmt.Errorf("due releases of seats: %w", err)
	}
	for _, organizationID := range due {
		err := s.store.InTx(ctx, func(tx Tx) error {
			if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
				return fmt.Errorf("lock organization: %w", err)
			}
			return s.recountSeats(ctx, tx, organizationID, seatReason{reason: "seats nobody uses are given back before the renewal"})
		})
		if err != nil {
			return fmt.Errorf("give back seats: %w", err)
		}
	}
	return nil
}
