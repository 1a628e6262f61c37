package stripelocal

import "usher/stripelocal/wire"

// create adds an item. Like update and delete, it is a subscription update of one item.
func (h subscriptionItems) create(in *input) (any, error) {
	sub, ok := h.store.Subscriptions.get(in.String("subscription"))
	if !ok {
		return nil, wire.NoSuch("subscription", in.String("subscription"), "subscription")
	}
	price, err := h.prices.recurringFromParams(in.Params, "price")
	if err != nil {
		return nil, err
	}
	before := setOf(h.itemIDs(sub))
	c := itemChange{price: price.in(sub.Currency), quantity: price.quantityFrom(in.Params), metadata: in.Params}
	if err := h.changeItem(sub, c, in); err != nil {
		return nil, err
	}
	for _, item := range h.subscriptions.items(sub) {
		if !before[item.ID] {
			return h.render(item), nil
		}
	}
	return nil, wire.Invalid("", "", "The item waits in the subscription's pending update until its invoice is paid.")
}

func (h subscriptionItems) itemIDs(sub *Subscription) []string {
	var out []string
	for _, item := range h.subscriptions.items(sub) {
		out = append(out, item.ID)
	}
	return out
}

func (h subscriptionItems) update(in *input) (any, error) {
	item, sub, err := h.find(in)
	if err != nil {
		return nil, err
	}
	c := itemChange{item: item, quantity: in.IntOr("quantity", item.Quantity), metadata: in.Params}
	c.price, _ = h.prices.inCurrency(item.Price, sub.Currency)
	if namesPrice(in.Params) {
		if c.price, err = h.prices.recurringFromParams(in.Params, "price"); err != nil {
			return nil, err
		}
		c.price, c.quantity = c.price.in(sub.Currency), c.price.quantityFrom(in.Params)
	}
	if err := h.changeItem(sub, c, in); err != nil {
		return nil, err
	}
	return h.render(item), nil
}

func (h subscriptionItems) delete(in *input) (any, error) {
	item, sub, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if err := h.changeItem(sub, itemChange{item: item}, in); err != nil {
		return nil, err
	}
	return wire.Object{"id": item.ID, "object": "subscription_item", "deleted": true}, nil
}

func (h subscriptionItems) find(in *input) (*SubscriptionItem, *Subscription, error) {
	item, ok := h.store.SubscriptionItems.get(in.pathValue("id"))
	if !ok {
		return nil, nil, wire.NotFound("subscription_item", in.pathValue("id"), "item")
	}
	sub, ok := h.store.Subscriptions.get(item.Subscription)
	if !ok {
		return nil, nil, wire.NotFound("subscription_item", in.pathValue("id"), "item")
	}
	return item, sub, nil
}

func (h subscriptionItems) changeItem(sub *Subscription, c itemChange, in *input) error {
	if err := checkUpdatable(sub, in); err != nil {
		return err
	}
	if c.quantity < 0 {
		return wire.Invalid("parameter_invalid_integer", "quantity", "This value must be greater than or equal to 0.")
	}
	if err := h.subscriptionChanges.checkResultingItems(sub, []itemChange{c}); err != nil {
		return err
	}
	p := h.subscriptionChanges.plan(sub, subscriptionChange{items: []itemChange{c}, prorationBehavior: in.String("proration_behavior"), prorationDate: in.Int("proration_date")})
	payment := in.String("payment_behavior")
	if err := h.subscriptionChanges.checkPayable(sub, p, payment); err != nil {
		return err
	}
	if p.billsImmediately && payment == "pending_if_incomplete" {
		h.pendingUpdates.create(sub, p)
		return nil
	}
	h.subscriptionChanges.update(sub, p, h.subscriptions.render(sub), payment)
	return nil
}
