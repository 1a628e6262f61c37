package stripegw

import (
	"context"
	"errors"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// PreviewQuantity returns the invoice that an update of the quantity would create at once or, if it
// creates none, the next one
// (https://docs.stripe.com/api/invoices/create_preview). Without an item it previews the
// subscription as it is. The zero value means that no further invoice is due: the subscription ends
// and nothing is pending.
func (c *previewCalls) PreviewQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.InvoicePreview, error) {
	preview, err := c.previewInvoice(ctx, quantityPreviewParams(update))
	var refused *apperr.StripeError
	if errors.As(err, &refused) && refused.Code == string(stripe.ErrorCodeInvoiceUpcomingNone) {
		return billing.InvoicePreview{}, nil
	}
	return preview, err
}

func quantityPreviewParams(update billing.QuantityUpdate) *stripe.InvoiceCreatePreviewParams {
	params := &stripe.InvoiceCreatePreviewParams{Subscription: stripe.String(update.SubscriptionID)}
	if update.ItemID != "" {
		params.SubscriptionDetails = &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{
			Items: []*stripe.InvoiceCreatePreviewSubscriptionDetailsItemParams{{
				ID: stripe.String(update.ItemID), Quantity: stripe.Int64(int64(update.Quantity)),
			}},
			ProrationBehavior: stringOrNil(update.Proration), ProrationDate: unixOrNil(update.ProratedAt),
		}
	}
	return params
}

// PendingProrations lists the prorations of a subscription that are on no invoice yet
// (https://docs.stripe.com/api/invoiceitems/list).
func (c *previewCalls) PendingProrations(ctx context.Context, customerID, subscriptionID string) ([]billing.PreviewLine, error) {
	found, _, err := call(ctx, "list pending prorations", func(ctx context.Context) ([]*stripe.InvoiceItem, error) {
		params := &stripe.InvoiceItemListParams{Customer: stripe.String(customerID), Pending: stripe.Bool(true)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.InvoiceItem
		list := c.invoiceItems.List(params)
		for list.Next() {
			all = append(all, list.InvoiceItem())
		}
		return all, list.Err()
	})
	var lines []billing.PreviewLine
	for _, item := range found {
		if item == nil || item.Period == nil || !item.Proration || item.Subscription == nil || item.Subscription.ID != subscriptionID {
			continue
		}
		amount := catalog.Money{Minor: item.Amount, Currency: string(item.Currency)}
		line := billing.PreviewLine{
			Description: item.Description, Amount: amount, Net: amount, Proration: true, Quantity: int(item.Quantity),
			PeriodStart: time.Unix(item.Period.Start, 0).UTC(), PeriodEnd: time.Unix(item.Period.End, 0).UTC(), ItemID: item.SubscriptionItem,
		}
		if item.Price != nil {
			line.PriceID = item.Price.ID
		}
		lines = append(lines, line)
	}
	return lines, err
}
