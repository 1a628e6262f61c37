package stripelocal

import (
	"fmt"
	"slices"

	"usher/stripelocal/wire"
)

// finalize opens a quote for acceptance and gives it a number. A revision cancels the quote that it
// revises.
func (h quotes) finalize(in *input) (any, error) {
	q, err := h.find(in)
	if err != nil {
		return nil, err
	}
	now := h.timeOnClock(q.TestClock)
	switch {
	case q.Status != "draft":
		return nil, wire.Invalid("", "", "This quote is `"+q.Status+"`. Only a draft can be finalized.")
	case q.Customer == "":
		return nil, wire.Invalid("", "customer", "A quote needs a customer to be finalized.")
	case len(q.LineItems) == 0:
		return nil, wire.Invalid("", "line_items", "A quote needs line items to be finalized.")
	case q.EffectiveDate > now && !h.canStartLater(q):
		return nil, wire.Invalid("", "subscription_data[effective_date]", "The local Stripe starts the subscription of a quote later only without one-time prices, taxes and sent invoices.")
	case in.Has("expires_at") && in.Int("expires_at") <= now:
		return nil, wire.Invalid("", "expires_at", "Invalid timestamp: must be an integer Unix timestamp in the future.")
	}
	in.SetInt("expires_at", &q.ExpiresAt)
	h.assignNumber(q)
	q.Status, q.FinalizedAt = "open", now
	h.scheduleExpiry(q)
	if revised, ok := h.store.Quotes.get(q.FromQuote); ok && q.IsRevision && revised.Status == "open" {
		h.end(revised)
	}
	h.emit("quote.finalized", h.render(q))
	return h.render(q), nil
}

// assignNumber numbers the quotes of a customer, and the revisions of each (the form is that of
// published examples).
func (h quotes) assignNumber(q *Quote) {
	prefix, count := "", 1
	if c, ok := h.store.Customers.get(q.Customer); ok {
		prefix = c.InvoicePrefix
	}
	if revised, ok := h.store.Quotes.get(q.FromQuote); ok && q.IsRevision {
		q.Revision = revised.Revision + 1
		q.Number = revised.Number[:len(revised.Number)-len(fmt.Sprint(revised.Revision))] + fmt.Sprint(q.Revision)
		return
	}
	for _, other := range h.store.Quotes.by("customer", q.Customer) {
		if other.Number != "" && !other.IsRevision {
			count++
		}
	}
	q.Number = fmt.Sprintf("QT-%s-%04d-1", prefix, count)
}

// accept makes a subscription of the line items, if any of them is recurring, else an invoice.
func (h quotes) accept(in *input) (any, error) {
	q, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if q.Status != "open" {
		return nil, wire.Invalid("", "", "This quote is `"+q.Status+"`. Only an open quote can be accepted.")
	}
	c, ok := h.store.Customers.get(q.Customer)
	if !ok || c.Deleted {
		return nil, wire.Invalid("", "", "This quote cannot be accepted: its customer has been deleted.")
	}
	items, extra := h.checkoutPayments.splitLineItems(h.asSession(q))
	if len(items) > 0 {
		if err := h.customers.checkCurrency(c.ID, q.Currency); err != nil {
			return nil, err
		}
	}
	q.Inherited = h.inheritedDiscount(q)
	q.Status, q.AcceptedAt = "accepted", h.timeOnClock(q.TestClock)
	later := len(items) > 0 && q.EffectiveDate > q.AcceptedAt
	if q.Discount != nil {
		d := h.discounts.build(&q.Discount.Coupon, q.Discount.PromotionCode, q.AcceptedAt)
		d.ID = q.Discount.ID
		q.Discount = &d
		if !later { // the phase of a schedule redeems it
			h.discounts.redeem(d)
		}
	}
	switch {
	case later:
		h.scheduleSubscription(q, items)
	case len(items) > 0:
		h.startSubscription(q, items, extra)
	default:
		h.createInvoice(q, c, extra)
	}
	h.emit("quote.accepted", h.render(q))
	return h.render(q), nil
}

// canStartLater reports whether a phase of a schedule can have what a quote has.
func (h quotes) canStartLater(q *Quote) bool {
	items, extra := h.checkoutPayments.splitLineItems(h.asSession(q))
	return len(items) > 0 && len(extra) == 0 && !q.AutomaticTax && len(q.DefaultTaxRates) == 0 && q.CollectionMethod != "send_invoice" &&
		!slices.ContainsFunc(q.LineItems, func(l CheckoutLineItem) bool { return len(l.TaxRates) > 0 })
}

// scheduleSubscription starts the subscription of a quote on its effective date, which is in the
// future (API reference: quotes, subscription_data.effective_date). The schedule has one phase of
// one period, and releases the subscription then (inferred).
func (h quotes) scheduleSubscription(q *Quote, items []newItem) {
	first := items[0].price
	phase := SchedulePhase{
		StartDate: q.EffectiveDate, EndDate: wire.AddIntervals(q.EffectiveDate, first.Interval, first.IntervalCount), Metadata: q.SubMetadata,
		Description: q.SubDescription, HasDiscounts: true,
	}
	if q.TrialPeriodDays > 0 {
		phase.TrialEnd = q.EffectiveDate + q.TrialPeriodDays*24*60*60
	}
	if q.Discount != nil {
		phase.Discounts = []Discount{*q.Discount}
	}
	for _, i := range items {
		phase.Items = append(phase.Items, plannedItem{Price: i.price.ID, Quantity: i.quantity, Metadata: i.metadata})
	}
	x := h.schedules.insertNotStarted(&SubscriptionSchedule{
		Customer: q.Customer, TestClock: q.TestClock, EndBehavior: "release", Metadata: map[string]string{}, Phases: []SchedulePhase{phase},
	})
	q.Schedule = x.ID
}

// startSubscription starts the subscription of a quote. Its first invoice is paid with the
// customer's default payment method. Without one it stays open, and the subscription incomplete
// (inferred).
func (h quotes) startSubscription(q *Quote, items []newItem, extra []InvoiceLine) {
	sub := &Subscription{
		Customer: q.Customer, TestClock: q.TestClock, Currency: q.Currency, Metadata: q.SubMetadata, Description: q.SubDescription,
		MissingPaymentMethod: "create_invoice", CollectionMethod: q.CollectionMethod, DaysUntilDue: q.daysUntilDue(),
		AutomaticTax: q.AutomaticTax, DefaultTaxRates: q.DefaultTaxRates,
	}
	if q.TrialPeriodDays > 0 {
		sub.TrialEnd = q.AcceptedAt + q.TrialPeriodDays*24*60*60
	}
	if q.Discount != nil {
		sub.Discounts = []Discount{*q.Discount}
	}
	inv := h.subscriptions.start(sub, items, extra)
	h.store.Quotes.change(q, func() { q.Subscription, q.Invoice = sub.ID, inv.ID })
	if pm, ok := h.paymentMethods.forSubscription(sub); ok && inv.Status == "open" && sub.Status == "incomplete" {
		h.invoicing.pay(inv, pm)
	}
}

func (q *Quote) daysUntilDue() int64 {
	if q.CollectionMethod == "send_invoice" && q.DaysUntilDue == 0 {
		return 30 // inferred
	}
	return q.DaysUntilDue
}

// createInvoice creates the invoice of a quote without recurring prices: a draft that is finalized
// within about an hour (that it is not left a draft is inferred).
func (h quotes) createInvoice(q *Quote, c *Customer, lines []InvoiceLine) {
	inv := &Invoice{
		Base: Base{ID: h.ids.longID("in_1"), Created: q.AcceptedAt}, BillingReason: "quote_accept", Status: "draft", CollectionMethod: q.CollectionMethod,
		Currency: q.Currency, Customer: c.ID, DaysUntilDue: q.daysUntilDue(), Metadata: map[string]string{}, Footer: q.Footer,
		AutomaticTax: q.AutomaticTax, DefaultTaxRates: q.DefaultTaxRates, PeriodStart: q.AcceptedAt, PeriodEnd: q.AcceptedAt,
		AutoAdvance: true, AutomaticallyFinalizesAt: q.AcceptedAt + draftPeriod,
	}
	inv.setCustomer(c)
	for _, l := range lines {
		i := h.invoiceItems.insert(&InvoiceItem{
			Amount: l.Amount, Currency: q.Currency, Customer: c.ID, Description: l.Description, PeriodStart: q.AcceptedAt, PeriodEnd: q.AcceptedAt,
			Price: l.Price, Quantity: l.Quantity, TaxRates: l.TaxRates,
		})
		inv.Lines = append(inv.Lines, i.line())
	}
	inv.Discounts = h.discounts.apply(h.checkoutSessions.discountsOf(h.asSession(q)), inv.Lines)
	h.taxes.applyToInvoice(inv)
	inv.WebhooksDeliveredAt = h.invoicing.deliveredWithoutEndpoint(inv)
	h.store.Quotes.change(q, func() { q.Invoice = inv.ID })
	h.store.Invoices.insert(inv)
	for i := range inv.Lines {
		h.invoicing.assignLine(inv, &inv.Lines[i])
	}
	h.emit("invoice.created", h.invoices.render(inv))
	h.discounts.endUsed(inv)
	h.invoicing.scheduleNext(inv)
}

func (h quotes) cancel(in *input) (any, error) {
	q, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if !q.isPending() {
		return nil, wire.Invalid("", "", "This quote is `"+q.Status+"` and cannot be canceled.")
	}
	h.end(q)
	return h.render(q), nil
}

func (q *Quote) isPending() bool { return q.Status == "draft" || q.Status == "open" }

func (h quotes) end(q *Quote) {
	q.Inherited = h.inheritedDiscount(q)
	q.Status, q.CanceledAt = "canceled", h.timeOnClock(q.TestClock)
	h.emit("quote.canceled", h.render(q))
}

// scheduleExpiry cancels a pending quote at expires_at.
func (h quotes) scheduleExpiry(q *Quote) {
	if !q.isPending() {
		return
	}
	due := q.ExpiresAt
	h.schedule(q.TestClock, due, func(r *request) {
		if q.isPending() && q.ExpiresAt == due {
			r.quotes.end(q)
		}
	})
}
