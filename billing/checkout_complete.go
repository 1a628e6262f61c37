package billing

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
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
func (cs *Checkouts) Complete(ctx context.Context, a account.Access, sessionID string) (CompletedCheckout, error) {
	session, err := cs.store.Checkouts().ByStripeID(ctx, a.Organization.ID, sessionID)
	if err != nil {
		return CompletedCheckout{}, fmt.Errorf("complete checkout: %w", err)
	}
	answer, err := cs.gateway.CheckoutSession(ctx, sessionID)
	if apperr.IsMissing(err) {
		return CompletedCheckout{}, apperr.ErrNotFound
	}
	if err != nil {
		return CompletedCheckout{}, apperr.StripeFailed("complete checkout", err)
	}
	if err := cs.record(ctx, session, answer); err != nil {
		return CompletedCheckout{}, err
	}
	if pack, known := cs.Catalog().PackByPrice(session.PriceID); known && session.Mode == ModePayment {
		return CompletedCheckout{Settled: answer.paid(), Credits: pack.Credits}, nil
	}
	current, known, err := apperr.Found(cs.store.Subscriptions().Current(ctx, a.Organization.ID, cs.knownAccount()))
	return CompletedCheckout{Settled: known && current.Status.GrantsAccess()}, err
}

// recordCheckout writes what Stripe says of a session, and asks after the subscription it led to.
func (cs *Checkouts) record(ctx context.Context, session CheckoutSession, answer StripeCheckoutSession) error {
	session.Status = answer.Status
	if answer.Status == CheckoutComplete && session.CompletedAt == nil {
		now := cs.Now()
		session.CompletedAt = &now
	}
	err := cs.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, session.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := cs.recordPackPurchase(ctx, tx, session.OrganizationID, answer); err != nil {
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
	if _, err := cs.subscriptions.refetch(ctx, answer.SubscriptionID); err != nil {
		return apperr.StripeFailed("record checkout", err)
	}
	return nil
}

// handleCheckout records that a session of ours has ended, and looks at the subscription it led to.
func (cs *Checkouts) handleEvent(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, _, err := cs.customers.findOwner(ctx, tx, e.CustomerID, e.OrgID)
	if err != nil || organizationID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	if e.Checkout == nil || e.Checkout.Mode == ModePayment { // the payload does not name what was sold
		return eventResult{OutcomePending, organizationID}, nil
	}
	if err := cs.recordEnd(ctx, tx, organizationID, *e.Checkout); err != nil {
		return eventResult{}, err
	}
	if e.Checkout.SubscriptionID == "" {
		return eventResult{OutcomeApplied, organizationID}, nil
	}
	return cs.subscriptions.handleRelated(ctx, tx, e)
}

// recordCheckoutEnd counts what a session sold and writes its end; a session that we do not know (made outside Usher) is none of ours.
func (cs *Checkouts) recordEnd(ctx context.Context, tx Tx, organizationID string, c StripeCheckoutSession) error {
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	if err := cs.recordPackPurchase(ctx, tx, organizationID, c); err != nil {
		return err
	}
	session, known, err := apperr.Found(tx.Checkouts().ByStripeID(ctx, organizationID, c.ID))
	if err != nil || !known || c.Status == CheckoutOpen || session.Status == c.Status {
		return err
	}
	tx.Record("checkout %s: %s, before: %s", c.ID, c.Status, session.Status)
	session.Status = c.Status
	if c.Status == CheckoutComplete {
		now := cs.Now()
		session.CompletedAt = &now
	}
	return tx.Checkouts().Put(ctx, session)
}

func (cs *Checkouts) refetchForEvent(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	answer, err := cs.gateway.CheckoutSession(ctx, e.ObjectID)
	if apperr.IsMissing(err) {
		return OutcomeIgnored, nil
	}
	if err != nil {
		return "", err
	}
	err = cs.store.InTxRecording(ctx, changes, func(tx Tx) error {
		organizationID, err := cs.customers.resolveOwner(ctx, tx, answer.CustomerID, answer.OrgID)
		if err != nil {
			return err
		}
		if e.Type == "checkout.session.async_payment_failed" {
			if err := cs.recordPackPaymentFailed(ctx, tx, organizationID, e.Created, answer); err != nil {
				return err
			}
		}
		return cs.recordEnd(ctx, tx, organizationID, answer)
	})
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	if err != nil || answer.SubscriptionID == "" {
		return OutcomeApplied, err
	}
	return cs.subscriptions.refetchOutcome(ctx, answer.SubscriptionID, changes)
}
