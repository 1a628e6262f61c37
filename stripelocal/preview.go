package stripelocal

const (
	detailParams = "items[]{id price quantity:int deleted:bool metadata:map?} proration_behavior:create_prorations|none|always_invoice " +
		"proration_date:time trial_end:when billing_cycle_anchor:now|unchanged cancel_at:time? cancel_at_period_end:bool cancel_now:bool"
	previewParams  = "customer subscription discounts[]{coupon discount promotion_code}? automatic_tax{enabled:bool!} preview_mode:next|recurring subscription_details{" + detailParams + "} "
	upcomingParams = previewParams + "subscription_items[]{id price quantity:int deleted:bool metadata:map?} " +
		"subscription_proration_behavior:create_prorations|none|always_invoice subscription_proration_date:time subscription_trial_end:when " +
		"subscription_billing_cycle_anchor:now|unchanged subscription_cancel_at:time? subscription_cancel_at_period_end:bool subscription_cancel_now:bool "
)

// upcomingInvoice shows the next invoice of a subscription, or what a change
// would be billed. Nothing is stored.
func (a *act) upcomingInvoice(in *input) (any, error) {
	inv, err := a.preview(in)
	if err != nil {
		return nil, err
	}
	return a.renderUpcoming(inv), nil
}

func (a *act) upcomingLines(in *input) (any, error) {
	inv, err := a.preview(in)
	if err != nil {
		return nil, err
	}
	limit := in.numOr("limit", 10)
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	return a.pageLines(inv, in, int(limit))
}

func (a *act) preview(in *input) (*Invoice, error) {
	if in.str("preview_mode") == "recurring" {
		return nil, invalid("", "preview_mode", "The local Stripe previews the next invoice only.")
	}
	inv, err := a.previewAsked(in)
	if err == nil {
		in.at("automatic_tax").setFlag("enabled", &inv.AutomaticTax)
	}
	return inv, err
}

func (a *act) previewAsked(in *input) (*Invoice, error) {
	details := subscriptionDetails(in.params)
	if in.has("subscription") {
		sub, ok := a.state.Subscriptions.get(in.str("subscription"))
		if !ok {
			return nil, noSuch("subscription", in.str("subscription"), "subscription")
		}
		return a.previewOf(sub, in.params, details)
	}
	c, err := a.customerOf(in.params, "customer")
	if err != nil {
		return nil, err
	}
	if details.has("items") {
		return a.previewNew(c, details)
	}
	return a.previewCustomer(c)
}

// subscriptionDetails are the newer parameters, or the older ones under the
// newer names.
func subscriptionDetails(p params) params {
	if p.has("subscription_details") {
		return p.at("subscription_details")
	}
	found := &node{children: map[string]*node{}}
	for _, name := range []string{"items", "proration_behavior", "proration_date", "trial_end", "billing_cycle_anchor", "cancel_at", "cancel_at_period_end", "cancel_now"} {
		if p.has("subscription_" + name) {
			found.keys = append(found.keys, name)
			found.children[name] = p.n.children["subscription_"+name]
		}
	}
	return params{found}
}

func (a *act) previewOf(sub *Subscription, p, details params) (*Invoice, error) {
	if sub.ended() {
		return nil, noUpcoming("No upcoming invoices for customer: the subscription has ended.")
	}
	if err := checkProration(sub, details); err != nil {
		return nil, err
	}
	ch, err := a.changeAsked(sub, details)
	if err != nil {
		return nil, err
	}
	if details.flag("cancel_now") {
		return a.finished(a.assemble(sub, "upcoming", append(a.pendingItems(sub), a.creditAsked(sub, ch)...), nil)), nil
	}
	seen := *sub
	a.previewCancellation(&seen, details)
	if err := a.previewDiscounts(&seen, p); err != nil {
		return nil, err
	}
	return a.nextInvoice(&seen, a.plan(sub, ch))
}

func (a *act) creditAsked(sub *Subscription, ch change) []*InvoiceItem {
	if ch.behavior == "none" {
		return nil
	}
	date := ch.date
	if date == 0 {
		date = a.timeOn(sub.TestClock)
	}
	return a.unused(sub, date)
}

// previewDiscounts puts the discounts asked for in the place of the
// subscription's own, without redeeming them.
func (a *act) previewDiscounts(seen *Subscription, p params) error {
	if !p.has("discounts") {
		return nil
	}
	own := *seen
	seen.Discounts = nil
	for _, n := range p.list("discounts") {
		d, keep, err := a.discountFrom(&own, n)
		if err != nil {
			return err
		}
		if keep {
			seen.Discounts = append(seen.Discounts, d)
		}
	}
	return nil
}

func (a *act) previewCancellation(seen *Subscription, details params) {
	switch {
	case details.flag("cancel_at_period_end"):
		seen.CancelAt = seen.CurrentPeriodEnd
	case details.num("cancel_at") != 0:
		seen.CancelAt = details.num("cancel_at")
	case details.has("cancel_at_period_end"), details.has("cancel_at"):
		seen.CancelAt = 0
	}
}

// nextInvoice is the invoice that a plan is billed on: its own where it bills
// at once, else that of the next period.
func (a *act) nextInvoice(sub *Subscription, p plan) (*Invoice, error) {
	waiting := append(a.pendingItems(sub), p.prorations...)
	if p.billsNow {
		inv := a.assemble(sub, "upcoming", waiting, a.planLines(sub, p))
		inv.SubProrationDate = p.date
		return a.finished(inv), nil
	}
	if sub.CancelAt != 0 && sub.CancelAt <= p.after.End || sub.Status == "paused" {
		if len(waiting) == 0 {
			return nil, noUpcoming("No upcoming invoices for customer: " + sub.Customer)
		}
		return a.finished(a.assemble(sub, "upcoming", waiting, nil)), nil
	}
	next := p.after
	next.Start = p.after.End
	next.Status = "active"
	if price, ok := a.state.Prices.get(p.items[0].Price); ok {
		next.End = periodAfter(next.Anchor, price, next.Start)
	}
	inv := a.assemble(sub, "upcoming", waiting, a.periodLines(sub, a.nextItems(sub, p), next))
	inv.Created, inv.PeriodStart, inv.PeriodEnd = p.after.End, p.after.Start, p.after.End
	inv.NextAttempt = p.after.End + draftWait
	a.discountInvoice(sub, inv, p.after.End)
	if len(p.prorations) > 0 {
		inv.SubProrationDate = p.date
	}
	return a.finished(inv), nil
}

func (a *act) finished(inv *Invoice) *Invoice {
	for i := range inv.Lines {
		inv.Lines[i].ID = a.ids.long("il_tmp_1")
	}
	a.settleBalance(inv)
	return inv
}

// previewNew is the first invoice of a subscription that does not exist.
func (a *act) previewNew(c *Customer, details params) (*Invoice, error) {
	items, err := a.newItems(details)
	if err != nil {
		return nil, err
	}
	sub := &Subscription{
		Customer: c.ID, TestClock: c.TestClock, Currency: items[0].price.Currency, Metadata: map[string]string{},
		CollectionMethod: "charge_automatically", TrialEnd: details.num("trial_end"),
	}
	a.setStart(sub, items[0].price, a.nowFor(c))
	var planned []plannedItem
	for _, i := range items {
		planned = append(planned, plannedItem{Price: i.price.ID, Quantity: i.quantity})
	}
	return a.finished(a.assemble(sub, "upcoming", a.pendingItems(sub), a.periodLines(sub, planned, sub.standing()))), nil
}

// previewCustomer is the invoice that comes first among a customer's
// subscriptions.
func (a *act) previewCustomer(c *Customer) (*Invoice, error) {
	var first *Invoice
	for _, sub := range a.state.Subscriptions.by("customer", c.ID) {
		if sub.ended() || sub.Status == "incomplete" {
			continue
		}
		inv, err := a.nextInvoice(sub, a.plan(sub, change{}))
		if err == nil && (first == nil || inv.Created < first.Created) {
			first = inv
		}
	}
	if first == nil {
		return nil, noUpcoming("No upcoming invoices for customer: " + c.ID)
	}
	return first, nil
}

func noUpcoming(message string) *Error {
	e := invalid("invoice_upcoming_none", "", message)
	e.Status = 404
	return e
}

// renderUpcoming shows an invoice that has no id.
func (a *act) renderUpcoming(inv *Invoice) object {
	o := a.renderInvoice(inv)
	delete(o, "id")
	lines, _ := o["lines"].(object)
	lines["url"] = "/v1/invoices/upcoming/lines?subscription=" + inv.Subscription
	return o
}
