package stripelocal

import "usher/stripelocal/wire"

// itemsWithoutIDs returns a subscription's items in the form that phases have.
func (h schedules) itemsWithoutIDs(sub *Subscription) []plannedItem {
	out := h.subscriptionChanges.itemsAfter(sub, nil)
	for i := range out {
		out[i].ID = ""
	}
	return out
}

// trackPhaseEnd schedules the end of the current phase.
func (h schedules) trackPhaseEnd(sub *Subscription, x *SubscriptionSchedule) {
	sub.PhaseEnd = x.Phases[x.CurrentPhase].EndDate
	h.renewals.scheduleNext(sub)
	h.noteExpiry(x)
}

// activeFor returns the active schedule of a subscription.
func (h schedules) activeFor(sub *Subscription) (*SubscriptionSchedule, bool) {
	x, ok := h.store.SubscriptionSchedules.get(sub.Schedule)
	return x, ok && x.Status == "active"
}

// phaseItems assigns ids to a phase's items: an item with the same price keeps its id, else the one
// in the same position.
func (h schedules) phaseItems(sub *Subscription, phase SchedulePhase) []plannedItem {
	current := h.subscriptionChanges.itemsAfter(sub, nil)
	out := append([]plannedItem{}, phase.Items...)
	free := map[int]bool{}
	for i := range current {
		free[i] = true
	}
	for i := range out {
		for j := range current {
			if free[j] && out[i].ID == "" && current[j].Price == out[i].Price {
				out[i].ID, free[j] = current[j].ID, false
			}
		}
	}
	for i := range out {
		if out[i].ID == "" && free[i] {
			out[i].ID, free[i] = current[i].ID, false
		}
		if out[i].ID == "" {
			out[i].ID = h.ids.shortID("si_")
		}
	}
	return out
}

// phaseChange is the transition into a phase as a subscription change.
func (h schedules) phaseChange(sub *Subscription, phase SchedulePhase, behavior string) subscriptionChange {
	ch := subscriptionChange{prorationBehavior: behavior}
	planned := map[string]plannedItem{}
	for _, i := range h.phaseItems(sub, phase) {
		planned[i.ID] = i
		if _, exists := h.store.SubscriptionItems.get(i.ID); !exists {
			price, _ := h.store.Prices.get(i.Price)
			ch.items = append(ch.items, itemChange{price: price, quantity: i.Quantity})
		}
	}
	for _, item := range h.subscriptions.items(sub) {
		c := itemChange{item: item}
		if i, kept := planned[item.ID]; kept {
			c.price, _ = h.store.Prices.get(i.Price)
			c.quantity = i.Quantity
		}
		if c.changesBilling() {
			ch.items = append(ch.items, c)
		}
	}
	if phase.TrialEnd > h.timeOnClock(sub.TestClock) && phase.TrialEnd != sub.TrialEnd {
		ch.trialEnd = phase.TrialEnd
	}
	return ch
}

// applyPhase applies a phase to the subscription.
func (h schedules) applyPhase(sub *Subscription, phase SchedulePhase, behavior string) {
	ch, before := h.phaseChange(sub, phase, behavior), h.subscriptions.render(sub)
	phase.applyTo(sub)
	h.enterPhaseDiscounts(sub, phase)
	if len(ch.items) > 0 || ch.trialEnd != 0 {
		h.subscriptionChanges.update(sub, h.subscriptionChanges.plan(sub, ch), before, "")
		return
	}
	h.emitUpdate("customer.subscription.updated", before, h.subscriptions.render(sub))
}

// applyTo sets the fields of a phase other than items and trial. Empty fields keep the
// subscription's values.
func (p SchedulePhase) applyTo(sub *Subscription) {
	if p.CollectionMethod != "" {
		sub.CollectionMethod = p.CollectionMethod
	}
	if p.DefaultPaymentMethod != "" {
		sub.DefaultPaymentMethod = p.DefaultPaymentMethod
	}
	if p.Description != "" {
		sub.Description = p.Description
	}
	if len(p.Metadata) > 0 {
		sub.Metadata = p.Metadata
	}
}

// syncCurrentPhase copies an updated subscription's items to the current phase.
func (h schedules) syncCurrentPhase(sub *Subscription) {
	x, ok := h.activeFor(sub)
	if !ok {
		return
	}
	phases := append([]SchedulePhase{}, x.Phases...)
	phases[x.CurrentPhase].Items = h.itemsWithoutIDs(sub)
	phases[x.CurrentPhase].Discounts, phases[x.CurrentPhase].HasDiscounts = sub.Discounts, true
	phases[x.CurrentPhase].IgnoresCustomerDiscount = sub.IgnoresCustomerDiscount
	x.Phases = phases
}

// advancePhase handles the end of a phase within a period. At the end of a period, renew enters the
// next phase itself, so that the next invoice bills it.
func (h schedules) advancePhase(sub *Subscription) {
	x, ok := h.activeFor(sub)
	switch {
	case !ok:
		sub.PhaseEnd = 0
	case x.CurrentPhase+1 < len(x.Phases):
		before := h.render(x)
		x.CurrentPhase++
		h.applyPhase(sub, x.Phases[x.CurrentPhase], x.Phases[x.CurrentPhase].ProrationBehavior)
		h.trackPhaseEnd(sub, x)
		h.emitUpdate("subscription_schedule.updated", before, h.render(x))
	case x.EndBehavior == "cancel":
		h.complete(sub, x)
	default:
		h.finish(sub, x)
	}
}

// cancelsAtPhaseEnd reports whether the current phase is the last one and ends the subscription.
func (h schedules) cancelsAtPhaseEnd(sub *Subscription) bool {
	x, ok := h.activeFor(sub)
	return ok && x.CurrentPhase+1 == len(x.Phases) && x.EndBehavior == "cancel"
}

// complete ends the subscription with its last phase.
func (h schedules) complete(sub *Subscription, x *SubscriptionSchedule) {
	x.Status, x.CompletedAt = "completed", h.timeOnClock(sub.TestClock)
	h.emit("subscription_schedule.completed", h.render(x))
	usage := h.usages.unbilled(sub)
	h.subscriptions.end(sub, "canceled", "")
	h.renewals.finalInvoice(sub, usage)
}

// enterNextPhase enters the next phase at the end of a period, without prorations.
func (h schedules) enterNextPhase(sub *Subscription) {
	x, ok := h.activeFor(sub)
	if !ok || x.CurrentPhase+1 >= len(x.Phases) || sub.PhaseEnd > sub.CurrentPeriodEnd {
		return
	}
	x.CurrentPhase++
	h.subscriptionChanges.setItems(sub, h.phaseItems(sub, x.Phases[x.CurrentPhase]))
	x.Phases[x.CurrentPhase].applyTo(sub)
	h.enterPhaseDiscounts(sub, x.Phases[x.CurrentPhase])
}

// afterRenewal emits the schedule's event after the subscription's.
func (h schedules) afterRenewal(sub *Subscription) {
	x, ok := h.activeFor(sub)
	switch {
	case !ok || sub.PhaseEnd > sub.CurrentPeriodStart:
	case x.Phases[x.CurrentPhase].StartDate >= sub.PhaseEnd:
		h.trackPhaseEnd(sub, x)
		h.emit("subscription_schedule.updated", h.render(x))
	default:
		h.finish(sub, x)
	}
}

// nextPeriodItems are the items of the next period.
func (h schedules) nextPeriodItems(sub *Subscription, p changePlan) []plannedItem {
	x, ok := h.activeFor(sub)
	if !ok || x.CurrentPhase+1 >= len(x.Phases) || sub.PhaseEnd > p.after.End {
		return p.items
	}
	return h.phaseItems(sub, x.Phases[x.CurrentPhase+1])
}

// releaseSubscription ends the schedule. The subscription continues unchanged.
func (h schedules) releaseSubscription(sub *Subscription, x *SubscriptionSchedule) {
	x.Status, x.ReleasedAt, x.ReleasedSubscription = "released", h.timeOnClock(sub.TestClock), sub.ID
	h.subscriptions.change(sub, func() { sub.Schedule, sub.PhaseEnd = "", 0 })
	h.renewals.scheduleNext(sub)
	h.emit("subscription_schedule.released", h.render(x))
}

func (h schedules) release(in *input) (any, error) {
	if x, ok := h.notStarted(in); ok {
		return h.endNotStarted(x, "released"), nil
	}
	x, sub, err := h.findActive(in)
	if err != nil {
		return nil, err
	}
	h.releaseSubscription(sub, x)
	return h.render(x), nil
}

// cancel cancels the schedule and its subscription immediately.
func (h schedules) cancel(in *input) (any, error) {
	if x, ok := h.notStarted(in); ok {
		return h.endNotStarted(x, "canceled"), nil
	}
	x, sub, err := h.findActive(in)
	if err != nil {
		return nil, err
	}
	if in.BoolOr("prorate", true) {
		for _, credit := range h.prorations.unusedCredits(sub, h.timeOnClock(sub.TestClock)) {
			h.invoiceItems.insert(credit)
		}
	}
	usage := h.usages.unbilled(sub)
	h.subscriptions.end(sub, "canceled", "cancellation_requested")
	if in.BoolOr("invoice_now", true) {
		h.renewals.finalInvoice(sub, usage)
	}
	return h.render(x), nil
}

// cancelWithSubscription cancels the schedule of a subscription that ends. It is aborted if
// payments failed (API reference: types of events). That canceled follows is inferred of its
// description.
func (h schedules) cancelWithSubscription(sub *Subscription, reason string) {
	x, ok := h.activeFor(sub)
	sub.PhaseEnd = 0
	if !ok {
		return
	}
	x.Status, x.CanceledAt = "canceled", h.timeOnClock(sub.TestClock)
	if reason == "payment_failed" {
		h.emit("subscription_schedule.aborted", h.render(x))
	}
	h.emit("subscription_schedule.canceled", h.render(x))
}

func (h schedules) render(x *SubscriptionSchedule) wire.Object {
	phases := []any{}
	for _, p := range x.Phases {
		phases = append(phases, h.renderPhase(p))
	}
	o := wire.Object{
		"id": x.ID, "object": "subscription_schedule", "application": nil, "canceled_at": wire.IntOrNull(x.CanceledAt),
		"completed_at": wire.IntOrNull(x.CompletedAt), "created": x.Created, "current_phase": nil,
		"customer": wire.Ref("customer", x.Customer), "default_settings": defaultSettings(), "end_behavior": x.EndBehavior,
		"livemode": false, "metadata": x.Metadata, "phases": phases, "released_at": wire.IntOrNull(x.ReleasedAt),
		"released_subscription": wire.StringOrNull(x.ReleasedSubscription), "status": x.Status, "subscription": wire.Ref("subscription", x.Subscription),
		"test_clock": wire.Ref("test_clock", x.TestClock),
	}
	if x.Status == "active" {
		o["current_phase"] = wire.Object{"start_date": x.Phases[x.CurrentPhase].StartDate, "end_date": x.Phases[x.CurrentPhase].EndDate}
	}
	if x.Status == "released" {
		o["subscription"] = nil
	}
	return o
}

func defaultSettings() wire.Object {
	return wire.Object{
		"application_fee_percent": nil, "automatic_tax": wire.Object{"enabled": false, "liability": nil},
		"billing_cycle_anchor": "automatic", "billing_thresholds": nil, "collection_method": "charge_automatically",
		"default_payment_method": nil, "description": nil,
		"invoice_settings": wire.Object{"account_tax_ids": nil, "days_until_due": nil, "issuer": wire.Object{"type": "self"}},
		"on_behalf_of":     nil, "transfer_data": nil,
	}
}

func (h schedules) renderPhase(p SchedulePhase) wire.Object {
	items, currency := []any{}, ""
	for _, i := range p.Items {
		if price, ok := h.store.Prices.get(i.Price); ok {
			currency = price.Currency
		}
		item := wire.Object{
			"billing_thresholds": nil, "discounts": []any{}, "metadata": i.Metadata, "plan": wire.Ref("plan", i.Price),
			"price": wire.Ref("price", i.Price), "quantity": i.Quantity, "tax_rates": []any{},
		}
		if price, ok := h.store.Prices.get(i.Price); ok && price.Metered {
			delete(item, "quantity")
		}
		items = append(items, item)
	}
	behavior := p.ProrationBehavior
	if behavior == "" {
		behavior = "create_prorations"
	}
	return wire.Object{
		"add_invoice_items": []any{}, "application_fee_percent": nil, "automatic_tax": wire.Object{"enabled": false, "liability": nil},
		"billing_cycle_anchor": nil, "billing_thresholds": nil, "collection_method": wire.StringOrNull(p.CollectionMethod), "coupon": nil, "currency": currency,
		"default_payment_method": wire.Ref("payment_method", p.DefaultPaymentMethod), "default_tax_rates": []any{}, "description": wire.StringOrNull(p.Description), "discounts": renderPhaseDiscounts(p.Discounts),
		"end_date": p.EndDate, "invoice_settings": nil, "items": items, "metadata": p.Metadata, "on_behalf_of": nil,
		"proration_behavior": behavior, "start_date": p.StartDate, "transfer_data": nil, "trial_end": wire.IntOrNull(p.TrialEnd),
	}
}
