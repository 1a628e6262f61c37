package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/phrase"
)

// SeatAttempt is a quantity update that was sent to Stripe under one idempotency key.
type SeatAttempt struct {
	Key            string            `db:"key"`
	OrganizationID string            `db:"organization_id"`
	SubscriptionID string            `db:"subscription_id"`
	Version        int64             `db:"version"` // the SyncVersion it was sent for
	Quantity       int               `db:"quantity"`
	Proration      catalog.Proration `db:"proration"`
	At             time.Time         `db:"at"`         // when it was first sent
	RequestID      string            `db:"request_id"` // Stripe's; empty while no answer was read
	Accepted       *bool             `db:"accepted"`   // nil: no answer was read
	Error          string            `db:"error"`
	// AcknowledgedAt is when Stripe accepted it, by Stripe's clock; nil: it did not, or the answer
	// was a replay.
	AcknowledgedAt *time.Time `db:"acknowledged_at"`
	// ProratedAt is the proration date it was sent with; nil: none.
	ProratedAt *time.Time `db:"prorated_at"`
	PreviewID  string     `db:"preview_id"` // the confirmed preview that it carries out; empty: none
}

// isDue reports whether an update is due and no worker holds the lease.
func (s *SeatState) isDue(now time.Time) bool {
	return s.DueAt != nil && !now.Before(*s.DueAt) && (s.LeaseUntil == nil || !now.Before(*s.LeaseUntil))
}

// retries reports whether the open attempt, which has no answer, is the update to send now.
func (s *SeatState) retries(plan catalog.Plan, current Subscription) bool {
	return s.AttemptOpen && s.OpenVersion == s.SyncVersion && s.OpenItemID == current.ItemID && s.OpenQuantity == s.quantity(plan)
}

// nextAttempt opens an attempt and takes the lease. The key of an earlier attempt is used again
// only if that one sent the same update and has no answer, and then with the proration it was first
// sent with.
func (s *SeatState) nextAttempt(plan catalog.Plan, current Subscription, proration catalog.Proration, interval string, now time.Time) QuantityUpdate {
	if !s.retries(plan, current) {
		s.open(current.ItemID, s.SyncVersion, now)
		s.OpenProration, s.OpenInterval = proration, interval
	}
	lease := now.Add(seatLease)
	s.OpenQuantity, s.LeaseUntil = s.quantity(plan), &lease
	return QuantityUpdate{
		SubscriptionID: current.ID, ItemID: current.ItemID, Quantity: s.OpenQuantity,
		Proration: string(s.OpenProration), PendingInvoiceInterval: s.OpenInterval,
		IdempotencyKey: s.attemptKey(),
	}
}

// sentBefore returns the attempt of the same key as it was first sent, if there is one: what is
// repeated under a key must have the same parameters.
func sentBefore(earlier []SeatAttempt, attempt SeatAttempt) SeatAttempt {
	for _, sent := range earlier {
		if sent.Key == attempt.Key {
			attempt.ProratedAt, attempt.PreviewID = sent.ProratedAt, sent.PreviewID
		}
	}
	return attempt
}

// intervalAttempt opens an attempt that changes only the pending invoice interval. If it gets no
// answer, the subscription is refetched instead of repeating it.
func (s *SeatState) intervalAttempt(plan catalog.Plan, current Subscription, interval string, now time.Time) QuantityUpdate {
	lease := now.Add(seatLease)
	s.open(current.ItemID, 0, now)
	s.OpenQuantity, s.OpenProration, s.OpenInterval, s.LeaseUntil = s.quantity(plan), "", interval, &lease
	return QuantityUpdate{SubscriptionID: current.ID, PendingInvoiceInterval: interval, IdempotencyKey: s.attemptKey()}
}

// open opens an attempt under a new idempotency key. The key contains the time, because versions
// and attempts repeat after the restore of an older database, while Stripe remembers a key for 24
// hours at least (https://docs.stripe.com/api/idempotent_requests).
func (s *SeatState) open(itemID string, version int64, now time.Time) {
	s.Attempt++
	s.AttemptOpen, s.OpenItemID, s.OpenVersion = true, itemID, version
	s.OpenKey = fmt.Sprintf("%s:%d", s.attemptName(), now.UnixMilli())
}

// attemptKey returns the idempotency key of the open attempt.
func (s *SeatState) attemptKey() string {
	if name := s.attemptName(); !strings.HasPrefix(s.OpenKey, name+":") {
		return name // a replica of a release before migration 68 opened it
	}
	return s.OpenKey
}

func (s *SeatState) attemptName() string {
	return fmt.Sprintf("seats:%s:%d:%d", s.OpenItemID, s.OpenVersion, s.Attempt)
}

// seatProration returns the proration for the rest of the period, by the policy of the price. A
// decrease while an invoice is unpaid credits nothing, since that money was never received
// (https://docs.stripe.com/billing/subscriptions/prorations, unpaid invoices). Seats that are paid
// until the period ends cost nothing when they are used again.
func seatProration(plan catalog.Plan, state SeatState, current Subscription, now time.Time) catalog.Proration {
	policy := plan.SeatPolicy(current.PriceID)
	increase := state.quantity(plan) > current.Quantity
	switch {
	case !plan.PerSeat:
		return flatProration(policy)
	case increase && state.paid(now):
		return catalog.ProrationNone
	case increase:
		return policy.OnIncrease
	case current.Status == StatusPastDue:
		return catalog.ProrationNone
	}
	return policy.OnDecrease
}

// flatProration returns the proration of setting a flat plan's quantity to 1. The switch that left
// a higher one has prorated that many times the price, paid or not, so the excess is always
// credited. A credit that would be pending for more than a month is invoiced at once instead, which
// adds it to the customer's balance.
func flatProration(policy catalog.SeatPolicy) catalog.Proration {
	if policy.OnDecrease == catalog.ProrationAlwaysInvoice || policy.Interval == catalog.Yearly {
		return catalog.ProrationAlwaysInvoice
	}
	return catalog.ProrationCreateProrations
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// throttle checks the next update against those sent before. It returns how long to wait and the
// proration to send it with then. If the day's invoices are used up, the update is sent all the
// same and charged on the next invoice.
func throttle(earlier []SeatAttempt, now time.Time, proration catalog.Proration) (time.Duration, catalog.Proration) {
	wait := waitForWindow(earlier, now, time.Hour, updatesPerHour, countAll)
	if proration != catalog.ProrationAlwaysInvoice {
		return wait, proration
	}
	if waitForWindow(earlier, now, 24*time.Hour, invoicesPerDay, SeatAttempt.invoiced) > 0 {
		return wait, catalog.ProrationCreateProrations
	}
	return max(wait, waitForWindow(earlier, now, time.Minute, invoicesPerMinute, SeatAttempt.invoiced)), proration
}

func countAll(SeatAttempt) bool { return true }

func (a SeatAttempt) invoiced() bool { return a.Proration == catalog.ProrationAlwaysInvoice }

// waitForWindow returns how long to wait until fewer than limit of the attempts that count lie
// within the window.
func waitForWindow(earlier []SeatAttempt, now time.Time, length time.Duration, limit int, counts func(SeatAttempt) bool) time.Duration {
	var within []time.Time
	for _, a := range earlier {
		if counts(a) && now.Sub(a.At) < length {
			within = append(within, a.At)
		}
	}
	if len(within) < limit {
		return 0
	}
	return within[len(within)-limit].Add(length).Sub(now)
}

// failedAttempt is the result of a failed call; one without an answer stays open.
func failedAttempt(update QuantityUpdate, cause error) SeatAttempt {
	attempt := SeatAttempt{Key: update.IdempotencyKey, Error: cause.Error()}
	var refused *apperr.StripeError
	if errors.As(cause, &refused) {
		attempt.RequestID, attempt.Error = refused.RequestID, seatErrorMessage(refused, cause)
		if !refused.OutcomeUnknown {
			accepted := false
			attempt.Accepted = &accepted
		}
	}
	return attempt
}

// seatErrorMessage describes a failure to billing admins: what Stripe answered, its code and the
// request id.
func seatErrorMessage(refused *apperr.StripeError, cause error) string {
	switch {
	case refused == nil && errors.Is(cause, context.DeadlineExceeded), refused != nil && refused.OutcomeUnknown:
		return seatErrorNoAnswer
	case refused == nil:
		return seatErrorNotSent
	case refused.Status == 429:
		return seatErrorTooFast
	}
	code := cmp.Or(refused.DeclineCode, refused.Code, fmt.Sprintf("status %d", refused.Status))
	return seatErrorRefused + fmt.Sprintf("%s (%s, request %s)", refused.Message, code, refused.RequestID)
}

// The errors that are stored with seat updates.
const (
	seatErrorNoAnswer = "Stripe did not answer in time."
	seatErrorNotSent  = "The number of seats could not be sent to Stripe."
	seatErrorTooFast  = "Stripe asked us to slow down."
	seatErrorRefused  = "Stripe refused the change: " // and Stripe's message
)

// SeatErrorPhrase returns a stored error of a seat update as a text to show.
func SeatErrorPhrase(stored string) phrase.Phrase {
	switch stored {
	case seatErrorNoAnswer:
		return phrase.Of("Stripe did not answer in time.")
	case seatErrorNotSent:
		return phrase.Of("The number of seats could not be sent to Stripe.")
	case seatErrorTooFast:
		return phrase.Of("Stripe asked us to slow down.")
	}
	if message, found := strings.CutPrefix(stored, seatErrorRefused); found {
		return phrase.Of("Stripe refused the change: %s", phrase.Name(message))
	}
	return phrase.Verbatim(stored)
}
