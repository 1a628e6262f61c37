package stripelocal

import "usher/stripelocal/wire"

const (
	detailParams = "items[]{id price quantity:int deleted:bool metadata:map?} proration_behavior:create_prorations|none|always_invoice " +
		"proration_date:time trial_end:when billing_cycle_anchor:now|unchanged|time start_date:time cancel_at:time? cancel_at_period_end:bool cancel_now:bool"
	previewParams  = "customer subscription discounts[]{coupon discount promotion_code}? automatic_tax{enabled:bool!} preview_mode:next|recurring subscription_details{" + detailParams + "} "
	upcomingParams = previewParams + "subscription_items[]{id price quantity:int deleted:bool metadata:map?} " +
		"subscription_proration_behavior:create_prorations|none|always_invoice subscription_proration_date:time subscription_trial_end:when " +
		"subscription_billing_cycle_anchor:now|unchanged|time subscription_start_date:time subscription_cancel_at:time? subscription_cancel_at_period_end:bool subscription_cancel_now:bool "
)

// previews serves /v1/invoices/upcoming and /v1/invoices/create_preview.
type previews struct{ *request }

// get previews the next invoice of a subscription, or the invoice of a change. Nothing is stored.
func (h previews) get(in *input) (any, error) {
	inv, err := h.build(in)
	if err != nil {
		return nil, err
	}
	return h.render(inv), nil
}

func (h previews) listLines(in *input) (any, error) {
	inv, err := h.build(in)
	if err != nil {
		return nil, err
	}
	limit := in.IntOr("limit", 10)
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	return h.invoices.pageLines(inv, in, int(limit))
}

func (h previews) build(in *input) (*Invoice, error) {
	if in.String("preview_mode") == "recurring" {
		return nil, wire.Invalid("", "preview_mode", "The local Stripe previews the next invoice only.")
	}
	inv, err := h.fromParams(in)
	if err == nil {
		in.At("automatic_tax").SetBool("enabled", &inv.AutomaticTax)
	}
	return inv, err
}

func (h previews) fromParams(in *input) (*Invoice, error) {
	details := subscriptionDetails(in.Params)
	if in.Has("subscription") {
		sub, ok := h.store.Subscriptions.get(in.String("subscription"))
		if !ok {
			return nil, wire.NoSuch("subscription", in.String("subscription"), "subscription")
		}
		return h.forSubscription(sub, in.Params, details)
	}
	if !in.Has("customer") { // recorded by pay-rails/pay
		return nil, wire.Invalid("", "", "You must either provide a `customer` or a `subscription` to the upcoming invoice endpoint.")
	}
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	if details.Has("items") {
		return h.forNewSubscription(c, in.Params, details)
	}
	return h.forCustomer(c)
}

// subscriptionDetails returns subscription_details, or the older subscription_* parameters under
// the same names.
func subscriptionDetails(p wire.Params) wire.Params {
	if p.Has("subscription_details") {
		return p.At("subscription_details")
	}
	return p.WithoutPrefix("subscription_", []string{
		"items", "proration_behavior", "proration_date", "trial_end", "billing_cycle_anchor", "start_date", "cancel_at", "cancel_at_period_end", "cancel_now",
	})
}

func (h previews) forSubscription(sub *Subscription, p, details wire.Params) (*Invoice, error) {
	if sub.hasEnded() {
		return nil, noUpcomingError("No upcoming invoices for customer: the subscription has ended.")
	}
	if err := checkProration(sub, details); err != nil {
		return nil, err
	}
	ch, err := h.subscriptionChanges.fromParams(sub, details)
	if err != nil {
		return nil, err
	}
	if details.Bool("cancel_now") {
		return h.finish(h.invoicing.build(sub, "upcoming", append(h.invoiceItems.pendingFor(sub), h.unusedCredit(sub, ch)...), nil)), nil
	}
	seen := *sub
	setPreviewCancellation(&seen, details)
	if err := h.setDiscounts(&seen, p); err != nil {
		return nil, err
	}
	return h.nextInvoice(&seen, h.subscriptionChanges.plan(sub, ch))
}

func (h previews) unusedCredit(sub *Subscription, ch subscriptionChange) []*InvoiceItem {
	if ch.prorationBehavior == "none" {
		return nil
	}
	date := ch.prorationDate
	if date == 0 {
		date = h.timeOnClock(sub.TestClock)
	}
	return h.prorations.unusedCredits(sub, date)
}

// setDiscounts replaces the subscription's discounts by the requested ones without redeeming them.
// Empty ones replace the customer's too.
func (h previews) setDiscounts(seen *Subscription, p wire.Params) error {
	if !p.Has("discounts") {
		return nil
	}
	own := *seen
	seen.Discounts, seen.IgnoresCustomerDiscount = nil, ignoresCustomerDiscount(p)
	for _, n := range p.List("discounts") {
		d, keep, err := h.discounts.fromParams(&own, n)
		if err != nil {
			return err
		}
		if keep {
			seen.Discounts = append(seen.Discounts, d)
		}
	}
	return nil
}

func setPreviewCancellation(seen *Subscription, details wire.Params) {
	switch {
	case details.Bool("cancel_at_period_end"):
		seen.CancelAt = seen.CurrentPeriodEnd
	case details.Int("cancel_at") != 0:
		seen.CancelAt = details.Int("cancel_at")
	case details.Has("cancel_at_period_end"), details.Has("cancel_at"):
		seen.CancelAt = 0
	}
}

// nextInvoice builds the invoice that bills a change: its own invoice if it bills immediately, else
// the next period's.
func (h previews) nextInvoice(sub *Subscription, p changePlan) (*Invoice, error) {
	waiting := append(h.invoiceItems.pendingFor(sub), p.prorations...)
	if p.billsImmediately {
		inv := h.invoicing.build(sub, "upcoming", waiting, h.subscriptionChanges.newPeriodLines(sub, p))
		inv.SubscriptionProrationDate = p.prorationDate
		return h.finish(inv), nil
	}
	if sub.CancelAt != 0 && sub.CancelAt <= p.after.End || sub.Status == "paused" {
		return h.lastInvoice(sub, waiting)
	}
	next, items := p.after, h.schedules.nextPeriodItems(sub, p)
	next.Start = p.after.End
	next.Status = "active"
	if price, ok := h.store.Prices.get(items[0].Price); ok {
		next.End = price.periodAfter(next.Anchor, next.Start)
	}
	inv := h.invoicing.build(sub, "upcoming", waiting, append(h.usages.lines(sub, p.after.Start, p.after.End), h.subscriptions.periodLines(sub, items, next)...))
	inv.Created, inv.PeriodStart, inv.PeriodEnd = p.after.End, p.after.Start, p.after.End
	inv.NextPaymentAttempt = p.after.End + draftPeriod
	h.discounts.applyToInvoice(sub, inv, p.after.End)
	if len(p.prorations) > 0 {
		inv.SubscriptionProrationDate = p.prorationDate
	}
	return h.finish(inv), nil
}

// lastInvoice previews the invoice of a subscription that does not renew. There is one while
// invoice items are pending (docs: error code invoice_upcoming_none, "only customers with active
// subscriptions or pending invoice items have invoices that can be previewed"). They are collected
// when the subscription ends (API reference: cancel a subscription).
func (h previews) lastInvoice(sub *Subscription, waiting []*InvoiceItem) (*Invoice, error) {
	if len(waiting) == 0 {
		return nil, noUpcomingError("No upcoming invoices for customer: " + sub.Customer)
	}
	inv := h.invoicing.build(sub, "upcoming", waiting, nil)
	if sub.CancelAt != 0 {
		inv.Created, inv.PeriodEnd = sub.CancelAt, sub.CancelAt
	}
	return h.finish(inv), nil
}

func (h previews) finish(inv *Invoice) *Invoice {
	for i := range inv.Lines {
		inv.Lines[i].ID = h.ids.longID("il_tmp_1")
	}
	h.invoicing.applyBalance(inv)
	return inv
}

// forNewSubscription previews the first invoice of a subscription that does not exist yet.
func (h previews) forNewSubscription(c *Customer, p, details wire.Params) (*Invoice, error) {
	items, err := h.subscriptions.itemsFromParams(details, c.Currency)
	if err != nil {
		return nil, err
	}
	price, start := items[0].price, details.Int("start_date")
	if start == 0 {
		start = h.timeFor(c)
	}
	sub := &Subscription{
		Customer: c.ID, TestClock: c.TestClock, Currency: price.Currency, Metadata: map[string]string{},
		CollectionMethod: "charge_automatically", TrialEnd: details.Int("trial_end"), BillingCycleAnchor: details.Int("billing_cycle_anchor"),
		FreeFirstPeriod: details.String("proration_behavior") == "none",
	}
	if sub.BillingCycleAnchor > wire.AddIntervals(start, price.Interval, price.IntervalCount) {
		return nil, wire.Invalid("", details.Name("billing_cycle_anchor"), "The billing cycle anchor cannot be later than the end of the first natural period.")
	}
	if err := h.setDiscounts(sub, p); err != nil {
		return nil, err
	}
	p.At("automatic_tax").SetBool("enabled", &sub.AutomaticTax)
	setFirstPeriod(sub, price, start)
	var planned []plannedItem
	for _, i := range items {
		planned = append(planned, plannedItem{Price: i.price.ID, Quantity: i.quantity})
	}
	lines := h.subscriptions.firstPeriodLines(sub, price, h.subscriptions.periodLines(sub, planned, sub.billingState()))
	inv := h.invoicing.build(sub, "upcoming", h.invoiceItems.pendingFor(sub), lines)
	inv.Created = start
	return h.finish(inv), nil
}

// forCustomer previews the earliest next invoice among a customer's subscriptions.
func (h previews) forCustomer(c *Customer) (*Invoice, error) {
	var first *Invoice
	for _, sub := range h.store.Subscriptions.by("customer", c.ID) {
		if sub.hasEnded() || sub.Status == "incomplete" {
			continue
		}
		inv, err := h.nextInvoice(sub, h.subscriptionChanges.plan(sub, subscriptionChange{}))
		if err == nil && (first == nil || inv.Created < first.Created) {
			first = inv
		}
	}
	if first == nil {
		return nil, noUpcomingError("No upcoming invoices for customer: " + c.ID)
	}
	return first, nil
}

func noUpcomingError(message string) *wire.Error {
	e := wire.Invalid("invoice_upcoming_none", "", message)
	e.Status = 404
	return e
}

// render renders a preview, which has no id.
func (h previews) render(inv *Invoice) wire.Object {
	o := h.invoices.render(inv)
	delete(o, "id")
	lines, _ := o["lines"].(wire.Object)
	lines["url"] = "/v1/invoices/upcoming/lines?subscription=" + inv.Subscription
	return o
}
