package stripelocal

// Stripe tells of a trial's end, and of a renewal, this long before (docs:
// trials; that the account's setting for renewals begins at three days too is
// inferred).
const (
	trialNotice   = 3 * 24 * 60 * 60
	renewalNotice = 3 * 24 * 60 * 60
)

// armSubscription sets a timer for the next thing that time does to the
// subscription. Older timers find it changed and do nothing.
func (a *act) armSubscription(sub *Subscription) {
	due := sub.nextDue()
	if due == 0 {
		return
	}
	at := due
	if due < sub.CurrentPeriodEnd { // a notice that was due before there was a reason for it
		at = max(due, a.timeOn(sub.TestClock))
	}
	a.schedule(sub.TestClock, at, func(b *act) {
		if sub.nextDue() == due {
			b.changed = true
			b.subscriptionDue(sub, due)
			b.armSubscription(sub)
		}
	})
}

// nextDue is when time next changes the subscription; 0 is never.
func (x *Subscription) nextDue() int64 {
	switch x.Status {
	case "incomplete":
		return x.Created + incompleteLife
	case "paused":
		return x.ResumeBy
	case "trialing", "active", "past_due", "unpaid":
	default:
		return 0
	}
	due := x.CurrentPeriodEnd
	if x.CancelAt != 0 {
		due = min(due, x.CancelAt)
	}
	if x.PendingUpdate != nil && x.PendingUpdate.Told {
		due = min(due, x.PendingUpdate.ExpiresAt)
	}
	if x.PhaseEnd != 0 {
		due = min(due, x.PhaseEnd)
	}
	return min(due, x.noticeDue(due))
}

// noticeDue is when a notice of the next thing is to be given, or otherwise
// where none is owed any more.
func (x *Subscription) noticeDue(otherwise int64) int64 {
	switch {
	case x.Status == "trialing" && !x.TrialWarned:
		return x.TrialEnd - trialNotice
	case x.CancelAt != 0 && x.CancelAt <= x.CurrentPeriodEnd:
	case x.UpcomingTold != x.CurrentPeriodEnd && x.CurrentPeriodEnd-x.CurrentPeriodStart > renewalNotice:
		return x.CurrentPeriodEnd - renewalNotice
	}
	return otherwise
}

func (a *act) subscriptionDue(sub *Subscription, due int64) {
	switch {
	case sub.Status == "incomplete":
		a.expireIncomplete(sub)
	case sub.Status == "paused":
		a.giveUpResume(sub)
	case sub.CancelAt != 0 && due >= sub.CancelAt:
		a.endAtDate(sub)
	case sub.PendingUpdate != nil && due >= sub.PendingUpdate.ExpiresAt:
		a.expirePendingUpdate(sub)
	case due == sub.PhaseEnd && (due < sub.CurrentPeriodEnd || a.endsWithPhase(sub)):
		a.phaseDue(sub)
	case due < sub.CurrentPeriodEnd:
		a.giveNotice(sub)
	case sub.Status == "trialing" && a.withoutMethod(sub) && sub.MissingMethod != "create_invoice":
		a.endTrialUnpaid(sub)
	default:
		a.renew(sub)
	}
}

// giveNotice tells of a trial's end or of the next invoice.
func (a *act) giveNotice(sub *Subscription) {
	if sub.Status == "trialing" && !sub.TrialWarned {
		a.tellTrialEnd(sub)
		return
	}
	sub.UpcomingTold = sub.CurrentPeriodEnd
	if inv, err := a.nextInvoice(sub, a.plan(sub, change{})); err == nil {
		a.emit("invoice.upcoming", a.renderUpcoming(inv))
	}
}

func (a *act) tellTrialEnd(sub *Subscription) {
	sub.TrialWarned = true
	a.emit("customer.subscription.trial_will_end", a.renderSubscription(sub))
}

// warnOfTrialEnd tells at once of a trial that is shorter than the notice.
func (a *act) warnOfTrialEnd(sub *Subscription) {
	if sub.Status == "trialing" && !sub.TrialWarned && sub.TrialEnd-a.timeOn(sub.TestClock) <= trialNotice {
		a.tellTrialEnd(sub)
	}
}

// endAtDate is a cancellation that was set before. What still waits for an
// invoice gets a last one.
func (a *act) endAtDate(sub *Subscription) {
	reason := sub.CancelReason
	a.endSubscription(sub, "canceled", reason)
	a.lastInvoice(sub)
}

func (a *act) lastInvoice(sub *Subscription) {
	if len(a.pendingItems(sub)) > 0 {
		a.finalizeAndCollect(a.draft(sub, "subscription_update", nil))
	}
}

// expireIncomplete gives up on a first payment.
func (a *act) expireIncomplete(sub *Subscription) {
	if inv, ok := a.state.Invoices.get(sub.LatestInvoice); ok {
		a.void(inv)
	}
	a.changeSubscription(sub, func() {
		sub.Status, sub.EndedAt = "incomplete_expired", a.timeOn(sub.TestClock)
	})
}

// renew begins the next period. After a trial the status is active before
// anything is paid; the invoice is a draft for about an hour. An unpaid
// subscription's drafts are not collected.
func (a *act) renew(sub *Subscription) {
	price, ok := a.renewalPrice(sub)
	if !ok {
		return
	}
	a.changeSubscription(sub, func() {
		a.enterNextPhase(sub)
		if next, ok := a.renewalPrice(sub); ok {
			price = next
		}
		sub.CurrentPeriodStart = sub.CurrentPeriodEnd
		sub.CurrentPeriodEnd = periodAfter(sub.BillingCycleAnchor, price, sub.CurrentPeriodStart)
		if sub.Status == "trialing" {
			sub.Status = "active"
		}
	})
	a.afterPhase(sub)
	a.armInvoice(a.draft(sub, "subscription_cycle", a.cycleLines(sub)))
}

func (a *act) renewalPrice(sub *Subscription) (*Price, bool) {
	items := a.items(sub)
	if len(items) == 0 {
		return nil, false
	}
	return a.state.Prices.get(items[0].Price)
}
