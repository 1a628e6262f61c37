package stripelocal

import "fmt"

// itemChange is what an update does to one item; item is nil for a new one,
// price is nil for one that goes.
type itemChange struct {
	item     *SubscriptionItem
	price    *Price
	quantity int64
	metadata params
}

func (c itemChange) changesBilling() bool {
	return c.item == nil || c.price == nil || c.price.ID != c.item.Price || c.quantity != c.item.Quantity
}

func (a *act) updateSubscription(in *input) (any, error) {
	sub, err := a.subscriptionAt(in)
	if err != nil {
		return nil, err
	}
	if err := checkUpdatable(sub, in); err != nil {
		return nil, err
	}
	changes, err := a.itemChanges(sub, in)
	if err != nil {
		return nil, err
	}
	if err := a.checkPayment(sub, changes, in); err != nil {
		return nil, err
	}
	before := a.renderSubscription(sub)
	if err := a.takeSubscription(sub, in.params); err != nil {
		return nil, err
	}
	a.takeCancellation(sub, in.params)
	a.changeItems(sub, changes, in)
	a.emitUpdate("customer.subscription.updated", before, a.renderSubscription(sub))
	a.armSubscription(sub)
	a.invoiceChanges(sub, changes, in)
	return a.renderSubscription(sub), nil
}

// checkUpdatable refuses what a subscription's status does not allow.
func checkUpdatable(sub *Subscription, in *input) error {
	quiet := setOf([]string{"metadata", "cancellation_details", "expand"})
	for _, name := range in.n.keys {
		switch {
		case quiet[name]:
		case sub.ended():
			return invalid("", "", "A canceled subscription can only update its cancellation_details and metadata.")
		case sub.Status == "incomplete" && sub.FromCheckout != "":
			return invalid("", "", "This subscription cannot be updated: its first payment is still being made through the Checkout Session "+sub.FromCheckout+".")
		}
	}
	if in.has("cancel_at_period_end") && in.has("cancel_at") {
		return invalid("", "", "You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
	}
	if in.has("proration_date") && in.str("proration_behavior") == "none" {
		return invalid("", "proration_date", "You cannot specify `proration_date` when `proration_behavior` is `none`.")
	}
	return checkUpdateTimes(sub, in)
}

func checkUpdateTimes(sub *Subscription, in *input) error {
	date := in.num("proration_date")
	if in.has("proration_date") && (date < sub.CurrentPeriodStart || date > sub.CurrentPeriodEnd) {
		return invalid("", "proration_date", "Cannot specify `proration_date` outside of the current billing period.")
	}
	return nil
}

// itemChanges reads items[]: with an id it changes that item, without one it
// adds another. A new price without a quantity means one.
func (a *act) itemChanges(sub *Subscription, in *input) ([]itemChange, error) {
	var out []itemChange
	for i, p := range in.list("items") {
		change, err := a.itemChange(sub, p)
		if err != nil {
			return nil, err
		}
		if change.quantity < 0 {
			return nil, invalid("parameter_invalid_integer", fmt.Sprintf("items[%d][quantity]", i), "This value must be greater than or equal to 0.")
		}
		out = append(out, change)
	}
	return out, a.checkChanges(sub, out)
}

func (a *act) itemChange(sub *Subscription, p params) (itemChange, error) {
	change := itemChange{metadata: p, quantity: p.numOr("quantity", 1)}
	if p.has("id") {
		item, ok := a.state.Items.get(p.str("id"))
		if !ok || item.Subscription != sub.ID {
			return change, noSuch("subscription_item", p.str("id"), p.name("id"))
		}
		change.item = item
		change.price, _ = a.state.Prices.get(item.Price)
		if !p.has("price") {
			change.quantity = p.numOr("quantity", item.Quantity)
		}
	}
	switch {
	case p.flag("deleted"):
		change.price = nil
	case p.has("price"):
		price, err := a.recurringPrice(p, "price")
		if err != nil {
			return change, err
		}
		change.price = price
	case change.item == nil:
		return change, missing(p.name("price"))
	}
	return change, nil
}

// checkChanges looks at the items as they would stand afterwards.
func (a *act) checkChanges(sub *Subscription, changes []itemChange) error {
	var after []newItem
	touched := map[string]bool{}
	for _, c := range changes {
		if c.item != nil {
			touched[c.item.ID] = true
		}
		if c.price != nil {
			after = append(after, newItem{price: c.price, quantity: c.quantity})
		}
	}
	for _, item := range a.items(sub) {
		if price, ok := a.state.Prices.get(item.Price); ok && !touched[item.ID] {
			after = append(after, newItem{price: price, quantity: item.Quantity})
		}
	}
	if len(after) == 0 {
		return invalid("", "", "A subscription must have at least one active plan. To cancel the subscription, please use the cancel API endpoint on this subscription.")
	}
	if after[0].price.Currency != sub.Currency {
		return invalid("", "", fmt.Sprintf("The price specified supports currencies of `%s`. This doesn't match the expected currency: `%s`.", after[0].price.Currency, sub.Currency))
	}
	return checkItems(after)
}

// checkPayment refuses, under error_if_incomplete, a change that would be
// billed at once and not be paid.
func (a *act) checkPayment(sub *Subscription, changes []itemChange, in *input) error {
	if in.str("payment_behavior") != "error_if_incomplete" || in.str("proration_behavior") != "always_invoice" || len(changes) == 0 {
		return nil
	}
	pm, ok := a.methodOf(sub)
	if !ok {
		return noMethod()
	}
	result, decline := pm.outcome()
	return paymentError(result, decline, &Invoice{})
}

// takeCancellation sets or clears the end of the subscription. The classic
// kind shows a cancel at the period's end in both fields.
func (a *act) takeCancellation(sub *Subscription, p params) {
	details := p.at("cancellation_details")
	details.setStr("comment", &sub.CancelComment)
	details.setStr("feedback", &sub.CancelFeedback)
	switch {
	case p.flag("cancel_at_period_end"):
		a.setCancel(sub, sub.CurrentPeriodEnd, true)
	case p.num("cancel_at") != 0:
		a.setCancel(sub, p.num("cancel_at"), false)
	case p.has("cancel_at_period_end"), p.has("cancel_at"):
		sub.CancelAtPeriodEnd, sub.CancelAt, sub.CanceledAt, sub.CancelReason = false, 0, 0, ""
	}
}

func (a *act) setCancel(sub *Subscription, at int64, periodEnd bool) {
	sub.CancelAt, sub.CancelAtPeriodEnd, sub.CancelReason = at, periodEnd, "cancellation_requested"
	if sub.CanceledAt == 0 {
		sub.CanceledAt = a.timeOn(sub.TestClock)
	}
}

// changeItems makes the changes, with the prorations they call for.
func (a *act) changeItems(sub *Subscription, changes []itemChange, in *input) {
	date := in.numOr("proration_date", a.timeOn(sub.TestClock))
	for _, c := range changes {
		if c.changesBilling() && in.str("proration_behavior") != "none" {
			a.prorate(sub, c, date)
		}
		a.changeItem(sub, c)
	}
}

func (a *act) changeItem(sub *Subscription, c itemChange) {
	switch {
	case c.price == nil:
		a.state.Items.remove(c.item.ID)
	case c.item == nil:
		a.addItem(sub, newItem{price: c.price, quantity: c.quantity, metadata: c.metadata.metadata()})
	default:
		c.item.Price, c.item.Quantity = c.price.ID, c.quantity
		c.metadata.setMetadata(&c.item.Metadata)
	}
}

// invoiceChanges bills prorations at once where always_invoice asks for it.
func (a *act) invoiceChanges(sub *Subscription, changes []itemChange, in *input) {
	if in.str("proration_behavior") != "always_invoice" || len(changes) == 0 || len(a.state.InvoiceItems.by("pending", sub.ID)) == 0 {
		return
	}
	inv := a.draft(sub, "subscription_update", nil)
	inv.SubProrationDate = in.numOr("proration_date", a.timeOn(sub.TestClock))
	a.finalizeAndCollect(inv)
}
