package billing

import (
	"context"
	"fmt"
)

// matchCharge holds an invoice against the confirmed change that created it, whichever path brings
// it: the answer to the change, the worker that looks for a lost answer, or an event. Only an
// invoice that carries the change's prorations is its own, since the subscription's newest invoice
// may be that of a renewal. The organization is locked.
func (c *core) matchCharge(ctx context.Context, tx Tx, invoice Invoice) error {
	if invoice.SubscriptionID == "" || invoice.Reason != reasonSubscriptionUpdate || invoice.Status == InvoiceVoid || invoice.Status == InvoiceDraft {
		return nil
	}
	changes, err := tx.PlanChanges().OfInvoice(ctx, invoice.OrganizationID, invoice.SubscriptionID, invoice.ID)
	if err != nil {
		return fmt.Errorf("read plan changes of invoice: %w", err)
	}
	for _, change := range changes {
		if !change.created(invoice) || !change.recordCharge(invoice) {
			continue
		}
		if err := tx.PlanChanges().Put(ctx, change); err != nil {
			return fmt.Errorf("write plan change: %w", err)
		}
		c.logCharge(ctx, change)
	}
	return nil
}

// reasonSubscriptionUpdate is the billing_reason of an invoice that an update created
// (https://docs.stripe.com/api/invoices/object#invoice_object-billing_reason).
const reasonSubscriptionUpdate = "subscription_update"

// created reports whether an invoice with its lines is the one that the change created.
func (c PlanChange) created(invoice Invoice) bool {
	if c.InvoiceID != "" || c.ProratedAt == nil {
		return c.InvoiceID == invoice.ID
	}
	for _, line := range invoice.Lines {
		if line.Proration && line.PeriodStart.Equal(*c.ProratedAt) && (line.PriceID == c.PriceID || line.PriceID == c.FromPriceID) {
			return true
		}
	}
	return false
}

// recordCharge sets the change's invoice and what it charges, in the minor unit: what is paid and
// what is still to be paid, with what a credit note took off before the payment. It reports whether
// that is new.
func (c *PlanChange) recordCharge(invoice Invoice) bool {
	charged := invoice.AmountPaid + invoice.AmountDue + invoice.CreditedBeforePayment
	if c.InvoiceID == invoice.ID && c.Charged != nil && *c.Charged == charged {
		return false
	}
	c.InvoiceID, c.Charged = invoice.ID, &charged
	return true
}

// mischarged reports whether another amount was charged than was confirmed.
func (c PlanChange) mischarged() bool {
	return c.Kind == PlanUpgrade && c.Charged != nil && *c.Charged != c.AmountDue
}

// logCharge reports a charge that differs from what was confirmed. Operators see the number of such
// changes (Backlog.MischargedChanges).
func (c *core) logCharge(ctx context.Context, change PlanChange) {
	if change.mischarged() {
		c.Log.ErrorContext(ctx, "plan change charged another amount than was confirmed", "organization_id", change.OrganizationID,
			"plan_change_id", change.ID, "invoice_id", change.InvoiceID, "confirmed", change.AmountDue, "charged", *change.Charged, "currency", change.Currency)
	}
}

// findCharge fetches the invoice of a change whose answer was lost, or was a replay, so that it is
// held against what was confirmed. The subscription's newest invoice is the change's unless a
// renewal came between; then the change's own invoice comes with its event.
func (pc *PlanChanges) findCharge(ctx context.Context, change PlanChange) error {
	paid := change.Status == PlanChangeApplied || change.Status == PlanChangePending
	if change.Kind != PlanUpgrade || !paid || change.Charged != nil {
		return nil
	}
	current, err := pc.store.Subscriptions().Get(ctx, change.SubscriptionID)
	if err != nil {
		return fmt.Errorf("read subscription of plan change: %w", err)
	}
	if current.LatestInvoiceID == "" {
		return nil
	}
	if err := pc.invoices.refetch(ctx, current.LatestInvoiceID); err != nil {
		return fmt.Errorf("fetch invoice of plan change: %w", err)
	}
	return nil
}
