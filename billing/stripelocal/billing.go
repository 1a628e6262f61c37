package stripelocal

import "fmt"

// draftWait is how long a renewal's invoice stays a draft (docs: subscription
// invoices: about an hour).
const draftWait = 60 * 60

// draft makes an invoice for a subscription: the given lines and every pending
// invoice item. It is told of, but not yet finalized.
func (a *act) draft(sub *Subscription, reason string, lines []InvoiceLine) *Invoice {
	c, _ := a.state.Customers.get(sub.Customer)
	inv := &Invoice{
		Base: Base{ID: a.ids.long("in_1"), Created: a.nowFor(c)}, BillingReason: reason, Status: "draft",
		CollectionMethod: sub.CollectionMethod, Currency: sub.Currency, Customer: sub.Customer,
		Metadata: map[string]string{}, Subscription: sub.ID, SubMetadata: sub.Metadata,
		PeriodStart: sub.CurrentPeriodStart, PeriodEnd: sub.CurrentPeriodStart, AutoAdvance: true,
	}
	if reason == "subscription_cycle" {
		inv.FinalizesAt = inv.Created + draftWait
	}
	inv.addressTo(c)
	inv.Lines = a.pendingLines(sub, inv)
	for _, l := range lines {
		l.ID = a.ids.long("il_1")
		inv.Lines = append(inv.Lines, l)
	}
	a.state.Invoices.insert(inv)
	sub.LatestInvoice = inv.ID
	a.emit("invoice.created", a.renderInvoice(inv))
	return inv
}

func (inv *Invoice) addressTo(c *Customer) {
	if c == nil {
		return
	}
	inv.CustomerEmail, inv.CustomerName, inv.CustomerAddress = c.Email, c.Name, c.Address
}

// finalize turns a draft into an open invoice with a number and, where there
// is something to pay, a payment intent; an invoice over nothing is paid.
func (a *act) finalize(inv *Invoice) {
	if inv.Status != "draft" {
		return
	}
	before := a.renderInvoice(inv)
	at := a.nowOf(inv.Customer)
	inv.Status, inv.FinalizedAt, inv.EffectiveAt, inv.FinalizesAt = "open", at, at, 0
	a.numberInvoice(inv)
	if inv.amountDue() > 0 {
		inv.PaymentIntent = a.intentFor(inv).ID
	}
	a.emit("invoice.finalized", a.renderInvoice(inv))
	a.emitUpdate("invoice.updated", before, a.renderInvoice(inv))
	if inv.amountDue() == 0 {
		a.markPaid(inv, 0)
	}
}

// numberInvoice gives the invoice its number and settles the customer's balance.
func (a *act) numberInvoice(inv *Invoice) {
	c, ok := a.state.Customers.get(inv.Customer)
	if !ok {
		return
	}
	inv.Number = fmt.Sprintf("%s-%04d", c.InvoicePrefix, c.NextInvoice)
	c.NextInvoice++
	inv.StartingBalance, inv.BalanceApplied = c.Balance, true
	c.Balance = min(0, inv.total()+c.Balance)
	inv.EndingBalance = c.Balance
	c.Currency = inv.Currency
}

func (a *act) intentFor(inv *Invoice) *PaymentIntent {
	description := "Subscription update"
	if inv.BillingReason == "subscription_create" {
		description = "Subscription creation"
	}
	return a.addIntent(&PaymentIntent{
		Amount: inv.amountDue(), Currency: inv.Currency, Customer: inv.Customer, Invoice: inv.ID,
		Description: description, SetupFutureUsage: "off_session",
	})
}

// collect tries to take the money of an open invoice from a card and tells
// what came of it.
func (a *act) collect(inv *Invoice, pm *PaymentMethod) (outcome, *Decline) {
	pi, ok := a.state.PaymentIntents.get(inv.PaymentIntent)
	if !ok {
		return paid, nil
	}
	before := a.renderInvoice(inv)
	inv.AttemptCount++
	inv.Attempted = true
	result, decline := a.confirm(pi, pm)
	a.tellAttempt(inv, before, result)
	return result, decline
}

// finishAuthentication carries the end of a 3-D Secure question to the invoice.
func (a *act) finishAuthentication(pi *PaymentIntent, passed bool) (outcome, *Decline) {
	result, decline := a.authenticate(pi, passed)
	if inv, ok := a.state.Invoices.get(pi.Invoice); ok && !inv.settled() {
		a.tellAttempt(inv, a.renderInvoice(inv), result)
	}
	return result, decline
}

func (a *act) tellAttempt(inv *Invoice, before object, result outcome) {
	switch result {
	case paid:
		a.markPaid(inv, inv.remaining())
	case refused:
		a.emitUpdate("invoice.updated", before, a.renderInvoice(inv))
		a.emit("invoice.payment_failed", a.renderInvoice(inv))
		a.afterFailure(inv)
	case needsAction:
		a.emitUpdate("invoice.updated", before, a.renderInvoice(inv))
		a.emit("invoice.payment_failed", a.renderInvoice(inv))
		a.emit("invoice.payment_action_required", a.renderInvoice(inv))
		a.afterFailure(inv)
	}
}

// markPaid closes an invoice for the money that came in.
func (a *act) markPaid(inv *Invoice, received int64) {
	before := a.renderInvoice(inv)
	inv.Status, inv.PaidAt, inv.AutoAdvance, inv.NextAttempt = "paid", a.nowOf(inv.Customer), false, 0
	inv.AmountPaid += received
	inv.Attempted = true
	if pi, ok := a.state.PaymentIntents.get(inv.PaymentIntent); ok {
		inv.Charge = pi.LastCharge
	}
	a.emit("invoice.paid", a.renderInvoice(inv))
	a.emitUpdate("invoice.updated", before, a.renderInvoice(inv))
	if !inv.PaidOutOfBand {
		a.emit("invoice.payment_succeeded", a.renderInvoice(inv))
	}
	a.afterPayment(inv)
}

// afterPayment lets the subscription live again once nothing of it is owed.
func (a *act) afterPayment(inv *Invoice) {
	sub, ok := a.state.Subscriptions.get(inv.Subscription)
	if !ok {
		return
	}
	switch sub.Status {
	case "incomplete", "past_due", "unpaid":
		a.changeSubscription(sub, func() {
			a.saveMethod(sub, inv)
			sub.Status = "active"
		})
		a.armSubscription(sub)
	}
}

// saveMethod keeps the card that paid first as the subscription's own, where
// Checkout or save_default_payment_method asks for it.
func (a *act) saveMethod(sub *Subscription, inv *Invoice) {
	pi, ok := a.state.PaymentIntents.get(inv.PaymentIntent)
	if ok && sub.Status == "incomplete" && (sub.FromCheckout != "" || sub.SaveDefault == "on_subscription") {
		sub.DefaultPaymentMethod = pi.PaymentMethod
	}
}

// afterFailure makes a living subscription past due. One whose first invoice
// is unpaid stays incomplete.
func (a *act) afterFailure(inv *Invoice) {
	sub, ok := a.state.Subscriptions.get(inv.Subscription)
	if ok && sub.Status == "active" && inv.ID == sub.LatestInvoice {
		a.changeSubscription(sub, func() { sub.Status = "past_due" })
	}
}

// void ends an invoice without payment.
func (a *act) void(inv *Invoice) {
	if inv.Status == "draft" || inv.settled() {
		return
	}
	before := a.renderInvoice(inv)
	inv.Status, inv.VoidedAt, inv.AutoAdvance, inv.NextAttempt = "void", a.nowOf(inv.Customer), false, 0
	a.cancelIntent(inv.PaymentIntent, "void_invoice")
	a.emit("invoice.voided", a.renderInvoice(inv))
	a.emitUpdate("invoice.updated", before, a.renderInvoice(inv))
}

// methodFor is the card that an invoice of a subscription is taken from.
func (a *act) methodFor(inv *Invoice) (*PaymentMethod, bool) {
	if pm, ok := a.state.PaymentMethods.get(inv.DefaultMethod); ok {
		return pm, true
	}
	if sub, ok := a.state.Subscriptions.get(inv.Subscription); ok {
		return a.methodOf(sub)
	}
	c, ok := a.state.Customers.get(inv.Customer)
	if !ok {
		return nil, false
	}
	return a.state.PaymentMethods.get(c.DefaultPaymentMethod)
}

// methodOf is the subscription's card, else its customer's default.
func (a *act) methodOf(sub *Subscription) (*PaymentMethod, bool) {
	if pm, ok := a.state.PaymentMethods.get(sub.DefaultPaymentMethod); ok {
		return pm, true
	}
	c, ok := a.state.Customers.get(sub.Customer)
	if !ok {
		return nil, false
	}
	return a.state.PaymentMethods.get(c.DefaultPaymentMethod)
}

// armInvoice sees to it that a draft is finalized and collected in time.
func (a *act) armInvoice(inv *Invoice) {
	if inv.Status != "draft" || !inv.AutoAdvance || inv.FinalizesAt == 0 {
		return
	}
	a.scheduleFor(inv.Customer, inv.FinalizesAt, func(b *act) {
		if inv.Status == "draft" && inv.AutoAdvance {
			b.changed = true
			b.finalizeAndCollect(inv)
		}
	})
}

// finalizeAndCollect is what happens to a draft when its hour is over. Without
// a card the attempt fails.
func (a *act) finalizeAndCollect(inv *Invoice) (outcome, *Decline) {
	a.finalize(inv)
	if inv.Status != "open" || inv.CollectionMethod != "charge_automatically" {
		return paid, nil
	}
	pm, ok := a.methodFor(inv)
	if !ok {
		before := a.renderInvoice(inv)
		inv.AttemptCount++
		inv.Attempted = true
		a.tellAttempt(inv, before, refused)
		return refused, genericDecline()
	}
	return a.collect(inv, pm)
}

// scheduleFor sets a timer on the clock that a customer lives on.
func (a *act) scheduleFor(customer string, at int64, fire func(b *act)) {
	clock := accountClock
	if c, ok := a.state.Customers.get(customer); ok {
		clock = c.TestClock
	}
	a.schedule(clock, at, fire)
}
