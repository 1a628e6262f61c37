package stripelocal

import "strings"

// checkoutPayments pay and complete Checkout sessions.
type checkoutPayments struct{ *request }

// submit tries to complete a session with the submitted form. The first attempt in subscription
// mode creates the subscription with status incomplete; later attempts pay its invoice.
func (h checkoutPayments) submit(cs *CheckoutSession, s checkoutForm) (paymentOutcome, *Decline) {
	cs.setEntered(s)
	switch {
	case h.checkoutSessions.isFree(cs):
		return h.completeWithoutPayment(cs), nil
	case s.Bank && cs.bankDebit() != "":
		return h.startBankDebit(cs, s)
	}
	if pm, saved := h.checkoutSessions.savedCard(cs, s.SavedCard); saved {
		return h.pay(cs, pm)
	}
	pm := h.paymentMethods.fromCardForm(s.Card, s.Email)
	pm.Address, pm.Phone = s.Address, s.Phone
	return h.pay(cs, pm)
}

func (cs *CheckoutSession) setEntered(s checkoutForm) {
	cs.EnteredEmail, cs.EnteredName, cs.EnteredPhone = s.Email, s.Card.Name, s.Phone
	cs.EnteredAddress, cs.EnteredTaxID, cs.EnteredTerms = s.Address, s.TaxID, s.Terms
	if s.Business != "" {
		cs.EnteredName = s.Business
	}
}

// completeWithoutPayment completes a session that costs nothing and collects no payment method.
func (h checkoutPayments) completeWithoutPayment(cs *CheckoutSession) paymentOutcome {
	h.eventOrder = h.completionOrder()
	if cs.Mode == "subscription" {
		h.ensureCustomer(cs)
		h.createSubscription(cs)
	}
	h.complete(cs, nil, "no_payment_required")
	return outcomePaid
}

// pay tries to complete a session with an existing payment method.
func (h checkoutPayments) pay(cs *CheckoutSession, pm *PaymentMethod) (paymentOutcome, *Decline) {
	h.eventOrder = h.completionOrder()
	if cs.Mode == "payment" {
		return h.payOneTime(cs, pm)
	}
	h.ensureCustomer(cs)
	if cs.hasTrial() || h.checkoutSessions.amountDue(cs) == 0 {
		return h.setupSubscription(cs, pm)
	}
	return h.paySubscription(cs, pm)
}

// completionOrder is one of the two event orders that were observed for a completed subscription
// Checkout (pay-rails/pay issue 282). All events have the same second.
func (h checkoutPayments) completionOrder() []string {
	if h.ids.coinFlip() {
		return []string{
			"customer.created", "charge.succeeded", "payment_method.attached", "invoice.created",
			"customer.subscription.created", "invoice.finalized", "invoice.updated", "customer.subscription.updated",
			"invoice.paid", "invoice.updated", "invoice.payment_succeeded", "payment_intent.created",
			"payment_intent.succeeded", "checkout.session.completed",
		}
	}
	return []string{
		"customer.created", "charge.succeeded", "checkout.session.completed", "payment_method.attached",
		"invoice.created", "customer.subscription.updated", "customer.subscription.created", "invoice.updated",
		"invoice.finalized", "payment_intent.succeeded", "payment_intent.created", "invoice.updated",
		"invoice.paid", "invoice.payment_succeeded",
	}
}

// payOneTime pays a session in payment mode.
func (h checkoutPayments) payOneTime(cs *CheckoutSession, pm *PaymentMethod) (paymentOutcome, *Decline) {
	h.eventOrder = []string{"customer.created", "payment_intent.created", "payment_intent.processing", "charge.pending", "payment_intent.succeeded", "charge.succeeded", "checkout.session.completed"}
	if cs.CustomerCreation == "always" || cs.SetupFutureUsage != "" {
		h.ensureCustomer(cs)
	}
	amount := h.checkoutSessions.amountDue(cs)
	if amount == 0 {
		h.complete(cs, pm, "no_payment_required")
		return outcomePaid, nil
	}
	pi, ok := h.store.PaymentIntents.get(cs.PaymentIntent)
	if !ok {
		pi = h.createIntent(cs, amount)
	}
	h.obtainMandate(pi, pm)
	result, decline := h.paymentIntents.confirmWith(pi, pm)
	return h.completeAfter(cs, pm, result), decline
}

// completeAfter completes a session that is paid, or whose bank debit is pending.
func (h checkoutPayments) completeAfter(cs *CheckoutSession, pm *PaymentMethod, result paymentOutcome) paymentOutcome {
	switch result {
	case outcomePaid:
		h.complete(cs, pm, "paid")
	case outcomeProcessing:
		h.complete(cs, pm, "unpaid")
		return outcomePaid
	}
	return result
}

func (h checkoutPayments) createIntent(cs *CheckoutSession, amount int64) *PaymentIntent {
	pi := h.paymentIntents.insert(&PaymentIntent{
		Amount: amount, Currency: cs.Currency, Customer: cs.Customer, Description: cs.PaymentIntentDescription, ReceiptEmail: cs.PaymentIntentReceiptEmail,
		Metadata: cs.PaymentIntentMetadata, SetupFutureUsage: cs.SetupFutureUsage, PaymentMethodTypes: cs.paymentMethodTypes(), CheckoutSession: cs.ID, Shipping: cs.PaymentIntentShipping,
	})
	h.store.CheckoutSessions.change(cs, func() { cs.PaymentIntent = pi.ID })
	return pi
}

// ensureCustomer creates the customer of a session that has none.
func (h checkoutPayments) ensureCustomer(cs *CheckoutSession) {
	if cs.Customer != "" {
		return
	}
	c := &Customer{Email: cs.EnteredEmail, Name: cs.EnteredName, Phone: cs.EnteredPhone, Address: cs.EnteredAddress, TaxExempt: "none", NextInvoiceSequence: 1, Metadata: map[string]string{}}
	h.customers.insert(c)
	h.store.CheckoutSessions.change(cs, func() { cs.Customer = c.ID })
}

// paySubscription pays the first invoice of a session's subscription.
func (h checkoutPayments) paySubscription(cs *CheckoutSession, pm *PaymentMethod) (paymentOutcome, *Decline) {
	sub, started := h.store.Subscriptions.get(cs.Subscription)
	if !started {
		sub = h.createSubscription(cs)
	}
	inv, ok := h.store.Invoices.get(sub.LatestInvoice)
	if !ok || inv.Status != "open" {
		return outcomeDeclined, genericDecline()
	}
	if pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent); ok {
		pi.CheckoutSession = cs.ID
		h.obtainMandate(pi, pm)
	}
	result, decline := h.invoicing.pay(inv, pm)
	return h.completeAfter(cs, pm, result), decline
}

// setupSubscription completes a session whose subscription costs nothing yet: the payment method is
// set up first, then the subscription starts.
func (h checkoutPayments) setupSubscription(cs *CheckoutSession, pm *PaymentMethod) (paymentOutcome, *Decline) {
	si := h.setupIntents.createFor(cs.Customer, cs.ID)
	cs.SetupIntent = si.ID
	result, decline := h.setupIntents.confirmWith(si, pm)
	if result == outcomePaid {
		h.startFreeSubscription(cs, pm)
	}
	return result, decline
}

func (h checkoutPayments) startFreeSubscription(cs *CheckoutSession, pm *PaymentMethod) {
	sub := h.createSubscription(cs)
	sub.DefaultPaymentMethod = pm.ID
	h.complete(cs, pm, "no_payment_required")
}

func (h checkoutPayments) createSubscription(cs *CheckoutSession) *Subscription {
	sub := &Subscription{
		Customer: cs.Customer, Currency: cs.Currency, Metadata: cs.SubscriptionMetadata, Description: cs.SubscriptionDescription,
		MissingPaymentMethod: cs.MissingPaymentMethod, AutomaticTax: cs.AutomaticTax, DefaultTaxRates: cs.DefaultTaxRates, CollectionMethod: "charge_automatically", CheckoutSession: cs.ID,
	}
	c, _ := h.store.Customers.get(cs.Customer)
	h.updateForTax(cs, c)
	sub.TestClock = c.TestClock
	sub.TrialEnd = cs.TrialEnd
	if cs.TrialPeriodDays > 0 {
		sub.TrialEnd = h.timeFor(c) + cs.TrialPeriodDays*24*60*60
	}
	if cs.Discount != nil {
		sub.Discounts = []Discount{*cs.Discount}
		h.discounts.redeem(*cs.Discount)
	}
	h.checkoutSessions.keepInherited(cs)
	items, extra := h.splitLineItems(cs)
	inv := h.subscriptions.start(sub, items, extra)
	h.store.CheckoutSessions.change(cs, func() { cs.Subscription, cs.Invoice = sub.ID, inv.ID })
	return sub
}

// splitLineItems separates a session's recurring line items from the one-time ones, which only the
// first invoice carries.
func (h checkoutPayments) splitLineItems(cs *CheckoutSession) ([]newItem, []InvoiceLine) {
	var items []newItem
	var extra []InvoiceLine
	for _, l := range cs.LineItems {
		p, ok := h.prices.inCurrency(l.Price, cs.Currency)
		switch {
		case !ok:
		case p.Interval != "":
			items = append(items, newItem{price: p, quantity: l.Quantity, metadata: map[string]string{}})
		default:
			extra = append(extra, InvoiceLine{
				Type: "invoiceitem", Metadata: map[string]string{},
				Price: p.ID, Quantity: l.Quantity, Amount: p.amount(l.Quantity), Description: h.prices.productName(p), TaxRates: l.TaxRates,
			})
		}
	}
	return items, extra
}

// complete marks a session complete and attaches the payment method if it will be used again.
func (h checkoutPayments) complete(cs *CheckoutSession, pm *PaymentMethod, status string) {
	if c, ok := h.store.Customers.get(cs.Customer); ok {
		if pm != nil && (cs.Mode == "subscription" || cs.SetupFutureUsage != "") {
			if pm.AllowRedisplay == "" && pm.Customer == "" { // docs: https://docs.stripe.com/payments/existing-customers
				pm.AllowRedisplay = "limited"
			}
			h.paymentMethods.attachTo(pm, c)
		}
		h.updateCustomer(cs, c)
	}
	if cs.Mode == "payment" && cs.Discount != nil {
		h.discounts.redeem(*cs.Discount)
	}
	cs.Status, cs.PaymentStatus = "complete", status
	h.emit("checkout.session.completed", h.checkoutSessions.render(cs))
	h.paymentLinks.sessionCompleted(cs)
}

// updateForTax copies the submitted details to the customer before the first invoice, whose
// automatic tax follows from them (inferred: the docs name no moment).
func (h checkoutPayments) updateForTax(cs *CheckoutSession, c *Customer) {
	if cs.AutomaticTax && (cs.EnteredAddress != nil || cs.EnteredTaxID != "") {
		h.updateCustomer(cs, c)
	}
}

// updateCustomer copies the submitted details to the customer, as far as customer_update allows.
func (h checkoutPayments) updateCustomer(cs *CheckoutSession, c *Customer) {
	h.customers.change(c, func() {
		if cs.UpdateName && cs.EnteredName != "" {
			c.Name = cs.EnteredName
		}
		if cs.UpdateAddress && cs.EnteredAddress != nil {
			c.Address = cs.EnteredAddress
		}
	})
	if cs.TaxIDCollection && cs.EnteredTaxID != "" && !h.taxIDs.has(c, cs.EnteredTaxID) {
		h.taxIDs.insert(c, taxIDType(cs.EnteredTaxID), cs.EnteredTaxID)
	}
}

// completeAuthentication applies the result of 3-D Secure to the session that required it.
func (h checkoutPayments) completeAuthentication(cs *CheckoutSession, passed bool) (paymentOutcome, *Decline) {
	if si, ok := h.store.SetupIntents.get(cs.SetupIntent); ok && si.Status == "requires_action" {
		method := si.PaymentMethod
		result, decline := h.setupIntents.completeAuthentication(si, passed)
		if pm, ok := h.store.PaymentMethods.get(method); ok && result == outcomePaid {
			h.startFreeSubscription(cs, pm)
		}
		return result, decline
	}
	pi, ok := h.pendingAuthentication(cs)
	if !ok {
		return outcomeDeclined, genericDecline()
	}
	h.eventOrder = h.completionOrder()
	result, decline := h.invoicing.completeAuthentication(pi, passed)
	if pm, ok := h.store.PaymentMethods.get(pi.PaymentMethod); ok && result == outcomePaid {
		h.complete(cs, pm, "paid")
	}
	return result, decline
}

// pendingAuthentication returns the payment intent of a session that requires 3-D Secure.
func (h checkoutPayments) pendingAuthentication(cs *CheckoutSession) (*PaymentIntent, bool) {
	pi, ok := h.paymentIntent(cs)
	return pi, ok && pi.Status == "requires_action"
}

// paymentIntent returns the payment intent of a session in either mode.
func (h checkoutPayments) paymentIntent(cs *CheckoutSession) (*PaymentIntent, bool) {
	id := cs.PaymentIntent
	if inv, ok := h.store.Invoices.get(cs.Invoice); ok {
		id = inv.PaymentIntent
	}
	return h.store.PaymentIntents.get(id)
}

// requiresAction reports whether an open session requires 3-D Secure.
func (h checkoutPayments) requiresAction(cs *CheckoutSession) bool {
	if si, ok := h.store.SetupIntents.get(cs.SetupIntent); ok && si.Status == "requires_action" {
		return cs.Status == "open"
	}
	_, waiting := h.pendingAuthentication(cs)
	return waiting && cs.Status == "open"
}

// lastError returns the message of the last failed attempt, for the page.
func (h checkoutPayments) lastError(cs *CheckoutSession) string {
	if si, ok := h.store.SetupIntents.get(cs.SetupIntent); ok && si.LastSetupError != nil {
		return si.LastSetupError.Message
	}
	if pi, ok := h.paymentIntent(cs); ok && pi.LastPaymentError != nil {
		return pi.LastPaymentError.Message
	}
	return ""
}

func (cs *CheckoutSession) successURL() string {
	return strings.ReplaceAll(cs.SuccessURL, "{CHECKOUT_SESSION_ID}", cs.ID)
}

func (cs *CheckoutSession) cancelURL() string {
	return strings.ReplaceAll(cs.CancelURL, "{CHECKOUT_SESSION_ID}", cs.ID)
}
