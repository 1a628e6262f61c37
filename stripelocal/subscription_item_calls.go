package stripelocal

// createSubscriptionItem, updateSubscriptionItem and deleteSubscriptionItem are
// updates of the subscription that touch one item.
func (a *act) createSubscriptionItem(in *input) (any, error) {
	sub, ok := a.state.Subscriptions.get(in.str("subscription"))
	if !ok {
		return nil, noSuch("subscription", in.str("subscription"), "subscription")
	}
	price, err := a.recurringPrice(in.params, "price")
	if err != nil {
		return nil, err
	}
	before := setOf(a.itemIDs(sub))
	c := itemChange{price: price, quantity: in.numOr("quantity", 1), metadata: in.params}
	if err := a.changeOneItem(sub, c, in); err != nil {
		return nil, err
	}
	for _, item := range a.items(sub) {
		if !before[item.ID] {
			return a.renderSubscriptionItem(item), nil
		}
	}
	return nil, invalid("", "", "The item waits in the subscription's pending update until its invoice is paid.")
}

func (a *act) itemIDs(sub *Subscription) []string {
	var out []string
	for _, item := range a.items(sub) {
		out = append(out, item.ID)
	}
	return out
}

func (a *act) updateSubscriptionItem(in *input) (any, error) {
	item, sub, err := a.itemAt(in)
	if err != nil {
		return nil, err
	}
	c := itemChange{item: item, quantity: in.numOr("quantity", item.Quantity), metadata: in.params}
	c.price, _ = a.state.Prices.get(item.Price)
	if in.has("price") {
		c.quantity = in.numOr("quantity", 1)
		if c.price, err = a.recurringPrice(in.params, "price"); err != nil {
			return nil, err
		}
	}
	if err := a.changeOneItem(sub, c, in); err != nil {
		return nil, err
	}
	return a.renderSubscriptionItem(item), nil
}

func (a *act) deleteSubscriptionItem(in *input) (any, error) {
	item, sub, err := a.itemAt(in)
	if err != nil {
		return nil, err
	}
	if err := a.changeOneItem(sub, itemChange{item: item}, in); err != nil {
		return nil, err
	}
	return object{"id": item.ID, "object": "subscription_item", "deleted": true}, nil
}

func (a *act) itemAt(in *input) (*SubscriptionItem, *Subscription, error) {
	item, ok := a.state.Items.get(in.path("id"))
	if !ok {
		return nil, nil, notFound("subscription_item", in.path("id"), "item")
	}
	sub, ok := a.state.Subscriptions.get(item.Subscription)
	if !ok {
		return nil, nil, notFound("subscription_item", in.path("id"), "item")
	}
	return item, sub, nil
}

func (a *act) changeOneItem(sub *Subscription, c itemChange, in *input) error {
	if err := a.checkUpdatable(sub, in); err != nil {
		return err
	}
	if c.quantity < 0 {
		return invalid("parameter_invalid_integer", "quantity", "This value must be greater than or equal to 0.")
	}
	if err := a.checkChanges(sub, []itemChange{c}); err != nil {
		return err
	}
	p := a.plan(sub, change{items: []itemChange{c}, behavior: in.str("proration_behavior"), date: in.num("proration_date")})
	payment := in.str("payment_behavior")
	if err := a.checkPayment(sub, p, payment); err != nil {
		return err
	}
	if p.billsNow && payment == "pending_if_incomplete" {
		a.updateWhenPaid(sub, p)
		return nil
	}
	a.update(sub, p, a.renderSubscription(sub), payment)
	return nil
}
