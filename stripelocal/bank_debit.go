package stripelocal

import (
	"fmt"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// bankDebits debit bank accounts. A debit leaves its payment intent in processing until it ends.
type bankDebits struct{ *request }

// bankKinds are the types of payment methods other than card, with the currency that they need.
// customer_balance has several (docs: bank transfers).
var bankKinds = map[string][]string{
	"sepa_debit": {"eur"}, "us_bank_account": {"usd"}, "customer_balance": {"eur", "gbp", "jpy", "mxn", "usd"},
}

// check rejects a payment method that the intent cannot be confirmed with.
func (h bankDebits) check(pi *PaymentIntent, pm *PaymentMethod) error {
	kind, types := pm.methodKind(), h.paymentIntents.methodTypes(pi)
	switch {
	case !slices.Contains(types, kind): // a public report (stripe/stripe-terminal-react-native 745)
		return wire.Invalid("payment_intent_incompatible_payment_method", "payment_method", fmt.Sprintf("The PaymentMethod provided (%s) is not allowed for this PaymentIntent. Please attach a PaymentMethod of one of the following types: %s. Alternatively, update the allowed payment_method_types for this PaymentIntent to include \"%s\".", kind, strings.Join(types, ", "), kind))
	case kind == "card":
		return nil
	case !slices.Contains(bankKinds[kind], pi.Currency):
		return currencyError(kind, pi.Currency)
	case kind == "customer_balance":
		return h.bankTransfers.check(pi)
	}
	return h.checkAccount(pm, pi.Mandate != "", "PaymentIntent", pi.ID)
}

// currencyError is the error for a currency that a payment method type does not have.
func currencyError(kind, currency string) *wire.Error {
	return wire.Invalid("payment_intent_invalid_parameter", "currency", fmt.Sprintf("The currency provided (%s) is invalid. Payments with %s support the following currencies: %s.", currency, kind, strings.Join(bankKinds[kind], ", ")))
}

// checkAccount rejects a blocked bank account, and one whose customer accepted no mandate. Without
// a mandate the intent stays in requires_confirmation (docs: ACH Direct Debit, returns).
func (h bankDebits) checkAccount(pm *PaymentMethod, accepted bool, intent, id string) error {
	switch {
	case pm.BlockedBy != "":
		return wire.Invalid("payment_method_bank_account_blocked", "payment_method", "This bank account cannot be debited: "+pm.BlockedBy+".")
	case accepted || h.mandates.permits(pm):
		return nil
	}
	e := wire.Invalid("", "", "This "+intent+" requires a mandate, but no existing mandate was found. Collect mandate acceptance from the customer and try again, providing acceptance data in the mandate_data parameter.")
	if intent == "PaymentIntent" {
		e.PaymentIntent = id
	} else {
		e.SetupIntent = id
	}
	return e
}

// accept stores the mandate that a call accepts or names, before the intent is confirmed.
func (h bankDebits) accept(pi *PaymentIntent, pm *PaymentMethod, p wire.Params) error {
	pi.Mandate = ""
	acceptance := p.At("mandate_data").At("customer_acceptance")
	switch {
	case !pm.IsBankAccount || pm.BlockedBy != "":
	case p.Has("mandate"):
		m, ok := h.store.Mandates.get(p.String("mandate"))
		if !ok {
			return wire.NoSuch("mandate", p.String("mandate"), "mandate")
		}
		if m.PaymentMethod != pm.ID || m.Status == "inactive" || m.Amount != 0 {
			return wire.Invalid("payment_intent_mandate_invalid", "mandate", "The provided mandate is invalid and can not be used for the payment intent.")
		}
		pi.Mandate = m.ID
	case acceptance.Has("type"):
		pi.Mandate = h.mandates.insertForIntent(pm, pi, acceptance).ID
	}
	return nil
}

// refusedForInvoice is the outcome of an invoice's attempt that cannot start a debit.
func (h bankDebits) refusedForInvoice(pi *PaymentIntent, pm *PaymentMethod) (*Decline, bool) {
	if !pm.IsBankAccount {
		return nil, false
	}
	switch {
	case !slices.Contains(bankKinds[pm.methodKind()], pi.Currency):
		return debitDecline("payment_method_currency_mismatch", currencyError(pm.methodKind(), pi.Currency).Message), true
	case pm.BlockedBy != "":
		return debitDecline("payment_method_bank_account_blocked", "This bank account cannot be debited."), true
	case pi.Mandate == "" && !h.mandates.permits(pm):
		return debitDecline("payment_intent_mandate_invalid", "This PaymentIntent requires a mandate, but no existing mandate was found."), true
	}
	return nil, false
}

// start starts the debit of a verified account. Its charge is pending until the debit ends.
func (h bankDebits) start(pi *PaymentIntent, pm *PaymentMethod) {
	ch := h.charges.create(pi, pm, nil)
	pi.Status, pi.LatestCharge, pi.DebitEndsAt = "processing", ch.ID, 0
	if test := pm.testAccount(); !test.endless {
		pi.DebitEndsAt = h.now + test.delay
	}
	h.emit("payment_intent.processing", h.paymentIntents.render(pi))
	h.emit("charge.pending", h.charges.render(ch))
	h.scheduleEnd(pi)
}

// scheduleEnd schedules the end of a pending debit.
func (h bankDebits) scheduleEnd(pi *PaymentIntent) {
	at := h.endsAt(pi)
	if at == 0 {
		return
	}
	h.schedule(accountClock, at, func(r *request) {
		if r.bankDebits.endsAt(pi) == at {
			r.changed = true
			pm, _ := r.store.PaymentMethods.get(pi.PaymentMethod)
			r.bankDebits.end(pi, pm.testAccount().decline)
		}
	})
}

// endsAt is when a debit ends, or 0 if none is pending. Older state files have the time in the
// Checkout session.
func (h bankDebits) endsAt(pi *PaymentIntent) int64 {
	if pi.Status != "processing" {
		return 0
	}
	if cs, ok := h.store.CheckoutSessions.get(pi.CheckoutSession); ok && cs.BankDebitSettlesAt != 0 {
		return cs.BankDebitSettlesAt
	}
	return pi.DebitEndsAt
}

// end ends a pending debit. A nil decline is success.
func (h bankDebits) end(pi *PaymentIntent, decline *Decline) {
	pm, ok := h.store.PaymentMethods.get(pi.PaymentMethod)
	if !ok || pi.Status != "processing" {
		return
	}
	ch := h.pendingCharge(pi, pm)
	ch.Pending, ch.Failure, pi.DebitEndsAt = false, decline, 0
	if decline != nil {
		h.emit("charge.failed", h.charges.render(ch))
		h.paymentIntents.failConfirmation(pi, pm, decline)
		h.block(pm, decline)
		h.invoicing.debitEnded(pi, outcomeDeclined)
	} else {
		ch.SettledAt = h.now
		h.paymentIntents.markSucceeded(pi, ch)
		h.invoicing.debitEnded(pi, outcomePaid)
	}
	h.checkoutPayments.debitEnded(pi, decline == nil)
}

// pendingCharge is the charge of a pending debit. Older state files have none until the end.
func (h bankDebits) pendingCharge(pi *PaymentIntent, pm *PaymentMethod) *Charge {
	if ch, ok := h.store.Charges.get(pi.LatestCharge); ok && ch.Pending {
		return ch
	}
	ch := h.charges.create(pi, pm, nil)
	pi.LatestCharge = ch.ID
	return ch
}

// block blocks a bank account that cannot be debited again, and ends its mandate (docs: ACH Direct
// Debit, blocked bank accounts; for the mandate inferred).
func (h bankDebits) block(pm *PaymentMethod, decline *Decline) {
	if blockedDetails(decline.Code) == nil {
		return
	}
	pm.BlockedBy = decline.Code
	h.mandates.setStatus(pm, "inactive")
}

// cancel ends the pending charge of a canceled payment intent (inferred).
func (h bankDebits) cancel(pi *PaymentIntent) {
	ch, ok := h.store.Charges.get(pi.LatestCharge)
	if !ok || !ch.Pending {
		return
	}
	ch.Pending, ch.Failure, pi.DebitEndsAt = false, debitDecline("charge_canceled", "The payment was canceled."), 0
	h.emit("charge.failed", h.charges.render(ch))
}
