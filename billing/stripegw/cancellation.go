package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// CancelSubscription cancels a subscription immediately. A DELETE has no idempotency key
// (https://docs.stripe.com/api/idempotent_requests); a canceled subscription is not found. Both
// parameters are sent, since Stripe's defaults would invoice pending items
// (https://docs.stripe.com/api/subscriptions/cancel).
func (g *Gateway) CancelSubscription(ctx context.Context, id string) error {
	return g.cancelNow(ctx, id, false)
}

// CancelInvoicing cancels a subscription immediately and invoices its pending items.
func (g *Gateway) CancelInvoicing(ctx context.Context, id string) error {
	return g.cancelNow(ctx, id, true)
}

func (g *Gateway) cancelNow(ctx context.Context, id string, invoice bool) error {
	_, _, err := call(ctx, "cancel subscription", func(ctx context.Context) (*stripe.Subscription, error) {
		params := &stripe.SubscriptionCancelParams{InvoiceNow: stripe.Bool(invoice), Prorate: stripe.Bool(false)}
		params.Context = ctx
		return g.subscriptions.Cancel(id, params)
	})
	return err
}

// CancelAtPeriodEnd schedules the cancellation for the end of the period.
func (g *Gateway) CancelAtPeriodEnd(ctx context.Context, id string, details billing.CancellationDetails) (billing.UpdatedSubscription, error) {
	params := &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}
	if details != (billing.CancellationDetails{}) {
		params.CancellationDetails = &stripe.SubscriptionCancellationDetailsParams{
			Feedback: stringOrNil(string(details.Feedback)), Comment: stringOrNil(details.Comment),
		}
	}
	return g.updateSubscription(ctx, "cancel subscription at period end", id, params)
}

// PreviewPeriodEnd returns the next invoice of the subscription with a scheduled end, or without
// one. With an end at the period's end it has the pending items only, which are collected then
// (https://docs.stripe.com/api/subscriptions/cancel), or there is none: invoice_upcoming_none.
func (c *previewCalls) PreviewPeriodEnd(ctx context.Context, current billing.Subscription, ends bool) (billing.InvoicePreview, error) {
	params := &stripe.InvoiceCreatePreviewParams{Subscription: stripe.String(current.ID)}
	details := &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{}
	switch {
	case ends || current.CancelAtPeriodEnd:
		details.CancelAtPeriodEnd = stripe.Bool(ends)
		params.SubscriptionDetails = details
	case current.CancelAt != nil:
		// Emptied, as a resumption does.
		params.AddExtra("subscription_details[cancel_at]", "")
	}
	return c.previewInvoice(ctx, params)
}

// Resume removes a scheduled cancellation. Stripe accepts only one of cancel_at_period_end and
// cancel_at in a request (https://docs.stripe.com/api/subscriptions/update).
func (g *Gateway) Resume(ctx context.Context, ending billing.Subscription) (billing.UpdatedSubscription, error) {
	params := &stripe.SubscriptionParams{}
	if ending.CancelAtPeriodEnd {
		params.CancelAtPeriodEnd = stripe.Bool(false)
	} else {
		params.AddExtra("cancel_at", "")
	}
	return g.updateSubscription(ctx, "resume subscription", ending.ID, params)
}
