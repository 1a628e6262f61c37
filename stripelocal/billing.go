package stripelocal

import "fmt"

// draftWait is how long a renewal's invoice stays a draft (docs: subscription
// invoices: about an hour).
const draftWait = 60 * 60

// draft makes an invoice for a subscription: the given lines and every pending
// invoice item. It is told of, but not yet finalized.
func (a *act) draft(sub *Subscription, reason string, lines []InvoiceLine) *Invoice {
	inv := a.assemble(sub, reason, a.pendingItems(sub), lines)
	a.issue(sub, inv)
	return inv
}

// assemble makes an invoice without storing it, so that a preview is made the
// way the invoice itself is.
func (a *act) assemble(sub *Subscription, reason string, items []*InvoiceItem, lines []InvoiceLine) *Invoice {
	c, _ := a.state.Customers.get(sub.Customer)
	inv := &Invoice{
		Base: Base{Created: a.nowFor(c)}, BillingReason: reason, Status: "draft",
		CollectionMethod: sub.CollectionMethod, Currency: sub.Currency, Customer: sub.Customer, DaysUntilDue: sub.DaysUntilDue,
		Metadata: map[string]string{}, Subscription: sub.ID, SubMetadata: sub.Metadata,
		AutomaticTax: sub.AutomaticTax, MethodTypes: sub.MethodTypes,
		PeriodStart: sub.CurrentPeriodStart, PeriodEnd: sub.CurrentPeriodStart, AutoAdvance: sub.Status != "unpaid" && !sub.ended(),
	}
	if reason == "subscription_cycle" || sub.CollectionMethod == "send_invoice" {
		inv.FinalizesAt = inv.Created + draftWait
	}
	inv.addressTo(c)
	for _, i := range items {
		inv.Lines = append(inv.Lines, i.line())
	}
	inv.Lines = append(inv.Lines, lines...)
	a.discountInvoice(sub, inv, inv.Created)
	return inv
}

// issue stores an assembled invoice, takes the pending items it shows off the
// waiting list and tells of it.
func (a *act) issue(sub *Subscription, inv *Invoice) {
	inv.ID = a.ids.long("in_1")
	a.state.Invoices.insert(inv)
	for i := range inv.Lines {
		a.adoptLine(inv, &inv.Lines[i])
	}
	sub.LatestInvoice = inv.ID
	a.emit("invoice.created", a.renderInvoice(inv))
	a.useDiscounts(sub, inv)
}

func (a *act) adoptLine(inv *Invoice, l *InvoiceLine) {
	l.ID = a.ids.long("il_1")
	if item, ok := a.state.InvoiceItems.get(l.InvoiceItem); ok {
		a.state.InvoiceItems.change(item, func() { item.Invoice = inv.ID })
	}
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
	inv.Status, inv.FinalizedAt, inv.FinalizesAt = "open", at, 0
	if inv.EffectiveAt == 0 {
		inv.EffectiveAt = at
	}
	if inv.CollectionMethod == "send_invoice" && inv.DueDate == 0 {
		inv.DueDate = at + inv.DaysUntilDue*24*60*60
	}
	a.numberInvoice(inv)
	if inv.amountDue() > 0 {
		inv.PaymentIntent = a.intentFor(inv).ID
	}
	after := a.renderInvoice(inv)
	a.emit("invoice.finalized", after)
	a.emitUpdate("invoice.updated", before, after)
	if inv.amountDue() == 0 {
		a.markPaid(inv, 0)
	}
	a.armInvoice(inv)
}

// numberInvoice gives the invoice its number and settles the customer's balance.
func (a *act) numberInvoice(inv *Invoice) {
	c, ok := a.state.Customers.get(inv.Customer)
	if !ok {
		return
	}
	if inv.Number == "" {
		inv.Number = fmt.Sprintf("%s-%04d", c.InvoicePrefix, c.NextInvoice)
		c.NextInvoice++
	}
	a.settleBalance(inv)
	c.Currency = inv.Currency
	if c.Balance != inv.EndingBalance {
		a.changeCustomer(c, func() { c.Balance = inv.EndingBalance })
	}
}

// settleBalance works out what of an invoice the customer's balance takes: a
// credit pays for it, a negative total becomes credit, and what is less than
// can be charged is left for the next invoice (inferred).
func (a *act) settleBalance(inv *Invoice) {
	c, ok := a.state.Customers.get(inv.Customer)
	if !ok {
		return
	}
	inv.StartingBalance, inv.BalanceApplied, inv.EndingBalance = c.Balance, true, 0
	if after := inv.total() + c.Balance; after < minimumCharge(inv.Currency) {
		inv.EndingBalance = after
	}
}

func (a *act) intentFor(inv *Invoice) *PaymentIntent {
	description := "Subscription update"
	switch {
	case inv.BillingReason == "subscription_create":
		description = "Subscription creation"
	case inv.Subscription == "":
		description = "Payment for Invoice"
	}
	return a.addIntent(&PaymentIntent{
		Amount: inv.amountDue(), Currency: inv.Currency, Customer: inv.Customer, Invoice: inv.ID,
		Description: description, SetupFutureUsage: "off_session",
	})
}

// collect tries to take the money of an open invoice from a card, because
// somebody asked for it, and tells what came of it.
func (a *act) collect(inv *Invoice, pm *PaymentMethod) (outcome, *Decline) {
	return a.attempt(inv, pm, inv.AttemptCount == 0)
}

// attempt is collect; automatic ones count and are followed by others.
func (a *act) attempt(inv *Invoice, pm *PaymentMethod, automatic bool) (outcome, *Decline) {
	pi, ok := a.state.PaymentIntents.get(inv.PaymentIntent)
	if !ok {
		return paid, nil
	}
	before := a.renderInvoice(inv)
	if automatic {
		inv.AttemptCount++
	}
	inv.Attempted = true
	result, decline := a.confirm(pi, pm)
	inv.noteRefusal(pm, result, decline)
	a.tellAttempt(inv, before, result, automatic)
	return result, decline
}

// finishAuthentication carries the end of a 3-D Secure question to the invoice.
func (a *act) finishAuthentication(pi *PaymentIntent, passed bool) (outcome, *Decline) {
	result, decline := a.authenticate(pi, passed)
	a.carryToInvoice(pi, result)
	return result, decline
}

// carryToInvoice tells an open invoice what came of its payment intent.
func (a *act) carryToInvoice(pi *PaymentIntent, result outcome) {
	if inv, ok := a.state.Invoices.get(pi.Invoice); ok && !inv.settled() {
		before := a.renderInvoice(inv)
		inv.Attempted = true
		if inv.AttemptCount == 0 {
			inv.AttemptCount = 1
		}
		a.tellAttempt(inv, before, result, false)
	}
}

func (a *act) tellAttempt(inv *Invoice, before object, result outcome, automatic bool) {
	if result == paid {
		a.markPaid(inv, inv.remaining())
		return
	}
	exhausted := automatic && a.planRetry(inv)
	after := a.renderInvoice(inv)
	a.emitUpdate("invoice.updated", before, after)
	a.emit("invoice.payment_failed", after)
	if result == needsAction {
		a.emit("invoice.payment_action_required", after)
	}
	a.afterFailure(inv)
	a.armInvoice(inv)
	if exhausted {
		a.giveUp(inv)
	}
}

// markPaid closes an invoice for the money that came in.
func (a *act) markPaid(inv *Invoice, received int64) {
	before := a.renderInvoice(inv)
	inv.Status, inv.PaidAt, inv.AutoAdvance, inv.NextAttempt = "paid", a.nowOf(inv.Customer), false, 0
	inv.AmountPaid += received
	inv.Attempted = true
	if pi, ok := a.state.PaymentIntents.get(inv.PaymentIntent); ok && !inv.PaidOutOfBand {
		inv.Charge = pi.LastCharge
	}
	after := a.renderInvoice(inv)
	a.emit("invoice.paid", after)
	a.emitUpdate("invoice.updated", before, after)
	if !inv.PaidOutOfBand {
		a.emit("invoice.payment_succeeded", after)
	}
	a.setDelinquent(inv.Customer, false)
	a.afterPayment(inv)
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
	a.returnBalance(inv)
}

// returnBalance undoes what a voided invoice did to the customer's balance.
func (a *act) returnBalance(inv *Invoice) {
	c, ok := a.state.Customers.get(inv.Customer)
	if back := inv.StartingBalance - inv.EndingBalance; ok && !c.Deleted && back != 0 {
		a.changeCustomer(c, func() { c.Balance += back })
	}
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
	return a.defaultMethod(c)
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
	return a.defaultMethod(c)
}

// armInvoice sees to it that what time does to an invoice happens: a draft is
// finalized, a refused payment tried again, an unpaid one overdue.
func (a *act) armInvoice(inv *Invoice) {
	due := inv.nextDue()
	if due == 0 {
		return
	}
	a.scheduleFor(inv.Customer, due, func(b *act) {
		if inv.nextDue() == due {
			b.changed = true
			b.invoiceDue(inv)
		}
	})
}

func (inv *Invoice) nextDue() int64 {
	switch {
	case inv.Status == "draft" && inv.AutoAdvance:
		return inv.FinalizesAt
	case inv.Status == "open" && inv.NextAttempt != 0:
		return inv.NextAttempt
	case inv.Status == "open" && !inv.OverdueTold:
		return inv.DueDate
	}
	return 0
}

func (a *act) invoiceDue(inv *Invoice) {
	switch {
	case inv.Status == "draft":
		a.finalizeAndCollect(inv)
	case inv.NextAttempt != 0:
		a.retry(inv)
	default:
		a.overdue(inv)
	}
}

// overdue is an invoice that was sent and not paid by its date.
func (a *act) overdue(inv *Invoice) {
	inv.OverdueTold = true
	a.emit("invoice.overdue", a.renderInvoice(inv))
	a.setDelinquent(inv.Customer, true)
	a.afterFailure(inv)
}

// finalizeAndCollect is what happens to a draft when its hour is over. Without
// a card the attempt fails.
func (a *act) finalizeAndCollect(inv *Invoice) (outcome, *Decline) {
	a.finalize(inv)
	if inv.Status != "open" {
		return paid, nil
	}
	if inv.CollectionMethod != "charge_automatically" {
		a.emit("invoice.sent", a.renderInvoice(inv))
		return paid, nil
	}
	pm, ok := a.methodFor(inv)
	if ok {
		return a.attempt(inv, pm, true)
	}
	before := a.renderInvoice(inv)
	inv.AttemptCount++
	inv.Attempted = true
	a.tellAttempt(inv, before, refused, true)
	return refused, genericDecline()
}

// scheduleFor sets a timer on the clock that a customer lives on.
func (a *act) scheduleFor(customer string, at int64, fire func(b *act)) {
	clock := accountClock
	if c, ok := a.state.Customers.get(customer); ok {
		clock = c.TestClock
	}
	a.schedule(clock, at, fire)
}
