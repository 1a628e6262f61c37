package stripelocal

import (
	"fmt"
	"slices"

	"usher/stripelocal/wire"
)

// draftPeriod is how long a renewal's invoice stays a draft, in seconds (docs: subscription
// invoices: about an hour).
const draftPeriod = 60 * 60

// invoicing takes invoices through their lifecycle: draft, open, then paid or void.
type invoicing struct{ *request }

// createDraft creates a draft invoice with the given lines and all pending items of a subscription.
func (h invoicing) createDraft(sub *Subscription, reason string, lines []InvoiceLine) *Invoice {
	inv := h.build(sub, reason, h.invoiceItems.pendingFor(sub), lines)
	h.insert(sub, inv)
	return inv
}

// build builds an invoice without storing it. Previews and invoices share it.
func (h invoicing) build(sub *Subscription, reason string, items []*InvoiceItem, lines []InvoiceLine) *Invoice {
	c, _ := h.store.Customers.get(sub.Customer)
	inv := &Invoice{
		Base: Base{Created: h.timeFor(c)}, BillingReason: reason, Status: "draft",
		CollectionMethod: sub.CollectionMethod, Currency: sub.Currency, Customer: sub.Customer, DaysUntilDue: sub.DaysUntilDue,
		Metadata: map[string]string{}, Subscription: sub.ID, SubscriptionMetadata: sub.Metadata,
		AutomaticTax: sub.AutomaticTax, DefaultTaxRates: sub.DefaultTaxRates, PaymentMethodTypes: sub.PaymentMethodTypes,
		PeriodStart: sub.CurrentPeriodStart, PeriodEnd: sub.CurrentPeriodStart, AutoAdvance: sub.Status != "unpaid" && !sub.hasEnded(),
	}
	if reason == pendingInvoiceReason {
		inv.PeriodEnd = inv.Created
	}
	if reason == "subscription_cycle" || reason == pendingInvoiceReason || sub.CollectionMethod == "send_invoice" {
		inv.AutomaticallyFinalizesAt = inv.Created + draftPeriod
	}
	inv.setCustomer(c)
	for _, i := range newestFirst(items) {
		inv.Lines = append(inv.Lines, i.line())
	}
	inv.Lines = append(inv.Lines, lines...)
	h.discounts.applyToInvoice(sub, inv, inv.Created)
	return inv
}

// insert stores a built invoice, assigns its pending items to it and emits invoice.created.
func (h invoicing) insert(sub *Subscription, inv *Invoice) {
	inv.ID = h.ids.longID("in_1")
	inv.WebhooksDeliveredAt = h.deliveredWithoutEndpoint(inv)
	h.store.Invoices.insert(inv)
	for i := range inv.Lines {
		h.assignLine(inv, &inv.Lines[i])
	}
	sub.LatestInvoice = inv.ID
	h.emit("invoice.created", h.invoices.render(inv))
	h.discounts.endUsed(inv)
}

// deliveredWithoutEndpoint is the time of an invoice if it has no webhook to deliver, else 0 until
// its delivery (API reference: invoices, webhooks_delivered_at).
func (h invoicing) deliveredWithoutEndpoint(inv *Invoice) int64 {
	if h.seeding {
		return inv.Created
	}
	for _, w := range h.store.WebhookEndpoints.all {
		if w.accepts("invoice.created") {
			return 0
		}
	}
	return inv.Created
}

func (h invoicing) assignLine(inv *Invoice, l *InvoiceLine) {
	l.ID = h.ids.longID("il_1")
	if item, ok := h.store.InvoiceItems.get(l.InvoiceItem); ok {
		h.store.InvoiceItems.change(item, func() { item.Invoice = inv.ID })
	}
}

func (inv *Invoice) setCustomer(c *Customer) {
	if c == nil {
		return
	}
	inv.CustomerEmail, inv.CustomerName, inv.CustomerAddress = c.Email, c.Name, c.Address
}

// finalize opens a draft: it assigns a number and, if an amount is due, creates a payment intent.
// An invoice with nothing due is paid.
func (h invoicing) finalize(inv *Invoice) {
	if inv.Status != "draft" {
		return
	}
	before := h.invoices.render(inv)
	at := h.timeForCustomer(inv.Customer)
	inv.Status, inv.FinalizedAt, inv.AutomaticallyFinalizesAt = "open", at, 0
	if inv.EffectiveAt == 0 {
		inv.EffectiveAt = at
	}
	if inv.CollectionMethod == "send_invoice" && inv.DueDate == 0 {
		inv.DueDate = at + inv.DaysUntilDue*24*60*60
	}
	h.assignNumber(inv)
	if inv.amountDue() > 0 {
		inv.PaymentIntent = h.createPaymentIntent(inv).ID
	}
	after := h.invoices.render(inv)
	h.emit("invoice.finalized", after)
	h.emitUpdate("invoice.updated", before, after)
	if inv.amountDue() == 0 {
		h.markPaid(inv, 0)
	}
	h.scheduleNext(inv)
}

// assignNumber assigns the invoice's number and updates the customer's balance.
func (h invoicing) assignNumber(inv *Invoice) {
	c, ok := h.store.Customers.get(inv.Customer)
	if !ok {
		return
	}
	if inv.Number == "" {
		inv.Number = fmt.Sprintf("%s-%04d", c.InvoicePrefix, c.NextInvoiceSequence)
		c.NextInvoiceSequence++
	}
	h.applyBalance(inv)
	c.Currency = inv.Currency
	if c.Balance != inv.EndingBalance {
		h.customerBalances.change(c, CustomerBalanceTransaction{
			Amount: inv.EndingBalance - c.Balance, Currency: inv.Currency, Invoice: inv.ID, Type: inv.balanceTransactionType(),
		})
	}
}

// balanceTransactionType says why an invoice changes the balance: its total is a credit or below
// the minimum charge, or the balance pays a part of it.
func (inv *Invoice) balanceTransactionType() string {
	if total := inv.total(); total > 0 && total < wire.MinimumCharge(inv.Currency) && inv.EndingBalance > inv.StartingBalance {
		return "invoice_too_small"
	}
	return "applied_to_invoice"
}

// applyBalance sets how the customer's balance changes: a credit pays the invoice, a negative total
// becomes a credit, and an amount below the minimum charge is carried to the next invoice
// (inferred).
func (h invoicing) applyBalance(inv *Invoice) {
	c, ok := h.store.Customers.get(inv.Customer)
	if !ok {
		return
	}
	inv.StartingBalance, inv.BalanceApplied, inv.EndingBalance = c.Balance, true, 0
	if after := inv.total() + c.Balance; after < wire.MinimumCharge(inv.Currency) {
		inv.EndingBalance = after
	}
}

func (h invoicing) createPaymentIntent(inv *Invoice) *PaymentIntent {
	description := "Subscription update"
	switch {
	case inv.BillingReason == "subscription_create":
		description = "Subscription creation"
	case inv.Subscription == "":
		description = "Payment for Invoice"
	}
	return h.paymentIntents.insert(&PaymentIntent{
		Amount: inv.amountDue(), Currency: inv.Currency, Customer: inv.Customer, Invoice: inv.ID,
		Description: description, SetupFutureUsage: "off_session", PaymentMethodTypes: inv.PaymentMethodTypes,
	})
}

// pay attempts to pay an open invoice on request and emits the events of the result.
func (h invoicing) pay(inv *Invoice, pm *PaymentMethod) (paymentOutcome, *Decline) {
	return h.attemptPayment(inv, pm, inv.AttemptCount == 0)
}

// attemptPayment is pay with a flag: automatic attempts count and schedule retries.
func (h invoicing) attemptPayment(inv *Invoice, pm *PaymentMethod, automatic bool) (paymentOutcome, *Decline) {
	pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent)
	if !ok {
		return outcomePaid, nil
	}
	if pi.Status == "processing" {
		return outcomeProcessing, nil
	}
	before := h.invoices.render(inv)
	if automatic {
		inv.AttemptCount++
	}
	inv.Attempted = true
	result, decline := h.confirmIntent(pi, pm)
	if result == outcomeRequiresAction && inv.BillingReason == "subscription_create" && automatic {
		inv.AttemptCount-- // recorded by pay-rails/pay: 0 until a first invoice is authenticated
	}
	inv.recordDecline(pm, result, decline)
	h.recordAttempt(inv, before, result, automatic)
	return result, decline
}

// confirmIntent confirms the payment intent of an invoice. A bank account that cannot be debited
// makes it fail without a charge.
func (h invoicing) confirmIntent(pi *PaymentIntent, pm *PaymentMethod) (paymentOutcome, *Decline) {
	if decline, refused := h.bankDebits.refusedForInvoice(pi, pm); refused {
		h.paymentIntents.failConfirmation(pi, pm, decline)
		return outcomeDeclined, decline
	}
	if kind := pm.methodKind(); !slices.Contains(h.paymentIntents.methodTypes(pi), kind) {
		pi.PaymentMethodTypes = append(slices.Clone(h.paymentIntents.methodTypes(pi)), kind)
	}
	return h.paymentIntents.confirmWith(pi, pm)
}

// debitEnded applies the end of a bank debit to its invoice. Stripe does not retry bank debits: the
// subscription gets at once the status that follows the last retry (docs: invoices, retrying failed
// payments).
func (h invoicing) debitEnded(pi *PaymentIntent, result paymentOutcome) {
	inv, ok := h.store.Invoices.get(pi.Invoice)
	if !ok || inv.isClosed() || inv.PaymentIntent != pi.ID {
		return
	}
	before := h.invoices.render(inv)
	h.recordAttempt(inv, before, result, false)
	if result == outcomeDeclined {
		h.customers.setDelinquent(inv.Customer, true)
		h.dunning.exhaust(inv)
	}
}

// completeAuthentication applies the result of 3-D Secure to the payment intent and its invoice.
func (h invoicing) completeAuthentication(pi *PaymentIntent, passed bool) (paymentOutcome, *Decline) {
	result, decline := h.paymentIntents.completeAuthentication(pi, passed)
	h.applyIntentOutcome(pi, result)
	return result, decline
}

// applyIntentOutcome applies the result of a payment intent to its open invoice.
func (h invoicing) applyIntentOutcome(pi *PaymentIntent, result paymentOutcome) {
	if inv, ok := h.store.Invoices.get(pi.Invoice); ok && !inv.isClosed() {
		before := h.invoices.render(inv)
		inv.Attempted = true
		if inv.AttemptCount == 0 {
			inv.AttemptCount = 1
		}
		h.recordAttempt(inv, before, result, false)
	}
}

func (h invoicing) recordAttempt(inv *Invoice, before wire.Object, result paymentOutcome, automatic bool) {
	if result == outcomePaid {
		h.markPaid(inv, inv.remaining())
		return
	}
	if result == outcomeProcessing {
		inv.NextPaymentAttempt = 0
		h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
		h.dunning.paymentProcessing(inv)
		return
	}
	exhausted := automatic && h.dunning.scheduleRetry(inv)
	after := h.invoices.render(inv)
	h.emitUpdate("invoice.updated", before, after)
	h.emit("invoice.payment_failed", after)
	if result == outcomeRequiresAction {
		h.emit("invoice.payment_action_required", after)
	}
	h.dunning.paymentFailed(inv)
	h.scheduleNext(inv)
	if exhausted {
		h.dunning.exhaust(inv)
	}
}

// markPaid marks an invoice paid.
func (h invoicing) markPaid(inv *Invoice, received int64) {
	before := h.invoices.render(inv)
	inv.Status, inv.PaidAt, inv.AutoAdvance, inv.NextPaymentAttempt = "paid", h.timeForCustomer(inv.Customer), false, 0
	inv.AmountPaid += received
	inv.Attempted = true
	if pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent); ok && !inv.PaidOutOfBand {
		inv.Charge = pi.LatestCharge
	}
	after := h.invoices.render(inv)
	h.emit("invoice.paid", after)
	h.emitUpdate("invoice.updated", before, after)
	if !inv.PaidOutOfBand {
		h.emit("invoice.payment_succeeded", after)
		h.invoicePayments.announce(inv)
	}
	h.customers.setDelinquent(inv.Customer, false)
	h.dunning.paymentSucceeded(inv)
}

// void voids an open or uncollectible invoice.
func (h invoicing) void(inv *Invoice) {
	if inv.Status == "draft" || inv.isClosed() {
		return
	}
	before := h.invoices.render(inv)
	inv.Status, inv.VoidedAt, inv.AutoAdvance, inv.NextPaymentAttempt = "void", h.timeForCustomer(inv.Customer), false, 0
	h.paymentIntents.cancelByID(inv.PaymentIntent, "void_invoice")
	h.emit("invoice.voided", h.invoices.render(inv))
	h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
	h.restoreBalance(inv)
}

// markUncollectible writes an open invoice off. It can still be paid or voided.
func (h invoicing) markUncollectible(inv *Invoice) {
	if inv.Status != "open" {
		return
	}
	before := h.invoices.render(inv)
	inv.Status, inv.MarkedUncollectibleAt, inv.AutoAdvance, inv.NextPaymentAttempt = "uncollectible", h.timeForCustomer(inv.Customer), false, 0
	h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
	h.emit("invoice.marked_uncollectible", h.invoices.render(inv))
	h.customers.setDelinquent(inv.Customer, false)
	if sub, ok := h.store.Subscriptions.get(inv.Subscription); ok {
		h.dunning.reactivateIfPaid(sub)
	}
}

// restoreBalance reverts a voided invoice's change of the customer's balance.
func (h invoicing) restoreBalance(inv *Invoice) {
	c, ok := h.store.Customers.get(inv.Customer)
	if back := inv.StartingBalance - inv.EndingBalance; ok && !c.Deleted && back != 0 {
		h.customerBalances.change(c, CustomerBalanceTransaction{Amount: back, Currency: inv.Currency, Invoice: inv.ID, Type: "unapplied_from_invoice"})
	}
}

// scheduleNext schedules the invoice's next step: finalization, payment retry or overdue.
func (h invoicing) scheduleNext(inv *Invoice) {
	due := inv.nextDue()
	if due == 0 {
		return
	}
	h.scheduleForCustomer(inv.Customer, due, func(r *request) {
		if inv.nextDue() == due {
			r.changed = true
			r.invoicing.runDue(inv)
		}
	})
}

func (inv *Invoice) nextDue() int64 {
	switch {
	case inv.Status == "draft" && inv.AutoAdvance:
		return inv.AutomaticallyFinalizesAt
	case inv.Status == "open" && inv.NextPaymentAttempt != 0:
		return inv.NextPaymentAttempt
	case inv.Status == "open" && !inv.OverdueSent:
		return inv.DueDate
	}
	return 0
}

func (h invoicing) runDue(inv *Invoice) {
	switch {
	case inv.Status == "draft":
		h.finalizeAndPay(inv)
	case inv.NextPaymentAttempt != 0:
		h.dunning.retry(inv)
	default:
		h.markOverdue(inv)
	}
}

// markOverdue emits invoice.overdue for a sent invoice past its due date.
func (h invoicing) markOverdue(inv *Invoice) {
	inv.OverdueSent = true
	h.emit("invoice.overdue", h.invoices.render(inv))
	h.customers.setDelinquent(inv.Customer, true)
	h.dunning.paymentFailed(inv)
}

// finalizeAndPay finalizes a draft and attempts payment. Without a payment method the attempt
// fails.
func (h invoicing) finalizeAndPay(inv *Invoice) (paymentOutcome, *Decline) {
	if h.applyPause(inv) {
		return outcomePaid, nil
	}
	h.finalize(inv)
	if inv.Status != "open" {
		return outcomePaid, nil
	}
	if inv.CollectionMethod != "charge_automatically" {
		h.emit("invoice.sent", h.invoices.render(inv))
		return outcomePaid, nil
	}
	pm, ok := h.paymentMethods.forInvoice(inv)
	if ok {
		return h.attemptPayment(inv, pm, true)
	}
	before := h.invoices.render(inv)
	inv.AttemptCount++
	inv.Attempted = true
	h.recordAttempt(inv, before, outcomeDeclined, true)
	return outcomeDeclined, genericDecline()
}
