package billing

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// CompletedCheckout is the result of a return from Checkout.
type CompletedCheckout struct {
	Confirmed bool // the subscription gives access, or the pack is paid
	Credits   int  // of the pack; 0: a plan was bought
	// Processing means that a delayed payment method has not paid yet. A plan runs meanwhile.
	Processing bool
	Paid       catalog.Money // as charged by Stripe; zero in a trial
	Total      catalog.Money // of the session; what a payment in processing will be
	InvoiceID  string        // in_…; empty for a pack
	Promoted   bool          // with a promotion code from a link
}

// Complete handles the return from Checkout: it fetches the session and its subscription from
// Stripe, so that the page is right before the webhooks arrive. The success URL proves nothing;
// Stripe's answer does. The caller bounds the time by ctx. Errors: [apperr.ErrNotFound] if the
// session is not the organization's; CodeStripe if no answer came in time.
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
	completed := CompletedCheckout{
		Processing: answer.processing(), Paid: answer.AmountPaid, Total: answer.Total, InvoiceID: answer.InvoiceID,
		Promoted: session.Options.PromotionCode != "",
	}
	if pack, known := cs.Catalog().PackByPrice(session.PriceID); known && session.Mode == ModePayment {
		completed.Confirmed, completed.Credits = answer.paid(), pack.Credits
		return completed, nil
	}
	current, known, err := apperr.Found(cs.store.Subscriptions().Current(ctx, a.Organization.ID, cs.knownAccount()))
	completed.Confirmed = known && current.Status.GrantsAccess()
	if completed.Confirmed {
		cs.storeInvoice(ctx, answer.InvoiceID) // last: the time may be used up
	}
	return completed, err
}

// storeInvoice stores the first invoice before its webhooks arrive, so that the page does not show
// it as unpaid below a confirmed payment. The webhooks repeat it if it fails.
func (cs *Checkouts) storeInvoice(ctx context.Context, id string) {
	if id == "" {
		return
	}
	if err := cs.invoices.refetch(ctx, id); err != nil {
		cs.Log.WarnContext(ctx, "invoice of a checkout not stored yet", "err", err)
	}
}

// record stores a session as read from Stripe and refetches its subscription.
func (cs *Checkouts) record(ctx context.Context, session CheckoutSession, answer StripeCheckoutSession) error {
	if err := cs.ensureKnown(ctx, []string{answer.PriceID}); err != nil {
		return apperr.StripeFailed("record checkout", err)
	}
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
		if err := tx.Checkouts().Put(ctx, session); err != nil {
			return err
		}
		return cs.linkSubscription(ctx, tx, session, answer.SubscriptionID)
	})
	if err != nil {
		return fmt.Errorf("record checkout: %w", err)
	}
	if answer.SubscriptionID == "" {
		return nil
	}
	_, err = cs.subscriptions.refetch(ctx, answer.SubscriptionID)
	if err == nil || errors.Is(err, errRowChanged) { // webhooks write the row faster than it is fetched: it is current
		return nil
	}
	return apperr.StripeFailed("record checkout", err)
}

// handleEvent handles the checkout.session events: it records the session's end and observes its
// subscription.
func (cs *Checkouts) handleEvent(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, _, err := cs.customers.findOwner(ctx, tx, e.CustomerID, e.OrgID)
	if err != nil || organizationID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	if e.Checkout == nil || e.Checkout.Mode == ModePayment { // the payload has no line items
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

// linkSubscription stores which subscription a session has sold, and checks again for duplicates:
// only a subscription that is known to be sold here can be one. The organization is locked.
func (cs *Checkouts) linkSubscription(ctx context.Context, tx Tx, session CheckoutSession, subscriptionID string) error {
	if subscriptionID == "" || session.SubscriptionID != "" {
		return nil
	}
	fresh, err := tx.Checkouts().SetSubscription(ctx, session.ID, subscriptionID)
	if err != nil || !fresh {
		return err
	}
	tx.Record("checkout %s: sold subscription %s", session.StripeSessionID, subscriptionID)
	return cs.subscriptions.recheckDuplicates(ctx, tx, session.OrganizationID)
}

// linkCompleted fetches the organization's complete sessions whose subscription is not stored:
// sessions that completed before that was recorded.
func (cs *Checkouts) linkCompleted(ctx context.Context, organizationID string) error {
	unlinked, err := cs.store.Checkouts().Unlinked(ctx, organizationID, cs.knownAccount())
	if err != nil {
		return fmt.Errorf("list checkouts without a subscription: %w", err)
	}
	for _, session := range unlinked {
		answer, err := cs.gateway.CheckoutSession(ctx, session.StripeSessionID)
		if apperr.IsMissing(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("fetch checkout session: %w", err)
		}
		err = cs.store.InTx(ctx, func(tx Tx) error {
			if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
				return fmt.Errorf("lock organization: %w", err)
			}
			return cs.linkSubscription(ctx, tx, session, answer.SubscriptionID)
		})
		if err != nil {
			return fmt.Errorf("link checkout: %w", err)
		}
	}
	return nil
}

// recordEnd records a session's pack purchase, its subscription and its end. A session that is not
// stored was created outside Usher and is ignored.
func (cs *Checkouts) recordEnd(ctx context.Context, tx Tx, organizationID string, c StripeCheckoutSession) error {
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	if err := cs.recordPackPurchase(ctx, tx, organizationID, c); err != nil {
		return err
	}
	session, known, err := apperr.Found(tx.Checkouts().ByStripeID(ctx, organizationID, c.ID))
	if err != nil || !known {
		return err
	}
	if err := cs.linkSubscription(ctx, tx, session, c.SubscriptionID); err != nil {
		return err
	}
	if c.Status == CheckoutOpen || session.Status == c.Status {
		return nil
	}
	tx.Record("checkout %s: %s, before: %s", c.ID, c.Status, session.Status)
	session.Status = c.Status
	if c.Status == CheckoutComplete {
		now := cs.Now()
		session.CompletedAt = &now
	}
	return tx.Checkouts().Put(ctx, session)
}

// refetchForEvent processes a pending checkout.session event.
func (cs *Checkouts) refetchForEvent(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	answer, err := cs.gateway.CheckoutSession(ctx, e.ObjectID)
	if apperr.IsMissing(err) {
		return OutcomeIgnored, nil
	}
	if err != nil {
		return "", err
	}
	if err := cs.ensureKnown(ctx, []string{answer.PriceID}); err != nil {
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
