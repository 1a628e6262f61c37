package stripelocal

// scheduleNotice is how long before its end a schedule sends subscription_schedule.expiring, in
// seconds (API reference: types of events, 7 days).
const scheduleNotice = 7 * 24 * 60 * 60

// end is the end of the last phase.
func (x *SubscriptionSchedule) end() int64 { return x.Phases[len(x.Phases)-1].EndDate }

// noteExpiry schedules the notice of a schedule whose phases changed. One that ends within the
// notice period sends none (inferred).
func (h schedules) noteExpiry(x *SubscriptionSchedule) {
	if x.end()-scheduleNotice < h.timeOnClock(x.TestClock) {
		x.ExpiryNotedFor = x.end()
	}
	h.scheduleExpiring(x)
}

// scheduleExpiring schedules subscription_schedule.expiring, unless it was sent.
func (h schedules) scheduleExpiring(x *SubscriptionSchedule) {
	if x.Status != "active" || x.ExpiryNotedFor == x.end() {
		return
	}
	end := x.end()
	h.schedule(x.TestClock, end-scheduleNotice, func(r *request) {
		if x.Status == "active" && x.end() == end && x.ExpiryNotedFor != end {
			x.ExpiryNotedFor = end
			r.emit("subscription_schedule.expiring", r.schedules.render(x))
		}
	})
}

// finish ends a schedule that releases its subscription after the last phase. It "is completed
// after the last phase is finished", and "when this happens, the subscription is released" (docs:
// subscription schedules, as quoted in public issue threads). That both events are sent, and that
// its status is released, is inferred.
func (h schedules) finish(sub *Subscription, x *SubscriptionSchedule) {
	x.Status, x.CompletedAt = "completed", h.timeOnClock(sub.TestClock)
	h.emit("subscription_schedule.completed", h.render(x))
	h.releaseSubscription(sub, x)
}
