package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// UpdateQuantity tells Stripe an absolute quantity for the seat item and returns the subscription as it then was. A replayed answer is what
// Stripe answered to an earlier request with this key: it tells that the request was carried out, not how things stand, and its Moment
// is zero.
//
// The payment behaviour is left at Stripe's default, allow_incomplete: the quantity stays changed when the payment of an always_invoice
// proration fails, and the subscription turns past_due (https://docs.stripe.com/billing/subscriptions/pending-updates).
func (g *Gateway) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	return g.updateSubscription(ctx, "set seats", update.SubscriptionID, seatParams(update))
}

func seatParams(update billing.QuantityUpdate) *stripe.SubscriptionParams {
	params := &stripe.SubscriptionParams{
		// Without the item's id Stripe would add a second item.
		Items:      []*stripe.SubscriptionItemsParams{{ID: stripe.String(update.ItemID), Quantity: stripe.Int64(int64(update.Quantity))}},
		OffSession: stripe.Bool(true), // nobody is there to authenticate; Stripe's default for updates is false
	}
	if update.Proration != "" {
		params.ProrationBehavior = stripe.String(update.Proration)
	}
	params.SetIdempotencyKey(update.IdempotencyKey)
	return params
}
