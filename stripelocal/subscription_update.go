package stripelocal

import "fmt"

// planParams are the parameters of an update that the billing plan is made of.
const planParams = "items[]{id price " + inlineRecurring + "quantity:int deleted:bool metadata:map?} proration_date:time " +
	"trial_end:when billing_cycle_anchor:now|unchanged add_invoice_items[]{price! quantity:int} "

func (a *act) updateSubscription(in *input) (any, error) {
	sub, err := a.subscriptionAt(in)
	if err != nil {
		return nil, err
	}
	if err := a.checkUpdatable(sub, in); err != nil {
		return nil, err
	}
	if err := checkPendingParams(in); err != nil {
		return nil, err
	}
	ch, err := a.changeAsked(sub, in.params)
	if err != nil {
		return nil, err
	}
	p := a.plan(sub, ch)
	if err := a.checkPayment(sub, p, in.str("payment_behavior")); err != nil {
		return nil, err
	}
	if p.billsNow && in.str("payment_behavior") == "pending_if_incomplete" {
		a.updateWhenPaid(sub, p)
		return a.renderSubscription(sub), nil
	}
	before := a.renderSubscription(sub)
	if err := a.takeSubscription(sub, in.params); err != nil {
		return nil, err
	}
	if err := a.takeDiscounts(sub, in.params); err != nil {
		return nil, err
	}
	a.takeCancellation(sub, in.params)
	a.update(sub, p, before, in.str("payment_behavior"))
	return a.renderSubscription(sub), nil
}

// update carries a plan out, tells of it and bills what it calls for.
func (a *act) update(sub *Subscription, p plan, before object, payment string) (outcome, *Decline) {
	a.dropPendingUpdate(sub, len(p.prorations) > 0 || p.moved)
	endsTrial := sub.Status == "trialing" && p.after.Status != "trialing"
	if endsTrial && a.withoutMethod(sub) && sub.MissingMethod != "create_invoice" {
		a.endTrialEarly(sub)
		return paid, nil
	}
	a.carryOut(sub, p)
	a.notePhase(sub)
	a.emitUpdate("customer.subscription.updated", before, a.renderSubscription(sub))
	if endsTrial {
		a.emit("customer.subscription.trial_will_end", a.renderSubscription(sub))
	}
	a.warnOfTrialEnd(sub)
	inv, billed := a.billPlan(sub, p)
	a.armSubscription(sub)
	if !billed {
		return paid, nil
	}
	return a.settlePlan(sub, inv, payment)
}

// settlePlan takes the money for a change, or leaves that to the client under
// default_incomplete.
func (a *act) settlePlan(sub *Subscription, inv *Invoice, payment string) (outcome, *Decline) {
	if payment != "default_incomplete" {
		return a.finalizeAndCollect(inv)
	}
	a.finalize(inv)
	if inv.Status == "open" {
		a.afterFailure(inv)
	}
	return paid, nil
}

// checkUpdatable refuses what a subscription's status does not allow.
func (a *act) checkUpdatable(sub *Subscription, in *input) error {
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
	if sub.Schedule != "" && (in.has("cancel_at_period_end") || in.has("cancel_at")) {
		return invalid("", "", "The subscription is managed by the subscription schedule `"+sub.Schedule+"`, and updating any cancelation behavior directly is not allowed. Please update the schedule instead.")
	}
	return checkProration(sub, in.params)
}

// checkProration holds the date of prorations against the current period.
func checkProration(sub *Subscription, p params) error {
	if !p.has("proration_date") {
		return nil
	}
	if p.str("proration_behavior") == "none" {
		return invalid("", p.name("proration_date"), "You cannot specify `proration_date` when `proration_behavior` is `none`.")
	}
	if date := p.num("proration_date"); date < sub.CurrentPeriodStart || date > sub.CurrentPeriodEnd {
		return invalid("", p.name("proration_date"), "Cannot specify `proration_date` outside of the current billing period.")
	}
	return nil
}

// changeAsked reads the parameters of an update, or of its preview.
func (a *act) changeAsked(sub *Subscription, p params) (change, error) {
	items, err := a.itemChanges(sub, p)
	if err != nil {
		return change{}, err
	}
	extra, err := a.extraItems(sub.Currency, p)
	if err != nil {
		return change{}, err
	}
	ch := change{
		items: items, extra: extra, behavior: p.str("proration_behavior"), date: p.num("proration_date"),
		trialEnd: p.num("trial_end"), anchorNow: p.str("billing_cycle_anchor") == "now",
	}
	if p.str("trial_end") == "now" {
		ch.trialEnd = a.timeOn(sub.TestClock)
	}
	if p.has("trial_end") && ch.trialEnd < a.timeOn(sub.TestClock) {
		return ch, invalid("", p.name("trial_end"), "Invalid timestamp: must be an integer Unix timestamp in the future.")
	}
	return ch, nil
}

// extraItems reads add_invoice_items[].
func (a *act) extraItems(currency string, p params) ([]newItem, error) {
	var out []newItem
	for _, e := range p.list("add_invoice_items") {
		price, ok := a.state.Prices.get(e.str("price"))
		switch {
		case !ok:
			return nil, noSuch("price", e.str("price"), e.name("price"))
		case price.Interval != "":
			return nil, invalid("", e.name("price"), "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.")
		case currency != "" && price.Currency != currency:
			return nil, invalid("", e.name("price"), fmt.Sprintf("The price specified supports currencies of `%s`. This doesn't match the expected currency: `%s`.", price.Currency, currency))
		}
		out = append(out, newItem{price: price, quantity: e.numOr("quantity", 1)})
	}
	return out, nil
}

// itemChanges reads items[]: with an id it changes that item, without one it
// adds another. A new price without a quantity means one.
func (a *act) itemChanges(sub *Subscription, in params) ([]itemChange, error) {
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
		if !p.has("price") && !p.has("price_data") {
			change.quantity = p.numOr("quantity", item.Quantity)
		}
	}
	switch {
	case p.flag("deleted"):
		change.price = nil
	case p.has("price"), p.has("price_data"):
		price, err := a.recurringPrice(p, "price")
		if err != nil {
			return change, err
		}
		change.price = price
	case change.item == nil:
		return change, missing(p.name("price"))
	}
	if p.flag("deleted") && change.item == nil {
		return change, missing(p.name("id"))
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
// billed at once and not be paid. Nothing of the attempt is kept.
func (a *act) checkPayment(sub *Subscription, p plan, payment string) error {
	if payment != "error_if_incomplete" || !p.billsNow || a.planDue(sub, p) == 0 {
		return nil
	}
	pm, ok := a.methodOf(sub)
	if !ok {
		return noMethod()
	}
	result, decline := pm.outcome()
	return paymentError(result, decline, &Invoice{})
}

// planDue is what a plan's invoice would ask for.
func (a *act) planDue(sub *Subscription, p plan) int64 {
	inv := a.assemble(sub, "subscription_update", append(a.pendingItems(sub), p.prorations...), a.planLines(sub, p))
	a.settleBalance(inv)
	return inv.amountDue()
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
