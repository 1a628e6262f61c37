package stripelocal

// trials announces and ends trials.
type trials struct{ *request }

func (h trials) lacksPaymentMethod(sub *Subscription) bool {
	_, has := h.paymentMethods.forSubscription(sub)
	return !has && sub.CollectionMethod == "charge_automatically"
}

// endWithoutMethod applies trial_settings when a trial ends without a payment method: it cancels or
// pauses the subscription.
func (h trials) endWithoutMethod(sub *Subscription) {
	if sub.MissingPaymentMethod == "cancel" {
		h.subscriptions.end(sub, "canceled", "")
		return
	}
	h.subscriptions.change(sub, func() { sub.Status = "paused" })
	h.emit("customer.subscription.paused", h.subscriptions.render(sub))
}

// endEarly handles trial_end=now without a payment method.
func (h trials) endEarly(sub *Subscription) {
	h.subscriptions.change(sub, func() {
		sub.TrialEnd = h.timeOnClock(sub.TestClock)
		sub.CurrentPeriodEnd = sub.TrialEnd
	})
	h.emit("customer.subscription.trial_will_end", h.subscriptions.render(sub))
	h.endWithoutMethod(sub)
}

func (h trials) announceEnd(sub *Subscription) {
	sub.TrialWillEndSent = true
	h.emit("customer.subscription.trial_will_end", h.subscriptions.render(sub))
}

// announceShortTrial emits trial_will_end immediately for a trial shorter than the notice period.
func (h trials) announceShortTrial(sub *Subscription) {
	if sub.Status == "trialing" && !sub.TrialWillEndSent && sub.TrialEnd-h.timeOnClock(sub.TestClock) <= trialNotice {
		h.announceEnd(sub)
	}
}
