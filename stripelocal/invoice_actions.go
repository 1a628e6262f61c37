package stripelocal

import "usher/stripelocal/wire"

func (h invoices) finalize(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if inv.Status != "draft" {
		return nil, wire.Invalid("invoice_not_editable", "", "This invoice is already finalized, you can't re-finalize a non-draft invoice.")
	}
	in.SetBool("auto_advance", &inv.AutoAdvance)
	if err := h.checkFinalizable(inv); err != nil {
		return nil, err
	}
	h.invoicing.finalize(inv)
	return h.render(inv), nil
}

func (h invoices) pay(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if err := checkPayable(inv); err != nil {
		return nil, err
	}
	if err := h.checkFinalizable(inv); err != nil {
		return nil, err
	}
	h.invoicing.finalize(inv)
	switch {
	case inv.Status == "paid":
	case in.Bool("paid_out_of_band"):
		inv.PaidOutOfBand = true
		h.paymentIntents.cancelByID(inv.PaymentIntent, "duplicate")
		h.invoicing.markPaid(inv, inv.remaining())
	default:
		if err := h.payWith(inv, in); err != nil {
			return nil, err
		}
	}
	return h.render(inv), nil
}

func checkPayable(inv *Invoice) error {
	switch inv.Status {
	case "paid":
		return wire.Invalid("", "", "Invoice is already paid")
	case "void":
		return wire.Invalid("", "", "This invoice can no longer be paid because it is void.")
	}
	return nil
}

func (h invoices) payWith(inv *Invoice, in *input) error {
	pm, ok := h.paymentMethods.forInvoice(inv)
	for _, name := range []string{"source", "payment_method"} {
		if !in.Has(name) {
			continue
		}
		var err error
		if pm, err = h.paymentMethods.findUsable(in.String(name), name); err != nil {
			return err
		}
		ok = true
	}
	if !ok {
		return noPaymentMethodError()
	}
	if pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent); ok && pi.Status == "processing" { // the wording is inferred
		return wire.Invalid("", "", "This invoice cannot be paid because its payment is already processing.")
	}
	result, decline := h.invoicing.pay(inv, pm)
	return paymentError(result, decline, inv)
}

// paymentError is the 402 of a failed payment.
func paymentError(result paymentOutcome, decline *Decline, inv *Invoice) error {
	var e *wire.Error
	switch result {
	case outcomePaid, outcomeProcessing:
		return nil
	case outcomeRequiresAction:
		e = &wire.Error{Status: 402, Type: "card_error", Code: "invoice_payment_intent_requires_action", Message: "This payment requires additional user action before it can be completed successfully. Payment can be completed using the PaymentIntent associated with this invoice."}
	default:
		e = cardError(decline)
	}
	e.PaymentIntent = inv.PaymentIntent
	return e
}

func noPaymentMethodError() *wire.Error {
	return wire.Invalid("resource_missing", "", "This customer has no attached payment source or default payment method. Please consider adding a default payment method. For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.")
}

func (h invoices) void(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if inv.Status != "open" && inv.Status != "uncollectible" {
		return nil, wire.Invalid("", "", "You can only pass in open invoices. This invoice isn't open.")
	}
	h.invoicing.void(inv)
	if sub, ok := h.store.Subscriptions.get(inv.Subscription); ok {
		h.afterVoid(sub, inv)
	}
	return h.render(inv), nil
}

// afterVoid updates the subscription of a voided invoice.
func (h invoices) afterVoid(sub *Subscription, inv *Invoice) {
	switch {
	case sub.Status == "incomplete" && inv.ID == sub.LatestInvoice:
		h.subscriptions.end(sub, "incomplete_expired", "")
	case sub.awaitsInvoice(inv):
		h.pendingUpdates.expire(sub)
	default:
		h.dunning.reactivateIfPaid(sub)
	}
}

func (h invoices) markUncollectible(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if inv.Status != "open" {
		return nil, wire.Invalid("", "", "You can only mark open invoices as uncollectible. This invoice isn't open.")
	}
	h.invoicing.markUncollectible(inv)
	return h.render(inv), nil
}

// send emits invoice.sent. No email is sent.
func (h invoices) send(in *input) (any, error) {
	inv, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if inv.isClosed() {
		return nil, wire.Invalid("", "", "You can only send open invoices. This invoice isn't open.")
	}
	if err := h.checkFinalizable(inv); err != nil {
		return nil, err
	}
	h.invoicing.finalize(inv)
	h.emit("invoice.sent", h.render(inv))
	return h.render(inv), nil
}
