package stripegw

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/apperr"
)

// upcomingLines is how many lines of an upcoming invoice are read at most.
const upcomingLines = 3 * pageSize

// UpcomingInvoice returns the next invoice of a subscription as Stripe calculates it now
// (https://docs.stripe.com/api/invoices/upcoming), and ErrNotFound if it has none. A subscription
// that does not renew still has one while invoice items are pending
// (https://docs.stripe.com/error-codes#invoice-upcoming-none).
func (c *previewCalls) UpcomingInvoice(ctx context.Context, subscriptionID string) (billing.InvoicePreview, error) {
	return c.upcomingInvoice(ctx, subscriptionID, nil)
}

// PendingItemsInvoice returns the invoice of the items that are pending now, without a renewal:
// Stripe previews the subscription as if it were canceled at the end of the period. ErrNotFound if
// nothing is pending.
func (c *previewCalls) PendingItemsInvoice(ctx context.Context, subscriptionID string) (billing.InvoicePreview, error) {
	return c.upcomingInvoice(ctx, subscriptionID, stripe.Bool(true))
}

func (c *previewCalls) upcomingInvoice(ctx context.Context, subscriptionID string, ending *bool) (billing.InvoicePreview, error) {
	found, info, err := call(ctx, "read upcoming invoice", func(ctx context.Context) (*stripe.Invoice, error) {
		params := &stripe.InvoiceUpcomingParams{
			Subscription: stripe.String(subscriptionID), Expand: stripe.StringSlice([]string{"subscription", "discounts"}),
		}
		if ending != nil {
			params.SubscriptionDetails = &stripe.InvoiceUpcomingSubscriptionDetailsParams{CancelAtPeriodEnd: ending}
		}
		params.Context = ctx
		return c.invoices.Upcoming(params)
	})
	if hasCode(err, stripe.ErrorCodeInvoiceUpcomingNone) {
		return billing.InvoicePreview{}, apperr.ErrNotFound
	}
	if err != nil {
		return billing.InvoicePreview{}, err
	}
	if found.Object != "invoice" || found.Lines == nil {
		return billing.InvoicePreview{}, invalidResponse(info, "the response is no invoice")
	}
	if err := c.fetchUpcomingLines(ctx, found, subscriptionID, ending); err != nil {
		return billing.InvoicePreview{}, err
	}
	return mapUpcoming(found), nil
}

// fetchUpcomingLines reads further lines if the preview has only its first page.
func (c *previewCalls) fetchUpcomingLines(ctx context.Context, i *stripe.Invoice, subscriptionID string, ending *bool) error {
	if !i.Lines.HasMore {
		return nil
	}
	lines, _, err := call(ctx, "list upcoming invoice lines", func(ctx context.Context) ([]*stripe.InvoiceLineItem, error) {
		params := &stripe.InvoiceUpcomingLinesParams{Subscription: stripe.String(subscriptionID)}
		if ending != nil {
			params.SubscriptionDetails = &stripe.InvoiceUpcomingLinesSubscriptionDetailsParams{CancelAtPeriodEnd: ending}
		}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.InvoiceLineItem
		list := c.invoices.UpcomingLines(params)
		for len(all) < upcomingLines && list.Next() {
			all = append(all, list.InvoiceLineItem())
		}
		return all, list.Err()
	})
	if err != nil {
		return err
	}
	i.Lines.Data, i.Lines.HasMore = lines, len(lines) >= upcomingLines
	return nil
}

// mapUpcoming maps an upcoming invoice with its expanded subscription. Lines that were read after
// the totals may be of another moment: then the list counts as incomplete.
func mapUpcoming(i *stripe.Invoice) billing.InvoicePreview {
	preview := mapPreview(i)
	if i.Subscription != nil {
		preview.PendingItemsAt = optionalTime(i.Subscription.NextPendingInvoiceItemInvoice)
	}
	if i.NextPaymentAttempt != 0 {
		at := time.Unix(i.NextPaymentAttempt, 0).UTC()
		preview.CollectedAt = &at
	}
	var sum int64
	for _, line := range preview.Lines {
		sum += line.Amount.Minor
	}
	preview.MoreLines = preview.MoreLines || sum != i.Subtotal
	return preview
}
