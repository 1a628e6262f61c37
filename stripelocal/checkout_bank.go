package stripelocal

import (
	"net/http"
	"slices"

	"usher/stripelocal/wire"
)

// A bank debit is a delayed payment method: the session completes unpaid, and the payment succeeds
// or fails later. That of the page takes days, as outside test mode; that of a payment method of
// the API takes what its test account says.

const (
	// bankDebitDelay is the time a bank debit of the page takes, in seconds (inferred).
	bankDebitDelay = 4 * 24 * 60 * 60
	// bankAccountSucceeds and bankAccountFails are test account numbers (docs: ACH Direct Debit).
	bankAccountSucceeds = "000123456789"
	bankAccountFails    = "000222222227"
)

// bankDebit is the type of the bank debit that the page of a session offers, or "": in payment
// mode, in USD unless payment_method_types leaves it out, and in EUR if they name it.
func (cs *CheckoutSession) bankDebit() string {
	named := setOf(cs.PaymentMethodTypes)
	switch {
	case cs.Mode != "payment":
		return ""
	case cs.Currency == "usd" && (len(named) == 0 || named["us_bank_account"]):
		return "us_bank_account"
	case cs.Currency == "eur" && named["sepa_debit"]:
		return "sepa_debit"
	}
	return ""
}

// paymentMethodTypes returns the value of payment_method_types.
func (cs *CheckoutSession) paymentMethodTypes() []string {
	switch kind := cs.bankDebit(); {
	case len(cs.PaymentMethodTypes) > 0:
		return cs.PaymentMethodTypes
	case kind != "":
		return []string{"card", kind}
	}
	return []string{"card"}
}

// accountFromForm stores the bank account that was entered on the page, which is verified.
func (h checkoutPayments) accountFromForm(cs *CheckoutSession, s checkoutForm) *PaymentMethod {
	pm := newUSAccount(digitsOf(s.Account))
	if cs.bankDebit() == "sepa_debit" {
		pm = newSEPAAccount(normalizeIBAN(s.Account))
	}
	pm.Email, pm.Name = s.Email, s.Card.Name
	return h.paymentMethods.insertAccount(pm)
}

// startBankDebit starts the debit of an account that was entered on the page.
func (h checkoutPayments) startBankDebit(cs *CheckoutSession, s checkoutForm) (paymentOutcome, *Decline) {
	result, decline := h.payOneTime(cs, h.accountFromForm(cs, s))
	if pi, ok := h.store.PaymentIntents.get(cs.PaymentIntent); ok && pi.Status == "processing" {
		pi.DebitEndsAt = h.now + bankDebitDelay
		h.bankDebits.scheduleEnd(pi)
	}
	return result, decline
}

// obtainMandate stores the mandate of a bank debit, which the customer accepts with the page.
func (h checkoutPayments) obtainMandate(pi *PaymentIntent, pm *PaymentMethod) {
	if pm.IsBankAccount {
		pi.Mandate = h.mandates.insertForIntent(pm, pi, wire.Params{}).ID
	}
}

// checkMethod rejects a payment method that a session does not take, for the calls of Stripe's
// command line tool.
func (h checkoutPayments) checkMethod(cs *CheckoutSession, pm *PaymentMethod) error {
	kind := pm.methodKind()
	switch {
	case pm.isCard():
		return nil
	case !slices.Contains(cs.paymentMethodTypes(), kind): // the wording is inferred
		return wire.Invalid("payment_intent_incompatible_payment_method", "payment_method", "The payment method type "+kind+" is not among the payment_method_types of this Checkout Session.")
	}
	return nil
}

// pendingBankAccount returns the bank account of a session whose debit is still processing.
func (h checkoutPayments) pendingBankAccount(cs *CheckoutSession) (*PaymentMethod, bool) {
	pi, ok := h.paymentIntent(cs)
	if !ok || pi.Status != "processing" {
		return nil, false
	}
	return h.store.PaymentMethods.get(pi.PaymentMethod)
}

// debitEnded emits the event of a session whose bank debit has ended.
func (h checkoutPayments) debitEnded(pi *PaymentIntent, good bool) {
	cs, ok := h.store.CheckoutSessions.get(pi.CheckoutSession)
	if !ok || cs.Status != "complete" || cs.PaymentStatus != "unpaid" {
		return
	}
	cs.BankDebitSettlesAt = 0
	if !good {
		h.emit("checkout.session.async_payment_failed", h.checkoutSessions.render(cs))
		return
	}
	cs.PaymentStatus = "paid"
	h.emit("checkout.session.async_payment_succeeded", h.checkoutSessions.render(cs))
}

// settle ends the bank debit of a session.
func (h checkoutPayments) settle(cs *CheckoutSession, good bool) {
	pi, ok := h.paymentIntent(cs)
	switch {
	case !ok:
	case good:
		h.bankDebits.end(pi, nil)
	default:
		h.bankDebits.end(pi, insufficientFunds())
	}
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
			r.checkoutPayments.settle(cs, good)
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
