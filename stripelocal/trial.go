package stripelocal

func (a *act) withoutMethod(sub *Subscription) bool {
	_, has := a.methodOf(sub)
	return !has && sub.CollectionMethod == "charge_automatically"
}

// endTrialUnpaid is what trial_settings ask for where a trial ends without a
// card: an end, or a pause until resume.
func (a *act) endTrialUnpaid(sub *Subscription) {
	if sub.MissingMethod == "cancel" {
		a.endSubscription(sub, "canceled", "")
		return
	}
	a.changeSubscription(sub, func() { sub.Status = "paused" })
	a.emit("customer.subscription.paused", a.renderSubscription(sub))
}

// endTrialEarly is trial_end=now without a card.
func (a *act) endTrialEarly(sub *Subscription) {
	a.changeSubscription(sub, func() {
		sub.TrialEnd = a.timeOn(sub.TestClock)
		sub.CurrentPeriodEnd = sub.TrialEnd
	})
	a.emit("customer.subscription.trial_will_end", a.renderSubscription(sub))
	a.endTrialUnpaid(sub)
}

const resumeParams = "billing_cycle_anchor:now|unchanged proration_behavior:create_prorations|none|always_invoice proration_date:time"

// resumeSubscription bills a paused subscription; once that is paid it is
// active. An invoice that stays unpaid for 23 hours is voided and the
// subscription stays paused (API reference: resume a subscription).
func (a *act) resumeSubscription(in *input) (any, error) {
	sub, err := a.subscriptionAt(in)
	if err != nil {
		return nil, err
	}
	if sub.Status != "paused" {
		return nil, invalid("", "", "Only paused subscriptions can be resumed. The status of this subscription is `"+sub.Status+"`.")
	}
	price, ok := a.renewalPrice(sub)
	if !ok {
		return nil, invalid("", "", "This subscription has no items to resume.")
	}
	now := a.timeOn(sub.TestClock)
	if date := in.num("proration_date"); in.has("proration_date") && (date < sub.CurrentPeriodStart || date > now) {
		return nil, invalid("", "proration_date", "Cannot specify `proration_date` outside of the current billing period.")
	}
	a.changeSubscription(sub, func() {
		if in.strOr("billing_cycle_anchor", "now") == "now" {
			sub.BillingCycleAnchor = now
		}
		sub.CurrentPeriodStart, sub.CurrentPeriodEnd = now, periodAfter(sub.BillingCycleAnchor, price, now)
		sub.ResumeBy = now + incompleteLife
	})
	inv := a.assemble(sub, "subscription_update", a.pendingItems(sub), a.resumeLines(sub, price, in.numOr("proration_date", now), in.str("proration_behavior")))
	a.issue(sub, inv)
	a.armSubscription(sub)
	a.finalizeAndCollect(inv)
	return a.renderSubscription(sub), nil
}

// resumeLines bill the period that a resume begins: all of it, or the part
// that is left where the anchor stays.
func (a *act) resumeLines(sub *Subscription, price *Price, from int64, behavior string) []InvoiceLine {
	lines := a.cycleLines(sub)
	length := sub.CurrentPeriodEnd - addIntervals(sub.CurrentPeriodEnd, price.Interval, -price.IntervalCount)
	left := sub.CurrentPeriodEnd - from
	if sub.BillingCycleAnchor == sub.CurrentPeriodStart || left >= length {
		return lines
	}
	if behavior == "none" {
		return nil
	}
	for i := range lines {
		lines[i].Amount, lines[i].Proration = shareOf(lines[i].Amount, left, length), true
	}
	return lines
}

// giveUpResume voids the invoice of a resume that nobody paid.
func (a *act) giveUpResume(sub *Subscription) {
	sub.ResumeBy = 0
	if inv, ok := a.state.Invoices.get(sub.LatestInvoice); ok {
		a.void(inv)
	}
}
