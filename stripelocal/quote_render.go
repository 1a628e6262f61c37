package stripelocal

import "usher/stripelocal/wire"

// asSession is a Checkout session with a quote's line items: its amounts are computed alike.
func (h quotes) asSession(q *Quote) *CheckoutSession {
	return &CheckoutSession{
		Currency: q.Currency, Customer: q.Customer, LineItems: q.LineItems, Discount: q.Discount, Inherited: h.inheritedDiscount(q), AutomaticTax: q.AutomaticTax,
		DefaultTaxRates: q.DefaultTaxRates,
	}
}

// inheritedDiscount is the customer's discount of a quote that has none of its own: the
// subscription or the invoice will inherit it (that the quote's amounts show it is inferred).
func (h quotes) inheritedDiscount(q *Quote) *Discount {
	if q.Discount != nil || !q.isPending() {
		return q.Inherited
	}
	if list := h.discounts.ofCustomer(q.Customer, q.Currency, h.timeOnClock(q.TestClock)); len(list) > 0 {
		return &list[0]
	}
	return nil
}

// upfront is what is due when a quote is accepted: nothing for recurring items with a trial.
func (h quotes) upfront(q *Quote) *CheckoutSession {
	cs := h.asSession(q)
	cs.TrialPeriodDays = q.TrialPeriodDays
	return cs
}

// recurring is what is due for each period. It has no line items if no price is recurring.
func (h quotes) recurring(q *Quote) (*CheckoutSession, *Price) {
	cs := h.asSession(q)
	cs.LineItems = nil
	var first *Price
	for _, l := range q.LineItems {
		if p, ok := h.store.Prices.get(l.Price); ok && p.Interval != "" {
			cs.LineItems = append(cs.LineItems, l)
			first = p
		}
	}
	if cs.Discount.isOnce() {
		cs.Discount = nil
	}
	if cs.Inherited.isOnce() {
		cs.Inherited = nil
	}
	return cs, first
}

func (h quotes) lineItems(in *input, of func(*Quote) *CheckoutSession) (any, error) {
	q, err := h.find(in)
	if err != nil {
		return nil, err
	}
	list := h.checkoutSessions.renderLineItems(of(q))
	list["url"] = in.url
	return pageOf(list, in)
}

func (h quotes) listLineItems(in *input) (any, error) { return h.lineItems(in, h.asSession) }
func (h quotes) listUpfront(in *input) (any, error)   { return h.lineItems(in, h.upfront) }

// pdf renders a finalized quote as a page of text.
func (h quotes) pdf(in *input) (any, error) {
	q, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if q.Number == "" {
		return nil, wire.Invalid("", "", "This quote has no PDF until it is finalized.")
	}
	out := []string{"Quote " + q.Number + " (local Stripe: no money moves)", "Valid until " + formatDate(q.ExpiresAt), q.Header, q.Description, ""}
	cs := h.asSession(q)
	sums := h.checkoutSessions.totals(cs)
	for i, l := range q.LineItems {
		if p, ok := h.store.Prices.get(l.Price); ok {
			out = append(out, wire.FormatAmount(sums.lines[i].subtotal, q.Currency)+"   "+h.prices.describeQuantity(p, l.Quantity))
		}
	}
	return document{"application/pdf", textPDF(append(out, "", "Total: "+wire.FormatAmount(sums.total(), q.Currency), q.Footer))}, nil
}

func (h quotes) renderTotals(o wire.Object, cs *CheckoutSession) wire.Object {
	sums := h.checkoutSessions.totals(cs)
	o["amount_subtotal"], o["amount_total"] = sums.subtotal, sums.total()
	o["total_details"] = h.checkoutSessions.renderTotalDetails(cs)
	return o
}

func (h quotes) renderComputed(q *Quote) wire.Object {
	upfront := h.upfront(q)
	o := wire.Object{"recurring": nil, "upfront": h.renderTotals(wire.Object{
		"line_items": wire.Expandable(func() any {
			list := h.checkoutSessions.renderLineItems(upfront)
			list["url"] = "/v1/quotes/" + q.ID + "/computed_upfront_line_items"
			return list
		}),
	}, upfront)}
	if cs, price := h.recurring(q); price != nil {
		o["recurring"] = h.renderTotals(wire.Object{"interval": price.Interval, "interval_count": price.IntervalCount}, cs)
	}
	return o
}

func (h quotes) render(q *Quote) wire.Object {
	rates, discounts := []any{}, []any{}
	for _, id := range q.DefaultTaxRates {
		rates = append(rates, wire.Ref("tax_rate", id))
	}
	if q.Discount != nil {
		discounts = append(discounts, wire.Ref("discount", q.Discount.ID))
	}
	o := h.renderTotals(wire.Object{
		"id": q.ID, "object": "quote", "application": nil, "application_fee_amount": nil, "application_fee_percent": nil,
		"automatic_tax": h.checkoutSessions.renderAutomaticTax(h.asSession(q)), "collection_method": q.CollectionMethod, "computed": h.renderComputed(q),
		"created": q.Created, "currency": wire.StringOrNull(q.Currency), "customer": wire.Ref("customer", q.Customer), "default_tax_rates": rates,
		"description": wire.StringOrNull(q.Description), "discounts": discounts, "expires_at": q.ExpiresAt, "footer": wire.StringOrNull(q.Footer),
		"from_quote": nil, "header": wire.StringOrNull(q.Header), "invoice": wire.Ref("invoice", q.Invoice), "livemode": false, "metadata": q.Metadata,
		"invoice_settings": wire.Object{"days_until_due": wire.IntOrNull(q.DaysUntilDue), "issuer": wire.Object{"type": "self"}},
		"line_items":       wire.Expandable(func() any { return h.renderLineItems(q) }),
		"number":           wire.StringOrNull(q.Number), "on_behalf_of": nil, "status": q.Status,
		"status_transitions": wire.Object{
			"accepted_at": wire.IntOrNull(q.AcceptedAt), "canceled_at": wire.IntOrNull(q.CanceledAt), "finalized_at": wire.IntOrNull(q.FinalizedAt),
		},
		"subscription": wire.Ref("subscription", q.Subscription), "subscription_schedule": wire.Ref("subscription_schedule", q.Schedule), "test_clock": wire.Ref("test_clock", q.TestClock), "transfer_data": nil,
		"subscription_data": wire.Object{
			"description": wire.StringOrNull(q.SubDescription), "effective_date": wire.IntOrNull(q.EffectiveDate), "metadata": q.SubMetadata, "trial_period_days": wire.IntOrNull(q.TrialPeriodDays),
		},
	}, h.asSession(q))
	if q.FromQuote != "" {
		o["from_quote"] = wire.Object{"is_revision": q.IsRevision, "quote": wire.Ref("quote", q.FromQuote)}
	}
	return o
}

func (h quotes) renderLineItems(q *Quote) wire.Object {
	list := h.checkoutSessions.renderLineItems(h.asSession(q))
	list["url"] = "/v1/quotes/" + q.ID + "/line_items"
	return list
}
