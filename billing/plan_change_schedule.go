package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Bounds of the work on open and scheduled changes.
const (
	planChangeLease = 2 * seatLease
	// planChangeResume is how long a change without an answer is repeated. It is shorter than the
	// 24 hours for which Stripe keeps idempotency keys
	// (https://docs.stripe.com/api/idempotent_requests).
	planChangeResume = 12 * time.Hour
	// scheduleCheck is when a scheduled change is looked at again after it was due: Stripe may
	// begin the next phase late.
	scheduleCheck = time.Minute
	previewsKept  = 24 * time.Hour
)

// sendSchedule schedules an open downgrade.
func (pc *PlanChanges) sendSchedule(ctx context.Context, change PlanChange) (PlanChange, error) {
	scheduleID, err := pc.gateway.SchedulePlan(ctx, change.schedule("", change.Quantity))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobTimeout)
	defer cancel()
	if err != nil {
		return pc.recordFailure(ctx, change, err)
	}
	change, err = pc.finish(ctx, change, func(c *PlanChange, _ *SeatState) { c.markScheduled(scheduleID) }, nil)
	pc.logOutcome(ctx, change)
	if err != nil {
		return change, err
	}
	if _, err := pc.subscriptions.refetch(ctx, change.SubscriptionID); err != nil {
		// The schedule's own event brings the snapshot.
		pc.Log.WarnContext(ctx, "refetch after plan change failed", "organization_id", change.OrganizationID, "err", err)
	}
	return change, nil
}

// markScheduled records the schedule of a downgrade.
func (c *PlanChange) markScheduled(scheduleID string) {
	due := c.PeriodEnd.Add(scheduleCheck)
	c.Status, c.ScheduleID, c.NextAttemptAt, c.Attempts, c.Error = PlanChangeScheduled, scheduleID, &due, 0, ""
}

// Keep withdraws a scheduled change, so that the plan continues as it is. Errors: CodeForbidden;
// CodeConflict if no change is scheduled, or if it was not scheduled here; CodeStripe.
func (pc *PlanChanges) Keep(ctx context.Context, a account.Access) error {
	if err := a.RequireBilling(); err != nil {
		return err
	}
	_, err := withinLimit(ctx, pc.core, func(ctx context.Context) (struct{}, error) { return struct{}{}, pc.keep(ctx, a) })
	return err
}

func (pc *PlanChanges) keep(ctx context.Context, a account.Access) error {
	current, err := pc.refetchCurrent(ctx, a)
	if err != nil {
		return err
	}
	if current.ScheduledPriceID == "" {
		return apperr.Errorf(apperr.CodeConflict, "No change of your plan is set.")
	}
	change, known, err := apperr.Found(pc.store.PlanChanges().BySchedule(ctx, a.Organization.ID, current.ScheduleID))
	if err != nil {
		return fmt.Errorf("read plan change: %w", err)
	}
	if !known {
		return apperr.Errorf(apperr.CodeConflict, "This change was arranged with our support. Please write to us to take it back.")
	}
	if _, err := pc.subscriptions.releaseSchedule(ctx, current); err != nil {
		return apperr.StripeFailed("release schedule", err)
	}
	if err := pc.process(context.WithoutCancel(ctx), change); err != nil {
		// The plan is kept. The event of the released schedule makes the change due again.
		pc.Log.WarnContext(ctx, "plan change not recorded as withdrawn yet", "organization_id", change.OrganizationID, "err", err)
	}
	return nil
}

// releaseSchedule detaches the schedule from a subscription, which continues unchanged. A schedule
// that is released already is no error, and neither is one that was canceled with its subscription:
// it stays attached (https://docs.stripe.com/billing/subscriptions/subscription-schedules).
func (ss *Subscriptions) releaseSchedule(ctx context.Context, current Subscription) (Subscription, error) {
	released := ss.gateway.ReleaseSchedule(ctx, current.ScheduleID)
	fresh, err := ss.refetch(ctx, current.ID)
	if err != nil {
		return fresh, errors.Join(released, err)
	}
	if fresh.ScheduleID == current.ScheduleID && !fresh.Status.Ended() {
		return fresh, fmt.Errorf("schedule %s is still attached: %w", current.ScheduleID, released)
	}
	return fresh, nil
}

// wakePlanChange makes a plan change due whose pending update or schedule has changed.
func (ss *Subscriptions) wakePlanChange(ctx context.Context, tx Tx, before, fresh Subscription) error {
	finished := fresh.ScheduleID != "" && fresh.ScheduledPriceID == ""
	if !finished && before.ScheduleID == fresh.ScheduleID && before.PendingPriceID == fresh.PendingPriceID {
		return nil
	}
	if err := tx.PlanChanges().MarkDue(ctx, fresh.ID, "", ss.Now()); err != nil {
		return fmt.Errorf("make plan change due: %w", err)
	}
	return nil
}

// wakeScheduled makes a scheduled change due whose next phase has another quantity than the
// recounted seats: the phase carries a quantity of its own
// (https://docs.stripe.com/billing/subscriptions/subscription-schedules).
func (sc *SeatCounter) wakeScheduled(ctx context.Context, tx Tx, current Subscription, state SeatState, billed int) error {
	if current.ScheduledPriceID == "" {
		return nil
	}
	plan, _, known := sc.Catalog().ByPrice(current.ScheduledPriceID)
	if !known || changeQuantity(plan, state, billed) == current.ScheduledQuantity {
		return nil
	}
	if err := tx.PlanChanges().MarkDue(ctx, current.ID, current.ScheduledPriceID, sc.Now().Add(DebounceQuiet)); err != nil {
		return fmt.Errorf("make plan change due: %w", err)
	}
	return nil
}

// priceChanged drops what is known about the seats at the former price: those that are paid for its
// period, and, if a scheduled phase has begun, that Stripe has the desired number. A phase has its
// own number, which may be older than the members. It is corrected, but nobody has changed it at
// Stripe: a plan that accepts such changes would keep it as its minimum.
func (sc *SeatCounter) priceChanged(ctx context.Context, tx Tx, before, fresh Subscription) error {
	state, known, err := apperr.Found(tx.Seats().LockState(ctx, fresh.OrganizationID))
	if err != nil || !known {
		return err
	}
	changed := state
	changed.PaidSeats, changed.PaidUntil, changed.ReleaseAt = 0, nil, nil
	if before.ScheduledPriceID == fresh.PriceID && before.ScheduledQuantity == fresh.Quantity {
		changed.AppliedVersion = min(state.AppliedVersion, max(0, state.SyncVersion-1))
	}
	if changed == state {
		return nil
	}
	return tx.Seats().PutState(ctx, changed)
}

// processAllDue works on the changes that are due: those without an answer, those whose payment is
// pending, and those that are scheduled.
func (pc *PlanChanges) processAllDue(ctx context.Context) error {
	for ctx.Err() == nil {
		now := pc.Now()
		change, claimed, err := apperr.Found(pc.store.PlanChanges().ClaimDue(ctx, now, now.Add(planChangeLease)))
		if err != nil || !claimed {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, jobTimeout)
		err = pc.process(bounded, change)
		cancel()
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, errLeased):
			// A seat update of the same moment is being sent. That is no failure: the next look is
			// soon.
			if err := pc.wait(ctx, change); err != nil {
				return err
			}
		default:
			pc.Log.WarnContext(ctx, "plan change not processed", "organization_id", change.OrganizationID, "plan_change_id", change.ID, "err", err)
			if err := pc.postpone(ctx, change, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait looks at a change again once the seat update that is under way should be answered.
func (pc *PlanChanges) wait(ctx context.Context, change PlanChange) error {
	return pc.update(ctx, change, func(c *PlanChange) {
		next := pc.Now().Add(DebounceQuiet)
		c.NextAttemptAt = &next
	})
}

// postpone stores why a change could not be processed and when it is tried again.
func (pc *PlanChanges) postpone(ctx context.Context, change PlanChange, cause error) error {
	return pc.update(ctx, change, func(c *PlanChange) {
		c.Attempts++
		next := pc.Now().Add(pc.Backoff(c.Attempts))
		c.Error, c.NextAttemptAt = cause.Error(), &next
	})
}

// update writes a change of a running plan change. One that has ended meanwhile stays as it is.
func (pc *PlanChanges) update(ctx context.Context, change PlanChange, set func(*PlanChange)) error {
	return pc.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, change.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		stored, err := tx.PlanChanges().Get(ctx, change.OrganizationID, change.ID)
		if err != nil || !stored.running() {
			return err
		}
		before := stored.Status
		set(&stored)
		if err := tx.PlanChanges().Put(ctx, stored); err != nil {
			return err
		}
		return pc.recordStatus(ctx, tx, before, stored)
	})
}

// process compares a running change with the subscription at Stripe and does what is left to do.
func (pc *PlanChanges) process(ctx context.Context, change PlanChange) error {
	current, err := pc.subscriptions.refetch(ctx, change.SubscriptionID)
	if errors.Is(err, apperr.ErrNotFound) {
		return pc.update(ctx, change, func(c *PlanChange) { c.end(PlanChangeWithdrawn, pc.Now()) })
	}
	if err != nil {
		return err
	}
	switch change.Status {
	case PlanChangeOpen:
		return pc.processOpen(ctx, change, current)
	case PlanChangePending:
		return pc.processPending(ctx, change, current)
	case PlanChangeScheduled:
		return pc.processScheduled(ctx, change, current)
	}
	return nil
}

// processPending records what came of a change whose payment was not complete.
func (pc *PlanChanges) processPending(ctx context.Context, change PlanChange, current Subscription) error {
	replaced, err := pc.replaced(ctx, change, current)
	if err != nil {
		return err
	}
	outcome := change
	err = pc.update(ctx, change, func(c *PlanChange) {
		if replaced {
			c.end(PlanChangeWithdrawn, pc.Now())
		} else {
			c.recordOutcome(current, &SeatState{}, pc.Now())
		}
		outcome = *c
	})
	if err != nil {
		return err
	}
	return pc.findCharge(ctx, outcome)
}

// replaced reports whether another change to the same price took the place of a pending one: Stripe
// voids the invoice of the former
// (https://docs.stripe.com/billing/subscriptions/pending-updates#cancel). A newer invoice alone
// proves nothing, since pending items may be invoiced meanwhile.
func (pc *PlanChanges) replaced(ctx context.Context, change PlanChange, current Subscription) (bool, error) {
	if change.InvoiceID == "" || change.InvoiceID == current.LatestInvoiceID || change.PriceID != current.PendingPriceID && change.PriceID != current.PriceID {
		return false, nil
	}
	if err := pc.invoices.refetch(ctx, change.InvoiceID); err != nil {
		return false, fmt.Errorf("fetch invoice of plan change: %w", err)
	}
	invoice, err := pc.store.Invoices().Get(ctx, change.InvoiceID)
	if err != nil {
		return false, fmt.Errorf("read invoice of plan change: %w", err)
	}
	return invoice.Status == InvoiceVoid, nil
}

// processOpen finds out what came of a change without an answer. If nothing did, it is repeated
// under the same idempotency key, provided that it would still do what was confirmed.
func (pc *PlanChanges) processOpen(ctx context.Context, change PlanChange, current Subscription) error {
	record := func(set func(*PlanChange, *SeatState)) error {
		finished, err := pc.finish(ctx, change, set, nil)
		if err != nil {
			return err
		}
		return pc.findCharge(ctx, finished)
	}
	switch {
	case change.PriceID == current.PriceID || change.PriceID == current.PendingPriceID:
		return record(func(c *PlanChange, state *SeatState) { c.recordOutcome(current, state, pc.Now()) })
	case current.ScheduledPriceID != "" && change.PriceID == current.ScheduledPriceID:
		return pc.recordSchedule(ctx, change, current.ScheduleID)
	case pc.Now().Sub(*change.ConfirmedAt) > planChangeResume:
		return pc.abandon(ctx, change, current, "no answer from Stripe")
	}
	return pc.resume(ctx, change, current)
}

// recordSchedule records a schedule that does what an open change asks for. It may be that of
// another change to the same price: if that one is running, this one has nothing left to do;
// otherwise this one takes the schedule over.
func (pc *PlanChanges) recordSchedule(ctx context.Context, change PlanChange, scheduleID string) error {
	other, known, err := apperr.Found(pc.store.PlanChanges().BySchedule(ctx, change.OrganizationID, scheduleID))
	if err != nil {
		return fmt.Errorf("read plan change of schedule: %w", err)
	}
	known = known && other.ID != change.ID
	if known && !other.running() {
		err = pc.store.InTx(ctx, func(tx Tx) error {
			if _, err := tx.Organizations().Lock(ctx, other.OrganizationID); err != nil {
				return fmt.Errorf("lock organization: %w", err)
			}
			other.ScheduleID = ""
			return tx.PlanChanges().Put(ctx, other)
		})
		if err != nil {
			return err
		}
	}
	_, err = pc.finish(ctx, change, func(c *PlanChange, _ *SeatState) {
		if known && other.running() {
			c.Error = "the same change is scheduled already"
			c.end(PlanChangeFailed, pc.Now())
			return
		}
		c.markScheduled(scheduleID)
	}, nil)
	return err
}

// resume repeats a change. A schedule without a next phase is the first half of a downgrade: its
// creation is repeated under the same key, which returns it, and its phases follow.
func (pc *PlanChanges) resume(ctx context.Context, change PlanChange, current Subscription) error {
	expected := current
	if change.Kind == PlanDowngrade {
		expected.ScheduleID = ""
	}
	opened, err := pc.takeLease(ctx, expected, change)
	if err == nil && current.ScheduleID == "" {
		err = pc.comparePreview(ctx, opened, current)
	}
	switch {
	case errors.Is(err, errBegun):
		return nil
	case errors.Is(err, errLeased):
		return err
	case errors.Is(err, errMoved), apperr.CodeOf(err) == apperr.CodeConflict:
		return pc.abandon(ctx, change, current, err.Error())
	case err != nil:
		return err
	}
	_, err = pc.send(ctx, opened, current)
	return err
}

// abandon ends a change that was not made and can no longer be. A schedule without a next phase,
// the first half of the downgrade, is released.
func (pc *PlanChanges) abandon(ctx context.Context, change PlanChange, current Subscription, reason string) error {
	if change.Kind == PlanDowngrade && current.ScheduleID != "" && current.ScheduledPriceID == "" {
		if _, err := pc.subscriptions.releaseSchedule(ctx, current); err != nil {
			return err
		}
	}
	_, err := pc.finish(ctx, change, func(c *PlanChange, _ *SeatState) {
		c.Error = reason
		c.end(PlanChangeFailed, pc.Now())
	}, nil)
	return err
}

// processScheduled keeps the quantity of the next phase equal to the recounted seats, releases a
// schedule whose last phase has begun, and ends a change whose schedule is gone.
func (pc *PlanChanges) processScheduled(ctx context.Context, change PlanChange, current Subscription) error {
	attached := current.ScheduleID == change.ScheduleID && !current.Status.Ended()
	if attached && current.ScheduledPriceID != "" {
		return pc.syncSchedule(ctx, change, current)
	}
	if attached {
		var err error
		if current, err = pc.subscriptions.releaseSchedule(ctx, current); err != nil {
			return err
		}
	}
	status := PlanChangeWithdrawn
	if current.PriceID == change.PriceID {
		status = PlanChangeApplied
	}
	return pc.update(ctx, change, func(c *PlanChange) { c.end(status, pc.Now()) })
}

// syncSchedule sets the quantity of the next phase if the recounted seats differ from it. The
// update repeats the current phase with its quantity, so the lease keeps seat updates out
// meanwhile.
func (pc *PlanChanges) syncSchedule(ctx context.Context, change PlanChange, current Subscription) error {
	quantity, leased, err := pc.leaseForSchedule(ctx, change, current)
	if err != nil {
		return err
	}
	if leased {
		_, err = pc.gateway.SchedulePlan(ctx, change.schedule(change.ScheduleID, quantity))
		released := pc.releaseLease(context.WithoutCancel(ctx), change.OrganizationID)
		if err := errors.Join(err, released); err != nil {
			return err
		}
		if _, err := pc.subscriptions.refetch(ctx, change.SubscriptionID); err != nil {
			return err
		}
	}
	return pc.update(ctx, change, func(c *PlanChange) {
		if leased {
			c.Quantity = quantity
		}
		next := c.PeriodEnd.Add(scheduleCheck)
		if now := pc.Now(); next.Before(now) {
			next = now.Add(scheduleCheck)
		}
		c.Attempts, c.Error, c.NextAttemptAt = 0, "", &next
	})
}

// leaseForSchedule recounts the seats for the next phase and takes the lease if the phase has
// another quantity.
func (pc *PlanChanges) leaseForSchedule(ctx context.Context, change PlanChange, current Subscription) (quantity int, leased bool, err error) {
	plan := pc.offerOf(change.PriceID).Plan
	err = pc.store.InTx(ctx, func(tx Tx) error {
		leased = false
		if _, err := tx.Organizations().Lock(ctx, change.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, billed, err := tx.Seats().LockAndCount(ctx, change.OrganizationID)
		if err != nil {
			return fmt.Errorf("count billable members: %w", err)
		}
		quantity = changeQuantity(plan, state, billed)
		if plan.ID == "" || current.ScheduledPriceID != change.PriceID || quantity == current.ScheduledQuantity {
			return nil
		}
		if state.leased(pc.Now()) {
			return errLeased
		}
		lease := pc.Now().Add(seatLease)
		leased, state.LeaseUntil = true, &lease
		return tx.Seats().PutState(ctx, state)
	})
	return quantity, leased, err
}

func (pc *PlanChanges) releaseLease(ctx context.Context, organizationID string) error {
	return pc.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, err := tx.Seats().LockState(ctx, organizationID)
		if err != nil {
			return fmt.Errorf("lock seat state: %w", err)
		}
		state.LeaseUntil = nil
		return tx.Seats().PutState(ctx, state)
	})
}

// prune removes previews that were never confirmed.
func (pc *PlanChanges) prune(ctx context.Context) error {
	if err := pc.store.PlanChanges().Prune(ctx, pc.Now().Add(-previewsKept)); err != nil {
		return fmt.Errorf("prune previews: %w", err)
	}
	return nil
}
