package billing

import (
	"time"

	"usher/billing/catalog"
)

// status tells how the state stands to what Stripe has: ok only where they agree and nothing newer waits.
func (s SeatState) syncStatus(atStripe int) SyncStatus {
	switch {
	case s.SyncError != "":
		return SyncError
	case atStripe == s.DesiredSeats && s.AppliedVersion == s.SyncVersion:
		return SyncOK
	}
	return SyncPending
}

// seatsSynced tells whether this subscription's quantity is ours to set: a living one of a per-seat plan of the catalogue.
func (sc *SeatCounter) seatsSynced(current Subscription) bool {
	plan, _, known := sc.Catalog().ByPrice(current.PriceID)
	return known && plan.PerSeat && current.Status.SeatsSynced() && current.ItemID != ""
}

// weigh brings what is wanted up to date with who is billed and what Stripe has.
func (sc *SeatCounter) updateDesiredSeats(state *SeatState, current Subscription, synced bool, billed int) {
	if !synced {
		state.clearPending()
		sc.setDesiredSeats(state, sc.desiredSeats(state, current, billed))
		state.clearPending() // nobody is told of the new number either
		return
	}
	plan, _, _ := sc.Catalog().ByPrice(current.PriceID)
	state.recordPaidSeats(plan, current)
	state.acceptQuantity(plan, current, billed)
	sc.setDesiredSeats(state, sc.desiredSeats(state, current, billed))
	sc.scheduleSync(state, current)
}

// want writes the wanted number; a change makes a new version and gathers with others that follow soon.
func (sc *SeatCounter) setDesiredSeats(state *SeatState, seats int) {
	if state.DesiredSeats == seats {
		return
	}
	state.DesiredSeats = seats
	state.SyncVersion++
	now := sc.Now()
	if state.FirstChangeAt == nil {
		state.FirstChangeAt = &now
	}
	due := now.Add(DebounceQuiet)
	if latest := state.FirstChangeAt.Add(DebounceLimit); due.After(latest) {
		due = latest
	}
	state.DueAt = &due
}

// scheduleSync holds what is wanted against the snapshot. Where they agree there is nothing to tell. Where they differ although the wanted
// number was told, somebody changed it behind us: that is a new version to tell. A snapshot that is behind proves neither.
func (sc *SeatCounter) scheduleSync(state *SeatState, current Subscription) {
	now := sc.Now()
	if state.maybeStale(current) {
		if state.DueAt == nil {
			state.DueAt = &now
		}
		return
	}
	if current.Quantity == state.DesiredSeats {
		state.markSynced(current)
		return
	}
	drifted := state.drifted(current)
	if state.AppliedVersion == state.SyncVersion {
		state.SyncVersion++
		state.AttemptOpen = false
	}
	switch {
	case drifted:
		state.revertQuantity(now)
	case state.DueAt == nil:
		state.DueAt = &now
	}
}

// behind tells that the snapshot may not show yet what Stripe was told: it was taken before Stripe's last yes, or no answer has come to an
// attempt at another number than is wanted now.
func (s *SeatState) maybeStale(current Subscription) bool {
	if s.OpenItemID != current.ItemID {
		return false
	}
	return s.AttemptOpen && s.OpenQuantity != s.DesiredSeats || s.AcknowledgedAt != nil && current.AsOf.Before(*s.AcknowledgedAt)
}

// settle records that Stripe has what is wanted.
func (s *SeatState) markSynced(current Subscription) {
	if s.LastAppliedSeats == nil || *s.LastAppliedSeats != current.Quantity {
		quantity := current.Quantity
		s.LastAppliedSeats = &quantity
	}
	if s.AppliedVersion != s.SyncVersion || s.LastSyncAt == nil || s.SyncError != "" {
		moment := current.AsOf
		s.LastSyncAt = &moment
	}
	s.AppliedVersion = s.SyncVersion
	s.SyncError, s.Failures, s.AttemptOpen = "", 0, false
	s.FirstChangeAt, s.DueAt = nil, nil
}

// rest records that there is nothing to tell: no subscription whose seats are synced.
func (s *SeatState) clearPending() {
	s.SyncError, s.Failures, s.AttemptOpen = "", 0, false
	s.FirstChangeAt, s.DueAt, s.ReleaseAt = nil, nil, nil
	s.AcceptedQuantity, s.PaidSeats, s.PaidUntil = 0, 0, nil
}

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
func (sc *SeatCounter) desiredSeats(state *SeatState, current Subscription, billed int) int {
	plan, _, known := sc.Catalog().ByPrice(current.PriceID)
	if !known || !plan.PerSeat {
		return max(1, billed)
	}
	wanted := max(plan.Quantity(billed), state.AcceptedQuantity)
	if state.PaidUntil == nil || state.PaidSeats <= wanted {
		state.ReleaseAt = nil
		return wanted
	}
	release := state.PaidUntil.Add(-releaseLead)
	if !sc.Now().Before(release) {
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
func (s *SeatState) recordPaidSeats(plan catalog.Plan, current Subscription) {
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
func (s *SeatState) acceptQuantity(plan catalog.Plan, current Subscription, billed int) {
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

func (s *SeatState) summarizeLater(now time.Time) {
	if s.SummarySince == nil {
		s.SummarySince = &now
	}
	due := now.Add(summaryQuiet)
	if latest := s.SummarySince.Add(summaryLimit); due.After(latest) {
		due = latest
	}
	s.SummaryDueAt = &due
}

// A summary of changed seats is written once they have been quiet for a while, and not much later than the first change.
const (
	summaryQuiet = time.Hour
	summaryLimit = 24 * time.Hour
	summaryLines = 20 // that a mail lists; the ledger has all
)
