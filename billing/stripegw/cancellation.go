package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// CancelSubscription ends a subscription at once. A DELETE carries no idempotency key (https://docs.stripe.com/api/idempotent_requests); one that was
// ended before is not found. Both switches are sent: Stripe's defaults would make a last invoice of what is pending
// (https://docs.stripe.com/api/subscriptions/cancel).
func (g *Gateway) CancelSubscription(ctx context.Context, id string) error {
	_, _, err := call(ctx, "end subscription", func(ctx context.Context) (*stripe.Subscription, error) {
		params := &stripe.SubscriptionCancelParams{InvoiceNow: stripe.Bool(false), Prorate: stripe.Bool(false)}
		params.Context = ctx
		return g.subscriptions.Cancel(id, params)
	})
	return err
}

// CancelAtPeriodEnd has a subscription end with its period.
func (g *Gateway) CancelAtPeriodEnd(ctx context.Context, id string) (billing.UpdatedSubscription, error) {
	return g.updateSubscription(ctx, "end with period", id, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)})
}

// Resume has a subscription go on that was to end. Stripe takes one of the two ways to end it at a time, and so one of the two to lift it
// (https://docs.stripe.com/api/subscriptions/update).
func (g *Gateway) Resume(ctx context.Context, ending billing.Subscription) (billing.UpdatedSubscription, error) {
	params := &stripe.SubscriptionParams{}
	if ending.CancelAtPeriodEnd {
		params.CancelAtPeriodEnd = stripe.Bool(false)
	} else {
		params.AddExtra("cancel_at", "")
	}
	return g.updateSubscription(ctx, "keep running", ending.ID, params)
}

func (g *Gateway) updateSubscription(ctx context.Context, what, id string, params *stripe.SubscriptionParams) (billing.UpdatedSubscription, error) {
	// Learned before anything is changed, so that a change made is not reported as failed for want of it.
	if _, err := g.Account(ctx); err != nil {
		return billing.UpdatedSubscription{}, err
	}
	params.Expand = stripe.StringSlice([]string{"default_payment_method", "latest_invoice"})
	updated, x, err := call(ctx, what, func(ctx context.Context) (*stripe.Subscription, error) {
		params.Context = ctx
		return g.subscriptions.Update(id, params)
	})
	if err != nil {
		return billing.UpdatedSubscription{}, err
	}
	snapshot, err := g.snapshot(ctx, updated, x)
	return billing.UpdatedSubscription{Subscription: snapshot, Replayed: x.replayed, RequestID: x.requestID}, err
}
