package billing

import (
	"context"
	"errors"
	"fmt"
)

// CancellationGateway ends subscriptions, and lifts the end of one.
type CancellationGateway interface {
	// EndSubscription ends a subscription at once, without a last invoice. One that has ended already answers a StripeError that [isMissing] knows.
	EndSubscription(ctx context.Context, id string) error
	// EndWithPeriod has a subscription end with its period (https://docs.stripe.com/billing/subscriptions/cancel).
	EndWithPeriod(ctx context.Context, id string) (SubscriptionAnswer, error)
	// KeepRunning has one go on that was to end with its period or on a day.
	KeepRunning(ctx context.Context, ending Subscription) (SubscriptionAnswer, error)
}

// MessageNoPlan is said where something is to be done about a plan that is not there.
const MessageNoPlan = "There is no plan to change."

// CancelPlan has the plan end with what is paid for. Where it does so already, all is well. Errors: CodeForbidden, CodeConflict where there is no
// plan, CodeStripe where Stripe refused or did not answer; nothing has changed then, or will be found out.
func (s *Service) CancelPlan(ctx context.Context, a Access) error { return s.setEnding(ctx, a, true) }

// ResumePlan has a plan go on that was to end. Errors: as [Service.CancelPlan].
func (s *Service) ResumePlan(ctx context.Context, a Access) error { return s.setEnding(ctx, a, false) }

func (s *Service) setEnding(ctx context.Context, a Access, end bool) error {
	if err := a.requireBilling(); err != nil {
		return err
	}
	current, known, err := optional(s.store.CurrentSubscription(ctx, a.Organization.ID, s.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	if !known || current.Status.Ended() {
		return Errorf(CodeConflict, MessageNoPlan)
	}
	return s.endWithPeriod(ctx, current, end)
}

// endWithPeriod tells Stripe, where it is not so already, and takes its answer through the one way all answers go.
func (s *Service) endWithPeriod(ctx context.Context, current Subscription, end bool) error {
	_, ending := current.EndsAt()
	if ending == end {
		return nil
	}
	var answer SubscriptionAnswer
	var err error
	if end {
		answer, err = s.gateway.EndWithPeriod(ctx, current.ID)
	} else {
		answer, err = s.gateway.KeepRunning(ctx, current)
	}
	if err != nil {
		return stripeFailed("set the plan's end", err)
	}
	if !answer.Replayed {
		_, err = s.applyAnswer(ctx, answer.Subscription, current.Revision, nil)
	}
	if answer.Replayed || errors.Is(err, errMoved) {
		_, err = s.ask(ctx, current.ID)
	}
	return err
}
