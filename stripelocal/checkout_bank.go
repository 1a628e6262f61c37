package stripelocal

import (
	"net/http"

	"usher/stripelocal/wire"
)

// A bank debit is a delayed payment method: the session completes unpaid, and the payment succeeds
// or fails days later.

const (
	// bankDebitDelay is the time a bank debit takes, in seconds (inferred).
	bankDebitDelay = 4 * 24 * 60 * 60
	// bankAccountSucceeds and bankAccountFails are test account numbers (inferred).
	bankAccountSucceeds = "000123456789"
	bankAccountFails    = "000222222227"
)

// offersBankDebit reports whether a session offers the bank debit: in payment mode, in USD, unless
// payment_method_types leaves it out.
func (cs *CheckoutSession) offersBankDebit() bool {
	return cs.Mode == "payment" && cs.Currency == "usd" && (len(cs.PaymentMethodTypes) == 0 || setOf(cs.PaymentMethodTypes)["us_bank_account"])
}

// paymentMethodTypes returns the value of payment_method_types.
func (cs *CheckoutSession) paymentMethodTypes() []string {
	switch {
	case len(cs.PaymentMethodTypes) > 0:
		return cs.PaymentMethodTypes
	case cs.offersBankDebit():
		return []string{"card", "us_bank_account"}
	}
	return []string{"card"}
}

// startBankDebit starts a bank debit and completes the session unpaid.
func (h checkoutPayments) startBankDebit(cs *CheckoutSession, s checkoutForm) paymentOutcome {
	h.eventOrder = []string{"customer.created", "payment_intent.created", "payment_intent.processing", "checkout.session.completed"}
	if cs.CustomerCreation == "always" || cs.SetupFutureUsage != "" {
		h.ensureCustomer(cs)
	}
	pi, ok := h.store.PaymentIntents.get(cs.PaymentIntent)
	if !ok {
		pi = h.createIntent(cs, h.checkoutSessions.amountDue(cs))
	}
	pm := &PaymentMethod{
		Base: Base{ID: h.ids.longID("pm_1"), Created: h.now}, Number: digitsOf(s.Account), IsBankAccount: true, Brand: "bank debit",
		Email: s.Email, Name: s.Card.Name, Metadata: map[string]string{},
	}
	h.store.PaymentMethods.insert(pm)
	h.mandates.insert(pm, pi)
	pi.PaymentMethod, pi.LastPaymentError, pi.Status = pm.ID, nil, "processing"
	h.emit("payment_intent.processing", h.paymentIntents.render(pi))
	h.complete(cs, pm, "unpaid")
	cs.BankDebitSettlesAt = h.now + bankDebitDelay
	h.scheduleBankDebit(cs)
	return outcomePaid
}

// scheduleBankDebit schedules the end of a pending bank debit.
func (h checkoutPayments) scheduleBankDebit(cs *CheckoutSession) {
	if cs.BankDebitSettlesAt == 0 {
		return
	}
	h.schedule(accountClock, cs.BankDebitSettlesAt, func(r *request) {
		if pm, ok := r.checkoutPayments.pendingBankAccount(cs); ok {
			r.changed = true
			r.checkoutPayments.finishBankDebit(cs, pm.Number != bankAccountFails)
		}
	})
}

// pendingBankAccount returns the bank account of a session whose debit is still processing.
func (h checkoutPayments) pendingBankAccount(cs *CheckoutSession) (*PaymentMethod, bool) {
	pi, ok := h.store.PaymentIntents.get(cs.PaymentIntent)
	if !ok || pi.Status != "processing" {
		return nil, false
	}
	return h.store.PaymentMethods.get(pi.PaymentMethod)
}

// finishBankDebit ends a bank debit and emits the session's event.
func (h checkoutPayments) finishBankDebit(cs *CheckoutSession, good bool) {
	pi, ok := h.store.PaymentIntents.get(cs.PaymentIntent)
	pm, exists := h.pendingBankAccount(cs)
	if !ok || !exists {
		return
	}
	cs.BankDebitSettlesAt = 0
	if good {
		h.paymentIntents.succeed(pi, pm)
		cs.PaymentStatus = "paid"
		h.emit("checkout.session.async_payment_succeeded", h.checkoutSessions.render(cs))
		return
	}
	h.paymentIntents.fail(pi, pm, &Decline{Code: "payment_method_bank_account_insufficient_funds", DeclineCode: "insufficient_funds", Message: "The customer's account has insufficient funds to cover this payment."})
	h.emit("checkout.session.async_payment_failed", h.checkoutSessions.render(cs))
}

// settleCheckoutSession ends a bank debit at once: outcome=succeeded or outcome=failed.
func (c control) settleCheckoutSession(w http.ResponseWriter, req *http.Request) {
	good := req.PostFormValue("outcome") != "failed"
	var shown wire.Object
	_ = c.transact(c.newPageRequestInfo(), func(r *request) error {
		cs, ok := r.store.CheckoutSessions.get(req.PathValue("id"))
		if !ok {
			return nil
		}
		if _, pending := r.checkoutPayments.pendingBankAccount(cs); pending {
			r.changed = true
			r.checkoutPayments.finishBankDebit(cs, good)
			shown = r.checkoutSessions.render(cs)
		}
		return nil
	})
	if shown == nil {
		http.Error(w, "There is no such session, or it waits for no bank debit.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(wire.Encode(shown))
}

// renderBankAccount renders the us_bank_account hash of a payment method.
func (p *PaymentMethod) renderBankAccount() wire.Object {
	return wire.Object{
		"account_holder_type": "individual", "account_type": "checking", "bank_name": "LOCAL BANK", "financial_connections_account": nil,
		"fingerprint": p.fingerprint(), "last4": p.last4(), "networks": wire.Object{"preferred": "ach", "supported": []any{"ach"}},
		"routing_number": "110000000", "status_details": wire.Object{},
	}
}

// withBankAccount replaces the card hash by the us_bank_account hash if the payment method is a
// bank account.
func (p *PaymentMethod) withBankAccount(o wire.Object) wire.Object {
	if p.IsBankAccount {
		delete(o, "card")
		o["type"], o["us_bank_account"] = "us_bank_account", p.renderBankAccount()
	}
	return o
}

// bankDebitDetails renders a charge's payment_method_details for a bank account.
func (p *PaymentMethod) bankDebitDetails() wire.Object {
	return wire.Object{"type": "us_bank_account", "us_bank_account": wire.Object{
		"account_holder_type": "individual", "account_type": "checking", "bank_name": "LOCAL BANK", "fingerprint": p.fingerprint(),
		"last4": p.last4(), "payment_reference": nil, "routing_number": "110000000",
	}}
}
