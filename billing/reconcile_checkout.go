package billing

import (
	"context"
	"fmt"

	"usher/billing/apperr"
)

// compareCheckouts asks about the sessions opened here of which no end was heard, and about packs that were bought and not counted. Their events can be
// lost for good: Stripe's list of events reaches back 30 days, and a session has no other trace that is compared.
func (c *reconcileRun) compareCheckouts(ctx context.Context) error {
	held, err := c.store.Checkouts().Unfinished(ctx, c.account, c.options.OrganizationID, c.Now().Add(-invoiceWindow))
	if err != nil {
		return err
	}
	for _, ours := range held {
		if err := c.pause(ctx); err != nil {
			return err
		}
		if err := c.compareCheckout(ctx, ours); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) compareCheckout(ctx context.Context, ours CheckoutSession) error {
	c.report.Checkouts++
	stripes, err := c.gateway.CheckoutSession(ctx, ours.StripeSessionID)
	if apperr.IsMissing(err) {
		stripes, err = StripeCheckoutSession{ID: ours.StripeSessionID, Status: CheckoutExpired}, nil
	}
	if err != nil {
		return err
	}
	difference := c.Reconciler.checkoutDrift(ours, stripes)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftCheckout, ObjectID: stripes.ID, OrganizationID: ours.OrganizationID, Difference: difference},
		func(ctx context.Context) error { return c.checkouts.record(ctx, ours, stripes) })
}

// checkoutDrift says in words where our record of a session, unsettled as it is, differs from what Stripe has; empty: nowhere.
func (rc *Reconciler) checkoutDrift(ours CheckoutSession, stripes StripeCheckoutSession) string {
	var d differences
	d.add("status", ours.Status, stripes.Status)
	if pack, known := rc.Catalog().PackByPrice(stripes.PriceID); known && stripes.Mode == ModePayment && stripes.paid() {
		d = append(d, fmt.Sprintf("paid at Stripe, its %d credits not counted here", pack.Credits))
	}
	return d.String()
}
