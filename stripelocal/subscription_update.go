package stripelocal

import (
	"fmt"
	"slices"

	"usher/stripelocal/wire"
)

// changeParams are the parameters of an update that affect billing.
const changeParams = "items[]{id price plan " + inlineRecurring + "quantity:int deleted:bool metadata:map?} proration_date:time " +
	"trial_end:when billing_cycle_anchor:now|unchanged add_invoice_items[]{price! quantity:int} "

func (h subscriptions) update(in *input) (any, error) {
	sub, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if err := checkUpdatable(sub, in); err != nil {
		return nil, err
	}
	if err := checkPendingParams(in); err != nil {
		return nil, err
	}
	ch, err := h.subscriptionChanges.fromParams(sub, in.Params)
	if err != nil {
		return nil, err
	}
	p := h.subscriptionChanges.plan(sub, ch)
	if err := h.subscriptionChanges.checkPayable(sub, p, in.String("payment_behavior")); err != nil {
		return nil, err
	}
	if p.billsImmediately && in.String("payment_behavior") == "pending_if_incomplete" {
		h.pendingUpdates.create(sub, p)
		return h.render(sub), nil
	}
	before := h.render(sub)
	if err := h.setFields(sub, in.Params); err != nil {
		return nil, err
	}
	if err := h.discounts.setFromParams(sub, in.Params); err != nil {
		return nil, err
	}
	if err := h.setPause(sub, in.Params); err != nil {
		return nil, err
	}
	h.subscriptionChanges.setCancellation(sub, in.Params)
	h.subscriptionChanges.update(sub, p, before, in.String("payment_behavior"))
	return h.render(sub), nil
}

// update applies a plan, emits the events and creates the invoice.
func (h subscriptionChanges) update(sub *Subscription, p changePlan, before wire.Object, payment string) (paymentOutcome, *Decline) {
	if len(p.prorations) > 0 || p.newPeriod {
		h.pendingUpdates.expire(sub) // another billed change replaces it
	}
	endsTrial := sub.Status == "trialing" && p.after.Status != "trialing"
	if endsTrial && h.trials.lacksPaymentMethod(sub) && sub.MissingPaymentMethod != "create_invoice" {
		h.trials.endEarly(sub)
		return outcomePaid, nil
	}
	status, prices := sub.Status, h.priceIDs(sub)
	h.apply(sub, p)
	h.schedules.syncCurrentPhase(sub)
	h.emitUpdate("customer.subscription.updated", before, h.subscriptions.render(sub))
	if p.newPeriod || sub.Status != status || !slices.Equal(prices, h.priceIDs(sub)) {
		h.entitlements.refresh(sub)
	}
	if endsTrial {
		h.emit("customer.subscription.trial_will_end", h.subscriptions.render(sub))
	}
	h.trials.announceShortTrial(sub)
	inv, billed := h.createInvoice(sub, p)
	h.renewals.scheduleNext(sub)
	if !billed {
		return outcomePaid, nil
	}
	return h.payInvoice(sub, inv, payment)
}

func (h subscriptionChanges) priceIDs(sub *Subscription) []string {
	var out []string
	for _, item := range h.subscriptions.items(sub) {
		out = append(out, item.Price)
	}
	return out
}

// payInvoice attempts the payment of a change, or leaves it to the client with default_incomplete.
func (h subscriptionChanges) payInvoice(sub *Subscription, inv *Invoice, payment string) (paymentOutcome, *Decline) {
	if payment != "default_incomplete" {
		return h.invoicing.finalizeAndPay(inv)
	}
	h.invoicing.finalize(inv)
	if inv.Status == "open" {
		h.dunning.paymentFailed(inv)
	}
	return outcomePaid, nil
}

// checkUpdatable rejects updates that the subscription's status does not allow.
func checkUpdatable(sub *Subscription, in *input) error {
	quiet := setOf([]string{"metadata", "cancellation_details", "expand"})
	for _, name := range in.Names() {
		switch {
		case quiet[name]:
		case sub.hasEnded():
			return wire.Invalid("", "", "A canceled subscription can only update its cancellation_details and metadata.")
		case sub.Status == "incomplete" && sub.CheckoutSession != "":
			return wire.Invalid("", "", "This subscription cannot be updated: its first payment is still being made through the Checkout Session "+sub.CheckoutSession+".")
		}
	}
	if err := checkOlderParams(in.Params); err != nil {
		return err
	}
	if in.Has("cancel_at_period_end") && in.Has("cancel_at") {
		return wire.Invalid("", "", "You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
	}
	if sub.Schedule != "" && (in.Has("cancel_at_period_end") || in.Has("cancel_at")) {
		return wire.Invalid("", "", "The subscription is managed by the subscription schedule `"+sub.Schedule+"`, and updating any cancelation behavior directly is not allowed. Please update the schedule instead.")
	}
	return checkProration(sub, in.Params)
}

// checkProration checks that proration_date is within the current period.
func checkProration(sub *Subscription, p wire.Params) error {
	if !p.Has("proration_date") {
		return nil
	}
	if p.String("proration_behavior") == "none" {
		return wire.Invalid("", p.Name("proration_date"), "You cannot specify `proration_date` when `proration_behavior` is `none`.")
	}
	if date := p.Int("proration_date"); date < sub.CurrentPeriodStart || date > sub.CurrentPeriodEnd {
		return wire.Invalid("", p.Name("proration_date"), "Cannot specify `proration_date` outside of the current billing period.")
	}
	return nil
}

// fromParams reads the parameters of an update or of its preview.
func (h subscriptionChanges) fromParams(sub *Subscription, p wire.Params) (subscriptionChange, error) {
	items, err := h.itemChangesFromParams(sub, p)
	if err != nil {
		return subscriptionChange{}, err
	}
	extra, err := h.invoiceItemsFromParams(sub.Currency, p)
	if err != nil {
		return subscriptionChange{}, err
	}
	ch := subscriptionChange{
		items: items, invoiceItems: extra, prorationBehavior: p.String("proration_behavior"), prorationDate: p.Int("proration_date"),
		trialEnd: p.Int("trial_end"), resetAnchor: p.String("billing_cycle_anchor") == "now",
	}
	if p.String("trial_end") == "now" {
		ch.trialEnd = h.timeOnClock(sub.TestClock)
	}
	if p.Has("trial_end") && ch.trialEnd < h.timeOnClock(sub.TestClock) {
		return ch, wire.Invalid("", p.Name("trial_end"), "Invalid timestamp: must be an integer Unix timestamp in the future.")
	}
	return ch, nil
}

// invoiceItemsFromParams reads add_invoice_items[].
func (h subscriptionChanges) invoiceItemsFromParams(currency string, p wire.Params) ([]newItem, error) {
	var out []newItem
	for _, e := range p.List("add_invoice_items") {
		price, ok := h.store.Prices.get(e.String("price"))
		switch {
		case !ok:
			return nil, wire.NoSuch("price", e.String("price"), e.Name("price"))
		case price.Interval != "":
			return nil, wire.Invalid("", e.Name("price"), "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.")
		}
		if err := price.checkSupports(currency, e.Name("price")); err != nil {
			return nil, err
		}
		out = append(out, newItem{price: price.in(currency), quantity: e.IntOr("quantity", 1)})
	}
	return out, nil
}

// itemChangesFromParams reads items[]. An entry with an id changes that item, one without an id
// adds an item. A new price without a quantity has quantity 1.
func (h subscriptionChanges) itemChangesFromParams(sub *Subscription, in wire.Params) ([]itemChange, error) {
	if !in.Has("items") && (in.Has("plan") || in.Has("quantity")) {
		return h.onlyItemChange(sub, in)
	}
	var out []itemChange
	for i, p := range in.List("items") {
		change, err := h.itemChangeFromParams(sub, p)
		if err != nil {
			return nil, err
		}
		if change.quantity < 0 {
			return nil, wire.Invalid("parameter_invalid_integer", fmt.Sprintf("items[%d][quantity]", i), "This value must be greater than or equal to 0.")
		}
		out = append(out, change)
	}
	return out, h.checkResultingItems(sub, out)
}

// onlyItemChange reads the older parameters plan and quantity, which change the only item.
func (h subscriptionChanges) onlyItemChange(sub *Subscription, p wire.Params) ([]itemChange, error) {
	price, item, ok := h.subscriptions.singleItem(sub)
	if !ok {
		return nil, wire.Invalid("", "", "Subscription `"+sub.ID+"` has multiple items, so its plan and quantity are changed in `items`.")
	}
	change := itemChange{item: item, price: price, quantity: p.IntOr("quantity", item.Quantity)}
	if p.Has("plan") {
		var err error
		if change.price, err = h.prices.recurringFromParams(p, "plan"); err != nil {
			return nil, err
		}
		change.price, change.quantity = change.price.in(sub.Currency), change.price.quantityFrom(p)
	}
	if change.quantity < 0 {
		return nil, wire.Invalid("parameter_invalid_integer", "quantity", "This value must be greater than or equal to 0.")
	}
	return []itemChange{change}, h.checkResultingItems(sub, []itemChange{change})
}

// namesPrice reports whether an item names a price in any form.
func namesPrice(p wire.Params) bool { return p.Has("price") || p.Has("plan") || p.Has("price_data") }

func (h subscriptionChanges) itemChangeFromParams(sub *Subscription, p wire.Params) (itemChange, error) {
	change := itemChange{metadata: p, quantity: p.IntOr("quantity", 1)}
	if p.Has("id") {
		item, ok := h.store.SubscriptionItems.get(p.String("id"))
		if !ok || item.Subscription != sub.ID {
			return change, wire.NoSuch("subscription_item", p.String("id"), p.Name("id"))
		}
		change.item = item
		change.price, _ = h.prices.inCurrency(item.Price, sub.Currency)
		if !namesPrice(p) {
			change.quantity = p.IntOr("quantity", item.Quantity)
		}
	}
	switch {
	case p.Bool("deleted"):
		change.price = nil
	case namesPrice(p):
		price, err := h.prices.recurringFromParams(p, "price")
		if err != nil {
			return change, err
		}
		change.price, change.quantity = price.in(sub.Currency), price.quantityFrom(p)
	case change.item == nil:
		return change, wire.MissingParam(p.Name("price"))
	}
	if p.Bool("deleted") && change.item == nil {
		return change, wire.MissingParam(p.Name("id"))
	}
	return change, nil
}

// checkResultingItems checks the items that result from the changes.
func (h subscriptionChanges) checkResultingItems(sub *Subscription, changes []itemChange) error {
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
	for _, item := range h.subscriptions.items(sub) {
		if price, ok := h.prices.inCurrency(item.Price, sub.Currency); ok && !touched[item.ID] {
			after = append(after, newItem{price: price, quantity: item.Quantity})
		}
	}
	if len(after) == 0 {
		return wire.Invalid("", "", "A subscription must have at least one active plan. To cancel the subscription, please use the cancel API endpoint on this subscription.")
	}
	if after[0].price.Currency != sub.Currency {
		return wire.Invalid("", "", fmt.Sprintf("The price specified supports currencies of `%s`. This doesn't match the expected currency: `%s`.", after[0].price.Currency, sub.Currency))
	}
	return checkItems(after)
}

// checkPayable rejects, with error_if_incomplete, a change whose immediate payment would fail. The
// failed attempt leaves no trace.
func (h subscriptionChanges) checkPayable(sub *Subscription, p changePlan, payment string) error {
	if payment != "error_if_incomplete" || !p.billsImmediately || h.amountDue(sub, p) == 0 {
		return nil
	}
	pm, ok := h.paymentMethods.forSubscription(sub)
	if !ok {
		return noPaymentMethodError()
	}
	result, decline := pm.chargeOutcome()
	return paymentError(result, decline, &Invoice{})
}

// amountDue is the amount due of a plan's invoice.
func (h subscriptionChanges) amountDue(sub *Subscription, p changePlan) int64 {
	inv := h.invoicing.build(sub, "subscription_update", append(h.invoiceItems.pendingFor(sub), p.prorations...), h.newPeriodLines(sub, p))
	h.invoicing.applyBalance(inv)
	return inv.amountDue()
}

// setCancellation sets or clears the cancellation. cancel_at_period_end also shows in cancel_at.
func (h subscriptionChanges) setCancellation(sub *Subscription, p wire.Params) {
	details := p.At("cancellation_details")
	details.SetString("comment", &sub.CancellationComment)
	details.SetString("feedback", &sub.CancellationFeedback)
	switch {
	case p.Bool("cancel_at_period_end"):
		h.setCancelAt(sub, sub.CurrentPeriodEnd, true)
	case p.Int("cancel_at") != 0:
		h.setCancelAt(sub, p.Int("cancel_at"), false)
	case p.Has("cancel_at_period_end"), p.Has("cancel_at"):
		sub.CancelAtPeriodEnd, sub.CancelAt, sub.CanceledAt, sub.CancellationReason = false, 0, 0, ""
	}
}

func (h subscriptionChanges) setCancelAt(sub *Subscription, at int64, periodEnd bool) {
	sub.CancelAt, sub.CancelAtPeriodEnd, sub.CancellationReason = at, periodEnd, "cancellation_requested"
	if sub.CanceledAt == 0 {
		sub.CanceledAt = h.timeOnClock(sub.TestClock)
	}
}
