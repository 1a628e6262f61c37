package stripelocal

import "usher/stripelocal/wire"

// pendingInvoiceReason is the billing_reason of an invoice that pending_invoice_item_interval made.
const pendingInvoiceReason = "automatic_pending_invoice_item_invoice"

const pendingIntervalParams = "pending_invoice_item_interval{interval:day|week|month|year! interval_count:int}? "

// PendingInterval is how often pending invoice items are invoiced in between renewals (API
// reference: subscriptions, pending_invoice_item_interval). A zero Count is never.
type PendingInterval struct {
	Interval string // day, week, month or year
	Count    int64
}

// pendingInvoices invoices the pending items of subscriptions with a pending_invoice_item_interval.
type pendingInvoices struct{ *request }

// setInterval sets or, by an empty value, clears the interval. Setting the same interval again
// changes nothing. An interval is at most one year (API reference).
func (h pendingInvoices) setInterval(sub *Subscription, p wire.Params) error {
	if !p.Has("pending_invoice_item_interval") {
		return nil
	}
	in := p.At("pending_invoice_item_interval")
	if !in.Has("interval") {
		sub.PendingInterval, sub.NextPendingInvoice = PendingInterval{}, 0
		return nil
	}
	interval := PendingInterval{Interval: in.String("interval"), Count: in.IntOr("interval_count", 1)}
	most := map[string]int64{"day": 365, "week": 52, "month": 12, "year": 1}[interval.Interval]
	if interval.Count < 1 || interval.Count > most {
		return wire.Invalid("parameter_invalid_integer", in.Name("interval_count"), "Invalid interval_count: it must be at least 1, and the interval at most one year (1 year, 12 months, or 52 weeks).")
	}
	if interval != sub.PendingInterval {
		sub.PendingInterval = interval
		sub.schedulePendingInvoice(h.timeOnClock(sub.TestClock))
	}
	return nil
}

// schedulePendingInvoice sets the next date after a time. Dates are counted from the billing cycle
// anchor, so that they meet the renewals (inferred).
func (x *Subscription) schedulePendingInvoice(after int64) {
	if x.PendingInterval.Count == 0 {
		return
	}
	anchor := x.BillingCycleAnchor
	if anchor == 0 {
		anchor = after
	}
	x.NextPendingInvoice = wire.PeriodAfter(anchor, x.PendingInterval.Interval, x.PendingInterval.Count, after)
}

// isPendingInvoiceDue reports whether pending items are invoiced at a time. At the end of a period
// the renewal comes first and takes them.
func (x *Subscription) isPendingInvoiceDue(at int64) bool {
	return x.NextPendingInvoice != 0 && at >= x.NextPendingInvoice && at < x.CurrentPeriodEnd
}

// run invoices what is pending and sets the next date. The invoice is a draft for about an hour, as
// a renewal's is; without pending items there is none (both inferred).
func (h pendingInvoices) run(sub *Subscription) {
	if len(h.invoiceItems.pendingFor(sub)) > 0 {
		inv := h.invoicing.createDraft(sub, pendingInvoiceReason, nil)
		if !h.invoicing.applyPause(inv) {
			h.invoicing.scheduleNext(inv)
		}
	}
	h.subscriptions.change(sub, func() {
		sub.schedulePendingInvoice(max(sub.NextPendingInvoice, h.timeOnClock(sub.TestClock)))
	})
}

func (i PendingInterval) render() any {
	if i.Count == 0 {
		return nil
	}
	return wire.Object{"interval": i.Interval, "interval_count": i.Count}
}
