package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

// newItem is an item of a new subscription.
type newItem struct {
	price    *Price
	quantity int64
	metadata map[string]string
}

func (h subscriptions) create(in *input) (any, error) {
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	items, err := h.itemsFromParams(in.Params, in.StringOr("currency", c.Currency))
	if err == nil {
		err = h.customers.checkCurrency(c.ID, items[0].price.Currency)
	}
	if err != nil {
		return nil, err
	}
	sub := &Subscription{
		Customer: c.ID, TestClock: c.TestClock, Currency: items[0].price.Currency, Metadata: in.Metadata(),
		MissingPaymentMethod: "create_invoice", CollectionMethod: "charge_automatically", TrialEnd: h.trialEndFromParams(in, c, items),
	}
	if err := h.setFields(sub, in.Params); err != nil {
		return nil, err
	}
	if err := h.setStartFields(sub, in); err != nil {
		return nil, err
	}
	if err := h.checkPaymentMethod(sub, items, in); err != nil {
		return nil, err
	}
	if err := h.discounts.setFromParams(sub, in.Params); err != nil {
		return nil, err
	}
	return h.startAndPay(sub, items, in)
}

// setStartFields reads the billing cycle anchor and the cancellation date.
func (h subscriptions) setStartFields(sub *Subscription, in *input) error {
	now := h.timeOnClock(sub.TestClock)
	if in.Has("cancel_at_period_end") && in.Has("cancel_at") {
		return wire.Invalid("", "", "You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
	}
	for _, name := range []string{"trial_end", "cancel_at", "billing_cycle_anchor"} {
		if in.Has(name) && in.String(name) != "now" && in.Int(name) <= now {
			return wire.Invalid("", name, "Invalid timestamp: must be an integer Unix timestamp in the future.")
		}
	}
	sub.BillingCycleAnchor = in.Int("billing_cycle_anchor")
	sub.FreeFirstPeriod = in.String("proration_behavior") == "none"
	if in.Bool("cancel_at_period_end") {
		sub.CancelAtPeriodEnd = true
	}
	if at := in.Int("cancel_at"); at != 0 {
		h.subscriptionChanges.setCancelAt(sub, at, false)
	}
	return nil
}

// itemsFromParams reads the items of a new subscription, with amounts in a currency if the prices
// have them.
func (h subscriptions) itemsFromParams(in wire.Params, currency string) ([]newItem, error) {
	if err := checkOlderParams(in); err != nil {
		return nil, err
	}
	listed := in.List("items")
	if in.Has("plan") {
		listed = []wire.Params{in}
	}
	var out []newItem
	for _, p := range listed {
		price, err := h.prices.recurringFromParams(p, "price")
		if err != nil {
			return nil, err
		}
		if err := price.checkSupports(in.String("currency"), "currency"); err != nil {
			return nil, err
		}
		out = append(out, newItem{price: price.in(currency), quantity: price.quantityFrom(p), metadata: itemMetadata(p, in)})
	}
	if len(out) == 0 {
		return nil, wire.MissingParam("items")
	}
	return out, checkItems(out)
}

// itemMetadata is the metadata of an item. The parameters of the only item may be the call's own,
// whose metadata is the subscription's.
func itemMetadata(item, call wire.Params) map[string]string {
	if item == call {
		return map[string]string{}
	}
	return item.Metadata()
}

// checkOlderParams rejects plan or quantity besides items (recorded by pay-rails/pay for quantity).
func checkOlderParams(p wire.Params) error {
	for _, name := range []string{"plan", "quantity"} {
		if p.Has("items") && p.Has(name) {
			return wire.Invalid("", "", "Received both items and "+name+" parameters. Please pass in only one.")
		}
	}
	return nil
}

// checkItems requires one currency, one interval and no repeated price among the items of a
// subscription (inferred).
func checkItems(items []newItem) error {
	seen := map[string]bool{}
	for i, item := range items {
		first := items[0].price
		switch {
		case item.quantity < 0:
			return wire.Invalid("parameter_invalid_integer", fmt.Sprintf("items[%d][quantity]", i), "This value must be greater than or equal to 0.")
		case item.price.Metered && item.quantity != 0:
			return wire.Invalid("", fmt.Sprintf("items[%d][quantity]", i), "You cannot set the quantity of a metered price: "+item.price.ID)
		case item.price.Currency != first.Currency:
			return wire.Invalid("", "", fmt.Sprintf("The price specified supports currencies of `%s`. This doesn't match the expected currency: `%s`.", item.price.Currency, first.Currency))
		case item.price.Interval != first.Interval || item.price.IntervalCount != first.IntervalCount:
			return wire.Invalid("", "", "Currently, all prices on a subscription must have the same `recurring.interval` and `recurring.interval_count`. If you meant to update an existing subscription item instead of creating a new one, be sure to include the subscription item ID in your request.")
		case seen[item.price.ID]:
			return wire.Invalid("", "", fmt.Sprintf("Cannot add multiple subscription items with the same plan: %s", item.price.ID))
		}
		seen[item.price.ID] = true
	}
	return nil
}

// trialEndFromParams is the end of the trial of a new subscription. trial_from_plan takes the
// longest trial_period_days of its plans (API reference: create a subscription; the longest:
// inferred).
func (h subscriptions) trialEndFromParams(in *input, c *Customer, items []newItem) int64 {
	days := in.Int("trial_period_days")
	if in.Bool("trial_from_plan") && !in.Has("trial_end") && !in.Has("trial_period_days") {
		for _, item := range items {
			days = max(days, item.price.TrialPeriodDays)
		}
	}
	if days > 0 {
		return h.timeFor(c) + days*24*60*60
	}
	return in.Int("trial_end")
}

// setFields copies the parameters that create and update share.
func (h subscriptions) setFields(sub *Subscription, p wire.Params) error {
	if id := p.String("default_payment_method"); id != "" {
		if pm, ok := h.store.PaymentMethods.get(id); !ok || pm.Customer != sub.Customer {
			return noSuchMethod(id, "default_payment_method")
		}
	}
	if err := checkMethodTypes(p.At("payment_settings")); err != nil {
		return err
	}
	p.SetString("default_payment_method", &sub.DefaultPaymentMethod)
	p.SetString("description", &sub.Description)
	if err := h.taxes.setOnSubscription(sub, p); err != nil {
		return err
	}
	p.At("payment_settings").SetStrings("payment_method_types", &sub.PaymentMethodTypes)
	p.SetString("collection_method", &sub.CollectionMethod)
	p.SetInt("days_until_due", &sub.DaysUntilDue)
	p.At("payment_settings").SetString("save_default_payment_method", &sub.SaveDefaultPaymentMethod)
	p.At("trial_settings").At("end_behavior").SetString("missing_payment_method", &sub.MissingPaymentMethod)
	p.SetMetadata(&sub.Metadata)
	return h.pendingInvoices.setInterval(sub, p)
}

// checkPaymentMethod rejects a subscription that cannot be charged. One that costs nothing yet
// needs no payment method: a trial, a free price, a coupon of 100 % (public issue threads).
func (h subscriptions) checkPaymentMethod(sub *Subscription, items []newItem, in *input) error {
	_, has := h.paymentMethods.forSubscription(sub)
	if has || sub.TrialEnd > h.timeOnClock(sub.TestClock) || sub.CollectionMethod == "send_invoice" || in.String("payment_behavior") == "default_incomplete" {
		return nil
	}
	due, err := h.firstAmountDue(*sub, items, in)
	if err != nil || due == 0 {
		return err
	}
	return noPaymentMethodError()
}

// firstAmountDue is the amount due of a new subscription's first invoice. Nothing is stored.
func (h subscriptions) firstAmountDue(sub Subscription, items []newItem, in *input) (int64, error) {
	extra, err := h.subscriptionChanges.invoiceItemsFromParams(sub.Currency, in.Params)
	if err != nil {
		return 0, err
	}
	if list, given, err := h.discounts.listFromParams(&sub, in.Params); err != nil {
		return 0, err
	} else if given {
		sub.Discounts = list
	}
	setFirstPeriod(&sub, items[0].price, h.timeOnClock(sub.TestClock))
	var planned []plannedItem
	for _, i := range items {
		planned = append(planned, plannedItem{Price: i.price.ID, Quantity: i.quantity})
	}
	lines := h.firstPeriodLines(&sub, items[0].price, h.periodLines(&sub, planned, sub.billingState()))
	inv := h.invoicing.build(&sub, "subscription_create", h.invoiceItems.pendingFor(&sub), append(lines, h.invoiceItemLines(extra)...))
	h.invoicing.applyBalance(inv)
	return inv.amountDue(), nil
}

// startAndPay starts the subscription and attempts the first payment as payment_behavior says.
func (h subscriptions) startAndPay(sub *Subscription, items []newItem, in *input) (any, error) {
	pm, has := h.paymentMethods.forSubscription(sub)
	if has && in.String("payment_behavior") == "error_if_incomplete" {
		if result, decline := pm.chargeOutcome(); (result == outcomeDeclined || result == outcomeRequiresAction) && sub.TrialEnd == 0 {
			return nil, paymentError(result, decline, &Invoice{})
		}
	}
	extra, err := h.subscriptionChanges.invoiceItemsFromParams(sub.Currency, in.Params)
	if err != nil {
		return nil, err
	}
	inv := h.start(sub, items, h.invoiceItemLines(extra))
	if inv.Status == "open" && has && sub.Status == "incomplete" && in.String("payment_behavior") != "default_incomplete" {
		h.invoicing.pay(inv, pm)
	}
	return h.render(sub), nil
}

// invoiceItemLines are the lines of add_invoice_items for the first invoice.
func (h subscriptions) invoiceItemLines(extra []newItem) []InvoiceLine {
	var out []InvoiceLine
	for _, e := range extra {
		out = append(out, InvoiceLine{
			Type: "invoiceitem", Metadata: map[string]string{}, Price: e.price.ID,
			Quantity: e.quantity, Amount: e.price.amount(e.quantity), Description: h.prices.productName(e.price),
		})
	}
	return out
}

// start stores a subscription with its items and its finalized first invoice. The subscription is
// active or trialing if nothing is due or invoices are sent; otherwise it is incomplete until the
// invoice is paid.
func (h subscriptions) start(sub *Subscription, items []newItem, extra []InvoiceLine) *Invoice {
	at := h.timeOnClock(sub.TestClock)
	sub.Base = Base{ID: h.ids.longID("sub_1"), Created: at}
	setFirstPeriod(sub, items[0].price, at)
	sub.schedulePendingInvoice(at)
	h.store.Subscriptions.insert(sub)
	for _, item := range items {
		h.subscriptionItems.insert(sub, item)
	}
	if sub.CancelAtPeriodEnd {
		h.subscriptionChanges.setCancelAt(sub, sub.CurrentPeriodEnd, true)
	}
	h.insertExtraItems(sub, extra)
	inv := h.invoicing.createDraft(sub, "subscription_create", append(h.firstPeriodLines(sub, items[0].price, h.currentPeriodLines(sub)), h.usages.opening(sub)...))
	h.emit("customer.subscription.created", h.render(sub))
	h.entitlements.refresh(sub)
	h.discounts.emitCreated(sub)
	h.trials.announceShortTrial(sub)
	if sub.CollectionMethod == "send_invoice" {
		h.invoicing.scheduleNext(inv)
	} else {
		h.invoicing.finalize(inv)
	}
	h.renewals.scheduleNext(sub)
	return inv
}

// insertExtraItems stores the one-time lines of a first invoice as invoice items of the
// subscription. They come first and have its period (recorded by pay-rails/pay).
func (h subscriptions) insertExtraItems(sub *Subscription, extra []InvoiceLine) {
	for _, l := range extra {
		h.invoiceItems.insert(&InvoiceItem{
			Amount: l.Amount, Currency: sub.Currency, Customer: sub.Customer, Description: l.Description, PeriodStart: sub.CurrentPeriodStart,
			PeriodEnd: sub.CurrentPeriodEnd, Price: l.Price, Quantity: l.Quantity, Subscription: sub.ID, TaxRates: l.TaxRates,
		})
	}
}

// setFirstPeriod sets the first period. It ends with the trial or at the requested anchor.
func setFirstPeriod(sub *Subscription, price *Price, at int64) {
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
	sub.CurrentPeriodEnd = price.periodAfter(sub.BillingCycleAnchor, at)
	if sub.Status == "trialing" {
		sub.CurrentPeriodEnd = sub.TrialEnd
	}
}

// firstPeriodLines adapts the lines of the first period, which is shorter if the anchor is in the
// future.
func (h subscriptions) firstPeriodLines(sub *Subscription, price *Price, lines []InvoiceLine) []InvoiceLine {
	if sub.Status == "trialing" || sub.BillingCycleAnchor <= sub.CurrentPeriodStart {
		return lines
	}
	if sub.FreeFirstPeriod {
		return nil
	}
	whole := *sub
	whole.CurrentPeriodStart = wire.AddIntervals(sub.CurrentPeriodEnd, price.Interval, -price.IntervalCount)
	for _, d := range h.discounts.apply(h.discounts.effective(sub, sub.CurrentPeriodStart), lines) {
		for i := range lines {
			lines[i].Amount -= d.Lines[i]
		}
	}
	for i := range lines {
		lines[i].Amount, lines[i].Proration = share(&whole, sub.CurrentPeriodStart, lines[i].Amount), true
	}
	return lines
}

// currentPeriodLines are the lines of all items for the current period.
func (h subscriptions) currentPeriodLines(sub *Subscription) []InvoiceLine {
	return h.periodLines(sub, h.subscriptionChanges.itemsAfter(sub, nil), sub.billingState())
}

// periodLines are the lines of items for a period. Metered items are billed afterwards; see usages.
func (h subscriptions) periodLines(sub *Subscription, items []plannedItem, at billingState) []InvoiceLine {
	var lines []InvoiceLine
	for _, item := range items {
		price, ok := h.prices.inCurrency(item.Price, sub.Currency)
		if !ok || price.Metered {
			continue
		}
		parts := h.prices.periodAmounts(price, item.Quantity)
		if at.Status == "trialing" {
			parts = []InvoiceLine{{Quantity: item.Quantity, Description: h.prices.describeTrial(price)}}
		}
		lines = append(lines, linesOf(parts, sub, price, item.ID, at.Start, at.End)...)
	}
	return lines
}
