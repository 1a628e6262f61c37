package billing

import (
	"cmp"
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

// SeatSyncer sets the quantity at Stripe.
type SeatSyncer struct {
	*core
	seats         *SeatCounter
	subscriptions *Subscriptions
}

// seatLease is how long one worker has an organization's seats to itself: longer than a call to Stripe may take.
const seatLease = 30 * time.Second

// RetrySeatSync has Stripe told at once. queued is false where there is nothing to tell. Error: CodeForbidden.
func (sy *SeatSyncer) Retry(ctx context.Context, a account.Access) (queued bool, err error) {
	if err := a.RequireBilling(); err != nil {
		return false, err
	}
	err = sy.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := sy.seats.recount(ctx, tx, a.Organization.ID, seatReason{actor: a.User.ID, reason: "asked to try again"}); err != nil {
			return err
		}
		state, known, err := apperr.Found(tx.Seats().LockState(ctx, a.Organization.ID))
		if err != nil || !known || state.DueAt == nil {
			return err
		}
		now := sy.Now()
		turn := fmt.Sprintf("asked:%d", now.UnixMicro())
		state.DueAt, queued = &now, true
		if err := tx.Seats().PutState(ctx, state); err != nil {
			return err
		}
		return sy.Enqueue(ctx, tx.Jobs(), job.KindSeats, state.OrganizationID, turn, now)
	})
	return queued, err
}

// SyncSeats tells Stripe how many seats an organization wants, if they differ from what it has. The attempt is stored before the call,
// so that a call whose answer was lost is repeated under the same idempotency key. It never runs twice at once for one organization.
func (sy *SeatSyncer) Sync(ctx context.Context, organizationID string) error {
	update, state, err := sy.openAttempt(ctx, organizationID)
	if err != nil || update.SubscriptionID == "" {
		return err
	}
	version := state.SyncVersion
	if update.IdempotencyKey == "" {
		return sy.refetchBeforeUpdate(ctx, state, update.SubscriptionID)
	}
	before, _, err := apperr.Found(sy.store.Subscriptions().Get(ctx, update.SubscriptionID))
	if err != nil {
		return fmt.Errorf("sync seats: %w", err)
	}
	answer, err := sy.gateway.UpdateQuantity(ctx, update)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobTimeout) // what Stripe said is written even if our time is up
	defer cancel()
	if err != nil {
		return sy.attemptFailed(ctx, organizationID, version, update, err)
	}
	if answer.Replayed { // an old yes: how it stands now is asked before the attempt is closed
		if _, err := sy.subscriptions.refetch(ctx, update.SubscriptionID); err != nil {
			return sy.refetchFailed(ctx, state, err)
		}
	}
	shown, err := sy.attemptSucceeded(ctx, organizationID, version, update, answer, before.Revision)
	if err == nil && !shown {
		_, err = sy.subscriptions.refetch(ctx, update.SubscriptionID)
	}
	return err
}

// openAttempt stores the attempt and returns what to send, with the state it was opened in; an empty update where there is nothing to send; one
// without a key where the snapshot has to be brought up to date before anything can be told.
func (sy *SeatSyncer) openAttempt(ctx context.Context, organizationID string) (update QuantityUpdate, state SeatState, err error) {
	err = sy.store.InTx(ctx, func(tx Tx) error {
		update = QuantityUpdate{}
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		var known bool
		state, known, err = apperr.Found(tx.Seats().LockState(ctx, organizationID))
		now := sy.Now()
		if err != nil || !known || state.DueAt == nil || now.Before(*state.DueAt) || state.LeaseUntil != nil && now.Before(*state.LeaseUntil) {
			return err
		}
		current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sy.knownAccount()))
		if err != nil {
			return err
		}
		agrees := current.Quantity == state.DesiredSeats
		switch {
		case !known, !sy.seats.seatsSynced(current), agrees && !state.maybeStale(current):
			return sy.seats.recount(ctx, tx, organizationID, seatReason{reason: "checked before telling Stripe"})
		case agrees, state.AppliedVersion == state.SyncVersion:
			update.SubscriptionID = current.ID
			return nil
		}
		update, err = sy.openNextAttempt(ctx, tx, &state, current)
		return err
	})
	return update, state, err
}

// refetchBeforeUpdate reads the subscription, after which an attempt that was never answered says nothing any more.
func (sy *SeatSyncer) refetchBeforeUpdate(ctx context.Context, opened SeatState, subscriptionID string) error {
	if _, err := sy.subscriptions.refetch(ctx, subscriptionID); err != nil {
		return sy.refetchFailed(context.WithoutCancel(ctx), opened, err)
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
			return err
		}
		return sy.seats.recount(ctx, tx, opened.OrganizationID, seatReason{reason: "asked Stripe what became of an unanswered attempt"})
	})
}

// refetchFailed records why Stripe could not be asked and when it will be tried again. What is open stays open: nothing new is known of it.
func (sy *SeatSyncer) refetchFailed(ctx context.Context, opened SeatState, cause error) error {
	var refused *apperr.StripeError
	errors.As(cause, &refused)
	sy.Log.WarnContext(ctx, "seats are not asked about", "organization", opened.OrganizationID, "error", cause)
	return sy.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, opened.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, err := tx.Seats().LockState(ctx, opened.OrganizationID)
		if err != nil {
			return fmt.Errorf("lock seat state: %w", err)
		}
		state.LeaseUntil = nil
		if state.SyncVersion == opened.SyncVersion && state.DueAt != nil { // a newer change keeps its own, earlier moment
			state.Failures++
			next := sy.Now().Add(sy.Backoff(state.Failures))
			state.DueAt, state.SyncError = &next, seatErrorMessage(refused, cause)
		}
		return tx.Seats().PutState(ctx, state)
	})
}

// retries tells that the open attempt, to which no answer came, is the one to send now.
func (s *SeatState) retries(current Subscription) bool {
	return s.AttemptOpen && s.OpenVersion == s.SyncVersion && s.OpenItemID == current.ItemID && s.OpenQuantity == s.DesiredSeats
}

// nextAttempt fills in the attempt's parameters. Only where no answer came to the same change is its key used again, and then with the
// parameters it was first sent with.
func (sy *SeatSyncer) nextAttempt(state *SeatState, current Subscription, proration catalog.Proration) QuantityUpdate {
	if !state.retries(current) {
		state.Attempt++
		state.OpenProration = proration
	}
	lease := sy.Now().Add(seatLease)
	state.AttemptOpen, state.OpenItemID, state.OpenQuantity, state.OpenVersion = true, current.ItemID, state.DesiredSeats, state.SyncVersion
	state.LeaseUntil = &lease
	return QuantityUpdate{
		SubscriptionID: current.ID, ItemID: current.ItemID, Quantity: state.DesiredSeats,
		Proration:      string(state.OpenProration),
		IdempotencyKey: fmt.Sprintf("seats:%s:%d:%d", current.ItemID, state.SyncVersion, state.Attempt),
	}
}

// seatProration is what the plan says about the rest of the period. A decrease while an invoice is unpaid credits nothing, since the
// money it would give back was never received (https://docs.stripe.com/billing/subscriptions/prorations, unpaid invoices). Seats that are
// paid until the period ends cost nothing when they are filled again.
func (sy *SeatSyncer) seatProration(state SeatState, current Subscription) catalog.Proration {
	plan, _, _ := sy.Catalog().ByPrice(current.PriceID)
	switch {
	case state.DesiredSeats > current.Quantity && state.PaidUntil != nil && state.DesiredSeats <= state.PaidSeats:
		return catalog.ProrationNone
	case state.DesiredSeats > current.Quantity:
		return cmp.Or(plan.ProrationOnIncrease, catalog.ProrationCreateProrations)
	case current.Status == StatusPastDue:
		return catalog.ProrationNone
	}
	return cmp.Or(plan.ProrationOnDecrease, catalog.ProrationCreateProrations)
}

// attemptSucceeded records Stripe's yes, and the snapshot that came with it in the same transaction, so that nobody holds the one without the
// other against what is wanted. shown is false where the row moved meanwhile: Stripe has to be asked.
func (sy *SeatSyncer) attemptSucceeded(
	ctx context.Context, organizationID string, version int64, update QuantityUpdate, answer UpdatedSubscription, before int64,
) (shown bool, err error) {
	yes := true
	told := SeatAttempt{Key: update.IdempotencyKey, RequestID: answer.RequestID, Accepted: &yes}
	if !answer.Replayed {
		told.AcknowledgedAt = &answer.Subscription.AsOf
	}
	err = sy.store.InTx(ctx, func(tx Tx) error {
		shown = false
		err := sy.closeAttempt(ctx, tx, organizationID, told, func(state *SeatState) {
			state.AttemptOpen, state.SyncError, state.Failures = false, "", 0
			state.LastAppliedSeats, state.AppliedVersion = &update.Quantity, version
			if told.AcknowledgedAt != nil {
				state.AcknowledgedAt = told.AcknowledgedAt
			}
		})
		if shown = answer.Replayed; err != nil || shown {
			return err
		}
		_, err = sy.subscriptions.applyFetchedTx(ctx, tx, answer.Subscription, before)
		if errors.Is(err, errRowChanged) { // it is found out before anything is written
			return nil
		}
		shown = err == nil
		return err
	})
	return shown, err
}

// attemptFailed records why, in words, and when it will be tried again.
func (sy *SeatSyncer) attemptFailed(ctx context.Context, organizationID string, version int64, update QuantityUpdate, cause error) error {
	var refused *apperr.StripeError
	isStripe := errors.As(cause, &refused)
	closed := func(state *SeatState) {
		state.Failures++
		next := sy.Now().Add(sy.Backoff(state.Failures))
		if state.SyncVersion == version { // a newer change keeps its own, earlier moment
			state.DueAt = &next
		}
		state.AttemptOpen = !isStripe || refused.OutcomeUnknown || refused.Status == 409 || refused.Status == 429
		state.SyncError = seatErrorMessage(refused, cause)
	}
	err := sy.store.InTx(ctx, func(tx Tx) error {
		return sy.closeAttempt(ctx, tx, organizationID, refusedAttempt(update, cause), closed)
	})
	sy.Log.WarnContext(ctx, "seat sync failed", "organization", organizationID, "version", version, "error", cause)
	return errors.Join(err, sy.refetchMissing(ctx, organizationID, cause))
}

// refetchMissing asks after the subscription where Stripe no longer knows it or its item as we do.
func (sy *SeatSyncer) refetchMissing(ctx context.Context, organizationID string, cause error) error {
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

func (sy *SeatSyncer) closeAttempt(ctx context.Context, tx Tx, organizationID string, told SeatAttempt, change func(*SeatState)) error {
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
		return err
	}
	return tx.SeatAttempts().Answer(ctx, told)
}

// seatErrorMessage words a failure for billing admins: what Stripe said, its code and request id for whoever looks into it.
func seatErrorMessage(refused *apperr.StripeError, cause error) string {
	switch {
	case refused == nil && errors.Is(cause, context.DeadlineExceeded), refused != nil && refused.OutcomeUnknown:
		return "Stripe did not answer in time."
	case refused == nil:
		return "The number of seats could not be sent to Stripe."
	case refused.Status == 429:
		return "Stripe asked us to slow down."
	}
	code := cmp.Or(refused.DeclineCode, refused.Code, fmt.Sprintf("status %d", refused.Status))
	return fmt.Sprintf("Stripe refused the change: %s (%s, request %s)", refused.Message, code, refused.RequestID)
}

// releaseUnusedSeats recounts the organizations whose paid period is about to end with seats that nobody sits on.
func (sy *SeatSyncer) releaseUnusedSeats(ctx context.Context) error {
	due, err := sy.store.Seats().DueReleases(ctx, sy.Now(), seatBatch)
	if err != nil {
		return fmt.Errorf("due releases of seats: %w", err)
	}
	for _, organizationID := range due {
		err := sy.store.InTx(ctx, func(tx Tx) error {
			if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
				return fmt.Errorf("lock organization: %w", err)
			}
			return sy.seats.recount(ctx, tx, organizationID, seatReason{reason: "seats nobody uses are given back before the renewal"})
		})
		if err != nil {
			return fmt.Errorf("give back seats: %w", err)
		}
	}
	return nil
}

func (sy *SeatSyncer) syncAllDue(ctx context.Context) error {
	due, err := sy.store.Seats().DueSyncs(ctx, sy.Now(), seatBatch)
	if err != nil {
		return err
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

func (sy *SeatSyncer) syncDue(ctx context.Context, organizationID string) {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := sy.Sync(ctx, organizationID); err != nil && !errors.Is(err, context.Canceled) {
		sy.Log.WarnContext(ctx, "seat sync", "organization", organizationID, "error", err)
	}
}

// QuantityUpdate tells Stripe how many seats a subscription has.
type QuantityUpdate struct {
	SubscriptionID string
	ItemID         string
	Quantity       int // absolute
	// Proration is Stripe's proration_behavior: create_prorations, always_invoice or none.
	Proration      string
	IdempotencyKey string
}
