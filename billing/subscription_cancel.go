package billing

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
)

// CancellationGateway cancels subscriptions and resumes them.
type CancellationGateway interface {
	// CancelSubscription cancels a subscription at once, without a final invoice. For one that has
	// ended already it returns a StripeError for which [apperr.IsMissing] is true.
	CancelSubscription(ctx context.Context, id string) error
	// CancelInvoicing is CancelSubscription with a final invoice for what is owed: pending seat
	// changes. Unused time is not credited.
	CancelInvoicing(ctx context.Context, id string) error
	// CancelAtPeriodEnd cancels a subscription at the end of its period
	// (https://docs.stripe.com/billing/subscriptions/cancel).
	CancelAtPeriodEnd(ctx context.Context, id string) (UpdatedSubscription, error)
	// Resume removes the scheduled end of a subscription.
	Resume(ctx context.Context, ending Subscription) (UpdatedSubscription, error)
}

// MessageNoPlan is the message for an organization without a live subscription.
const MessageNoPlan = "There is no plan to change."

// CancelAtPeriodEnd cancels the current subscription at the end of the paid period. It does
// nothing if an end is scheduled already. Errors: CodeForbidden; CodeConflict without a live
// subscription; CodeStripe if Stripe refused or did not answer. If a change was made without an
// answer, its event updates the snapshot.
func (ss *Subscriptions) CancelAtPeriodEnd(ctx context.Context, a account.Access) error {
	return ss.setCancelAtPeriodEnd(ctx, a, true)
}

// Resume removes the scheduled end of the current subscription. Errors: as
// [Subscriptions.CancelAtPeriodEnd], and CodeConflict while the organization is about to be
// deleted.
func (ss *Subscriptions) Resume(ctx context.Context, a account.Access) error {
	if err := errors.Join(a.RequireBilling(), a.Organization.RequireNotDeleting()); err != nil {
		return err
	}
	if resumed, err := ss.resumePaused(ctx, a); err != nil || resumed {
		return err
	}
	return ss.setCancelAtPeriodEnd(ctx, a, false)
}

// resumePaused resumes the current subscription if it is paused and has a payment method; false if
// it is not paused. Error: CodeConflict if it stays paused, since its payment failed.
func (ss *Subscriptions) resumePaused(ctx context.Context, a account.Access) (bool, error) {
	current, known, err := apperr.Found(ss.store.Subscriptions().Current(ctx, a.Organization.ID, ss.knownAccount()))
	switch {
	case err != nil:
		return false, fmt.Errorf("look up subscription: %w", err)
	case !known || current.Status != StatusPaused:
		return false, nil
	case current.PaymentMethodID == "":
		return false, apperr.Errorf(apperr.CodeConflict, "The plan is paused because there is no card. Add a card first.")
	}
	if err := ss.gateway.ResumePaused(ctx, current); err != nil {
		return false, apperr.StripeFailed("resume paused subscription", err)
	}
	fresh, err := ss.refetch(ctx, current.ID)
	if err == nil && fresh.Status == StatusPaused {
		err = apperr.Errorf(apperr.CodeConflict, "The payment did not go through, so the plan is still paused. The billing page says what to do.")
	}
	return true, err
}

func (ss *Subscriptions) setCancelAtPeriodEnd(ctx context.Context, a account.Access, end bool) error {
	if err := a.RequireBilling(); err != nil {
		return err
	}
	current, known, err := apperr.Found(ss.store.Subscriptions().Current(ctx, a.Organization.ID, ss.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	if !known || current.Status.Ended() {
		return apperr.Errorf(apperr.CodeConflict, MessageNoPlan)
	}
	return ss.updateCancelAtPeriodEnd(ctx, current, end)
}

// updateCancelAtPeriodEnd updates the subscription at Stripe, unless it is so already, and applies
// the answer.
func (ss *Subscriptions) updateCancelAtPeriodEnd(ctx context.Context, current Subscription, end bool) error {
	_, ending := current.EndsAt()
	if ending == end {
		return nil
	}
	var answer UpdatedSubscription
	var err error
	if end {
		answer, current, err = ss.scheduleCancellation(ctx, current)
	} else {
		answer, err = ss.gateway.Resume(ctx, current)
	}
	if err != nil {
		return apperr.StripeFailed("update cancellation", err)
	}
	if !answer.Replayed {
		_, err = ss.applyFetched(ctx, answer.Subscription, current.Revision, nil)
	}
	if answer.Replayed || mustRefetch(err) {
		_, err = ss.refetch(ctx, current.ID)
	}
	return err
}

// scheduleCancellation cancels a subscription at the end of its period. Stripe rejects that while
// a schedule is attached, so the schedule is released first: what it would change never begins.
// The snapshot may not show the schedule yet. The second result is the subscription before the
// update.
func (ss *Subscriptions) scheduleCancellation(ctx context.Context, current Subscription) (UpdatedSubscription, Subscription, error) {
	if current.ScheduleID == "" {
		answer, err := ss.gateway.CancelAtPeriodEnd(ctx, current.ID)
		var refused *apperr.StripeError
		if !errors.As(err, &refused) || refused.Status != 400 {
			return answer, current, err
		}
		fresh, refetched := ss.refetch(ctx, current.ID)
		if current = fresh; refetched != nil || current.ScheduleID == "" {
			return answer, current, errors.Join(err, refetched)
		}
	}
	current, err := ss.releaseSchedule(ctx, current)
	if err != nil {
		return UpdatedSubscription{}, current, err
	}
	answer, err := ss.gateway.CancelAtPeriodEnd(ctx, current.ID)
	return answer, current, err
}
