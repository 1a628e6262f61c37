package stripegw

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Invoice reads an invoice with all its lines. AsOf is the Date header minus the duration of the
// request.
func (g *Gateway) Invoice(ctx context.Context, id string) (billing.Invoice, error) {
	found, info, err := call(ctx, "read invoice", func(ctx context.Context) (*stripe.Invoice, error) {
		params := &stripe.InvoiceParams{Expand: stripe.StringSlice([]string{"payment_intent.latest_charge"})}
		params.Context = ctx
		return g.invoices.Get(id, params)
	})
	if err != nil {
		return billing.Invoice{}, err
	}
	if found == nil || found.ID == "" {
		return billing.Invoice{}, invalidResponse(info, "the response is no invoice")
	}
	asOf, err := info.snapshotTime()
	if err != nil {
		return billing.Invoice{}, fmt.Errorf("read invoice %s: %w", id, err)
	}
	acct, err := g.Account(ctx)
	if err != nil {
		return billing.Invoice{}, err
	}
	if err := g.fetchAllLines(ctx, found); err != nil {
		return billing.Invoice{}, err
	}
	invoice := mapInvoice(found, acct.ID, asOf)
	if invoice.Credited > 0 {
		invoice.CreditedUnrefunded, err = g.creditedUnrefunded(ctx, id)
	}
	return invoice, err
}

// Invoices lists invoices of a customer created at since or later, without their lines.
func (g *Gateway) Invoices(ctx context.Context, customerID string, since time.Time) ([]billing.Invoice, error) {
	found, info, err := call(ctx, "list invoices", func(ctx context.Context) ([]*stripe.Invoice, error) {
		params := invoiceListParams(since)
		params.Context, params.Limit, params.Customer = ctx, stripe.Int64(pageSize), stripe.String(customerID)
		var all []*stripe.Invoice
		list := g.invoices.List(params)
		for list.Next() {
			all = append(all, list.Invoice())
		}
		return all, list.Err()
	})
	if err != nil {
		return nil, err
	}
	invoices := make([]billing.Invoice, 0, len(found))
	for _, i := range found {
		invoice, err := g.listedInvoice(ctx, i, info)
		if err != nil {
			return nil, err
		}
		invoices = append(invoices, invoice)
	}
	return invoices, nil
}

// AccountInvoices reads a page of the account's invoices created at since or later, newest first
// and without their lines.
func (g *Gateway) AccountInvoices(ctx context.Context, since time.Time, after string) (billing.Page[billing.Invoice], error) {
	found, info, err := call(ctx, "list invoices", func(ctx context.Context) (*stripe.InvoiceList, error) {
		params := invoiceListParams(since)
		setPage(&params.ListParams, ctx, after)
		list := g.invoices.List(params)
		return list.InvoiceList(), list.Err()
	})
	if err != nil {
		return billing.Page[billing.Invoice]{}, err
	}
	return pageOf(found.Data, &found.ListMeta, func(i *stripe.Invoice) string { return i.ID },
		func(i *stripe.Invoice) (billing.Invoice, error) { return g.listedInvoice(ctx, i, info) })
}

func invoiceListParams(since time.Time) *stripe.InvoiceListParams {
	return &stripe.InvoiceListParams{
		CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}, Expand: stripe.StringSlice([]string{"data.payment_intent"}),
	}
}

// listedInvoice maps an invoice of a list, which has only the first page of its lines.
func (g *Gateway) listedInvoice(ctx context.Context, i *stripe.Invoice, info callInfo) (billing.Invoice, error) {
	asOf, err := info.snapshotTime()
	if err != nil {
		return billing.Invoice{}, fmt.Errorf("list invoices: %w", err)
	}
	acct, err := g.Account(ctx)
	if err != nil {
		return billing.Invoice{}, err
	}
	invoice := mapInvoice(i, acct.ID, asOf)
	invoice.Lines = nil
	return invoice, nil
}

// VoidInvoice voids an open invoice. The caller has read that it is open.
func (g *Gateway) VoidInvoice(ctx context.Context, id string) error {
	_, _, err := callKeyed(ctx, "void invoice", hashedKey("void", id), func(ctx context.Context, key string) (*stripe.Invoice, error) {
		params := &stripe.InvoiceVoidInvoiceParams{}
		params.Context = ctx
		params.SetIdempotencyKey(key)
		return g.invoices.VoidInvoice(id, params)
	})
	return err
}

// fetchAllLines reads all lines if the invoice contains only the first page.
func (g *Gateway) fetchAllLines(ctx context.Context, i *stripe.Invoice) error {
	if i.Lines == nil || !i.Lines.HasMore {
		return nil
	}
	lines, _, err := call(ctx, "list invoice lines", func(ctx context.Context) ([]*stripe.InvoiceLineItem, error) {
		params := &stripe.InvoiceListLinesParams{Invoice: stripe.String(i.ID)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.InvoiceLineItem
		list := g.invoices.ListLines(params)
		for list.Next() {
			all = append(all, list.InvoiceLineItem())
		}
		return all, list.Err()
	})
	if err != nil {
		return err
	}
	i.Lines.Data, i.Lines.HasMore = lines, false
	return nil
}

// readInvoice parses an event's invoice. It returns false without all lines, and if there are
// credit notes, which have to be fetched.
func (g *Gateway) readInvoice(event *billing.Event, object []byte) bool {
	var i stripe.Invoice
	if json.Unmarshal(object, &i) != nil || i.Object != "invoice" || validID(i.ID) == "" {
		return false
	}
	if i.Lines == nil || i.Lines.HasMore || i.PostPaymentCreditNotesAmount > 0 {
		return false // how much of the credit notes was refunded is in the notes only
	}
	invoice := mapInvoice(&i, cmp.Or(event.Account, g.cachedAccountID()), event.Created)
	event.ObjectID, event.ObjectType = i.ID, i.Object
	event.SubscriptionID = validID(invoice.SubscriptionID)
	event.CustomerID = validID(invoice.CustomerID)
	event.OrgID = validID(invoice.OrgID)
	event.TestClock = invoice.TestClock
	event.Invoice = &invoice
	return true
}

func mapInvoice(i *stripe.Invoice, account string, asOf time.Time) billing.Invoice {
	invoice := billing.Invoice{
		ID: i.ID, CustomerID: customerID(i.Customer), Account: account, Livemode: i.Livemode, TestClock: i.TestClock != nil,
		Number: i.Number, Status: string(i.Status), Reason: string(i.BillingReason), Currency: string(i.Currency),
		Total: i.Total, AmountPaid: i.AmountPaid, AmountDue: i.AmountRemaining, Attempts: int(i.AttemptCount),
		NextAttemptAt: optionalTime(i.NextPaymentAttempt), HostedURL: i.HostedInvoiceURL, PDFURL: i.InvoicePDF,
		CreatedAt: time.Unix(i.Created, 0).UTC(), AsOf: asOf, ActionRequired: i.Status == stripe.InvoiceStatusOpen && actionRequired(i.PaymentIntent),
	}
	invoice.Credited, invoice.CreditedBeforePayment = i.PostPaymentCreditNotesAmount, i.PrePaymentCreditNotesAmount
	if i.Subscription != nil {
		invoice.SubscriptionID = i.Subscription.ID
	}
	if i.Charge != nil {
		invoice.ChargeID = i.Charge.ID
	}
	if i.StatusTransitions != nil {
		invoice.FinalizedAt = optionalTime(i.StatusTransitions.FinalizedAt)
		invoice.PaidAt = optionalTime(i.StatusTransitions.PaidAt)
	}
	if i.SubscriptionDetails != nil {
		invoice.OrgID = i.SubscriptionDetails.Metadata["orgId"]
	}
	invoice.Lines, invoice.Totals, invoice.LastAttempt = mapLines(i.Lines), mapTotals(i), lastAttempt(i)
	invoice.FailureCode = failureCode(i.PaymentIntent)
	return invoice
}

// mapTotals maps the amounts beside the lines. A discount takes off the lines; exclusive tax is
// added to them (https://docs.stripe.com/api/invoices/object#invoice_object-total_tax_amounts). The
// ending balance is known when the invoice is finalized; before that it is zero.
func mapTotals(i *stripe.Invoice) billing.InvoiceTotals {
	totals := billing.InvoiceTotals{Total: i.Total, AmountDue: i.AmountDue}
	for _, discount := range i.TotalDiscountAmounts {
		totals.Discount += discount.Amount
	}
	for _, tax := range i.TotalTaxAmounts {
		if tax.Inclusive {
			totals.TaxIncluded += tax.Amount
		} else {
			totals.Tax += tax.Amount
		}
	}
	if i.StatusTransitions != nil && i.StatusTransitions.FinalizedAt != 0 {
		totals.Balance = i.StartingBalance - i.EndingBalance
	}
	return totals
}

// failureCode returns why an expanded payment failed: the bank's decline code if there is one.
func failureCode(p *stripe.PaymentIntent) string {
	if p == nil || p.LastPaymentError == nil {
		return ""
	}
	return cmp.Or(string(p.LastPaymentError.DeclineCode), string(p.LastPaymentError.Code))
}

// actionRequired reports whether the customer has to confirm an expanded payment: Stripe waits for
// it (https://docs.stripe.com/payments/paymentintents/lifecycle), or the bank declined the payment
// only because it was not confirmed
// (https://docs.stripe.com/declines/codes#authentication_required).
func actionRequired(p *stripe.PaymentIntent) bool {
	switch {
	case p == nil:
		return false
	case p.Status == stripe.PaymentIntentStatusRequiresAction:
		return true
	case p.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || p.LastPaymentError == nil:
		return false
	}
	return p.LastPaymentError.Code == stripe.ErrorCodeAuthenticationRequired || p.LastPaymentError.DeclineCode == stripe.DeclineCodeAuthenticationRequired
}

// mapLines maps all lines. An amount that was added by hand may have no price.
func mapLines(list *stripe.InvoiceLineItemList) []billing.InvoiceLine {
	if list == nil {
		return nil
	}
	var lines []billing.InvoiceLine
	for _, l := range list.Data {
		if l == nil {
			continue
		}
		line := billing.InvoiceLine{
			ID: l.ID, Subscription: l.Type == stripe.InvoiceLineItemTypeSubscription, Proration: l.Proration, Amount: l.Amount,
			Credit: isCredit(l), Quantity: int(l.Quantity), Description: l.Description, Metered: isMetered(l),
		}
		for _, discount := range l.DiscountAmounts {
			line.Discount += discount.Amount
		}
		if l.Subscription != nil {
			line.SubscriptionID = l.Subscription.ID
		}
		if l.Period != nil {
			line.PeriodStart, line.PeriodEnd = time.Unix(l.Period.Start, 0).UTC(), time.Unix(l.Period.End, 0).UTC()
		}
		if l.Price != nil {
			line.PriceID = l.Price.ID
		}
		if l.Price != nil && l.Price.Recurring != nil {
			line.Interval, line.IntervalCount = string(l.Price.Recurring.Interval), int(l.Price.Recurring.IntervalCount)
		}
		lines = append(lines, line)
	}
	return lines
}

// isCredit reports whether a line gives unused time back. A credit of a free price has no amount.
func isCredit(l *stripe.InvoiceLineItem) bool {
	return l.Proration && (l.Amount < 0 || l.ProrationDetails != nil && l.ProrationDetails.CreditedItems != nil)
}

func isMetered(l *stripe.InvoiceLineItem) bool {
	return l.Price != nil && l.Price.Recurring != nil && l.Price.Recurring.UsageType == stripe.PriceRecurringUsageTypeMetered
}
