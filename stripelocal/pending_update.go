package stripelocal

import "usher/stripelocal/wire"

// PendingUpdate is a subscription change that is applied when its invoice is paid (docs: pending
// updates).
type PendingUpdate struct {
	Invoice       string
	ExpiresAt     int64
	Items         []plannedItem
	Before        billingState
	After         billingState
	AttemptFailed bool // shown as pending_update from then on
}

// checkPendingParams rejects parameters that pending updates do not support (docs: pending updates
// reference).
func checkPendingParams(in *input) error {
	if in.String("payment_behavior") != "pending_if_incomplete" {
		return nil
	}
	allowed := setOf([]string{
		"payment_behavior", "items", "proration_behavior", "proration_date", "billing_cycle_anchor", "trial_end",
		"trial_from_plan", "add_invoice_items", "expand", "off_session",
	})
	for _, name := range in.Names() {
		if !allowed[name] {
			return wire.Invalid("", name, "When `payment_behavior` is `pending_if_incomplete`, you cannot pass `"+name+"`: it is not supported by pending updates.")
		}
	}
	return nil
}

// pendingUpdates holds subscription changes until their invoice is paid.
type pendingUpdates struct{ *request }

// create bills a change and applies it once the invoice is paid.
func (h pendingUpdates) create(sub *Subscription, p changePlan) (paymentOutcome, *Decline) {
	h.expire(sub) // the new change replaces it
	h.subscriptionChanges.storeProrations(p)
	inv, _ := h.subscriptionChanges.createInvoice(sub, p)
	expires := h.timeOnClock(sub.TestClock) + incompleteLifetime
	sub.PendingUpdate = &PendingUpdate{
		Invoice: inv.ID, ExpiresAt: min(expires, sub.CurrentPeriodEnd), Items: p.items, Before: sub.billingState(), After: p.after,
	}
	result, decline := h.invoicing.finalizeAndPay(inv)
	if pending := sub.PendingUpdate; pending != nil {
		before := h.subscriptions.render(sub)
		pending.AttemptFailed = true
		h.emitUpdate("customer.subscription.updated", before, h.subscriptions.render(sub))
		h.renewals.scheduleNext(sub)
	}
	return result, decline
}

// apply applies the change of a paid invoice.
func (h pendingUpdates) apply(sub *Subscription, inv *Invoice) {
	pending := sub.PendingUpdate
	if pending == nil || pending.Invoice != inv.ID {
		return
	}
	before := h.subscriptions.render(sub)
	sub.PendingUpdate = nil
	h.subscriptionChanges.setItems(sub, pending.Items)
	if pending.After != pending.Before {
		sub.setBillingState(pending.After)
	}
	after := h.subscriptions.render(sub)
	h.emitUpdate("customer.subscription.updated", before, after)
	if pending.AttemptFailed {
		h.emit("customer.subscription.pending_update_applied", after)
	}
	h.entitlements.refresh(sub)
	h.renewals.scheduleNext(sub)
}

// expire discards the change and voids its invoice.
func (h pendingUpdates) expire(sub *Subscription) {
	pending := sub.PendingUpdate
	if pending == nil {
		return
	}
	h.subscriptions.change(sub, func() { sub.PendingUpdate = nil })
	if inv, ok := h.store.Invoices.get(pending.Invoice); ok {
		h.invoicing.void(inv)
	}
	h.emit("customer.subscription.pending_update_expired", h.subscriptions.render(sub))
}

// render renders pending_update, null until the first payment attempt has failed.
func (h pendingUpdates) render(sub *Subscription) any {
	pending := sub.PendingUpdate
	if pending == nil || !pending.AttemptFailed {
		return nil
	}
	items := []any{}
	for _, i := range pending.Items {
		items = append(items, h.subscriptionItems.render(&SubscriptionItem{
			Base: Base{ID: i.ID, Created: sub.Created}, Metadata: i.Metadata, Price: i.Price, Quantity: i.Quantity, Subscription: sub.ID,
		}))
	}
	o := wire.Object{
		"billing_cycle_anchor": nil, "expires_at": pending.ExpiresAt, "subscription_items": items,
		"trial_end": nil, "trial_from_plan": nil,
	}
	if pending.After.Anchor != pending.Before.Anchor {
		o["billing_cycle_anchor"] = pending.After.Anchor
	}
	if pending.After.TrialEnd != pending.Before.TrialEnd {
		o["trial_end"] = wire.IntOrNull(pending.After.TrialEnd)
	}
	return o
}
