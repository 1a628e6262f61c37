package billing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/job"
)

// SeatSyncer sends the desired seats to Stripe. Sync is one update of one organization: open an
// attempt, call Stripe, record the result.
type SeatSyncer struct {
	*core
	seats         *SeatCounter
	subscriptions *Subscriptions
	holds         sync.Map // ids of organizations, see [SeatSyncer.Hold]
}

// Hold keeps this replica from sending an organization's seats until release is called. The demo
// plays an organization's past with a service of another clock: the worker of the present would
// find every change long due.
func (sy *SeatSyncer) Hold(organizationID string) (release func()) {
	sy.holds.Store(organizationID, true)
	return func() { sy.holds.Delete(organizationID) }
}

// QuantityUpdate is one update of a subscription item's quantity, of the subscription's pending
// invoice interval, or of both.
type QuantityUpdate struct {
	SubscriptionID string
	ItemID         string // empty: the quantity is left as it is
	Quantity       int    // absolute
	// PendingInvoiceInterval is how often Stripe invoices pending prorations from now on: "month",
	// "none" (only at renewals), or empty to leave it as it is.
	PendingInvoiceInterval string
	// Proration is Stripe's proration_behavior: create_prorations, always_invoice or none.
	Proration string
	// ProratedAt is the time up to which the former quantity counts as used; nil: now. Not with
	// none.
	ProratedAt     *time.Time
	IdempotencyKey string
}

// seatLease is how long one worker owns an organization's sync. It is longer than a call to Stripe
// may take.
const seatLease = 30 * time.Second

// Stripe's limits for one subscription are 200 quantity updates an hour, 10 new invoices a minute
// and 20 a day (https://docs.stripe.com/billing/subscriptions/quantities,
// https://docs.stripe.com/rate-limits). These stay below them, since others may change the
// subscription too.
const (
	updatesPerHour    = 180
	invoicesPerMinute = 8
	invoicesPerDay    = 16
	seatAttemptsKept  = 24 * time.Hour // the longest window of the limits
)

// pendingUpdateHold is when a seat update that a pending update holds back is looked at again.
const pendingUpdateHold = time.Minute

// datedAttempts is how many failed attempts send the proration date of a confirmed change. Stripe
// may have refused the date, and the seats do not depend on it.
const datedAttempts = 3

// Retry makes the pending update due at once. If none is pending by the stored snapshot, that one
// may be outdated, since a webhook may be lost: the subscription is refetched first. queued is
// false only if Stripe has the desired quantity, or if there is nothing to sync. Errors:
// CodeForbidden; CodeStripe if the refetch failed, so that it is not known whether the quantity
// differs.
func (sy *SeatSyncer) Retry(ctx context.Context, a account.Access) (queued bool, err error) {
	if err := a.RequireBilling(); err != nil {
		return false, err
	}
	if queued, err = sy.makeDue(ctx, a); err != nil || queued {
		return queued, err
	}
	fetchCtx, cancel := sy.limitStripe(ctx)
	defer cancel()
	if err := sy.subscriptions.Refresh(fetchCtx, a); err != nil {
		return false, err
	}
	return sy.makeDue(ctx, a)
}

// makeDue recounts the seats and makes the pending update due now, if there is one.
func (sy *SeatSyncer) makeDue(ctx context.Context, a account.Access) (queued bool, err error) {
	err = sy.store.InTx(ctx, func(tx Tx) error {
		queued = false
		if _, err := tx.Organizations().Lock(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := sy.seats.recount(ctx, tx, a.Organization.ID, seatReason{actor: a.User.ID, reason: reasonRetried}); err != nil {
			return err
		}
		state, known, err := apperr.Found(tx.Seats().LockState(ctx, a.Organization.ID))
		if err != nil || !known || state.DueAt == nil {
			return err
		}
		now := sy.Now()
		state.DueAt, queued = &now, true
		if err := tx.Seats().PutState(ctx, state); err != nil {
			return fmt.Errorf("write seat state: %w", err)
		}
		if err := sy.audit(ctx, tx, a.Did(account.ActSeatSyncRetried)); err != nil {
			return err
		}
		return sy.Enqueue(ctx, tx.Jobs(), job.KindSeats, state.OrganizationID, fmt.Sprintf("retry:%d", now.UnixMicro()), now)
	})
	return queued, err
}

// syncAllDue syncs the organizations whose update is due, with several workers.
func (sy *SeatSyncer) syncAllDue(ctx context.Context) error {
	due, err := sy.store.Seats().DueSyncs(ctx, sy.Now(), seatBatch)
	if err != nil {
		return fmt.Errorf("list due seat syncs: %w", err)
	}
	queue := make(chan string)
	var group sync.WaitGroup
	for range min(workers, len(due)) {
		group.Go(func() {
			for id := range queue {
				sy.syncDue(ctx, id)
			}
		})
	}
	for _, id := range due {
		queue <- id
	}
	close(queue)
	group.Wait()
	return nil
}

// runJob syncs an organization's seats if they are due. again is the time until the next update is
// due; 0: none is pending.
func (sy *SeatSyncer) runJob(ctx context.Context, organizationID string) (again time.Duration, err error) {
	sy.syncDue(ctx, organizationID)
	state, known, err := apperr.Found(sy.store.Seats().State(ctx, organizationID))
	if err != nil || !known || state.DueAt == nil {
		return 0, err
	}
	return max(0, state.DueAt.Sub(sy.Now())), nil
}

// syncDue is Sync within jobTimeout that logs the error.
func (sy *SeatSyncer) syncDue(ctx context.Context, organizationID string) {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := sy.Sync(ctx, organizationID); err != nil && !errors.Is(err, context.Canceled) {
		sy.Log.WarnContext(ctx, "seat sync failed", "organization_id", organizationID, "err", err)
	}
}

// Sync sends an organization's desired seats to Stripe if they are due and differ from the
// subscription's quantity. The attempt is stored before the call, so that a call whose answer was
// lost is repeated under the same idempotency key. The lease keeps two calls for one organization
// from running at once.
func (sy *SeatSyncer) Sync(ctx context.Context, organizationID string) error {
	if _, onHold := sy.holds.Load(organizationID); onHold {
		return nil
	}
	attempt, err := sy.openAttempt(ctx, organizationID)
	if err != nil || attempt.subscriptionID == "" {
		return err
	}
	if attempt.update.IdempotencyKey == "" {
		return sy.refetchBeforeUpdate(ctx, attempt)
	}
	before, _, err := apperr.Found(sy.store.Subscriptions().Get(ctx, attempt.subscriptionID))
	if err != nil {
		return fmt.Errorf("sync seats: %w", err)
	}
	answer, err := sy.gateway.UpdateQuantity(ctx, attempt.update)
	// The result is stored even if the time is up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobTimeout)
	defer cancel()
	if err != nil {
		return sy.recordFailure(ctx, attempt, err)
	}
	// The answer to an earlier request: today's state is read before the attempt is closed.
	if answer.Replayed {
		if _, err := sy.subscriptions.refetch(ctx, attempt.subscriptionID); err != nil {
			return sy.recordRefetchFailure(ctx, attempt.state, err)
		}
	}
	applied, err := sy.recordSuccess(ctx, attempt, answer, before.Revision)
	if err == nil && !applied {
		_, err = sy.subscriptions.refetch(ctx, attempt.subscriptionID)
	}
	return errors.Join(err, sy.recordCharge(ctx, attempt, answer, before))
}

// openedAttempt is the outcome of openAttempt.
type openedAttempt struct {
	subscriptionID string    // empty: nothing to send
	state          SeatState // as the attempt was opened
	// update has no key if the subscription has to be refetched before anything is sent.
	update QuantityUpdate
	// previewID is the confirmed preview that the update carries out; empty: none.
	previewID string
}

// openAttempt stores the next attempt, if an update is due and no other worker holds the lease.
func (sy *SeatSyncer) openAttempt(ctx context.Context, organizationID string) (attempt openedAttempt, err error) {
	err = sy.store.InTx(ctx, func(tx Tx) error {
		attempt = openedAttempt{}
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, known, err := apperr.Found(tx.Seats().LockState(ctx, organizationID))
		if err != nil {
			return fmt.Errorf("lock seat state: %w", err)
		}
		if !known || !state.isDue(sy.Now()) {
			return nil
		}
		current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sy.knownAccount()))
		if err != nil {
			return fmt.Errorf("look up subscription: %w", err)
		}
		plan := sy.planOf(current)
		equal := current.Quantity == state.quantity(plan)
		stale := state.maybeStale(plan, current)
		switch {
		case !known, !seatsSynced(plan, current), state.keepsQuantity(current), equal && !stale && pendingIntervalChange(plan, current) == "":
			return sy.seats.recount(ctx, tx, organizationID, seatReason{reason: reasonChecked})
		case !equal && !stale && current.holdsSeats(state.quantity(plan), sy.Now()):
			later := sy.Now().Add(pendingUpdateHold)
			state.DueAt = &later
			return tx.Seats().PutState(ctx, state)
		case equal && stale, !equal && state.AppliedVersion == state.SyncVersion, state.renewalUnseen(plan, current, latest(sy.Now(), current.AsOf)):
			attempt = openedAttempt{subscriptionID: current.ID, state: state}
			return nil
		}
		attempt, err = sy.storeAttempt(ctx, tx, state, plan, current)
		return err
	})
	return attempt, err
}

// storeAttempt opens the next attempt and stores it, or postpones it where Stripe's limits require
// that.
func (sy *SeatSyncer) storeAttempt(ctx context.Context, tx Tx, state SeatState, plan catalog.Plan, current Subscription) (openedAttempt, error) {
	now, interval := sy.Now(), pendingIntervalChange(plan, current)
	if current.Quantity == state.quantity(plan) {
		update := state.intervalAttempt(plan, current, interval, now)
		return openedAttempt{subscriptionID: current.ID, state: state, update: update}, tx.Seats().PutState(ctx, state)
	}
	if state.Failures > 0 {
		interval = "" // Stripe may have refused it, and the seats do not depend on it
	}
	earlier, err := tx.SeatAttempts().List(ctx, current.ID, now.Add(-seatAttemptsKept))
	if err != nil {
		return openedAttempt{}, fmt.Errorf("list seat attempts: %w", err)
	}
	proration := seatProration(plan, state, current, latest(now, current.AsOf))
	retries := state.retries(plan, current)
	if retries && state.OpenProration == catalog.ProrationNone && proration != catalog.ProrationNone {
		// The open attempt was at no cost and is not any more, after a renewal for example. It is
		// not repeated: a refetch shows whether Stripe executed it.
		return openedAttempt{subscriptionID: current.ID, state: state}, nil
	}
	if !retries {
		var wait time.Duration
		if wait, proration = throttle(earlier, now, proration); wait > 0 {
			later := now.Add(wait)
			state.DueAt = &later
			return openedAttempt{}, tx.Seats().PutState(ctx, state)
		}
	}
	confirmed, err := sy.confirmedFor(ctx, tx, state, plan, current)
	if err != nil {
		return openedAttempt{}, err
	}
	update := state.nextAttempt(plan, current, proration, interval, now)
	attempt := SeatAttempt{
		Key: update.IdempotencyKey, OrganizationID: state.OrganizationID, SubscriptionID: current.ID, Version: state.SyncVersion,
		Quantity: update.Quantity, Proration: catalog.Proration(update.Proration), At: now, PreviewID: confirmed.ID,
	}
	if attempt.Proration != catalog.ProrationNone && state.Failures < datedAttempts {
		attempt.ProratedAt = confirmed.ProratedAt
	}
	if retries {
		attempt = sentBefore(earlier, attempt)
	}
	update.ProratedAt = attempt.ProratedAt
	if err := tx.Seats().PutState(ctx, state); err != nil {
		return openedAttempt{}, fmt.Errorf("write seat state: %w", err)
	}
	if attempt.PreviewID != "" && attempt.PreviewID == confirmed.ID {
		confirmed.AttemptKey = attempt.Key
		if err := tx.SeatPreviews().Put(ctx, confirmed); err != nil {
			return openedAttempt{}, fmt.Errorf("write seat preview: %w", err)
		}
	}
	err = tx.SeatAttempts().Insert(ctx, attempt)
	return openedAttempt{subscriptionID: current.ID, state: state, update: update, previewID: attempt.PreviewID}, err
}

// recordSuccess stores Stripe's acknowledgement and, in the same transaction, the snapshot that
// came with it, so that no reader compares the one without the other. applied is false if the row
// changed meanwhile: the subscription has to be refetched.
func (sy *SeatSyncer) recordSuccess(ctx context.Context, attempt openedAttempt, answer UpdatedSubscription, revision int64) (applied bool, err error) {
	accepted := true
	result := SeatAttempt{Key: attempt.update.IdempotencyKey, RequestID: answer.RequestID, Accepted: &accepted}
	if !answer.Replayed {
		result.AcknowledgedAt = &answer.Subscription.AsOf
	}
	err = sy.store.InTx(ctx, func(tx Tx) error {
		applied = false
		err := sy.closeAttempt(ctx, tx, attempt.state.OrganizationID, result, func(state *SeatState) {
			state.AttemptOpen, state.SyncError, state.Failures = false, "", 0
			if attempt.update.ItemID != "" {
				state.LastAppliedSeats, state.AppliedVersion = &attempt.update.Quantity, attempt.state.SyncVersion
			}
			if sy.intervalIgnored(attempt, answer) {
				next := sy.Now().Add(sy.Backoff(attempt.state.Failures + 1))
				state.Failures, state.DueAt = attempt.state.Failures+1, &next
			}
			if result.AcknowledgedAt != nil {
				state.AcknowledgedAt = result.AcknowledgedAt
			}
		})
		if applied = answer.Replayed; err != nil || applied {
			return err
		}
		_, err = sy.subscriptions.applyFetchedTx(ctx, tx, answer.Subscription, revision)
		if mustRefetch(err) { // detected before the snapshot is written
			return nil
		}
		applied = err == nil
		return err
	})
	return applied, err
}

// intervalIgnored reports whether Stripe accepted an update and its answer does not show the
// pending invoice interval: it is sent again with a backoff, not at once.
func (sy *SeatSyncer) intervalIgnored(attempt openedAttempt, answer UpdatedSubscription) bool {
	fresh := answer.Subscription.Classified(sy.Catalog())
	return attempt.update.PendingInvoiceInterval != "" && !answer.Replayed && pendingIntervalChange(sy.planOf(fresh), fresh) != ""
}

// recordFailure stores why the update failed and when it is retried.
func (sy *SeatSyncer) recordFailure(ctx context.Context, attempt openedAttempt, cause error) error {
	organizationID, version := attempt.state.OrganizationID, attempt.state.SyncVersion
	var refused *apperr.StripeError
	isStripe := errors.As(cause, &refused)
	err := sy.store.InTx(ctx, func(tx Tx) error {
		return sy.closeAttempt(ctx, tx, organizationID, failedAttempt(attempt.update, cause), func(state *SeatState) {
			state.Failures++
			next := sy.Now().Add(sy.Backoff(state.Failures))
			if state.SyncVersion == version { // a newer change keeps its own, earlier time
				state.DueAt = &next
			}
			state.AttemptOpen = !isStripe || refused.OutcomeUnknown || refused.Status == 409 || refused.Status == 429
			state.SyncError = seatErrorMessage(refused, cause)
		})
	})
	sy.Log.WarnContext(ctx, "seat update failed", "organization_id", organizationID, "version", version, "err", cause)
	return errors.Join(err, sy.refetchIfUnknown(ctx, organizationID, cause))
}

// closeAttempt releases the lease, changes the seat state and stores the attempt's result.
func (sy *SeatSyncer) closeAttempt(ctx context.Context, tx Tx, organizationID string, result SeatAttempt, change func(*SeatState)) error {
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	state, err := tx.Seats().LockState(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("lock seat state: %w", err)
	}
	state.LeaseUntil = nil
	change(&state)
	if err := tx.Seats().PutState(ctx, state); err != nil {
		return fmt.Errorf("write seat state: %w", err)
	}
	return tx.SeatAttempts().RecordAnswer(ctx, result)
}

// refetchIfUnknown refetches the current subscription if the failure says that Stripe does not know
// it or its item.
func (sy *SeatSyncer) refetchIfUnknown(ctx context.Context, organizationID string, cause error) error {
	var refused *apperr.StripeError
	if !errors.As(cause, &refused) || refused.Status != 400 && refused.Status != 404 {
		return nil
	}
	current, known, err := apperr.Found(sy.store.Subscriptions().Current(ctx, organizationID, sy.knownAccount()))
	if err != nil || !known {
		return err
	}
	_, err = sy.subscriptions.refetch(ctx, current.ID)
	return err
}

// refetchBeforeUpdate refetches the subscription. An earlier attempt without an answer is closed
// then, because the snapshot shows its effect.
func (sy *SeatSyncer) refetchBeforeUpdate(ctx context.Context, attempt openedAttempt) error {
	opened := attempt.state
	if _, err := sy.subscriptions.refetch(ctx, attempt.subscriptionID); err != nil {
		return sy.recordRefetchFailure(context.WithoutCancel(ctx), opened, err)
	}
	return sy.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, opened.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, err := tx.Seats().LockState(ctx, opened.OrganizationID)
		if err != nil || !state.AttemptOpen || state.Attempt != opened.Attempt {
			return err
		}
		state.AttemptOpen = false
		if err := tx.Seats().PutState(ctx, state); err != nil {
			return fmt.Errorf("write seat state: %w", err)
		}
		return sy.seats.recount(ctx, tx, opened.OrganizationID, seatReason{reason: reasonUnanswered})
	})
}

// recordRefetchFailure stores why the refetch failed and when the sync is retried. An open attempt
// stays open: its outcome is still unknown.
func (sy *SeatSyncer) recordRefetchFailure(ctx context.Context, opened SeatState, cause error) error {
	var refused *apperr.StripeError
	errors.As(cause, &refused)
	sy.Log.WarnContext(ctx, "refetch before seat update failed", "organization_id", opened.OrganizationID, "err", cause)
	return sy.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, opened.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, err := tx.Seats().LockState(ctx, opened.OrganizationID)
		if err != nil {
			return fmt.Errorf("lock seat state: %w", err)
		}
		state.LeaseUntil = nil
		// A newer change keeps its own, earlier time.
		if state.SyncVersion == opened.SyncVersion && state.DueAt != nil {
			state.Failures++
			next := sy.Now().Add(sy.Backoff(state.Failures))
			state.DueAt, state.SyncError = &next, seatErrorMessage(refused, cause)
		}
		return tx.Seats().PutState(ctx, state)
	})
}

// releaseUnusedSeats recounts the organizations whose paid period is about to end with seats that
// no member uses.
func (sy *SeatSyncer) releaseUnusedSeats(ctx context.Context) error {
	due, err := sy.store.Seats().DueReleases(ctx, sy.Now(), seatBatch)
	if err != nil {
		return fmt.Errorf("list due seat releases: %w", err)
	}
	for _, organizationID := range due {
		err := sy.store.InTx(ctx, func(tx Tx) error {
			if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
				return fmt.Errorf("lock organization: %w", err)
			}
			return sy.seats.recount(ctx, tx, organizationID, seatReason{reason: reasonReleased})
		})
		if err != nil {
			return fmt.Errorf("release unused seats: %w", err)
		}
	}
	return nil
}
