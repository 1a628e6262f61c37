package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// PlanMovedError is a CodeConflict error: what was confirmed is no longer what the change costs.
// It carries the new preview.
type PlanMovedError struct {
	Preview PlanPreview
	cause   *apperr.Error
}

// Error returns the message for people.
func (e *PlanMovedError) Error() string { return e.cause.Error() }

// Unwrap returns the CodeConflict error.
func (e *PlanMovedError) Unwrap() error { return e.cause }

// Apply makes a previewed change. confirm is the preview's token. A repeated call returns the
// result of the first one. Errors: CodeForbidden; a [PlanMovedError] if the amount, the seats or
// the plan changed since the preview, and nothing is changed; CodeConflict if the plan cannot be
// changed or a seat update stays under way; CodeStripe. If Stripe gave no answer, the change stays
// open and the worker finds out what came of it.
func (pc *PlanChanges) Apply(ctx context.Context, a account.Access, planID string, interval catalog.Interval, confirm string) (PlanChange, error) {
	if err := a.RequireBilling(); err != nil {
		return PlanChange{}, err
	}
	to, err := pc.offer(planID, interval)
	if err != nil {
		return PlanChange{}, err
	}
	calls, cancelCalls := pc.limitStripe(ctx) // before the change itself
	defer cancelCalls()
	change, known, err := apperr.Found(pc.store.PlanChanges().Get(ctx, a.Organization.ID, confirm))
	switch {
	case err != nil:
		return PlanChange{}, fmt.Errorf("read plan change: %w", err)
	case known && change.PriceID == to.Price.ID && change.begun():
		return change, openError(change)
	case !known || change.PriceID != to.Price.ID || change.Status != PlanChangePreviewed || pc.Now().Sub(change.PreviewedAt) > previewLifetime:
		return PlanChange{}, pc.moved(ctx, calls, a, to)
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout) // shorter than the lease
	defer cancel()
	var current Subscription
	previewed := change
	err = untilFree(calls, func() (err error) {
		if current, err = pc.refetchCurrent(calls, a); err != nil {
			return err
		}
		change, err = pc.open(ctx, calls, current, previewed)
		return err
	})
	if errors.Is(err, errBegun) && change.begun() {
		return change, openError(change)
	}
	if errors.Is(err, errBegun) || errors.Is(err, errMoved) {
		return PlanChange{}, pc.moved(ctx, calls, a, to)
	}
	if err != nil {
		return PlanChange{}, err
	}
	return pc.send(ctx, change, current)
}

// openError returns the error of a repeated request whose first one has no answer yet.
func openError(change PlanChange) error {
	if change.Status == PlanChangeOpen {
		return apperr.Errorf(apperr.CodeConflict, "This change is being made. The billing page shows it in a moment.")
	}
	return nil
}

// moved returns the new preview as an error.
func (pc *PlanChanges) moved(ctx, calls context.Context, a account.Access, to PlanOffer) error {
	preview, err := pc.preview(ctx, calls, a, to)
	if err != nil {
		return err
	}
	return &PlanMovedError{preview, apperr.Errorf(apperr.CodeConflict, "The amount has changed since you saw it. Nothing was charged; please confirm the new one.")}
}

// open checks a preview against the state of today and stores the change as open, before Stripe is
// called. The seat sync's lease keeps seat updates out until the answer is stored, so the quantity
// counted here is the one that is charged.
func (pc *PlanChanges) open(ctx, calls context.Context, current Subscription, change PlanChange) (PlanChange, error) {
	change, err := pc.takeLease(ctx, current, change)
	if err != nil {
		return change, err
	}
	if err := pc.comparePreview(calls, change, current); err != nil {
		// Nothing was sent to Stripe.
		_, failed := pc.finish(context.WithoutCancel(ctx), change, func(c *PlanChange, _ *SeatState) { c.end(PlanChangeWithdrawn, pc.Now()) }, nil)
		return change, errors.Join(err, failed)
	}
	return change, nil
}

// Errors of takeLease.
var (
	// errMoved reports that the state has changed since the preview.
	errMoved = errors.New("the plan change differs from its preview")
	// errBegun reports that the change has another status by now, because another request or the
	// worker has begun it. It is returned with the change as it is stored.
	errBegun = errors.New("the plan change was begun elsewhere")
	// errLeased reports that another call to Stripe about the organization's seats is under way.
	errLeased = errors.New("the seats are being updated")
)

// takeLease checks the change against the subscription and the recounted seats, takes the lease
// and stores the change as open.
func (pc *PlanChanges) takeLease(ctx context.Context, current Subscription, change PlanChange) (opened PlanChange, err error) {
	from, to := pc.offerOf(current.PriceID), pc.offerOf(change.PriceID)
	err = pc.store.InTx(ctx, func(tx Tx) error {
		opened = change
		organization, err := tx.Organizations().Lock(ctx, change.OrganizationID)
		if err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, billed, err := tx.Seats().LockAndCount(ctx, organization.ID)
		if err != nil {
			return fmt.Errorf("count billable members: %w", err)
		}
		stored, err := tx.PlanChanges().Get(ctx, organization.ID, change.ID)
		if err != nil {
			return fmt.Errorf("read plan change: %w", err)
		}
		now := pc.Now()
		quantity := changeQuantity(to.Plan, state, billed)
		switch {
		case stored.Status != change.Status:
			opened = stored
			return errBegun
		case state.leased(now):
			return &apperr.Error{Code: apperr.CodeConflict, Message: "A change of the seats is being sent to Stripe. Please try again in a few seconds.", Err: errLeased}
		case organization.RequireNotDeleting() != nil:
			return organization.RequireNotDeleting()
		}
		if err := checkPlanChange(current, from, to, billed); err != nil {
			return err
		}
		if !change.matches(current, classifyPlanChange(current, from, to, billed), quantity) {
			return errMoved
		}
		lease := now.Add(seatLease)
		state.OrganizationID, state.LeaseUntil = organization.ID, &lease
		if err := tx.Seats().PutState(ctx, state); err != nil {
			return fmt.Errorf("write seat state: %w", err)
		}
		opened.Status, opened.NextAttemptAt, opened.SeatVersion = PlanChangeOpen, &lease, state.SyncVersion
		if opened.ConfirmedAt == nil {
			opened.ConfirmedAt = &now
		}
		if err := tx.PlanChanges().Put(ctx, opened); err != nil {
			return fmt.Errorf("write plan change: %w", err)
		}
		if err := pc.recordStatus(ctx, tx, change.Status, opened); err != nil {
			return err
		}
		return tx.SeatAttempts().Insert(ctx, opened.seatAttempt())
	})
	return opened, err
}

// leased reports whether a worker is calling Stripe about the seats.
func (s SeatState) leased(now time.Time) bool {
	return s.LeaseUntil != nil && now.Before(*s.LeaseUntil)
}

// matches reports whether the change is still the one that was previewed.
func (c PlanChange) matches(current Subscription, kind PlanChangeKind, quantity int) bool {
	return c.SubscriptionID == current.ID && c.ItemID == current.ItemID && c.FromPriceID == current.PriceID &&
		c.Kind == kind && c.Quantity == quantity && c.PeriodEnd.Equal(current.CurrentPeriodEnd)
}

// seatAttempt returns the change as an update of the quantity, for the seat ledger and for the
// limits of updates and invoices.
func (c PlanChange) seatAttempt() SeatAttempt {
	return SeatAttempt{
		Key: c.update().IdempotencyKey, OrganizationID: c.OrganizationID, SubscriptionID: c.SubscriptionID, Version: c.SeatVersion,
		Quantity: c.Quantity, Proration: c.update().Proration, At: *c.ConfirmedAt,
	}
}

// comparePreview previews a change once more, with the same date: a coupon, a tax rate, the
// customer's balance or pending items may have changed what was shown.
func (pc *PlanChanges) comparePreview(ctx context.Context, change PlanChange, current Subscription) error {
	if change.Kind != PlanUpgrade && change.Digest == "" {
		return nil
	}
	again, err := pc.calculate(ctx, current, change, pc.offerOf(change.PriceID))
	if err != nil {
		return err
	}
	if again.Change.AmountDue != change.AmountDue || change.Digest != "" && again.digest() != change.Digest {
		return errMoved
	}
	return nil
}

// send makes an open change at Stripe and stores the answer. current is the subscription before
// the call.
func (pc *PlanChanges) send(ctx context.Context, change PlanChange, current Subscription) (PlanChange, error) {
	if change.Kind == PlanDowngrade {
		return pc.sendSchedule(ctx, change)
	}
	answer, err := pc.gateway.ChangePlan(ctx, change.update())
	// The result is stored even if the time is up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobTimeout)
	defer cancel()
	if err != nil {
		return pc.recordFailure(ctx, change, err)
	}
	if answer.Replayed {
		return pc.recordReplayed(ctx, change, answer.RequestID)
	}
	return pc.recordAnswer(ctx, change, answer, current)
}

// recordAnswer stores Stripe's answer and, in the same transaction, the snapshot that came with
// it. If another snapshot was stored meanwhile, the subscription is refetched first, so that no
// page shows a completed change beside the old plan; if that fails, the change stays open.
func (pc *PlanChanges) recordAnswer(ctx context.Context, change PlanChange, answer UpdatedSubscription, before Subscription) (PlanChange, error) {
	fresh := false
	record := func(c *PlanChange, state *SeatState) {
		c.RequestID = answer.RequestID
		if invoice := answer.LatestInvoice; invoice != nil && invoice.ID != before.LatestInvoiceID {
			fresh = c.recordCharge(*invoice)
		}
		c.recordOutcome(answer.Subscription.Classified(pc.Catalog()), state, pc.Now())
	}
	recorded, err := pc.finish(ctx, change, record, func(tx Tx) error {
		_, err := pc.subscriptions.applyFetchedTx(ctx, tx, answer.Subscription, before.Revision)
		return err
	})
	if mustRefetch(err) {
		if _, err := pc.subscriptions.refetch(ctx, change.SubscriptionID); err != nil {
			return change, apperr.StripeFailed("refetch subscription", err)
		}
		recorded, err = pc.finish(ctx, change, record, nil)
	}
	if err != nil {
		return change, err
	}
	if fresh {
		pc.logCharge(ctx, recorded)
	}
	pc.logOutcome(ctx, recorded)
	return recorded, nil
}

// recordReplayed handles the answer to an earlier request: what is true now is read.
func (pc *PlanChanges) recordReplayed(ctx context.Context, change PlanChange, requestID string) (PlanChange, error) {
	current, err := pc.subscriptions.refetch(ctx, change.SubscriptionID)
	if err != nil {
		return change, apperr.StripeFailed("refetch subscription", err)
	}
	change, err = pc.finish(ctx, change, func(c *PlanChange, state *SeatState) {
		c.RequestID = requestID
		c.recordOutcome(current, state, pc.Now())
	}, nil)
	pc.logOutcome(ctx, change)
	if err != nil {
		return change, err
	}
	return change, pc.findCharge(ctx, change)
}

// recordOutcome sets what came of a change that was sent, by the subscription's state after it.
func (c *PlanChange) recordOutcome(s Subscription, state *SeatState, now time.Time) {
	switch c.PriceID {
	case s.PriceID:
		c.end(PlanChangeApplied, now)
		state.recordPlanChange(*c, s)
	case s.PendingPriceID:
		c.Status, c.InvoiceID, c.NextAttemptAt = PlanChangePending, cmp.Or(c.InvoiceID, s.LatestInvoiceID), s.PendingUntil
	default:
		c.end(PlanChangeWithdrawn, now)
	}
	c.Attempts, c.Error = 0, ""
}

// end sets a final status.
func (c *PlanChange) end(status PlanChangeStatus, now time.Time) {
	c.Status, c.DoneAt, c.NextAttemptAt = status, &now, nil
}

// recordPlanChange records that Stripe accepted the quantity of a plan change.
func (s *SeatState) recordPlanChange(c PlanChange, after Subscription) {
	quantity, acknowledged := after.Quantity, after.AsOf
	s.AttemptOpen, s.SyncError, s.Failures = false, "", 0
	s.LastAppliedSeats, s.AppliedVersion = &quantity, max(s.AppliedVersion, c.SeatVersion)
	s.AcknowledgedAt = &acknowledged
}

// finish releases the lease and writes the change as set gives it; then runs in the same
// transaction after both are written. A change that is no longer open, because another replica has
// finished it, is returned as it is stored.
func (pc *PlanChanges) finish(ctx context.Context, change PlanChange, set func(*PlanChange, *SeatState), then func(Tx) error) (finished PlanChange, err error) {
	err = pc.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, change.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, _, err := tx.Seats().LockAndCount(ctx, change.OrganizationID)
		if err != nil {
			return fmt.Errorf("lock seat state: %w", err)
		}
		if finished, err = tx.PlanChanges().Get(ctx, change.OrganizationID, change.ID); err != nil {
			return fmt.Errorf("read plan change: %w", err)
		}
		if finished.Status != PlanChangeOpen {
			return nil
		}
		state.LeaseUntil = nil
		set(&finished, &state)
		if err := tx.Seats().PutState(ctx, state); err != nil {
			return fmt.Errorf("write seat state: %w", err)
		}
		if err := tx.PlanChanges().Put(ctx, finished); err != nil {
			return fmt.Errorf("write plan change: %w", err)
		}
		if err := pc.recordStatus(ctx, tx, PlanChangeOpen, finished); err != nil {
			return err
		}
		if err := tx.SeatAttempts().RecordAnswer(ctx, finished.seatAnswer(state)); err != nil || then == nil {
			return err
		}
		return then(tx)
	})
	return finished, err
}

// seatAnswer returns the outcome of a change as that of an update of the quantity.
func (c PlanChange) seatAnswer(state SeatState) SeatAttempt {
	answer := SeatAttempt{Key: c.update().IdempotencyKey, RequestID: c.RequestID, Error: c.Error}
	if c.Status != PlanChangeOpen {
		accepted := c.Status == PlanChangeApplied
		answer.Accepted = &accepted
		if accepted {
			answer.AcknowledgedAt = state.AcknowledgedAt
		}
	}
	return answer
}

// recordFailure stores why a change failed. If the outcome is unknown, the change stays open.
func (pc *PlanChanges) recordFailure(ctx context.Context, change PlanChange, cause error) (PlanChange, error) {
	var refused *apperr.StripeError
	definite := errors.As(cause, &refused) && !refused.OutcomeUnknown && !refused.ShouldRetry
	change, err := pc.finish(ctx, change, func(c *PlanChange, _ *SeatState) {
		c.Error = cause.Error()
		if definite {
			c.RequestID = refused.RequestID
			c.end(PlanChangeFailed, pc.Now())
			return
		}
		c.Attempts++
		next := pc.Now().Add(pc.Backoff(c.Attempts))
		c.NextAttemptAt = &next
	}, nil)
	pc.Log.WarnContext(ctx, "plan change failed", "organization_id", change.OrganizationID, "plan_change_id", change.ID, "err", cause)
	if definite && err == nil {
		_, err = pc.subscriptions.refetch(ctx, change.SubscriptionID)
	}
	return change, errors.Join(planChangeError(refused, definite, cause), err)
}

// planChangeError is the error that a person sees.
func planChangeError(refused *apperr.StripeError, definite bool, cause error) error {
	message := "Stripe did not answer in time. Look at the billing page in a minute: it shows whether the plan was changed."
	switch {
	case definite && refused.Status == 402:
		message = "The card was not charged, so the plan is as it was. Update the card and try again."
	case definite:
		message = "Stripe refused the change. Nothing was charged, and the plan is as it was."
	}
	return &apperr.Error{Code: apperr.CodeStripe, Message: message, Err: fmt.Errorf("change plan: %w", cause)}
}

func (pc *PlanChanges) logOutcome(ctx context.Context, c PlanChange) {
	pc.Log.InfoContext(ctx, "plan change sent", "organization_id", c.OrganizationID, "plan_change_id", c.ID, "kind", c.Kind, "status", c.Status)
}
