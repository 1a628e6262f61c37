package stripelocal

import "strings"

// submitCheckout tries to complete a session with what was entered. The first
// attempt at a subscription makes it, incomplete; later ones pay the same
// invoice.
func (a *act) submitCheckout(cs *CheckoutSession, s submission) (outcome, *Decline) {
	cs.takeEntered(s)
	switch {
	case a.needsNoCard(cs):
		return a.completeFree(cs), nil
	case s.Bank && cs.takesBank():
		return a.debitBank(cs, s), nil
	}
	pm := a.methodFrom(s.Card, s.Email)
	pm.Address, pm.Phone = s.Address, s.Phone
	return a.payCheckout(cs, pm)
}

func (cs *CheckoutSession) takeEntered(s submission) {
	cs.EnteredEmail, cs.EnteredName, cs.EnteredPhone = s.Email, s.Card.Name, s.Phone
	cs.EnteredAddress, cs.EnteredTaxID = s.Address, s.TaxID
	if s.Business != "" {
		cs.EnteredName = s.Business
	}
}

// completeFree ends a session that asks for nothing and keeps no card.
func (a *act) completeFree(cs *CheckoutSession) outcome {
	a.order = a.checkoutOrder()
	if cs.Mode == "subscription" {
		a.ensureCustomer(cs)
		a.sessionSubscription(cs)
	}
	a.completeSession(cs, nil, "no_payment_required")
	return paid
}

// payCheckout tries to complete a session with a card that is there already.
func (a *act) payCheckout(cs *CheckoutSession, pm *PaymentMethod) (outcome, *Decline) {
	a.order = a.checkoutOrder()
	if cs.Mode == "payment" {
		return a.payOnce(cs, pm)
	}
	a.ensureCustomer(cs)
	if cs.hasTrial() || a.sessionAmount(cs) == 0 {
		return a.setUpSubscription(cs, pm)
	}
	return a.paySubscription(cs, pm)
}

// checkoutOrder is one of the two orders in which a completed subscription
// Checkout was seen to be told (pay-rails/pay issue 282). All of it happens in
// the same second.
func (a *act) checkoutOrder() []string {
	if a.ids.coin() {
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

// payOnce is payment mode.
func (a *act) payOnce(cs *CheckoutSession, pm *PaymentMethod) (outcome, *Decline) {
	a.order = []string{"customer.created", "payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "checkout.session.completed"}
	if cs.CustomerCreation == "always" || cs.FutureUsage != "" {
		a.ensureCustomer(cs)
	}
	amount := a.sessionAmount(cs)
	if amount == 0 {
		a.completeSession(cs, pm, "no_payment_required")
		return paid, nil
	}
	pi, ok := a.state.PaymentIntents.get(cs.PaymentIntent)
	if !ok {
		pi = a.sessionIntent(cs, amount)
	}
	result, decline := a.confirm(pi, pm)
	if result == paid {
		a.completeSession(cs, pm, "paid")
	}
	return result, decline
}

func (a *act) sessionIntent(cs *CheckoutSession, amount int64) *PaymentIntent {
	pi := a.addIntent(&PaymentIntent{
		Amount: amount, Currency: cs.Currency, Customer: cs.Customer, Description: cs.IntentDescription, ReceiptEmail: cs.IntentReceipt,
		Metadata: cs.IntentMetadata, SetupFutureUsage: cs.FutureUsage, Session: cs.ID, Shipping: cs.IntentShipping,
	})
	a.state.Sessions.change(cs, func() { cs.PaymentIntent = pi.ID })
	return pi
}

// ensureCustomer makes the customer of a session that has none.
func (a *act) ensureCustomer(cs *CheckoutSession) {
	if cs.Customer != "" {
		return
	}
	c := &Customer{Email: cs.EnteredEmail, Name: cs.EnteredName, Phone: cs.EnteredPhone, Address: cs.EnteredAddress, TaxExempt: "none", NextInvoice: 1, Metadata: map[string]string{}}
	a.addCustomer(c)
	a.state.Sessions.change(cs, func() { cs.Customer = c.ID })
}

// paySubscription is the first payment of a subscription.
func (a *act) paySubscription(cs *CheckoutSession, pm *PaymentMethod) (outcome, *Decline) {
	sub, started := a.state.Subscriptions.get(cs.Subscription)
	if !started {
		sub = a.sessionSubscription(cs)
	}
	inv, ok := a.state.Invoices.get(sub.LatestInvoice)
	if !ok || inv.Status != "open" {
		return refused, genericDecline()
	}
	if pi, ok := a.state.PaymentIntents.get(inv.PaymentIntent); ok {
		pi.Session = cs.ID
	}
	result, decline := a.collect(inv, pm)
	if result == paid {
		a.completeSession(cs, pm, "paid")
	}
	return result, decline
}

// setUpSubscription is a subscription that costs nothing yet: the card is
// saved first, the subscription begins once that went well.
func (a *act) setUpSubscription(cs *CheckoutSession, pm *PaymentMethod) (outcome, *Decline) {
	si := a.addSetupIntent(cs.Customer, cs.ID)
	cs.SetupIntent = si.ID
	result, decline := a.confirmSetup(si, pm)
	if result == paid {
		a.beginFreeSubscription(cs, pm)
	}
	return result, decline
}

func (a *act) beginFreeSubscription(cs *CheckoutSession, pm *PaymentMethod) {
	sub := a.sessionSubscription(cs)
	sub.DefaultPaymentMethod = pm.ID
	a.completeSession(cs, pm, "no_payment_required")
}

func (a *act) sessionSubscription(cs *CheckoutSession) *Subscription {
	sub := &Subscription{
		Customer: cs.Customer, Currency: cs.Currency, Metadata: cs.SubMetadata, Description: cs.SubDescription,
		MissingMethod: cs.SubMissingMethod, AutomaticTax: cs.AutomaticTax, CollectionMethod: "charge_automatically", FromCheckout: cs.ID,
	}
	c, _ := a.state.Customers.get(cs.Customer)
	sub.TestClock = c.TestClock
	sub.TrialEnd = cs.SubTrialEnd
	if cs.SubTrialDays > 0 {
		sub.TrialEnd = a.nowFor(c) + cs.SubTrialDays*24*60*60
	}
	if sub.Discounts = cs.discounts(); cs.Discount != nil {
		a.redeem(*cs.Discount)
	}
	items, extra := a.sessionItems(cs)
	inv := a.startSubscription(sub, items, extra)
	a.state.Sessions.change(cs, func() { cs.Subscription, cs.Invoice = sub.ID, inv.ID })
	return sub
}

// sessionItems parts a session's lines into what recurs and what only the first
// invoice carries.
func (a *act) sessionItems(cs *CheckoutSession) ([]newItem, []InvoiceLine) {
	var items []newItem
	var extra []InvoiceLine
	for _, l := range cs.Lines {
		p, ok := a.state.Prices.get(l.Price)
		switch {
		case !ok:
		case p.Interval != "":
			items = append(items, newItem{price: p, quantity: l.Quantity, metadata: map[string]string{}})
		default:
			extra = append(extra, InvoiceLine{
				Kind: "invoiceitem", Metadata: map[string]string{}, PeriodStart: a.at, PeriodEnd: a.at,
				Price: p.ID, Quantity: l.Quantity, Amount: p.amount(l.Quantity), Description: a.productName(p),
			})
		}
	}
	return items, extra
}

// completeSession is the happy end.
func (a *act) completeSession(cs *CheckoutSession, pm *PaymentMethod, status string) {
	if c, ok := a.state.Customers.get(cs.Customer); ok {
		if pm != nil && (cs.Mode == "subscription" || cs.FutureUsage != "") {
			a.attach(pm, c)
		}
		a.carryToCustomer(cs, c)
	}
	if cs.Mode == "payment" && cs.Discount != nil {
		a.redeem(*cs.Discount)
	}
	cs.Status, cs.PaymentStatus = "complete", status
	a.emit("checkout.session.completed", a.renderSession(cs))
}

// carryToCustomer writes what was entered to the customer, as far as
// customer_update lets it.
func (a *act) carryToCustomer(cs *CheckoutSession, c *Customer) {
	a.changeCustomer(c, func() {
		if cs.UpdateName && cs.EnteredName != "" {
			c.Name = cs.EnteredName
		}
		if cs.UpdateAddress && cs.EnteredAddress != nil {
			c.Address = cs.EnteredAddress
		}
	})
	if cs.TaxIDCollection && cs.EnteredTaxID != "" {
		a.addTaxID(c, taxIDType(cs.EnteredTaxID), cs.EnteredTaxID)
	}
}

// answerChallenge carries the end of a 3-D Secure question to the session that
// asked it.
func (a *act) answerChallenge(cs *CheckoutSession, passed bool) (outcome, *Decline) {
	if si, ok := a.state.SetupIntents.get(cs.SetupIntent); ok && si.Status == "requires_action" {
		method := si.PaymentMethod
		result, decline := a.authenticateSetup(si, passed)
		if pm, ok := a.state.PaymentMethods.get(method); ok && result == paid {
			a.beginFreeSubscription(cs, pm)
		}
		return result, decline
	}
	pi, ok := a.challenge(cs)
	if !ok {
		return refused, genericDecline()
	}
	a.order = a.checkoutOrder()
	result, decline := a.finishAuthentication(pi, passed)
	if pm, ok := a.state.PaymentMethods.get(pi.PaymentMethod); ok && result == paid {
		a.completeSession(cs, pm, "paid")
	}
	return result, decline
}

// challenge is the payment of a session that waits for 3-D Secure.
func (a *act) challenge(cs *CheckoutSession) (*PaymentIntent, bool) {
	pi, ok := a.sessionPayment(cs)
	return pi, ok && pi.Status == "requires_action"
}

// sessionPayment is the payment being made through a session, in either mode.
func (a *act) sessionPayment(cs *CheckoutSession) (*PaymentIntent, bool) {
	id := cs.PaymentIntent
	if inv, ok := a.state.Invoices.get(cs.Invoice); ok {
		id = inv.PaymentIntent
	}
	return a.state.PaymentIntents.get(id)
}

// challenged says whether the session waits for 3-D Secure.
func (a *act) challenged(cs *CheckoutSession) bool {
	if si, ok := a.state.SetupIntents.get(cs.SetupIntent); ok && si.Status == "requires_action" {
		return cs.Status == "open"
	}
	_, waiting := a.challenge(cs)
	return waiting && cs.Status == "open"
}

// lastProblem is why the last attempt did not go through, for the page.
func (a *act) lastProblem(cs *CheckoutSession) string {
	if si, ok := a.state.SetupIntents.get(cs.SetupIntent); ok && si.LastError != nil {
		return si.LastError.Message
	}
	if pi, ok := a.sessionPayment(cs); ok && pi.LastError != nil {
		return pi.LastError.Message
	}
	return ""
}

func (cs *CheckoutSession) successURL() string {
	return strings.ReplaceAll(cs.SuccessURL, "{CHECKOUT_SESSION_ID}", cs.ID)
}

func (cs *CheckoutSession) cancelURL() string {
	return strings.ReplaceAll(cs.CancelURL, "{CHECKOUT_SESSION_ID}", cs.ID)
}
