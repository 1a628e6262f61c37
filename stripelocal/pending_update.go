package stripelocal

// PendingUpdate is a change that waits for its invoice to be paid (docs:
// pending updates).
type PendingUpdate struct {
	Invoice   string
	ExpiresAt int64
	Items     []plannedItem
	Before    standing
	After     standing
	Told      bool // the first attempt failed, so the client knows it is pending
}

// checkPendingParams refuses what a pending update cannot hold (docs: pending
// updates reference).
func checkPendingParams(in *input) error {
	if in.str("payment_behavior") != "pending_if_incomplete" {
		return nil
	}
	allowed := setOf([]string{
		"payment_behavior", "items", "proration_behavior", "proration_date", "billing_cycle_anchor", "trial_end",
		"trial_from_plan", "add_invoice_items", "expand", "off_session",
	})
	for _, name := range in.n.keys {
		if !allowed[name] {
			return invalid("", name, "When `payment_behavior` is `pending_if_incomplete`, you cannot pass `"+name+"`: it is not supported by pending updates.")
		}
	}
	return nil
}

// updateWhenPaid bills a change first and makes it once that is paid.
func (a *act) updateWhenPaid(sub *Subscription, p plan) (outcome, *Decline) {
	a.dropPendingUpdate(sub, true)
	a.storeProrations(p)
	inv, _ := a.billPlan(sub, p)
	expires := a.timeOn(sub.TestClock) + incompleteLife
	sub.PendingUpdate = &PendingUpdate{
		Invoice: inv.ID, ExpiresAt: min(expires, sub.CurrentPeriodEnd), Items: p.items, Before: sub.standing(), After: p.after,
	}
	result, decline := a.finalizeAndCollect(inv)
	if pending := sub.PendingUpdate; pending != nil {
		before := a.renderSubscription(sub)
		pending.Told = true
		a.emitUpdate("customer.subscription.updated", before, a.renderSubscription(sub))
		a.armSubscription(sub)
	}
	return result, decline
}

// applyPendingUpdate makes the change whose invoice was paid.
func (a *act) applyPendingUpdate(sub *Subscription, inv *Invoice) {
	pending := sub.PendingUpdate
	if pending == nil || pending.Invoice != inv.ID {
		return
	}
	before := a.renderSubscription(sub)
	sub.PendingUpdate = nil
	a.putItems(sub, pending.Items)
	if pending.After != pending.Before {
		sub.stand(pending.After)
	}
	after := a.renderSubscription(sub)
	a.emitUpdate("customer.subscription.updated", before, after)
	if pending.Told {
		a.emit("customer.subscription.pending_update_applied", after)
	}
	a.armSubscription(sub)
}

// expirePendingUpdate gives a change up. Its invoice is voided.
func (a *act) expirePendingUpdate(sub *Subscription) {
	pending := sub.PendingUpdate
	if pending == nil {
		return
	}
	a.changeSubscription(sub, func() { sub.PendingUpdate = nil })
	if inv, ok := a.state.Invoices.get(pending.Invoice); ok {
		a.void(inv)
	}
	a.emit("customer.subscription.pending_update_expired", a.renderSubscription(sub))
}

// dropPendingUpdate lets another change that is billed take the place of one
// that waits.
func (a *act) dropPendingUpdate(sub *Subscription, replaced bool) {
	if replaced {
		a.expirePendingUpdate(sub)
	}
}

// renderPending is null until the first attempt at its invoice has failed.
func (a *act) renderPending(sub *Subscription) any {
	pending := sub.PendingUpdate
	if pending == nil || !pending.Told {
		return nil
	}
	items := []any{}
	for _, i := range pending.Items {
		items = append(items, a.renderSubscriptionItem(&SubscriptionItem{
			Base: Base{ID: i.ID, Created: sub.Created}, Metadata: i.Metadata, Price: i.Price, Quantity: i.Quantity, Subscription: sub.ID,
		}))
	}
	o := object{
		"billing_cycle_anchor": nil, "expires_at": pending.ExpiresAt, "subscription_items": items,
		"trial_end": nil, "trial_from_plan": nil,
	}
	if pending.After.Anchor != pending.Before.Anchor {
		o["billing_cycle_anchor"] = pending.After.Anchor
	}
	if pending.After.TrialEnd != pending.Before.TrialEnd {
		o["trial_end"] = timeOrNull(pending.After.TrialEnd)
	}
	return o
}
