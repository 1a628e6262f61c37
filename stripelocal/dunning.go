package stripelocal

import (
	"fmt"
	"net/http"
)

// What becomes of a subscription whose renewal was tried for the last time
// (docs: smart retries, the account's setting). That a new account begins with
// AfterDunningCancel is inferred.
const (
	AfterDunningCancel  = "cancel"
	AfterDunningUnpaid  = "unpaid"
	AfterDunningPastDue = "past_due"
)

// retryDays are when a refused payment is tried again, in days after the first
// refusal: eight times in two weeks (docs: smart retries). Which days is
// inferred: Stripe chooses the hours.
func retryDays() []int64 { return []int64{1, 3, 5, 7, 9, 11, 13, 14} }

// SetAfterDunning says what becomes of a subscription after the last retry:
// one of the AfterDunning values, else an error.
func (s *Server) SetAfterDunning(what string) error {
	switch what {
	case AfterDunningCancel, AfterDunningUnpaid, AfterDunningPastDue:
	default:
		return fmt.Errorf("after_dunning: %q is none of cancel, unpaid, past_due", what)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.AfterDunning = what
	s.stateWriter.markDirty()
	return nil
}

// settingsView is what an account's dashboard would say.
type settingsView struct {
	AfterDunning string `json:"after_dunning"`
}

func (c control) showSettings(w http.ResponseWriter, _ *http.Request) {
	view := settingsView{AfterDunning: AfterDunningCancel}
	c.mu.Lock()
	if c.store.AfterDunning != "" {
		view.AfterDunning = c.store.AfterDunning
	}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, view)
}

// changeSettings takes after_dunning=cancel|unpaid|past_due.
func (c control) changeSettings(w http.ResponseWriter, req *http.Request) {
	if err := c.SetAfterDunning(req.PostFormValue("after_dunning")); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.showSettings(w, req)
}

// dunning retries failed payments and sets the status of subscriptions after payments and failures.
type dunning struct{ *request }

// scheduleRetry says when a refused invoice is tried again, and whether there is no
// more try.
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

// retriesAutomatically says whether an invoice is collected by itself: a first invoice is
// not, nor one that a change waits for.
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

// retry is the scheduled attempt. A card that said no for good, or that wants
// its holder, is not asked again: the schedule goes on without an attempt until
// there is another card (docs: hard declines are not retried; that the dates go
// by, and that a 3-D Secure question counts as one, is inferred).
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

// recordDecline remembers a card that is not to be asked again by itself.
func (inv *Invoice) recordDecline(pm *PaymentMethod, result paymentOutcome, decline *Decline) {
	inv.DeclinedMethod = ""
	if result == outcomeRequiresAction || result == outcomeDeclined && decline.isHard() {
		inv.DeclinedMethod = pm.ID
	}
}

// isHard says whether a bank's no is final. That some are is in the docs on smart
// retries; which decline codes they are is inferred.
func (d *Decline) isHard() bool {
	switch d.DeclineCode {
	case "incorrect_number", "lost_card", "pickup_card", "stolen_card", "revocation_of_authorization",
		"revocation_of_all_authorizations", "authentication_required", "highest_risk_level", "transaction_not_allowed":
		return true
	}
	return d.Code == "payment_intent_authentication_failure"
}

// exhaust does with the subscription what the account's setting says.
func (h dunning) exhaust(inv *Invoice) {
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if !ok || sub.Status != "past_due" {
		return
	}
	switch h.store.AfterDunning {
	case AfterDunningPastDue:
	case AfterDunningUnpaid:
		h.subscriptions.change(sub, func() { sub.Status = "unpaid" })
		h.renewals.scheduleNext(sub)
	default:
		h.subscriptions.end(sub, "canceled", "payment_failed")
	}
}

// paymentFailed makes a living subscription past due. One whose first invoice
// is unpaid stays incomplete, one whose change waits for it stays as it was.
func (h dunning) paymentFailed(inv *Invoice) {
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if ok && sub.Status == "active" && inv.ID == sub.LatestInvoice && !sub.awaitsInvoice(inv) {
		h.subscriptions.change(sub, func() { sub.Status = "past_due" })
	}
}

// paymentSucceeded lets the subscription live again once nothing of it is owed.
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

// reactivateIfPaid makes a past due or unpaid subscription active again where
// the newest finalized invoice that was not voided is not owed any more
// (inferred).
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

// savePaymentMethod keeps the card that paid first as the subscription's own, where
// Checkout or save_default_payment_method asks for it.
func (h dunning) savePaymentMethod(sub *Subscription, inv *Invoice) {
	pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent)
	if ok && (sub.CheckoutSession != "" || sub.SaveDefaultPaymentMethod == "on_subscription") {
		sub.DefaultPaymentMethod = pi.PaymentMethod
	}
}
