package stripelocal

// armSubscription sets a timer for the next thing that time does to the
// subscription. Older timers find it changed and do nothing.
func (a *act) armSubscription(sub *Subscription) {
	due := sub.nextDue()
	if due == 0 {
		return
	}
	a.schedule(sub.TestClock, due, func(b *act) {
		if sub.nextDue() == due {
			b.changed = true
			b.subscriptionDue(sub)
		}
	})
}

// nextDue is when time next changes the subscription; 0 is never.
func (x *Subscription) nextDue() int64 {
	switch x.Status {
	case "incomplete":
		return x.Created + incompleteLife
	case "trialing", "active", "past_due", "unpaid":
		if x.CancelAt != 0 {
			return min(x.CancelAt, x.CurrentPeriodEnd)
		}
		return x.CurrentPeriodEnd
	}
	return 0
}

func (a *act) subscriptionDue(sub *Subscription) {
	switch {
	case sub.Status == "incomplete":
		a.expireIncomplete(sub)
	case sub.CancelAt != 0 && a.at >= sub.CancelAt:
		a.endSubscription(sub, "canceled", "cancellation_requested")
	default:
		a.renew(sub)
	}
}

// expireIncomplete gives up on a first payment.
func (a *act) expireIncomplete(sub *Subscription) {
	if inv, ok := a.state.Invoices.get(sub.LatestInvoice); ok {
		a.void(inv)
	}
	a.changeSubscription(sub, func() {
		sub.Status, sub.EndedAt = "incomplete_expired", a.at
	})
}

// renew begins the next period. After a trial the status is active before
// anything is paid; the invoice is a draft for about an hour.
func (a *act) renew(sub *Subscription) {
	price, ok := a.renewalPrice(sub)
	if !ok {
		return
	}
	a.changeSubscription(sub, func() {
		sub.CurrentPeriodStart = sub.CurrentPeriodEnd
		sub.CurrentPeriodEnd = periodAfter(sub.BillingCycleAnchor, price, sub.CurrentPeriodStart)
		if sub.Status == "trialing" {
			sub.Status = "active"
		}
	})
	inv := a.draft(sub, "subscription_cycle", a.cycleLines(sub))
	a.armInvoice(inv)
	a.armSubscription(sub)
}

func (a *act) renewalPrice(sub *Subscription) (*Price, bool) {
	items := a.items(sub)
	if len(items) == 0 {
		return nil, false
	}
	return a.state.Prices.get(items[0].Price)
}
