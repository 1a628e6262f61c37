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
	CancelAtPeriodEnd(ctx context.Context, id string, details CancellationDetails) (UpdatedSubscription, error)
	// PreviewPeriodEnd returns the next invoice of the subscription with a scheduled end, or
	// without one. If there is none, the error is a StripeError with the code
	// invoice_upcoming_none.
	PreviewPeriodEnd(ctx context.Context, current Subscription, ends bool) (InvoicePreview, error)
	// Resume removes the scheduled end of a subscription.
	Resume(ctx context.Context, ending Subscription) (UpdatedSubscription, error)
}

// CancellationDetails is why a subscription is canceled, as Stripe keeps it; empty: not said
// (https://docs.stripe.com/api/subscriptions/object#subscription_object-cancellation_details).
type CancellationDetails struct {
	Feedback CancelReason
	Comment  string
}

// MessageNoPlan is the message for an organization without a live subscription.
const MessageNoPlan = "There is no plan to change."

// resumePaused resumes the current subscription if it is paused and has a payment method; false if
// it is not paused. Error: CodeConflict if it stays paused, since its payment failed.
func (ss *Subscriptions) resumePaused(ctx context.Context, a account.Access) (bool, error) {
	current, known, err := apperr.Found(ss.store.Subscriptions().Current(ctx, a.Organization.ID, ss.knownAccount()))
	switch {
	case err != nil:
		return false, fmt.Errorf("look up subscription: %w", err)
	case !known || current.Status != StatusPaused:
		return false, nil
	}
	if current.PaymentMethodID == "" { // it may have been added a moment ago
		if current, err = ss.refetchOrStored(ctx, current.ID); err != nil {
			return false, err
		}
	}
	if current.PaymentMethodID == "" {
		return false, apperr.Errorf(apperr.CodeConflict, "The plan is paused because there is no card. Add a card first.")
	}
	// Recorded first: whether Stripe resumed it may not be known.
	resumed := a.Did(account.ActPlanResumed).To(current.ID, "")
	if err := ss.store.InTx(ctx, func(tx Tx) error { return ss.audit(ctx, tx, resumed) }); err != nil {
		return false, err
	}
	if err := ss.gateway.ResumePaused(ctx, current); err != nil {
		return false, resumeFailed(err)
	}
	fresh, err := ss.refetchOrStored(ctx, current.ID)
	if err == nil && fresh.Status == StatusPaused {
		err = apperr.Errorf(apperr.CodeConflict, "The payment did not go through, so the plan is still paused. The billing page says what to do.")
	}
	return true, err
}

// refetchOrStored is refetch, but returns the stored subscription if events write it again and
// again meanwhile.
func (ss *Subscriptions) refetchOrStored(ctx context.Context, id string) (Subscription, error) {
	fresh, err := ss.refetch(ctx, id)
	if errors.Is(err, errRowChanged) {
		return ss.store.Subscriptions().Get(ctx, id)
	}
	return fresh, err
}

// resumeFailed is the error for a paused subscription that was not resumed. Without an answer it
// may be resumed, and its first invoice charged.
func resumeFailed(err error) error {
	var refused *apperr.StripeError
	if errors.As(err, &refused) && !refused.OutcomeUnknown {
		return apperr.StripeFailed("resume paused subscription", err)
	}
	return &apperr.Error{
		Code: apperr.CodeStripe, Err: fmt.Errorf("resume paused subscription: %w", err),
		Message: "Stripe has not answered yet. Look at the billing page in a minute: it shows whether your plan is running again.",
	}
}

// undoCancellation removes the scheduled end of a subscription; one without an end stays as it is.
func (ss *Subscriptions) undoCancellation(ctx context.Context, id string) error {
	current, err := ss.refetch(ctx, id)
	if err != nil {
		return apperr.StripeFailed("refetch subscription", err)
	}
	if err := requireLive(current); err != nil {
		return err
	}
	return ss.updateCancelAtPeriodEnd(ctx, current, false, CancellationDetails{})
}

// updateCancelAtPeriodEnd updates the subscription at Stripe, unless it is so already, and applies
// the answer. details are those of an end.
func (ss *Subscriptions) updateCancelAtPeriodEnd(ctx context.Context, current Subscription, end bool, details CancellationDetails) error {
	_, ending := current.EndsAt()
	if ending == end {
		return nil
	}
	var answer UpdatedSubscription
	var err error
	if end {
		answer, current, err = ss.scheduleCancellation(ctx, current, details)
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
func (ss *Subscriptions) scheduleCancellation(ctx context.Context, current Subscription, details CancellationDetails) (UpdatedSubscription, Subscription, error) {
	if current.ScheduleID == "" {
		answer, err := ss.gateway.CancelAtPeriodEnd(ctx, current.ID, details)
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
	answer, err := ss.gateway.CancelAtPeriodEnd(ctx, current.ID, details)
	return answer, current, err
}
