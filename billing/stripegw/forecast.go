package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// PreviewFirstPeriod returns the first invoice of a subscription that does not exist: from a start
// date, which may be in the future, to the anchor of its billing cycle
// (https://docs.stripe.com/api/invoices/create_preview).
func (c *previewCalls) PreviewFirstPeriod(ctx context.Context, first billing.FirstPeriod) (billing.InvoicePreview, error) {
	params := &stripe.InvoiceCreatePreviewParams{
		Customer: stripe.String(first.CustomerID),
		SubscriptionDetails: &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{
			Items: []*stripe.InvoiceCreatePreviewSubscriptionDetailsItemParams{{
				Price: stripe.String(first.PriceID), Quantity: stripe.Int64(int64(first.Quantity)),
			}},
			StartDate: stripe.Int64(first.StartsAt.Unix()), BillingCycleAnchor: stripe.Int64(first.AnchorAt.Unix()),
			ProrationBehavior: stripe.String("create_prorations"),
		},
	}
	for _, coupon := range first.Coupons {
		params.Discounts = append(params.Discounts, &stripe.InvoiceCreatePreviewDiscountParams{Coupon: stripe.String(coupon)})
	}
	if len(first.Coupons) == 0 {
		params.AddExtra("discounts", "") // none of the customer's
	}
	if first.AutomaticTax {
		params.AutomaticTax = &stripe.InvoiceCreatePreviewAutomaticTaxParams{Enabled: stripe.Bool(true)}
	}
	return c.previewInvoice(ctx, params)
}
