package stripelocal

func (a *act) finalizeInvoiceCall(in *input) (any, error) {
	inv, err := a.invoiceAt(in)
	if err != nil {
		return nil, err
	}
	if inv.Status != "draft" {
		return nil, invalid("invoice_not_editable", "", "This invoice is already finalized, you can't re-finalize a non-draft invoice.")
	}
	in.setFlag("auto_advance", &inv.AutoAdvance)
	if err := a.checkFinalizable(inv); err != nil {
		return nil, err
	}
	a.finalize(inv)
	return a.renderInvoice(inv), nil
}

func (a *act) payInvoiceCall(in *input) (any, error) {
	inv, err := a.invoiceAt(in)
	if err != nil {
		return nil, err
	}
	if err := checkPayable(inv); err != nil {
		return nil, err
	}
	if err := a.checkFinalizable(inv); err != nil {
		return nil, err
	}
	a.finalize(inv)
	switch {
	case inv.Status == "paid":
	case in.flag("paid_out_of_band"):
		inv.PaidOutOfBand = true
		a.cancelIntent(inv.PaymentIntent, "duplicate")
		a.markPaid(inv, inv.remaining())
	default:
		if err := a.payWith(inv, in); err != nil {
			return nil, err
		}
	}
	return a.renderInvoice(inv), nil
}

func checkPayable(inv *Invoice) error {
	switch inv.Status {
	case "paid":
		return invalid("", "", "Invoice is already paid")
	case "void":
		return invalid("", "", "This invoice can no longer be paid because it is void.")
	}
	return nil
}

func (a *act) payWith(inv *Invoice, in *input) error {
	pm, ok := a.methodFor(inv)
	for _, name := range []string{"source", "payment_method"} {
		if !in.has(name) {
			continue
		}
		var err error
		if pm, err = a.usableMethod(in.str(name), name); err != nil {
			return err
		}
		ok = true
	}
	if !ok {
		return noMethod()
	}
	result, decline := a.collect(inv, pm)
	return paymentError(result, decline, inv)
}

// paymentError is the 402 of a payment that did not go through.
func paymentError(result outcome, decline *Decline, inv *Invoice) error {
	var e *Error
	switch result {
	case paid:
		return nil
	case needsAction:
		e = &Error{Status: 402, Type: "card_error", Code: "invoice_payment_intent_requires_action", Message: "This payment requires additional user action before it can be completed successfully. Payment can be completed using the PaymentIntent associated with this invoice."}
	default:
		e = declined(decline)
	}
	e.PaymentIntent = inv.PaymentIntent
	return e
}

func noMethod() *Error {
	return invalid("resource_missing", "", "This customer has no attached payment source or default payment method. Please consider adding a default payment method. For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.")
}

func (a *act) voidInvoiceCall(in *input) (any, error) {
	inv, err := a.invoiceAt(in)
	if err != nil {
		return nil, err
	}
	if inv.Status != "open" && inv.Status != "uncollectible" {
		return nil, invalid("", "", "You can only pass in open invoices. This invoice isn't open.")
	}
	a.void(inv)
	if sub, ok := a.state.Subscriptions.get(inv.Subscription); ok {
		a.afterVoid(sub, inv)
	}
	return a.renderInvoice(inv), nil
}

// afterVoid is what the loss of an invoice means to its subscription.
func (a *act) afterVoid(sub *Subscription, inv *Invoice) {
	switch {
	case sub.Status == "incomplete" && inv.ID == sub.LatestInvoice:
		a.endSubscription(sub, "incomplete_expired", "")
	case sub.waitsFor(inv):
		a.expirePendingUpdate(sub)
	default:
		a.afterSettlement(sub)
	}
}

// markUncollectibleCall writes an invoice off; it can still be paid or voided.
func (a *act) markUncollectibleCall(in *input) (any, error) {
	inv, err := a.invoiceAt(in)
	if err != nil {
		return nil, err
	}
	if inv.Status != "open" {
		return nil, invalid("", "", "You can only mark open invoices as uncollectible. This invoice isn't open.")
	}
	before := a.renderInvoice(inv)
	inv.Status, inv.UncollectibleAt, inv.AutoAdvance, inv.NextAttempt = "uncollectible", a.nowOf(inv.Customer), false, 0
	a.emitUpdate("invoice.updated", before, a.renderInvoice(inv))
	a.emit("invoice.marked_uncollectible", a.renderInvoice(inv))
	a.setDelinquent(inv.Customer, false)
	if sub, ok := a.state.Subscriptions.get(inv.Subscription); ok {
		a.afterSettlement(sub)
	}
	return a.renderInvoice(inv), nil
}

// sendInvoiceCall sends an invoice; only the event tells of it.
func (a *act) sendInvoiceCall(in *input) (any, error) {
	inv, err := a.invoiceAt(in)
	if err != nil {
		return nil, err
	}
	if inv.settled() {
		return nil, invalid("", "", "You can only send open invoices. This invoice isn't open.")
	}
	if err := a.checkFinalizable(inv); err != nil {
		return nil, err
	}
	a.finalize(inv)
	a.emit("invoice.sent", a.renderInvoice(inv))
	return a.renderInvoice(inv), nil
}
