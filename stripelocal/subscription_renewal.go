package stripelocal

// The notice periods of a trial's end and of a renewal, in seconds. Three days for trials are
// documented (docs: trials); three days as the default of the account's renewal setting are
// inferred.
const (
	trialNotice   = 3 * 24 * 60 * 60
	renewalNotice = 3 * 24 * 60 * 60
)

// renewals runs what is due on a subscription: notices, renewals and cancellations.
type renewals struct{ *request }

// scheduleNext schedules the subscription's next step. Outdated timers find the subscription
// changed and do nothing.
func (h renewals) scheduleNext(sub *Subscription) {
	due := sub.nextDue()
	if due == 0 {
		return
	}
	at := due
	if due < sub.CurrentPeriodEnd { // a notice whose time passed before it applied
		at = max(due, h.timeOnClock(sub.TestClock))
	}
	h.schedule(sub.TestClock, at, func(r *request) {
		if sub.nextDue() == due {
			r.changed = true
			r.renewals.runDue(sub, due)
			r.renewals.scheduleNext(sub)
		}
	})
}

// nextDue is the time of the next step; 0 is never.
func (x *Subscription) nextDue() int64 {
	switch x.Status {
	case "incomplete":
		return x.Created + incompleteLifetime
	case "paused":
		return x.ResumeExpiresAt
	case "trialing", "active", "past_due", "unpaid":
	default:
		return 0
	}
	due := x.CurrentPeriodEnd
	if x.CancelAt != 0 {
		due = min(due, x.CancelAt)
	}
	if x.PendingUpdate != nil && x.PendingUpdate.AttemptFailed {
		due = min(due, x.PendingUpdate.ExpiresAt)
	}
	if x.PhaseEnd != 0 {
		due = min(due, x.PhaseEnd)
	}
	if x.PauseCollection.ResumesAt != 0 {
		due = min(due, x.PauseCollection.ResumesAt)
	}
	if x.NextPendingInvoice != 0 {
		due = min(due, x.NextPendingInvoice)
	}
	return min(due, x.nextNotice(due))
}

// nextNotice is the time of the next notice, or otherwise if none is due.
func (x *Subscription) nextNotice(otherwise int64) int64 {
	switch {
	case x.Status == "trialing" && !x.TrialWillEndSent:
		return x.TrialEnd - trialNotice
	case x.CancelAt != 0 && x.CancelAt <= x.CurrentPeriodEnd:
	case x.PauseCollection.Behavior != "": // docs: no invoice.upcoming while paused
	case x.UpcomingSentFor != x.CurrentPeriodEnd && x.CurrentPeriodEnd-x.CurrentPeriodStart > renewalNotice:
		return x.CurrentPeriodEnd - renewalNotice
	}
	return otherwise
}

func (h renewals) runDue(sub *Subscription, due int64) {
	switch {
	case sub.Status == "incomplete":
		h.expireIncomplete(sub)
	case sub.Status == "paused":
		h.subscriptions.expireResume(sub)
	case sub.CancelAt != 0 && due >= sub.CancelAt:
		h.cancelAtDate(sub)
	case sub.PauseCollection.ResumesAt != 0 && due >= sub.PauseCollection.ResumesAt:
		h.resumeCollection(sub)
	case sub.PendingUpdate != nil && due >= sub.PendingUpdate.ExpiresAt:
		h.pendingUpdates.expire(sub)
	case due == sub.PhaseEnd && (due < sub.CurrentPeriodEnd || h.schedules.cancelsAtPhaseEnd(sub)):
		h.schedules.advancePhase(sub)
	case sub.isPendingInvoiceDue(due):
		h.pendingInvoices.run(sub)
	case due < sub.CurrentPeriodEnd:
		h.sendNotice(sub)
	case sub.Status == "trialing" && h.trials.lacksPaymentMethod(sub) && sub.MissingPaymentMethod != "create_invoice":
		h.trials.endWithoutMethod(sub)
	default:
		h.renew(sub)
	}
}

// sendNotice emits customer.subscription.trial_will_end or invoice.upcoming.
func (h renewals) sendNotice(sub *Subscription) {
	if sub.Status == "trialing" && !sub.TrialWillEndSent {
		h.trials.announceEnd(sub)
		return
	}
	sub.UpcomingSentFor = sub.CurrentPeriodEnd
	if inv, err := h.previews.nextInvoice(sub, h.subscriptionChanges.plan(sub, subscriptionChange{})); err == nil {
		h.emit("invoice.upcoming", h.previews.render(inv))
	}
}

// cancelAtDate ends the subscription at cancel_at. Pending items get a final invoice.
func (h renewals) cancelAtDate(sub *Subscription) {
	reason, usage := sub.CancellationReason, h.usages.unbilled(sub)
	h.subscriptions.end(sub, "canceled", reason)
	h.finalInvoice(sub, usage)
}

// finalInvoice bills the pending items of a subscription that has ended, and usage.
func (h renewals) finalInvoice(sub *Subscription, usage []InvoiceLine) {
	if len(h.invoiceItems.pendingFor(sub)) > 0 || len(usage) > 0 {
		h.invoicing.finalizeAndPay(h.invoicing.createDraft(sub, "subscription_update", usage))
	}
}

// expireIncomplete expires a subscription whose first payment failed.
func (h renewals) expireIncomplete(sub *Subscription) {
	if inv, ok := h.store.Invoices.get(sub.LatestInvoice); ok {
		h.invoicing.void(inv)
	}
	h.subscriptions.change(sub, func() {
		sub.Status, sub.EndedAt = "incomplete_expired", h.timeOnClock(sub.TestClock)
	})
}

// renew starts the next period. After a trial the status is active before anything is paid. The
// invoice is a draft for about an hour; drafts of an unpaid subscription are not collected.
func (h renewals) renew(sub *Subscription) {
	price, ok := h.subscriptions.firstPrice(sub)
	if !ok {
		return
	}
	usage := h.usages.lines(sub, sub.CurrentPeriodStart, sub.CurrentPeriodEnd)
	h.subscriptions.change(sub, func() {
		h.schedules.enterNextPhase(sub)
		if next, ok := h.subscriptions.firstPrice(sub); ok {
			price = next
		}
		sub.CurrentPeriodStart = sub.CurrentPeriodEnd
		sub.CurrentPeriodEnd = price.periodAfter(sub.BillingCycleAnchor, sub.CurrentPeriodStart)
		if sub.Status == "trialing" {
			sub.Status = "active"
		}
	})
	h.entitlements.refresh(sub)
	h.schedules.afterRenewal(sub)
	inv := h.invoicing.createDraft(sub, "subscription_cycle", append(usage, h.subscriptions.currentPeriodLines(sub)...))
	if !h.invoicing.applyPause(inv) {
		h.invoicing.scheduleNext(inv)
	}
}
