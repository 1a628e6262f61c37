package billing

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
)

// CancellationGateway ends subscriptions, and lifts the end of one.
type CancellationGateway interface {
	// CancelSubscription ends a subscription at once, without a last invoice. One that has ended already answers a StripeError that [isMissing] knows.
	CancelSubscription(ctx context.Context, id string) error
	// CancelAtPeriodEnd has a subscription end with its period (https://docs.stripe.com/billing/subscriptions/cancel).
	CancelAtPeriodEnd(ctx context.Context, id string) (UpdatedSubscription, error)
	// Resume has one go on that was to end with its period or on a day.
	Resume(ctx context.Context, ending Subscription) (UpdatedSubscription, error)
}

// MessageNoPlan is said where something is to be done about a plan that is not there.
const MessageNoPlan = "There is no plan to change."

// CancelPlan has the plan end with what is paid for. Where it does so already, all is well. Errors: CodeForbidden, CodeConflict where there is no
// plan, CodeStripe where Stripe refused or did not answer; nothing has changed then, or will be found out.
func (ss *Subscriptions) CancelAtPeriodEnd(ctx context.Context, a account.Access) error {
	return ss.setCancelAtPeriodEnd(ctx, a, true)
}

// ResumePlan has a plan go on that was to end. Errors: as [Service.CancelPlan].
func (ss *Subscriptions) Resume(ctx context.Context, a account.Access) error {
	return ss.setCancelAtPeriodEnd(ctx, a, false)
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

// updateCancelAtPeriodEnd tells Stripe, where it is not so already, and takes its answer through the one way all answers go.
func (ss *Subscriptions) updateCancelAtPeriodEnd(ctx context.Context, current Subscription, end bool) error {
	_, ending := current.EndsAt()
	if ending == end {
		return nil
	}
	var answer UpdatedSubscription
	var err error
	if end {
		answer, err = ss.gateway.CancelAtPeriodEnd(ctx, current.ID)
	} else {
		answer, err = ss.gateway.Resume(ctx, current)
	}
	if err != nil {
		return apperr.StripeFailed("set the plan's end", err)
	}
	if !answer.Replayed {
		_, err = ss.applyFetched(ctx, answer.Subscription, current.Revision, nil)
	}
	if answer.Replayed || errors.Is(err, errRowChanged) {
		_, err = ss.refetch(ctx, current.ID)
	}
	return err
}
