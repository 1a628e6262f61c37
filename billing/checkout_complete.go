package billing

import (
	"context"
	"fmt"
)

// CompletedCheckout is how a return from Checkout stands.
type CompletedCheckout struct {
	Settled bool // the subscription gives access, or the pack is paid
	Credits int  // of the pack; 0: it was a plan
}

// CompleteCheckout takes up the return from Checkout: it asks Stripe about the session and its subscription, so that the page is right
// even before any webhook. The address the browser came back to proves nothing; Stripe's answer does. The caller bounds the time by ctx.
//
// Errors: [ErrNotFound] where the session is not this organization's; CodeStripe
// where no answer came in time, the state then being the last known one.
func (s *Service) CompleteCheckout(ctx context.Context, a Access, sessionID string) (CompletedCheckout, error) {
	session, err := s.store.Checkouts().ByStripeID(ctx, a.Organization.ID, sessionID)
	if err != nil {
		return CompletedCheckout{}, fmt.Errorf("complete checkout: %w", err)
	}
	answer, err := s.gateway.CheckoutSession(ctx, sessionID)
	if isMissing(err) {
		return CompletedCheckout{}, ErrNotFound
	}
	if err != nil {
		return CompletedCheckout{}, stripeFailed("complete checkout", err)
	}
	if err := s.recordCheckout(ctx, session, answer); err != nil {
		return CompletedCheckout{}, err
	}
	if pack, known := s.Catalog().PackByPrice(session.PriceID); known && session.Mode == ModePayment {
		return CompletedCheckout{Settled: answer.paid(), Credits: pack.Credits}, nil
	}
	current, known, err := Found(s.store.Subscriptions().Current(ctx, a.Organization.ID, s.knownAccount()))
	return CompletedCheckout{Settled: known && current.Status.GrantsAccess()}, err
}

// recordCheckout writes what Stripe says of a session, and asks after the subscription it led to.
func (s *Service) recordCheckout(ctx context.Context, session CheckoutSession, answer StripeCheckoutSession) error {
	session.Status = answer.Status
	if answer.Status == CheckoutComplete && session.CompletedAt == nil {
		now := s.now()
		session.CompletedAt = &now
	}
	err := s.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, session.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := s.recordPackPurchase(ctx, tx, session.OrganizationID, answer); err != nil {
			return err
		}
		return tx.Checkouts().Put(ctx, session)
	})
	if err != nil {
		return fmt.Errorf("record checkout: %w", err)
	}
	if answer.SubscriptionID == "" {
		return nil
	}
	if _, err := s.refetch(ctx, answer.SubscriptionID); err != nil {
		return stripeFailed("record checkout", err)
	}
	return nil
}
