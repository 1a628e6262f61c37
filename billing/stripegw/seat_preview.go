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
// creates none, the next one, with all lines up to 100
// (https://docs.stripe.com/api/invoices/create_preview). Without an item it previews the
// subscription as it is. The zero value means that no further invoice is due: the subscription ends
// and nothing is pending.
func (g *Gateway) PreviewQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.InvoicePreview, error) {
	preview, err := g.previewInvoice(ctx, quantityPreviewParams(update))
	var refused *apperr.StripeError
	if errors.As(err, &refused) && refused.Code == string(stripe.ErrorCodeInvoiceUpcomingNone) {
		return billing.InvoicePreview{}, nil
	}
	if err == nil && preview.MoreLines {
		err = g.previewAllLines(ctx, update, &preview)
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

// previewAllLines replaces the first page of a preview's lines by up to 100 of them. The lines of a
// preview have no lasting ids, so that further pages could not be asked for
// (https://docs.stripe.com/api/invoices/upcoming_invoice_lines).
func (g *Gateway) previewAllLines(ctx context.Context, update billing.QuantityUpdate, preview *billing.InvoicePreview) error {
	list, _, err := call(ctx, "list lines of preview", func(ctx context.Context) (*stripe.InvoiceLineItemList, error) {
		params := &stripe.InvoiceUpcomingLinesParams{Subscription: stripe.String(update.SubscriptionID)}
		setPage(&params.ListParams, ctx, "")
		if update.ItemID != "" {
			params.SubscriptionDetails = &stripe.InvoiceUpcomingLinesSubscriptionDetailsParams{
				Items: []*stripe.InvoiceUpcomingLinesSubscriptionDetailsItemParams{{
					ID: stripe.String(update.ItemID), Quantity: stripe.Int64(int64(update.Quantity)),
				}},
				ProrationBehavior: stringOrNil(update.Proration), ProrationDate: unixOrNil(update.ProratedAt),
			}
		}
		lines := g.invoices.UpcomingLines(params)
		return lines.InvoiceLineItemList(), lines.Err()
	})
	if err != nil {
		return err
	}
	preview.Lines, preview.MoreLines = mapPreviewLines(list, preview.Total.Currency), list.HasMore
	return nil
}

// mapPreviewLines maps the lines of a preview.
func mapPreviewLines(list *stripe.InvoiceLineItemList, currency string) []billing.PreviewLine {
	money := func(minor int64) catalog.Money { return catalog.Money{Minor: minor, Currency: currency} }
	var lines []billing.PreviewLine
	for _, line := range list.Data {
		if line == nil || line.Period == nil {
			continue
		}
		mapped := billing.PreviewLine{
			Description: line.Description, Amount: money(line.Amount), Proration: line.Proration, Quantity: int(line.Quantity),
			Subscription: line.Type == stripe.InvoiceLineItemTypeSubscription,
			PeriodStart:  time.Unix(line.Period.Start, 0).UTC(), PeriodEnd: time.Unix(line.Period.End, 0).UTC(),
			Net: money(netAmount(line)), Credit: isCredit(line), Metered: isMetered(line),
		}
		if line.Price != nil {
			mapped.PriceID = line.Price.ID
		}
		if line.SubscriptionItem != nil {
			mapped.ItemID = line.SubscriptionItem.ID
		}
		lines = append(lines, mapped)
	}
	return lines
}

// PendingProrations lists the prorations of a subscription that are on no invoice yet
// (https://docs.stripe.com/api/invoiceitems/list).
func (g *Gateway) PendingProrations(ctx context.Context, customerID, subscriptionID string) ([]billing.PreviewLine, error) {
	found, _, err := call(ctx, "list pending prorations", func(ctx context.Context) ([]*stripe.InvoiceItem, error) {
		params := &stripe.InvoiceItemListParams{Customer: stripe.String(customerID), Pending: stripe.Bool(true)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.InvoiceItem
		list := g.invoiceItems.List(params)
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
