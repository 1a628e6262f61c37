package billing

import (
	"time"

	"usher/billing/catalog"
)

// SeatState is an organization's desired seats and what Stripe has acknowledged of them. Its
// methods are the rules of the seats: pure functions of the plan, the subscription, the billed
// members and the time. SeatCounter stores their result, SeatSyncer sends it to Stripe.
type SeatState struct {
	OrganizationID string `db:"organization_id"`
	DesiredSeats   int    `db:"desired_seats"`
	// LastAppliedSeats is nil until Stripe accepted or reported a quantity.
	LastAppliedSeats *int `db:"last_applied_seats"`
	// LastSyncAt is when desired and applied seats were last seen to be equal.
	LastSyncAt *time.Time `db:"last_sync_at"`
	// SyncError is why the last attempt failed, as text; empty if it did not.
	SyncError      string `db:"sync_error"`
	SyncVersion    int64  `db:"sync_version"`    // rises with every change of DesiredSeats
	AppliedVersion int64  `db:"applied_version"` // the last version that Stripe accepted

	// FirstChangeAt is the time of the oldest unsent change. It bounds the debouncing.
	FirstChangeAt *time.Time `db:"first_change_at"`
	// DueAt is when the quantity is to be sent; nil if nothing is pending.
	DueAt *time.Time `db:"due_at"`
	// Attempt counts the idempotency keys used. It rises after every definite answer.
	Attempt int64 `db:"attempt"`
	// AttemptOpen means that an attempt was sent and no answer was read: the same key is sent
	// again.
	AttemptOpen   bool              `db:"attempt_open"`
	OpenItemID    string            `db:"open_item_id"` // the parameters of the open attempt
	OpenQuantity  int               `db:"open_quantity"`
	OpenVersion   int64             `db:"open_version"` // 0: it changes only OpenInterval
	OpenProration catalog.Proration `db:"open_proration"`
	// OpenInterval is the open attempt's change of the pending invoice interval.
	OpenInterval string `db:"open_pending_interval"`
	// OpenKey is the idempotency key of the open attempt.
	OpenKey string `db:"open_key"`
	// AcknowledgedAt is when Stripe last accepted an update. Older snapshots do not show it.
	AcknowledgedAt *time.Time `db:"acknowledged_at"`
	Failures       int        `db:"failures"`    // in a row, for the backoff
	LeaseUntil     *time.Time `db:"lease_until"` // until then one worker owns the sync

	AcceptedQuantity int `db:"minimum_seats"` // accepted from Stripe as the minimum; 0: none
	// PaidSeats are paid for the current period, where the plan keeps them until it ends.
	PaidSeats int        `db:"paid_seats"`
	PaidUntil *time.Time `db:"paid_until"` // the end of that period
	// ReleaseAt is when seats are released that are kept only because they are paid.
	ReleaseAt    *time.Time `db:"release_at"`
	SummarySince *time.Time `db:"summary_since"` // the oldest change that no summary has listed
	SummaryDueAt *time.Time `db:"summary_due_at"`
	DriftVersion int64      `db:"drift_version"` // the version that reverts a change made at Stripe
	Drifts       int        `db:"drift_count"`   // such changes in a row
	DriftAt      *time.Time `db:"drift_at"`      // the last of them

	// UnconfirmedSubscriptionID is the imported subscription whose quantity stays as it is at
	// Stripe, because nobody has confirmed the number of people; empty: none. See
	// [SeatState.keepsQuantity].
	UnconfirmedSubscriptionID string `db:"unconfirmed_subscription_id"`
}

// Debouncing bounds: the changes of a burst are sent to Stripe as one update, DebounceQuiet after
// the last change and at most DebounceLimit after the first.
const (
	DebounceQuiet = 3 * time.Second
	DebounceLimit = 30 * time.Second
)

// releaseLead is how long before the period ends unused paid seats are released: the renewal
// invoice counts the quantity that Stripe has at that moment
// (https://docs.stripe.com/billing/subscriptions/quantities).
const releaseLead = time.Hour

// The pause before a quantity is reverted that was changed at Stripe repeatedly. It doubles from
// driftPauseFirst to driftPauseLimit, so that Usher and whoever changes it do not overwrite each
// other in a tight loop.
const (
	driftPauseFirst = 10 * time.Second
	driftPauseLimit = time.Hour
	driftMemory     = 2 * driftPauseLimit // after this long without drift, the count starts again
)

// A summary of seat changes is sent summaryQuiet after the last change and at most summaryLimit
// after the first.
const (
	summaryQuiet = time.Hour
	summaryLimit = 24 * time.Hour
	summaryLines = 20 // listed in one mail; the ledger has all
)

// renewalMargin is how long before the period ends its paid seats are no longer added at no cost:
// an update sent then may reach Stripe after the renewal, whose invoice does not count them.
const renewalMargin = time.Minute

// seatsSynced reports whether Usher sets the quantity of a subscription: it is live, its plan is
// known and so is its seat item. An unknown price has the zero plan. The quantity of a flat plan is
// set too: a switch from a plan per seat keeps the former quantity
// (https://docs.stripe.com/billing/subscriptions/change-price).
func seatsSynced(plan catalog.Plan, current Subscription) bool {
	return plan.ID != "" && current.Status.SeatsSynced() && current.ItemID != ""
}

// update recomputes the desired seats from the billed members and the subscription's snapshot, and
// when Stripe has to be updated. It is the one place that decides both.
func (s *SeatState) update(plan catalog.Plan, current Subscription, billed int, now time.Time) {
	if s.UnconfirmedSubscriptionID != "" && !s.keepsQuantity(current) {
		s.UnconfirmedSubscriptionID = "" // it has ended, or another one replaced it
	}
	if s.keepsQuantity(current) {
		s.keepQuantity(current)
		return
	}
	if !seatsSynced(plan, current) {
		s.clearPending()
		s.setDesiredSeats(s.desiredSeats(plan, billed, now), now)
		s.clearPending() // the new number is not sent either
		return
	}
	s.recordPaidSeats(plan, current)
	s.acceptQuantity(plan, current, billed)
	s.setDesiredSeats(s.desiredSeats(plan, billed, now), now)
	s.scheduleSync(plan, current, now)
}

// keepsQuantity reports whether a subscription keeps the quantity that it has at Stripe: it was
// imported, and nobody has confirmed the number of people yet. Until then the people who have
// joined are not all who work there, so their number is no reason to change what is billed.
func (s *SeatState) keepsQuantity(current Subscription) bool {
	return s.UnconfirmedSubscriptionID != "" && s.UnconfirmedSubscriptionID == current.ID && !current.Status.Ended()
}

// keepQuantity makes the quantity at Stripe the desired one, so that nothing is sent and no
// difference is drift. A change that somebody makes there is followed.
func (s *SeatState) keepQuantity(current Subscription) {
	s.clearPending()
	if quantity := max(1, current.Quantity); s.DesiredSeats != quantity {
		s.DesiredSeats = quantity
		s.SyncVersion++
	}
	s.markSynced(current)
}

// quantity returns the quantity that the seat item is to have at Stripe: the desired seats, and 1
// for a flat plan, whatever the number of members.
func (s *SeatState) quantity(plan catalog.Plan) int {
	if !plan.PerSeat && s.UnconfirmedSubscriptionID == "" {
		return 1
	}
	return s.DesiredSeats
}

// recordPaidSeats stores the highest quantity paid for the current period, for plans that release
// seats only at the renewal. A new period starts with the quantity that its invoice counted; a
// trial has paid for no seats.
func (s *SeatState) recordPaidSeats(plan catalog.Plan, current Subscription) {
	switch end := current.CurrentPeriodEnd; {
	case !plan.SeatPolicy(current.PriceID).AtRenewal || current.Status == StatusTrialing:
		s.PaidSeats, s.PaidUntil = 0, nil
	case s.PaidUntil == nil || !s.PaidUntil.Equal(end):
		s.PaidSeats, s.PaidUntil = current.Quantity, &end
	default:
		// A higher quantity is drift.
		s.PaidSeats = max(s.PaidSeats, min(current.Quantity, s.DesiredSeats))
	}
}

// acceptQuantity makes a quantity set at Stripe the minimum, if the plan allows that and every
// billed member still has a seat.
func (s *SeatState) acceptQuantity(plan catalog.Plan, current Subscription, billed int) {
	if !plan.PerSeat {
		s.AcceptedQuantity = 0
		return
	}
	if !plan.AcceptQuantity || !s.drifted(plan, current) {
		return
	}
	s.AcceptedQuantity = 0
	if current.Quantity > plan.Quantity(billed) {
		s.AcceptedQuantity = current.Quantity
	}
}

// desiredSeats returns the billed members, at least 1, raised to the plan's minimum, to a quantity
// accepted from Stripe, and to the paid seats of the current period where the plan keeps those. It
// sets ReleaseAt.
func (s *SeatState) desiredSeats(plan catalog.Plan, billed int, now time.Time) int {
	if !plan.PerSeat {
		s.ReleaseAt = nil
		return max(1, billed)
	}
	seats := max(plan.Quantity(billed), s.AcceptedQuantity)
	if s.PaidUntil == nil || s.PaidSeats <= seats {
		s.ReleaseAt = nil
		return seats
	}
	release := s.PaidUntil.Add(-releaseLead)
	if !now.Before(release) {
		s.ReleaseAt = nil
		return seats
	}
	// An equal pointer is kept, so that an unchanged state is not written.
	if s.ReleaseAt == nil || !s.ReleaseAt.Equal(release) {
		s.ReleaseAt = &release
	}
	return s.PaidSeats
}

// setDesiredSeats stores the desired number. A change makes a new version and is debounced with
// those that follow.
func (s *SeatState) setDesiredSeats(seats int, now time.Time) {
	if s.DesiredSeats == seats {
		return
	}
	s.DesiredSeats = seats
	s.SyncVersion++
	if s.FirstChangeAt == nil {
		s.FirstChangeAt = &now
	}
	due := now.Add(DebounceQuiet)
	if latest := s.FirstChangeAt.Add(DebounceLimit); due.After(latest) {
		due = latest
	}
	s.DueAt = &due
}

// scheduleSync compares the desired quantity with the snapshot. If they are equal, nothing is
// pending. If they differ although Stripe accepted the desired number, it was changed at Stripe:
// that makes a new version to send. A snapshot that may be stale proves neither.
func (s *SeatState) scheduleSync(plan catalog.Plan, current Subscription, now time.Time) {
	if s.maybeStale(plan, current) {
		if s.DueAt == nil {
			s.DueAt = &now
		}
		return
	}
	if current.Quantity == s.quantity(plan) {
		if pendingIntervalChange(plan, current) == "" {
			s.markSynced(current)
		} else {
			s.schedulePendingInterval(current, now)
		}
		return
	}
	drifted := s.drifted(plan, current)
	if s.AppliedVersion == s.SyncVersion {
		s.SyncVersion++
		s.AttemptOpen = false
	}
	switch {
	case drifted:
		s.revertQuantity(now)
	case s.DueAt == nil:
		s.DueAt = &now
	}
}

// maybeStale reports whether the snapshot may not show the last update yet: it was read before
// Stripe acknowledged that update, or an attempt with another quantity than the desired one is
// unanswered.
func (s *SeatState) maybeStale(plan catalog.Plan, current Subscription) bool {
	if s.OpenItemID != current.ItemID {
		return false
	}
	return s.AttemptOpen && (s.OpenQuantity != s.quantity(plan) || s.OpenVersion == 0) || s.AcknowledgedAt != nil && current.AsOf.Before(*s.AcknowledgedAt)
}

// drifted reports whether the quantity was changed at Stripe after it had been seen to be the
// desired one.
func (s *SeatState) drifted(plan catalog.Plan, current Subscription) bool {
	return s.SyncVersion > 0 && s.AppliedVersion == s.SyncVersion && s.DueAt == nil && s.LastSyncAt != nil && current.Quantity != s.quantity(plan)
}

// renewalUnseen reports whether the period whose paid seats are known has ended, and the snapshot
// was read before its end: the seats of the new period are not known.
func (s *SeatState) renewalUnseen(plan catalog.Plan, current Subscription, now time.Time) bool {
	return plan.SeatPolicy(current.PriceID).AtRenewal && s.PaidUntil != nil && !now.Before(*s.PaidUntil) && current.AsOf.Before(*s.PaidUntil)
}

// paid reports whether the desired seats are paid for the current period. Near its end none are.
func (s *SeatState) paid(now time.Time) bool {
	return s.PaidUntil != nil && s.DesiredSeats <= s.PaidSeats && now.Before(s.PaidUntil.Add(-renewalMargin))
}

// markSynced records that Stripe has the desired quantity.
func (s *SeatState) markSynced(current Subscription) {
	if s.LastAppliedSeats == nil || *s.LastAppliedSeats != current.Quantity {
		quantity := current.Quantity
		s.LastAppliedSeats = &quantity
	}
	if s.AppliedVersion != s.SyncVersion || s.LastSyncAt == nil || s.SyncError != "" {
		asOf := current.AsOf
		s.LastSyncAt = &asOf
	}
	s.AppliedVersion = s.SyncVersion
	s.SyncError, s.Failures, s.AttemptOpen = "", 0, false
	s.FirstChangeAt, s.DueAt = nil, nil
}

// schedulePendingInterval records that Stripe has the desired quantity, and makes an update due
// that changes only the pending invoice interval. The time and the error of a failed one are kept.
func (s *SeatState) schedulePendingInterval(current Subscription, now time.Time) {
	due, failures, message := s.DueAt, s.Failures, s.SyncError
	s.markSynced(current)
	if due == nil {
		later := now.Add(DebounceQuiet)
		due = &later
	}
	s.DueAt, s.Failures, s.SyncError = due, failures, message
}

// pendingIntervalNone is the change that clears the pending invoice interval.
const pendingIntervalNone = "none"

// pendingIntervalChange returns the change of the subscription's pending invoice interval that the
// policy of its price needs: an interval, pendingIntervalNone, or empty for none. Checkout cannot
// set the interval, so a new subscription of a yearly price lacks it
// (https://docs.stripe.com/api/subscriptions/update, pending_invoice_item_interval). An interval
// other than Usher's was set at Stripe by somebody else, and is only replaced, not cleared.
func pendingIntervalChange(plan catalog.Plan, current Subscription) string {
	switch interval := string(plan.SeatPolicy(current.PriceID).PendingInvoiceInterval); {
	case interval != "" && interval != current.PendingInvoiceInterval:
		return interval
	case interval == "" && current.PendingInvoiceInterval == string(catalog.Monthly):
		return pendingIntervalNone
	}
	return ""
}

// revertQuantity schedules the desired number to be sent again: at once the first time, with
// growing pauses if it is changed at Stripe repeatedly.
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

// clearPending drops everything that is to be sent: there is no subscription whose seats are
// synced.
func (s *SeatState) clearPending() {
	s.SyncError, s.Failures, s.AttemptOpen = "", 0, false
	s.FirstChangeAt, s.DueAt, s.ReleaseAt = nil, nil, nil
	s.AcceptedQuantity, s.PaidSeats, s.PaidUntil = 0, 0, nil
}

// scheduleSummary makes the summary due once the seats have been unchanged for summaryQuiet.
func (s *SeatState) scheduleSummary(now time.Time) {
	if s.SummarySince == nil {
		s.SummarySince = &now
	}
	due := now.Add(summaryQuiet)
	if latest := s.SummarySince.Add(summaryLimit); due.After(latest) {
		due = latest
	}
	s.SummaryDueAt = &due
}

// debouncing reports whether changes are being collected and none of them was sent.
func (s SeatState) debouncing(now time.Time) bool {
	return s.FirstChangeAt != nil && s.DueAt != nil && now.Before(*s.DueAt) && s.Failures == 0
}

// SyncStatus compares an organization's desired seats with the quantity at Stripe.
type SyncStatus string

// The sync statuses of the summary.
const (
	SyncOK      SyncStatus = "ok"
	SyncPending SyncStatus = "pending"
	SyncError   SyncStatus = "error"
)

// syncStatus returns SyncOK only if the quantity at Stripe is the desired one and no newer version
// is pending.
func (s SeatState) syncStatus(plan catalog.Plan, atStripe int) SyncStatus {
	switch {
	case s.SyncError != "":
		return SyncError
	case atStripe == s.quantity(plan) && s.AppliedVersion == s.SyncVersion:
		return SyncOK
	}
	return SyncPending
}
