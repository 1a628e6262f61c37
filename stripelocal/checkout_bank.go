package stripelocal

import (
	"net/http"

	"usher/stripelocal/wire"
)

// A bank debit is the delayed payment method: a session paid with it completes
// unpaid, and the money comes, or does not, later.

const (
	// bankDelay is how long a bank debit takes (inferred).
	bankDelay = 4 * 24 * 60 * 60
	// bankGood and bankBad are test account numbers (inferred).
	bankGood = "000123456789"
	bankBad  = "000222222227"
)

// takesBank says whether a session offers the bank debit: in payment mode, in
// dollars, unless its methods are named without it.
func (cs *CheckoutSession) takesBank() bool {
	return cs.Mode == "payment" && cs.Currency == "usd" && (len(cs.MethodTypes) == 0 || setOf(cs.MethodTypes)["us_bank_account"])
}

// methodTypes are what a session shows as payment_method_types.
func (cs *CheckoutSession) methodTypes() []string {
	switch {
	case len(cs.MethodTypes) > 0:
		return cs.MethodTypes
	case cs.takesBank():
		return []string{"card", "us_bank_account"}
	}
	return []string{"card"}
}

// startBankDebit starts a bank debit and completes the session unpaid.
func (h checkoutPayments) startBankDebit(cs *CheckoutSession, s submission) outcome {
	h.eventOrder = []string{"customer.created", "payment_intent.created", "payment_intent.processing", "checkout.session.completed"}
	if cs.CustomerCreation == "always" || cs.FutureUsage != "" {
		h.ensureCustomer(cs)
	}
	pi, ok := h.state.PaymentIntents.get(cs.PaymentIntent)
	if !ok {
		pi = h.createIntent(cs, h.checkoutSessions.amountDue(cs))
	}
	pm := &PaymentMethod{
		Base: Base{ID: h.ids.long("pm_1"), Created: h.now}, Number: digitsOf(s.Account), Bank: true, Brand: "bank debit",
		Email: s.Email, Name: s.Card.Name, Metadata: map[string]string{},
	}
	h.state.PaymentMethods.insert(pm)
	pi.PaymentMethod, pi.LastError, pi.Status = pm.ID, nil, "processing"
	h.emit("payment_intent.processing", h.paymentIntents.render(pi))
	h.complete(cs, pm, "unpaid")
	cs.SettlesAt = h.now + bankDelay
	h.scheduleBankDebit(cs)
	return paid
}

// scheduleBankDebit sees to it that a debit settles in time.
func (h checkoutPayments) scheduleBankDebit(cs *CheckoutSession) {
	if cs.SettlesAt == 0 {
		return
	}
	h.schedule(accountClock, cs.SettlesAt, func(r *request) {
		if pm, ok := r.checkoutPayments.pendingBankAccount(cs); ok {
			r.changed = true
			r.checkoutPayments.finishBankDebit(cs, pm.Number != bankBad)
		}
	})
}

// pendingBankAccount is the account that a session's payment is still being taken from.
func (h checkoutPayments) pendingBankAccount(cs *CheckoutSession) (*PaymentMethod, bool) {
	pi, ok := h.state.PaymentIntents.get(cs.PaymentIntent)
	if !ok || pi.Status != "processing" {
		return nil, false
	}
	return h.state.PaymentMethods.get(pi.PaymentMethod)
}

// finishBankDebit ends a bank debit and tells so of the session.
func (h checkoutPayments) finishBankDebit(cs *CheckoutSession, good bool) {
	pi, ok := h.state.PaymentIntents.get(cs.PaymentIntent)
	pm, there := h.pendingBankAccount(cs)
	if !ok || !there {
		return
	}
	cs.SettlesAt = 0
	if good {
		h.paymentIntents.succeed(pi, pm)
		cs.PaymentStatus = "paid"
		h.emit("checkout.session.async_payment_succeeded", h.checkoutSessions.render(cs))
		return
	}
	h.paymentIntents.fail(pi, pm, &Decline{Code: "payment_method_bank_account_insufficient_funds", DeclineCode: "insufficient_funds", Message: "The customer's account has insufficient funds to cover this payment."})
	h.emit("checkout.session.async_payment_failed", h.checkoutSessions.render(cs))
}

// settleSession lets a bank debit end now: outcome=succeeded or failed.
func (s *Server) settleSession(w http.ResponseWriter, req *http.Request) {
	good := req.PostFormValue("outcome") != "failed"
	var shown wire.Object
	_ = s.transact(s.newPageRequestInfo(), func(r *request) error {
		cs, ok := r.state.Sessions.get(req.PathValue("id"))
		if !ok {
			return nil
		}
		if _, waits := r.checkoutPayments.pendingBankAccount(cs); waits {
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

// renderBank is the payment method's part of its own.
func (p *PaymentMethod) renderBank() wire.Object {
	return wire.Object{
		"account_holder_type": "individual", "account_type": "checking", "bank_name": "LOCAL BANK", "financial_connections_account": nil,
		"fingerprint": p.fingerprint(), "last4": p.last4(), "networks": wire.Object{"preferred": "ach", "supported": []any{"ach"}},
		"routing_number": "110000000", "status_details": wire.Object{},
	}
}

// asBank turns a rendered card into a bank account where it is one.
func (p *PaymentMethod) asBank(o wire.Object) wire.Object {
	if p.Bank {
		delete(o, "card")
		o["type"], o["us_bank_account"] = "us_bank_account", p.renderBank()
	}
	return o
}

// bankDetails is what a charge shows of the account.
func (p *PaymentMethod) bankDetails() wire.Object {
	return wire.Object{"type": "us_bank_account", "us_bank_account": wire.Object{
		"account_holder_type": "individual", "account_type": "checking", "bank_name": "LOCAL BANK", "fingerprint": p.fingerprint(),
		"last4": p.last4(), "payment_reference": nil, "routing_number": "110000000",
	}}
}
