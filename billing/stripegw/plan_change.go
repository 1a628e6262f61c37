package stripegw

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/catalog"
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
func (g *Gateway) PreviewPlanChange(ctx context.Context, update billing.PlanUpdate) (billing.InvoicePreview, error) {
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
	return g.previewInvoice(ctx, params)
}

func (g *Gateway) previewInvoice(ctx context.Context, params *stripe.InvoiceCreatePreviewParams) (billing.InvoicePreview, error) {
	found, info, err := call(ctx, "preview invoice", func(ctx context.Context) (*stripe.Invoice, error) {
		params.Context = ctx
		params.Expand = stripe.StringSlice([]string{"discounts"})
		return g.invoices.CreatePreview(params)
	})
	if err != nil {
		return billing.InvoicePreview{}, err
	}
	if found.Object != "invoice" || found.Lines == nil {
		return billing.InvoicePreview{}, invalidResponse(info, "the response is no invoice")
	}
	return mapPreview(found), nil
}

// mapPreview maps a preview. A preview's list of lines is complete up to Stripe's page of ten; the
// amounts are those of the whole invoice.
func mapPreview(i *stripe.Invoice) billing.InvoicePreview {
	money := func(minor int64) catalog.Money { return catalog.Money{Minor: minor, Currency: string(i.Currency)} }
	preview := billing.InvoicePreview{
		AmountDue: money(i.AmountDue), Total: money(i.Total), Subtotal: money(i.Subtotal), Tax: money(i.Tax),
		Discount:   money(discountOf(i)),
		At:         time.Unix(max(i.Created, i.PeriodEnd), 0).UTC(),
		ProratedAt: optionalTime(i.SubscriptionProrationDate),
		// A preview need not have an ending_balance: it is null until an invoice is finalized
		// (https://docs.stripe.com/api/invoices/object#invoice_object-ending_balance).
		BalanceUsed: money(i.AmountDue - i.Total), EndingBalance: money(i.EndingBalance),
		MoreLines:   i.Lines.HasMore,
		TaxIncluded: catalog.Money{Currency: string(i.Currency)},
	}
	for _, tax := range i.TotalTaxAmounts {
		if tax.Inclusive {
			preview.TaxIncluded.Minor += tax.Amount
		}
	}
	for _, discount := range i.Discounts {
		once := discount.Coupon != nil && discount.Coupon.Duration == stripe.CouponDurationOnce
		preview.Discounts = append(preview.Discounts, billing.PreviewDiscount{ID: discount.ID, Once: once})
	}
	preview.Lines = mapPreviewLines(i.Lines, string(i.Currency))
	return preview
}

// discountOf returns the sum of an invoice's discounts.
func discountOf(i *stripe.Invoice) int64 {
	var sum int64
	for _, discount := range i.TotalDiscountAmounts {
		sum += discount.Amount
	}
	return sum
}

// netAmount returns a line's amount after discounts and with the tax that is added to it.
func netAmount(line *stripe.InvoiceLineItem) int64 {
	net := line.Amount
	for _, discount := range line.DiscountAmounts {
		net -= discount.Amount
	}
	for _, tax := range line.TaxAmounts {
		if !tax.Inclusive {
			net += tax.Amount
		}
	}
	return net
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
