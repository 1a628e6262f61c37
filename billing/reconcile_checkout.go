package billing

import (
	"context"
	"fmt"

	"usher/billing/apperr"
)

// compareCheckouts fetches one session whose end was not recorded, or a complete one whose pack has
// no credit fact. Their events can be lost for good: Stripe lists events of 30 days only, and no
// other compared object shows a session's end.
func (c *reconcileRun) compareCheckouts(ctx context.Context, after string) (string, error) {
	if c.unfinished == nil {
		var err error
		if c.unfinished, err = c.store.Checkouts().Unfinished(ctx, c.account, c.options.OrganizationID, c.Now().Add(-invoiceWindow)); err != nil {
			return "", err
		}
	}
	for _, local := range c.unfinished {
		if local.ID > after {
			return local.ID, c.compareCheckout(ctx, local)
		}
	}
	return "", nil
}

func (c *reconcileRun) compareCheckout(ctx context.Context, local CheckoutSession) error {
	c.report.Checkouts++
	remote, err := fetch(ctx, c, func() (StripeCheckoutSession, error) { return c.gateway.CheckoutSession(ctx, local.StripeSessionID) })
	if apperr.IsMissing(err) {
		remote, err = StripeCheckoutSession{ID: local.StripeSessionID, Status: CheckoutExpired}, nil
	}
	if err != nil {
		return err
	}
	if err := c.ensureKnown(ctx, []string{remote.PriceID}); err != nil {
		return err
	}
	difference := c.checkoutDrift(local, remote)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftCheckout, ObjectID: remote.ID, OrganizationID: local.OrganizationID, Difference: difference},
		func(ctx context.Context) error { return c.checkouts.record(ctx, local, remote) })
}

// checkoutDrift describes how the record of an unfinished session differs from Stripe's; empty if
// it does not.
func (rc *Reconciler) checkoutDrift(local CheckoutSession, remote StripeCheckoutSession) string {
	var d differences
	d.add("status", local.Status, remote.Status)
	if pack, known := rc.Catalog().PackByPrice(remote.PriceID); known && remote.Mode == ModePayment && remote.paid() {
		d = append(d, fmt.Sprintf("paid at Stripe, its %d credits not granted here", pack.Credits))
	}
	return d.String()
}
