package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/billing/apperr"
)

// renewalDraft is how long a renewal's invoice stays a draft, with a margin: about an hour
// (https://docs.stripe.com/billing/invoices/subscription#new-invoices).
const renewalDraft = 2 * time.Hour

// refundPeriods refunds what was charged for periods that began after a deletion was requested. The
// request says that the plan is not renewed; it renews nevertheless if Stripe did not take the
// cancellation in time, if somebody resumed it at Stripe, or if an open Checkout page was paid.
func (ds *Deletions) refundPeriods(ctx context.Context, acct StripeAccount, d Deletion) error {
	ours, err := ds.store.Subscriptions().List(ctx, d.OrganizationID, acct)
	if err != nil {
		return fmt.Errorf("list subscriptions: %w", err)
	}
	var customers []string
	for _, s := range ours {
		if s.Status == StatusCanceled && !slices.Contains(customers, s.CustomerID) {
			customers = append(customers, s.CustomerID)
		}
	}
	for _, customerID := range customers {
		invoices, err := ds.gateway.Invoices(ctx, customerID, d.RequestedAt)
		if err != nil {
			return fmt.Errorf("list invoices: %w", err)
		}
		for _, invoice := range invoices {
			if !slices.ContainsFunc(ours, func(s Subscription) bool { return s.ID == invoice.SubscriptionID }) {
				continue
			}
			if err := ds.refundPeriod(ctx, invoice.ID, d.RequestedAt); err != nil {
				return err
			}
		}
	}
	return nil
}

func (ds *Deletions) refundPeriod(ctx context.Context, invoiceID string, requestedAt time.Time) error {
	invoice, err := ds.gateway.Invoice(ctx, invoiceID)
	if err != nil {
		return fmt.Errorf("fetch invoice: %w", err)
	}
	refund, whole := periodsBegunSince(invoice, requestedAt)
	switch {
	case refund == 0:
		return nil
	case invoice.Status == InvoiceDraft && ds.Now().Before(invoice.CreatedAt.Add(renewalDraft)):
		return fmt.Errorf("invoice %s is a draft", invoice.ID)
	case invoice.Status == InvoiceOpen && whole:
		err = ds.gateway.VoidInvoice(ctx, invoice.ID)
	case invoice.Status == InvoicePaid:
		err = ds.refundPaid(ctx, invoice, refund)
	}
	if err != nil {
		return fmt.Errorf("refund invoice %s: %w", invoice.ID, err)
	}
	if err := ds.invoices.refetch(ctx, invoice.ID); !errors.Is(err, apperr.ErrNotFound) {
		return err
	}
	return nil
}

// refundPaid credits a part of a paid invoice, unless it is credited already.
func (ds *Deletions) refundPaid(ctx context.Context, invoice Invoice, part int64) error {
	creditNote, err := remainingCredit(ctx, ds.gateway, invoice, part)
	if err != nil || creditNote.Refund+creditNote.Credit == 0 {
		return err
	}
	return ds.gateway.CreateCreditNote(ctx, creditNote)
}

// periodsBegunSince returns the part of an invoice's total that is for periods that began at a time
// or later, and whether that is all of it. The rest, such as seats added before, is owed. Tax is
// divided in proportion to what the lines are after their discounts: a coupon takes nothing off
// prorations, which are net of it.
func periodsBegunSince(invoice Invoice, since time.Time) (part int64, whole bool) {
	var begun, all int64
	for _, line := range invoice.Lines {
		net := line.Amount - line.Discount
		all += net
		if line.Subscription && !line.Proration && !line.PeriodStart.Before(since.Truncate(time.Second)) {
			begun += net
		}
	}
	if begun <= 0 || invoice.Total <= 0 || all <= 0 {
		return 0, false
	}
	if begun >= all {
		return invoice.Total, begun == all
	}
	return invoice.Total * begun / all, false
}
