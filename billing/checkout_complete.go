package billing

import (
	"context"
	"fmt"
)

// CompleteCheckout takes up the return from Checkout: it asks Stripe about the session and its subscription, so that the page is right
// even before any webhook. The address the browser came back to proves nothing; Stripe's answer does. The caller bounds the time by ctx.
//
// settled is true once the subscription gives access. Errors: [ErrNotFound] where the session is not this organization's; CodeStripe
// where no answer came in time, the state then being the last known one.
func (s *Service) CompleteCheckout(ctx context.Context, a Access, sessionID string) (settled bool, err error) {
	session, err := s.store.CheckoutByStripeID(ctx, a.Organization.ID, sessionID)
	if err != nil {
		return false, fmt.Errorf("complete checkout: %w", err)
	}
	answer, err := s.gateway.Checkout(ctx, sessionID)
	if isMissing(err) {
		return false, ErrNotFound
	}
	if err != nil {
		return false, stripeFailed("complete checkout", err)
	}
	if err := s.recordCheckout(ctx, session, answer); err != nil {
		return false, err
	}
	current, known, err := optional(s.store.CurrentSubscription(ctx, a.Organization.ID, s.knownAccount()))
	return known && current.Status.GrantsAccess(), err
}

// recordCheckout writes what Stripe says of a session, and asks after the subscription it led to.
func (s *Service) recordCheckout(ctx context.Context, session CheckoutSession, answer StripeCheckout) error {
	session.Status = answer.Status
	if answer.Status == CheckoutComplete && session.CompletedAt == nil {
		now := s.now()
		session.CompletedAt = &now
	}
	if err := s.putCheckout(ctx, session); err != nil {
		return fmt.Errorf("record checkout: %w", err)
	}
	if answer.SubscriptionID == "" {
		return nil
	}
	if _, err := s.ask(ctx, answer.SubscriptionID); err != nil {
		return stripeFailed("record checkout", err)
	}
	return nil
}
