package stripelocal

// retryDays are the days after the first decline on which a payment is retried: eight times in two
// weeks (docs: smart retries). The choice of days is inferred: Stripe chooses the hours.
func retryDays() []int64 { return []int64{1, 3, 5, 7, 9, 11, 13, 14} }

// dunning retries failed payments and sets the status of subscriptions after payments and failures.
type dunning struct{ *request }

// scheduleRetry sets the time of the next retry. It reports whether all retries are used.
func (h dunning) scheduleRetry(inv *Invoice) bool {
	if !h.retriesAutomatically(inv) {
		return false
	}
	h.customers.setDelinquent(inv.Customer, true)
	if inv.FirstDeclineAt == 0 {
		inv.FirstDeclineAt = h.timeForCustomer(inv.Customer)
	}
	days := retryDays()
	if inv.RetryCount == len(days) {
		inv.NextPaymentAttempt, inv.AutoAdvance = 0, false
		return true
	}
	inv.NextPaymentAttempt = inv.FirstDeclineAt + days[inv.RetryCount]*24*60*60
	inv.RetryCount++
	return false
}

// retriesAutomatically reports whether an open invoice is retried. First invoices and invoices of
// pending updates are not.
func (h dunning) retriesAutomatically(inv *Invoice) bool {
	if inv.Status != "open" || !inv.AutoAdvance || inv.CollectionMethod != "charge_automatically" {
		return false
	}
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if !ok {
		return true
	}
	return sub.Status != "incomplete" && sub.Status != "paused" && !sub.awaitsInvoice(inv)
}

func (x *Subscription) awaitsInvoice(inv *Invoice) bool {
	return x.PendingUpdate != nil && x.PendingUpdate.Invoice == inv.ID
}

// retry runs a scheduled attempt. A payment method with a hard decline or a 3-D Secure requirement
// is not charged again: the dates pass without an attempt until there is another payment method.
// Hard declines are not retried (docs); that the dates pass, and that 3-D Secure counts as one, is
// inferred.
func (h dunning) retry(inv *Invoice) {
	pm, ok := h.paymentMethods.forInvoice(inv)
	if ok && pm.ID != inv.DeclinedMethod {
		h.invoicing.attemptPayment(inv, pm, true)
		return
	}
	before := h.invoices.render(inv)
	exhausted := h.scheduleRetry(inv)
	h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
	h.invoicing.scheduleNext(inv)
	if exhausted {
		h.exhaust(inv)
	}
}

// retryAfterSource retries the latest open invoice of each past due subscription after the customer
// was updated with the legacy parameter source. It is no automatic retry: the schedule stays as it
// is. Another default payment method, in the portal or in invoice_settings, causes none (API
// reference: update a customer).
func (h dunning) retryAfterSource(c *Customer) {
	for _, sub := range h.store.Subscriptions.by("customer", c.ID) {
		inv, ok := h.store.Invoices.get(sub.LatestInvoice)
		if !ok || sub.Status != "past_due" || !h.retriesAutomatically(inv) {
			continue
		}
		if pm, ok := h.paymentMethods.forInvoice(inv); ok {
			h.invoicing.attemptPayment(inv, pm, false)
		}
	}
}

// recordDecline remembers a payment method that must not be retried automatically.
func (inv *Invoice) recordDecline(pm *PaymentMethod, result paymentOutcome, decline *Decline) {
	inv.DeclinedMethod = ""
	if result == outcomeRequiresAction || result == outcomeDeclined && decline.isHard() {
		inv.DeclinedMethod = pm.ID
	}
}

// isHard reports whether a decline is final. That some are is documented (smart retries); the list
// of codes is inferred.
func (d *Decline) isHard() bool {
	switch d.DeclineCode {
	case "incorrect_number", "lost_card", "pickup_card", "stolen_card", "revocation_of_authorization",
		"revocation_of_all_authorizations", "authentication_required", "highest_risk_level", "transaction_not_allowed":
		return true
	}
	return d.Code == "payment_intent_authentication_failure"
}

// exhaust applies the account's setting after the last retry.
func (h dunning) exhaust(inv *Invoice) {
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if !ok || sub.Status != "past_due" {
		return
	}
	switch h.store.afterDunning() {
	case AfterDunningPastDue:
	case AfterDunningUnpaid:
		h.subscriptions.change(sub, func() { sub.Status = "unpaid" })
		h.renewals.scheduleNext(sub)
	default:
		h.subscriptions.end(sub, "canceled", "payment_failed")
	}
}

// paymentFailed sets an active subscription to past_due. A subscription with an unpaid first
// invoice stays incomplete, and one with a pending update keeps its status.
func (h dunning) paymentFailed(inv *Invoice) {
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if ok && sub.Status == "active" && inv.ID == sub.LatestInvoice && !sub.awaitsInvoice(inv) {
		h.subscriptions.change(sub, func() { sub.Status = "past_due" })
	}
}

// paymentSucceeded activates the subscription of a paid invoice if nothing else is due.
func (h dunning) paymentSucceeded(inv *Invoice) {
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if !ok {
		return
	}
	h.pendingUpdates.apply(sub, inv)
	switch {
	case sub.Status == "incomplete":
		h.subscriptions.change(sub, func() {
			h.savePaymentMethod(sub, inv)
			sub.Status = "active"
		})
	case sub.Status == "paused" && sub.ResumeExpiresAt != 0 && inv.ID == sub.LatestInvoice:
		h.subscriptions.change(sub, func() { sub.Status, sub.ResumeExpiresAt = "active", 0 })
		h.emit("customer.subscription.resumed", h.subscriptions.render(sub))
	default:
		h.reactivateIfPaid(sub)
		return
	}
	h.renewals.scheduleNext(sub)
}

// paymentProcessing activates the subscription of a first invoice whose bank debit is pending (a
// public report, laravel/cashier-stripe issue 1689; docs: subscriptions can also be incomplete
// then).
func (h dunning) paymentProcessing(inv *Invoice) {
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if !ok || sub.Status != "incomplete" {
		return
	}
	h.subscriptions.change(sub, func() {
		h.savePaymentMethod(sub, inv)
		sub.Status = "active"
	})
	h.renewals.scheduleNext(sub)
}

// reactivateIfPaid activates a past_due or unpaid subscription if its latest finalized invoice,
// void ones excluded, is paid or uncollectible (inferred).
func (h dunning) reactivateIfPaid(sub *Subscription) {
	if sub.Status != "past_due" && sub.Status != "unpaid" || h.hasOpenInvoice(sub) {
		return
	}
	h.subscriptions.change(sub, func() { sub.Status = "active" })
	h.renewals.scheduleNext(sub)
}

func (h dunning) hasOpenInvoice(sub *Subscription) bool {
	invoices := h.store.Invoices.by("subscription", sub.ID)
	for i := len(invoices) - 1; i >= 0; i-- {
		switch invoices[i].Status {
		case "open":
			return true
		case "paid", "uncollectible":
			return false
		}
	}
	return false
}

// savePaymentMethod stores the payment method of the first payment as the subscription's default,
// for Checkout and save_default_payment_method.
func (h dunning) savePaymentMethod(sub *Subscription, inv *Invoice) {
	pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent)
	if ok && (sub.CheckoutSession != "" || sub.SaveDefaultPaymentMethod == "on_subscription") {
		sub.DefaultPaymentMethod = pi.PaymentMethod
	}
}
