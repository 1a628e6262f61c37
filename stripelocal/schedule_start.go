package stripelocal

import "usher/stripelocal/wire"

// insertNotStarted stores a schedule that creates its subscription when its first phase starts.
func (h schedules) insertNotStarted(x *SubscriptionSchedule) *SubscriptionSchedule {
	x.Base = Base{ID: h.ids.longID("sub_sched_1"), Created: h.timeOnClock(x.TestClock)}
	x.Status = "not_started"
	h.store.SubscriptionSchedules.insert(x)
	h.emit("subscription_schedule.created", h.render(x))
	h.scheduleStart(x)
	return x
}

// scheduleStart schedules the start of the first phase.
func (h schedules) scheduleStart(x *SubscriptionSchedule) {
	if x.Status != "not_started" {
		return
	}
	at := x.Phases[0].StartDate
	h.schedule(x.TestClock, at, func(r *request) {
		if x.Status == "not_started" && x.Phases[0].StartDate == at {
			r.schedules.begin(x)
		}
	})
}

// begin starts a schedule. That it sends subscription_schedule.updated is inferred.
func (h schedules) begin(x *SubscriptionSchedule) {
	before := h.render(x)
	sub, inv := h.startSubscription(x)
	x.Status, x.Subscription = "active", sub.ID
	h.subscriptions.change(sub, func() { sub.Schedule = x.ID })
	h.trackPhaseEnd(sub, x)
	h.emitUpdate("subscription_schedule.updated", before, h.render(x))
	if inv != nil {
		h.invoicing.finalizeAndPay(inv)
	}
}

// notStarted returns the schedule of the path if it has not started.
func (h schedules) notStarted(in *input) (*SubscriptionSchedule, bool) {
	x, err := h.find(in)
	return x, err == nil && x.Status == "not_started"
}

// updateNotStarted changes a schedule before it starts. A first phase that starts now starts it.
func (h schedules) updateNotStarted(x *SubscriptionSchedule, in *input) (any, error) {
	now, phases := h.timeOnClock(x.TestClock), x.Phases
	if in.Has("phases") {
		var err error
		phases, err = h.phasesFromParams(in, &Subscription{Customer: x.Customer, TestClock: x.TestClock}, phases[0].StartDate, now)
		if err == nil {
			err = h.checkRestart(x, phases[0], now)
		}
		if err != nil {
			return nil, err
		}
	}
	before := h.render(x)
	in.SetString("end_behavior", &x.EndBehavior)
	in.SetMetadata(&x.Metadata)
	x.Phases = phases
	h.emitUpdate("subscription_schedule.updated", before, h.render(x))
	if phases[0].StartDate <= now {
		h.begin(x)
		return h.render(x), nil
	}
	h.scheduleStart(x)
	return h.render(x), nil
}

// checkRestart checks the new first phase of a schedule. It has the currency of the present one
// (inferred).
func (h schedules) checkRestart(x *SubscriptionSchedule, first SchedulePhase, now int64) error {
	if first.StartDate < now {
		return wire.Invalid("", "phases[0][start_date]", "The start date of a schedule that has not started must be `now` or in the future.")
	}
	return h.checkFirstPhase(x.Customer, first)
}

// endNotStarted releases or cancels a schedule before it starts. There is no subscription then.
func (h schedules) endNotStarted(x *SubscriptionSchedule, status string) wire.Object {
	x.Status = status
	at := &x.CanceledAt
	if status == "released" {
		at = &x.ReleasedAt
	}
	*at = h.timeOnClock(x.TestClock)
	h.emit("subscription_schedule."+status, h.render(x))
	return h.render(x)
}

// cancelNotStarted cancels the schedules of a customer who is deleted (inferred).
func (h schedules) cancelNotStarted(c *Customer) {
	for _, x := range h.store.SubscriptionSchedules.by("customer", c.ID) {
		if x.Status == "not_started" {
			h.endNotStarted(x, "canceled")
		}
	}
}

// otherCurrency returns the currency of a customer's schedules that have not started, if one
// differs.
func (h schedules) otherCurrency(customer, currency string) (string, bool) {
	for _, x := range h.store.SubscriptionSchedules.by("customer", customer) {
		if own := h.newItems(x.Phases[0])[0].price.Currency; x.Status == "not_started" && own != currency {
			return own, true
		}
	}
	return "", false
}
