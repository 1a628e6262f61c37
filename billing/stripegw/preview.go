package stripegw

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/catalog"
)

// previewInvoice returns a preview with all lines up to 100.
func (c *previewCalls) previewInvoice(ctx context.Context, params *stripe.InvoiceCreatePreviewParams) (billing.InvoicePreview, error) {
	found, info, err := call(ctx, "preview invoice", func(ctx context.Context) (*stripe.Invoice, error) {
		params.Context = ctx
		params.Expand = stripe.StringSlice([]string{"discounts"})
		return c.invoices.CreatePreview(params)
	})
	if err != nil {
		return billing.InvoicePreview{}, err
	}
	if found.Object != "invoice" || found.Lines == nil {
		return billing.InvoicePreview{}, invalidResponse(info, "the response is no invoice")
	}
	preview := mapPreview(found)
	if preview.MoreLines {
		err = c.fetchPreviewLines(ctx, params, &preview)
	}
	return preview, err
}

// fetchPreviewLines replaces the first page of a preview's lines by up to 100 of them. The lines of
// a preview have no lasting ids, so that further pages could not be asked for
// (https://docs.stripe.com/api/invoices/upcoming_invoice_lines).
func (c *previewCalls) fetchPreviewLines(ctx context.Context, params *stripe.InvoiceCreatePreviewParams, preview *billing.InvoicePreview) error {
	list, _, err := call(ctx, "list lines of preview", func(ctx context.Context) (*stripe.InvoiceLineItemList, error) {
		same := previewLinesParams(params)
		setPage(&same.ListParams, ctx, "")
		lines := c.invoices.UpcomingLines(same)
		return lines.InvoiceLineItemList(), lines.Err()
	})
	if err != nil {
		return err
	}
	preview.Lines, preview.MoreLines = mapPreviewLines(list, preview.Total.Currency), list.HasMore
	return nil
}

// previewLinesParams returns the parameters of a preview for the list of its lines.
func previewLinesParams(p *stripe.InvoiceCreatePreviewParams) *stripe.InvoiceUpcomingLinesParams {
	same := &stripe.InvoiceUpcomingLinesParams{Customer: p.Customer, Subscription: p.Subscription}
	if p.AutomaticTax != nil {
		same.AutomaticTax = &stripe.InvoiceUpcomingLinesAutomaticTaxParams{Enabled: p.AutomaticTax.Enabled}
	}
	for _, d := range p.Discounts {
		same.Discounts = append(same.Discounts, &stripe.InvoiceUpcomingLinesDiscountParams{Coupon: d.Coupon, Discount: d.Discount})
	}
	if p.Extra != nil {
		for name := range p.Extra.Values {
			same.Filters.AddFilter(name, "", p.Extra.Get(name))
		}
	}
	if d := p.SubscriptionDetails; d != nil {
		same.SubscriptionDetails = &stripe.InvoiceUpcomingLinesSubscriptionDetailsParams{
			BillingCycleAnchor: d.BillingCycleAnchor, CancelAtPeriodEnd: d.CancelAtPeriodEnd, ProrationBehavior: d.ProrationBehavior,
			ProrationDate: d.ProrationDate, StartDate: d.StartDate, TrialEnd: d.TrialEnd,
		}
		for _, item := range d.Items {
			same.SubscriptionDetails.Items = append(same.SubscriptionDetails.Items,
				&stripe.InvoiceUpcomingLinesSubscriptionDetailsItemParams{ID: item.ID, Price: item.Price, Quantity: item.Quantity})
		}
	}
	return same
}

// mapPreview maps a preview with its first page of lines. The amounts are those of the whole
// invoice.
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
		TaxIncluded: catalog.Money{Currency: string(i.Currency)}, AutomaticTax: i.AutomaticTax != nil && i.AutomaticTax.Enabled,
	}
	for _, tax := range i.TotalTaxAmounts {
		if tax.Inclusive {
			preview.TaxIncluded.Minor += tax.Amount
		}
	}
	for _, discount := range i.Discounts {
		mapped := billing.PreviewDiscount{ID: discount.ID, EndsAt: optionalTime(discount.End)}
		if discount.Coupon != nil {
			mapped.CouponID, mapped.Once = discount.Coupon.ID, discount.Coupon.Duration == stripe.CouponDurationOnce
		}
		preview.Discounts = append(preview.Discounts, mapped)
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
