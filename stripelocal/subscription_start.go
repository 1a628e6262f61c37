package stripelocal

import "fmt"

// newItem is an item that a subscription is to begin with.
type newItem struct {
	price    *Price
	quantity int64
	metadata map[string]string
}

func (a *act) createSubscription(in *input) (any, error) {
	c, err := a.customerOf(in.params, "customer")
	if err != nil {
		return nil, err
	}
	items, err := a.newItems(in.params)
	if err != nil {
		return nil, err
	}
	sub := &Subscription{
		Customer: c.ID, TestClock: c.TestClock, Currency: items[0].price.Currency, Metadata: in.metadata(),
		MissingMethod: "create_invoice", CollectionMethod: "charge_automatically", TrialEnd: a.trialEnd(in, c),
	}
	if err := a.takeSubscription(sub, in.params); err != nil {
		return nil, err
	}
	if err := a.takeStart(sub, in); err != nil {
		return nil, err
	}
	if err := a.checkMethod(sub, in); err != nil {
		return nil, err
	}
	if err := a.takeDiscounts(sub, in.params); err != nil {
		return nil, err
	}
	return a.firstPayment(sub, items, in)
}

// takeStart reads when the subscription is to begin its cycle and to end.
func (a *act) takeStart(sub *Subscription, in *input) error {
	now := a.timeOn(sub.TestClock)
	if in.has("cancel_at_period_end") && in.has("cancel_at") {
		return invalid("", "", "You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
	}
	for _, name := range []string{"trial_end", "cancel_at", "billing_cycle_anchor"} {
		if in.has(name) && in.str(name) != "now" && in.num(name) <= now {
			return invalid("", name, "Invalid timestamp: must be an integer Unix timestamp in the future.")
		}
	}
	sub.BillingCycleAnchor = in.num("billing_cycle_anchor")
	sub.FreeStub = in.str("proration_behavior") == "none"
	if in.flag("cancel_at_period_end") {
		sub.CancelAtPeriodEnd = true
	}
	if at := in.num("cancel_at"); at != 0 {
		a.setCancel(sub, at, false)
	}
	return nil
}

func (a *act) newItems(in params) ([]newItem, error) {
	var out []newItem
	for _, p := range in.list("items") {
		price, err := a.recurringPrice(p, "price")
		if err != nil {
			return nil, err
		}
		out = append(out, newItem{price: price, quantity: p.numOr("quantity", 1), metadata: p.metadata()})
	}
	if len(out) == 0 {
		return nil, missing("items")
	}
	return out, checkItems(out)
}

// checkItems holds the items of one subscription together: one currency, one
// interval, no price twice (inferred).
func checkItems(items []newItem) error {
	seen := map[string]bool{}
	for i, item := range items {
		first := items[0].price
		switch {
		case item.quantity < 0:
			return invalid("parameter_invalid_integer", fmt.Sprintf("items[%d][quantity]", i), "This value must be greater than or equal to 0.")
		case item.price.Currency != first.Currency:
			return invalid("", "", fmt.Sprintf("The price specified supports currencies of `%s`. This doesn't match the expected currency: `%s`.", item.price.Currency, first.Currency))
		case item.price.Interval != first.Interval || item.price.IntervalCount != first.IntervalCount:
			return invalid("", "", "Currently, all prices on a subscription must have the same `recurring.interval` and `recurring.interval_count`. If you meant to update an existing subscription item instead of creating a new one, be sure to include the subscription item ID in your request.")
		case seen[item.price.ID]:
			return invalid("", "", fmt.Sprintf("Cannot add multiple subscription items with the same plan: %s", item.price.ID))
		}
		seen[item.price.ID] = true
	}
	return nil
}

// recurringPrice finds the active recurring price that a parameter names.
func (a *act) recurringPrice(p params, param string) (*Price, error) {
	price, err := a.priceIn(p)
	switch {
	case err != nil:
		return nil, err
	case price.Interval == "":
		return nil, invalid("", p.name(param), "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.")
	}
	return price, nil
}

func (a *act) trialEnd(in *input, c *Customer) int64 {
	if days := in.num("trial_period_days"); days > 0 {
		return a.nowFor(c) + days*24*60*60
	}
	return in.num("trial_end")
}

// takeSubscription carries over what create and update share.
func (a *act) takeSubscription(sub *Subscription, p params) error {
	if id := p.str("default_payment_method"); id != "" {
		if pm, ok := a.state.PaymentMethods.get(id); !ok || pm.Customer != sub.Customer {
			return noSuch("PaymentMethod", id, "default_payment_method")
		}
	}
	if err := checkMethodTypes(p.at("payment_settings")); err != nil {
		return err
	}
	p.setStr("default_payment_method", &sub.DefaultPaymentMethod)
	p.setStr("description", &sub.Description)
	p.at("automatic_tax").setFlag("enabled", &sub.AutomaticTax)
	p.at("payment_settings").setStrs("payment_method_types", &sub.MethodTypes)
	p.setStr("collection_method", &sub.CollectionMethod)
	p.setNum("days_until_due", &sub.DaysUntilDue)
	p.at("payment_settings").setStr("save_default_payment_method", &sub.SaveDefault)
	p.at("trial_settings").at("end_behavior").setStr("missing_payment_method", &sub.MissingMethod)
	p.setMetadata(&sub.Metadata)
	return nil
}

// checkMethod refuses a subscription that could not be charged.
func (a *act) checkMethod(sub *Subscription, in *input) error {
	_, has := a.methodOf(sub)
	if has || sub.TrialEnd > a.timeOn(sub.TestClock) || sub.CollectionMethod == "send_invoice" || in.str("payment_behavior") == "default_incomplete" {
		return nil
	}
	return noMethod()
}

// firstPayment starts the subscription and takes its first money, as the
// payment behavior says.
func (a *act) firstPayment(sub *Subscription, items []newItem, in *input) (any, error) {
	pm, has := a.methodOf(sub)
	if has && in.str("payment_behavior") == "error_if_incomplete" {
		if result, decline := pm.outcome(); result != paid && sub.TrialEnd == 0 {
			return nil, paymentError(result, decline, &Invoice{})
		}
	}
	extra, err := a.extraItems(sub.Currency, in.params)
	if err != nil {
		return nil, err
	}
	inv := a.startSubscription(sub, items, a.extraLines(extra))
	if inv.Status == "open" && has && sub.Status == "incomplete" && in.str("payment_behavior") != "default_incomplete" {
		a.collect(inv, pm)
	}
	return a.renderSubscription(sub), nil
}

// extraLines are what only the first invoice carries.
func (a *act) extraLines(extra []newItem) []InvoiceLine {
	var out []InvoiceLine
	for _, e := range extra {
		out = append(out, InvoiceLine{
			Kind: "invoiceitem", Metadata: map[string]string{}, PeriodStart: a.at, PeriodEnd: a.at, Price: e.price.ID,
			Quantity: e.quantity, Amount: e.price.amount(e.quantity), Description: a.productName(e.price),
		})
	}
	return out
}

// startSubscription stores a subscription with its items and its first
// invoice, finalized. Where that is over nothing (a trial, a free price) the
// subscription lives at once, as it does where invoices are sent; else it is
// incomplete until the invoice is paid.
func (a *act) startSubscription(sub *Subscription, items []newItem, extra []InvoiceLine) *Invoice {
	at := a.timeOn(sub.TestClock)
	sub.Base = Base{ID: a.ids.long("sub_1"), Created: at}
	a.setStart(sub, items[0].price, at)
	a.state.Subscriptions.insert(sub)
	for _, item := range items {
		a.addItem(sub, item)
	}
	if sub.CancelAtPeriodEnd {
		a.setCancel(sub, sub.CurrentPeriodEnd, true)
	}
	inv := a.draft(sub, "subscription_create", append(a.firstLines(sub, items[0].price), extra...))
	a.emit("customer.subscription.created", a.renderSubscription(sub))
	a.tellDiscounts(sub)
	a.warnOfTrialEnd(sub)
	if sub.CollectionMethod == "send_invoice" {
		a.armInvoice(inv)
	} else {
		a.finalize(inv)
	}
	a.armSubscription(sub)
	return inv
}

// setStart begins the first period. It ends with the trial or at an anchor
// that was asked for, where there is one.
func (a *act) setStart(sub *Subscription, price *Price, at int64) {
	sub.StartDate, sub.CurrentPeriodStart, sub.Status = at, at, "incomplete"
	if sub.CollectionMethod == "send_invoice" {
		sub.Status = "active"
	}
	if sub.BillingCycleAnchor == 0 {
		sub.BillingCycleAnchor = at
	}
	if sub.TrialEnd > at {
		sub.Status, sub.TrialStart, sub.BillingCycleAnchor = "trialing", at, sub.TrialEnd
	}
	sub.CurrentPeriodEnd = periodAfter(sub.BillingCycleAnchor, price, at)
	if sub.Status == "trialing" {
		sub.CurrentPeriodEnd = sub.TrialEnd
	}
}

// firstLines are those of the first period, which is shorter than a whole one
// where the anchor lies ahead.
func (a *act) firstLines(sub *Subscription, price *Price) []InvoiceLine {
	lines := a.cycleLines(sub)
	if sub.Status == "trialing" || sub.BillingCycleAnchor <= sub.CurrentPeriodStart {
		return lines
	}
	if sub.FreeStub {
		return nil
	}
	whole := sub.CurrentPeriodEnd - addIntervals(sub.CurrentPeriodEnd, price.Interval, -price.IntervalCount)
	for i := range lines {
		lines[i].Amount, lines[i].Proration = shareOf(lines[i].Amount, sub.CurrentPeriodEnd-sub.CurrentPeriodStart, whole), true
	}
	return lines
}

// cycleLines are the lines for the current period of every item.
func (a *act) cycleLines(sub *Subscription) []InvoiceLine {
	return a.periodLines(sub, a.itemsAfter(sub, nil), sub.standing())
}

// periodLines are the lines for a period of given items.
func (a *act) periodLines(sub *Subscription, items []plannedItem, at standing) []InvoiceLine {
	var lines []InvoiceLine
	for _, item := range items {
		price, ok := a.state.Prices.get(item.Price)
		if !ok {
			continue
		}
		line := InvoiceLine{
			Kind: "subscription", Metadata: sub.Metadata, PeriodStart: at.Start, PeriodEnd: at.End,
			Price: price.ID, Quantity: item.Quantity, Subscription: sub.ID, SubscriptionItem: item.ID,
			Amount: price.amount(item.Quantity), Description: a.describe(price, item.Quantity),
		}
		if at.Status == "trialing" {
			line.Amount, line.Description = 0, "Trial period for "+a.productName(price)
		}
		lines = append(lines, line)
	}
	return lines
}

// describe words a line: 5 × Pro (at $10.00 / month).
func (a *act) describe(p *Price, quantity int64) string {
	return fmt.Sprintf("%d × %s (at %s / %s)", quantity, a.productName(p), formatAmount(p.UnitAmount, p.Currency), p.Interval)
}

func (a *act) productName(p *Price) string {
	if product, ok := a.state.Products.get(p.Product); ok {
		return product.Name
	}
	return p.ID
}
