package stripegw

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// ChangePlan sets price and quantity of the seat item in one update, so that the quantity is not
// reset to 1 (https://docs.stripe.com/billing/subscriptions/change-price). With
// pending_if_incomplete a failed payment leaves the subscription unchanged: the answer has a
// pending update. Parameters that this behavior does not support are not sent, off_session
// included: a person is present
// (https://docs.stripe.com/billing/subscriptions/pending-updates-reference).
func (g *Gateway) ChangePlan(ctx context.Context, update billing.PlanUpdate) (billing.UpdatedSubscription, error) {
	params := &stripe.SubscriptionParams{
		Items: []*stripe.SubscriptionItemsParams{{
			ID: stripe.String(update.ItemID), Price: stripe.String(update.PriceID), Quantity: stripe.Int64(int64(update.Quantity)),
		}},
		PaymentBehavior:   stripe.String("pending_if_incomplete"),
		ProrationBehavior: stringOrNil(string(update.Proration)),
		ProrationDate:     unixOrNil(update.ProratedAt),
		TrialEnd:          unixOrNil(update.TrialEnd),
	}
	params.SetIdempotencyKey(update.IdempotencyKey)
	return g.updateSubscription(ctx, "change plan", update.SubscriptionID, params)
}

// PreviewPlanChange returns the invoice that the update would create at once or, if it creates
// none, the next one (https://docs.stripe.com/api/invoices/create_preview).
func (c *previewCalls) PreviewPlanChange(ctx context.Context, update billing.PlanUpdate) (billing.InvoicePreview, error) {
	params := &stripe.InvoiceCreatePreviewParams{
		Subscription: stripe.String(update.SubscriptionID),
		SubscriptionDetails: &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{
			Items: []*stripe.InvoiceCreatePreviewSubscriptionDetailsItemParams{{
				ID: stripe.String(update.ItemID), Price: stripe.String(update.PriceID), Quantity: stripe.Int64(int64(update.Quantity)),
			}},
			ProrationBehavior: stringOrNil(string(update.Proration)),
			ProrationDate:     unixOrNil(update.ProratedAt),
			TrialEnd:          unixOrNil(update.TrialEnd),
		},
	}
	if update.Discounts != nil {
		for _, id := range *update.Discounts {
			params.Discounts = append(params.Discounts, &stripe.InvoiceCreatePreviewDiscountParams{Discount: stripe.String(id)})
		}
		if len(*update.Discounts) == 0 {
			params.AddExtra("discounts", "") // none of the subscription's
		}
	}
	return c.previewInvoice(ctx, params)
}

func stringOrNil(value string) *string {
	if value == "" {
		return nil
	}
	return stripe.String(value)
}

func unixOrNil(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	return stripe.Int64(t.Unix())
}
