package stripelocal

// bareItems are a subscription's items as a phase has them.
func (a *act) bareItems(sub *Subscription) []plannedItem {
	out := a.itemsAfter(sub, nil)
	for i := range out {
		out[i].ID = ""
	}
	return out
}

// followPhase has the subscription's timer know when the phase ends.
func (a *act) followPhase(sub *Subscription, x *Schedule) {
	sub.PhaseEnd = x.Phases[x.Current].End
	a.armSubscription(sub)
}

// scheduleOf is the schedule that a subscription is under.
func (a *act) scheduleOf(sub *Subscription) (*Schedule, bool) {
	x, ok := a.state.Schedules.get(sub.Schedule)
	return x, ok && x.Status == "active"
}

// phaseItems are a phase's items over those the subscription has: one of the
// same price keeps its id, else the one in the same place does.
func (a *act) phaseItems(sub *Subscription, phase SchedulePhase) []plannedItem {
	current := a.itemsAfter(sub, nil)
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
			out[i].ID = a.ids.short("si_")
		}
	}
	return out
}

// phaseChange is the step into a phase as a change of the subscription.
func (a *act) phaseChange(sub *Subscription, phase SchedulePhase, behavior string) change {
	ch := change{behavior: behavior}
	wanted := map[string]plannedItem{}
	for _, i := range a.phaseItems(sub, phase) {
		wanted[i.ID] = i
		if _, exists := a.state.Items.get(i.ID); !exists {
			price, _ := a.state.Prices.get(i.Price)
			ch.items = append(ch.items, itemChange{price: price, quantity: i.Quantity})
		}
	}
	for _, item := range a.items(sub) {
		c := itemChange{item: item}
		if i, kept := wanted[item.ID]; kept {
			c.price, _ = a.state.Prices.get(i.Price)
			c.quantity = i.Quantity
		}
		if c.changesBilling() {
			ch.items = append(ch.items, c)
		}
	}
	if phase.TrialEnd > a.timeOn(sub.TestClock) && phase.TrialEnd != sub.TrialEnd {
		ch.trialEnd = phase.TrialEnd
	}
	return ch
}

// applyPhase brings the subscription to what a phase says now.
func (a *act) applyPhase(sub *Subscription, phase SchedulePhase, behavior string) {
	ch, before := a.phaseChange(sub, phase, behavior), a.renderSubscription(sub)
	phase.putOn(sub)
	if len(ch.items) > 0 || ch.trialEnd != 0 {
		a.update(sub, a.plan(sub, ch), before, "")
		return
	}
	a.emitUpdate("customer.subscription.updated", before, a.renderSubscription(sub))
}

// putOn sets what a phase says beside items and trial; what it leaves out stays.
func (p SchedulePhase) putOn(sub *Subscription) {
	if p.CollectionMethod != "" {
		sub.CollectionMethod = p.CollectionMethod
	}
	if p.DefaultMethod != "" {
		sub.DefaultPaymentMethod = p.DefaultMethod
	}
	if p.Description != "" {
		sub.Description = p.Description
	}
	if len(p.Metadata) > 0 {
		sub.Metadata = p.Metadata
	}
}

// notePhase keeps the current phase as the subscription is, where that was
// updated itself.
func (a *act) notePhase(sub *Subscription) {
	x, ok := a.scheduleOf(sub)
	if !ok {
		return
	}
	phases := append([]SchedulePhase{}, x.Phases...)
	phases[x.Current].Items = a.bareItems(sub)
	x.Phases = phases
}

// phaseDue is the end of a phase. At the end of a period renew takes the step
// itself, so that the next invoice is the next phase's.
func (a *act) phaseDue(sub *Subscription) {
	x, ok := a.scheduleOf(sub)
	switch {
	case !ok:
		sub.PhaseEnd = 0
	case x.Current+1 < len(x.Phases):
		before := a.renderSchedule(x)
		x.Current++
		a.applyPhase(sub, x.Phases[x.Current], x.Phases[x.Current].Proration)
		a.followPhase(sub, x)
		a.emitUpdate("subscription_schedule.updated", before, a.renderSchedule(x))
	case x.EndBehavior == "cancel":
		a.completeSchedule(sub, x)
	default:
		a.releaseSchedule(sub, x)
	}
}

// endsWithPhase says whether the last phase takes the subscription with it.
func (a *act) endsWithPhase(sub *Subscription) bool {
	x, ok := a.scheduleOf(sub)
	return ok && x.Current+1 == len(x.Phases) && x.EndBehavior == "cancel"
}

// completeSchedule ends the subscription with its last phase.
func (a *act) completeSchedule(sub *Subscription, x *Schedule) {
	x.Status, x.CompletedAt = "completed", a.timeOn(sub.TestClock)
	a.emit("subscription_schedule.completed", a.renderSchedule(x))
	a.endSubscription(sub, "canceled", "")
	a.lastInvoice(sub)
}

// enterNextPhase is the step at the end of a period: the items change, and
// nothing is prorated.
func (a *act) enterNextPhase(sub *Subscription) {
	x, ok := a.scheduleOf(sub)
	if !ok || x.Current+1 >= len(x.Phases) || sub.PhaseEnd > sub.CurrentPeriodEnd {
		return
	}
	x.Current++
	a.putItems(sub, a.phaseItems(sub, x.Phases[x.Current]))
	x.Phases[x.Current].putOn(sub)
}

// afterPhase tells of the step once the subscription has been told of.
func (a *act) afterPhase(sub *Subscription) {
	x, ok := a.scheduleOf(sub)
	switch {
	case !ok || sub.PhaseEnd > sub.CurrentPeriodStart:
	case x.Phases[x.Current].Start >= sub.PhaseEnd:
		a.followPhase(sub, x)
		a.emit("subscription_schedule.updated", a.renderSchedule(x))
	default:
		a.releaseSchedule(sub, x)
	}
}

// nextItems are the items of the period after this one.
func (a *act) nextItems(sub *Subscription, p plan) []plannedItem {
	x, ok := a.scheduleOf(sub)
	if !ok || x.Current+1 >= len(x.Phases) || sub.PhaseEnd > p.after.End {
		return p.items
	}
	return a.phaseItems(sub, x.Phases[x.Current+1])
}

// releaseSchedule lets the subscription go on as it is.
func (a *act) releaseSchedule(sub *Subscription, x *Schedule) {
	x.Status, x.ReleasedAt, x.Released = "released", a.timeOn(sub.TestClock), sub.ID
	a.changeSubscription(sub, func() { sub.Schedule, sub.PhaseEnd = "", 0 })
	a.armSubscription(sub)
	a.emit("subscription_schedule.released", a.renderSchedule(x))
}

func (a *act) releaseScheduleCall(in *input) (any, error) {
	x, sub, err := a.activeSchedule(in)
	if err != nil {
		return nil, err
	}
	a.releaseSchedule(sub, x)
	return a.renderSchedule(x), nil
}

// cancelSchedule ends the subscription at once.
func (a *act) cancelSchedule(in *input) (any, error) {
	x, sub, err := a.activeSchedule(in)
	if err != nil {
		return nil, err
	}
	if in.flagOr("prorate", true) {
		for _, credit := range a.unused(sub, a.timeOn(sub.TestClock)) {
			a.addInvoiceItem(credit)
		}
	}
	a.endSubscription(sub, "canceled", "cancellation_requested")
	if in.flagOr("invoice_now", true) {
		a.lastInvoice(sub)
	}
	return a.renderSchedule(x), nil
}

// endSchedule ends what a subscription that ends was under.
func (a *act) endSchedule(sub *Subscription) {
	x, ok := a.scheduleOf(sub)
	sub.PhaseEnd = 0
	if !ok {
		return
	}
	x.Status, x.CanceledAt = "canceled", a.timeOn(sub.TestClock)
	a.emit("subscription_schedule.canceled", a.renderSchedule(x))
}

func (a *act) renderSchedule(x *Schedule) object {
	phases := []any{}
	for _, p := range x.Phases {
		phases = append(phases, a.renderPhase(p))
	}
	o := object{
		"id": x.ID, "object": "subscription_schedule", "application": nil, "canceled_at": timeOrNull(x.CanceledAt),
		"completed_at": timeOrNull(x.CompletedAt), "created": x.Created, "current_phase": nil,
		"customer": ref{"customer", x.Customer}, "default_settings": defaultSettings(), "end_behavior": x.EndBehavior,
		"livemode": false, "metadata": x.Metadata, "phases": phases, "released_at": timeOrNull(x.ReleasedAt),
		"released_subscription": orNull(x.Released), "status": x.Status, "subscription": ref{"subscription", x.Subscription},
		"test_clock": ref{"test_clock", x.TestClock},
	}
	if x.Status == "active" {
		o["current_phase"] = object{"start_date": x.Phases[x.Current].Start, "end_date": x.Phases[x.Current].End}
	}
	if x.Status == "released" {
		o["subscription"] = nil
	}
	return o
}

func defaultSettings() object {
	return object{
		"application_fee_percent": nil, "automatic_tax": object{"enabled": false, "liability": nil},
		"billing_cycle_anchor": "automatic", "billing_thresholds": nil, "collection_method": "charge_automatically",
		"default_payment_method": nil, "description": nil,
		"invoice_settings": object{"account_tax_ids": nil, "days_until_due": nil, "issuer": object{"type": "self"}},
		"on_behalf_of":     nil, "transfer_data": nil,
	}
}

func (a *act) renderPhase(p SchedulePhase) object {
	items, currency := []any{}, ""
	for _, i := range p.Items {
		if price, ok := a.state.Prices.get(i.Price); ok {
			currency = price.Currency
		}
		items = append(items, object{
			"billing_thresholds": nil, "discounts": []any{}, "metadata": i.Metadata, "plan": ref{"plan", i.Price},
			"price": ref{"price", i.Price}, "quantity": i.Quantity, "tax_rates": []any{},
		})
	}
	behavior := p.Proration
	if behavior == "" {
		behavior = "create_prorations"
	}
	return object{
		"add_invoice_items": []any{}, "application_fee_percent": nil, "automatic_tax": object{"enabled": false, "liability": nil},
		"billing_cycle_anchor": nil, "billing_thresholds": nil, "collection_method": orNull(p.CollectionMethod), "coupon": nil, "currency": currency,
		"default_payment_method": ref{"payment_method", p.DefaultMethod}, "default_tax_rates": []any{}, "description": orNull(p.Description), "discounts": []any{},
		"end_date": p.End, "invoice_settings": nil, "items": items, "metadata": p.Metadata, "on_behalf_of": nil,
		"proration_behavior": behavior, "start_date": p.Start, "transfer_data": nil, "trial_end": timeOrNull(p.TrialEnd),
	}
}

// planResource lets references to the older kind of price be expanded.
func planResource() resource {
	return resource{kind: "plan", render: func(a *act, id string) (object, bool) {
		p, ok := a.state.Prices.get(id)
		if !ok {
			return nil, false
		}
		o, ok := p.renderPlan().(object)
		return o, ok
	}}
}
