package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// UpdateQuantity sets the absolute quantity of the seat item, the subscription's pending invoice
// interval, or both, and returns the updated subscription.
// A replayed response proves that an earlier request with this key was executed, but is no current
// snapshot: its AsOf is zero.
//
// The payment behavior is Stripe's default, allow_incomplete: if the payment of an always_invoice
// proration fails, the quantity stays changed and the subscription becomes past_due
// (https://docs.stripe.com/billing/subscriptions/pending-updates).
func (g *Gateway) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	return g.updateSubscription(ctx, "update quantity", update.SubscriptionID, seatParams(update))
}

func seatParams(update billing.QuantityUpdate) *stripe.SubscriptionParams {
	params := &stripe.SubscriptionParams{
		// No customer is present to authenticate; Stripe's default for updates is false.
		OffSession: stripe.Bool(true),
	}
	if update.ItemID != "" { // without the item's id Stripe would add a second item
		params.Items = []*stripe.SubscriptionItemsParams{{ID: stripe.String(update.ItemID), Quantity: stripe.Int64(int64(update.Quantity))}}
	}
	switch update.PendingInvoiceInterval {
	case "":
	case "none":
		params.AddExtra("pending_invoice_item_interval", "") // the empty value clears it
	default:
		params.PendingInvoiceItemInterval = &stripe.SubscriptionPendingInvoiceItemIntervalParams{Interval: stripe.String(update.PendingInvoiceInterval)}
	}
	if update.Proration != "" {
		params.ProrationBehavior = stripe.String(update.Proration)
	}
	params.ProrationDate = unixOrNil(update.ProratedAt)
	params.SetIdempotencyKey(update.IdempotencyKey)
	return params
}
