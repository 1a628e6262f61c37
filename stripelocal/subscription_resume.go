package stripelocal

import "usher/stripelocal/wire"

const resumeParams = "billing_cycle_anchor:now|unchanged proration_behavior:create_prorations|none|always_invoice proration_date:time"

// resume bills a paused subscription, which becomes active once the invoice is paid. An invoice
// that is unpaid for 23 hours is voided and the subscription stays paused (API reference: resume a
// subscription).
func (h subscriptions) resume(in *input) (any, error) {
	sub, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if sub.Status != "paused" {
		return nil, wire.Invalid("", "", "Only paused subscriptions can be resumed. The status of this subscription is `"+sub.Status+"`.")
	}
	price, ok := h.firstPrice(sub)
	if !ok {
		return nil, wire.Invalid("", "", "This subscription has no items to resume.")
	}
	now := h.timeOnClock(sub.TestClock)
	if date := in.Int("proration_date"); in.Has("proration_date") && (date < sub.CurrentPeriodStart || date > now) {
		return nil, wire.Invalid("", "proration_date", "Cannot specify `proration_date` outside of the current billing period.")
	}
	h.change(sub, func() {
		if in.StringOr("billing_cycle_anchor", "now") == "now" {
			sub.BillingCycleAnchor = now
		}
		sub.CurrentPeriodStart, sub.CurrentPeriodEnd = now, price.periodAfter(sub.BillingCycleAnchor, now)
		sub.ResumeExpiresAt = now + incompleteLifetime
	})
	inv := h.invoicing.build(sub, "subscription_update", h.invoiceItems.pendingFor(sub), h.resumeLines(sub, price, in.IntOr("proration_date", now), in.String("proration_behavior")))
	h.invoicing.insert(sub, inv)
	h.renewals.scheduleNext(sub)
	h.invoicing.finalizeAndPay(inv)
	return h.render(sub), nil
}

// resumeLines are the lines of the period that a resume starts: the full period, or the rest of it
// if the anchor is unchanged.
func (h subscriptions) resumeLines(sub *Subscription, price *Price, from int64, behavior string) []InvoiceLine {
	lines := h.currentPeriodLines(sub)
	length := sub.CurrentPeriodEnd - wire.AddIntervals(sub.CurrentPeriodEnd, price.Interval, -price.IntervalCount)
	left := sub.CurrentPeriodEnd - from
	if sub.BillingCycleAnchor == sub.CurrentPeriodStart || left >= length {
		return lines
	}
	if behavior == "none" {
		return nil
	}
	for i := range lines {
		lines[i].Amount, lines[i].Proration = wire.Share(lines[i].Amount, left, length), true
	}
	return lines
}

// expireResume voids the unpaid invoice of a resume.
func (h subscriptions) expireResume(sub *Subscription) {
	sub.ResumeExpiresAt = 0
	if inv, ok := h.store.Invoices.get(sub.LatestInvoice); ok {
		h.invoicing.void(inv)
	}
}
