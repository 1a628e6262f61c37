package stripelocal

import "usher/stripelocal/wire"

// SubscriptionItem is a quantity of a price.
type SubscriptionItem struct {
	Base
	Metadata     map[string]string
	Price        string
	Quantity     int64
	Subscription string
}

const subscriptionItemParams = "quantity:int metadata:map? proration_date:time proration_behavior:create_prorations|none|always_invoice " +
	"payment_behavior:allow_incomplete|default_incomplete|error_if_incomplete|pending_if_incomplete "

// subscriptionItems serves /v1/subscription_items.
type subscriptionItems struct{ *request }

func subscriptionItemResource() resource {
	return resource{
		objectType: "subscription_item",
		render: renderFrom(func(s *store) *table[*SubscriptionItem] { return s.SubscriptionItems },
			bind(subscriptionItems.render)),
		routes: []route{
			on("GET /v1/subscription_items", "limit:int starting_after ending_before subscription!", subscriptionItems.list),
			on("GET /v1/subscription_items/{id}", "", subscriptionItems.get),
			on("POST /v1/subscription_items", subscriptionItemParams+"subscription! price plan", subscriptionItems.create),
			on("POST /v1/subscription_items/{id}", subscriptionItemParams+"price plan off_session:bool", subscriptionItems.update),
			on("DELETE /v1/subscription_items/{id}", "proration_behavior:create_prorations|none|always_invoice proration_date:time", subscriptionItems.delete),
		},
	}
}

func (h subscriptionItems) insert(sub *Subscription, n newItem) *SubscriptionItem {
	item := &SubscriptionItem{
		Base:     Base{ID: h.ids.shortID("si_"), Created: h.timeOnClock(sub.TestClock)},
		Metadata: n.metadata, Price: n.price.ID, Quantity: n.quantity, Subscription: sub.ID,
	}
	h.store.SubscriptionItems.insert(item)
	return item
}

func (h subscriptionItems) get(in *input) (any, error) {
	item, ok := h.store.SubscriptionItems.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("subscription_item", in.pathValue("id"), "item")
	}
	return h.render(item), nil
}

func (h subscriptionItems) list(in *input) (any, error) {
	if _, ok := h.store.Subscriptions.get(in.String("subscription")); !ok {
		return nil, wire.NoSuch("subscription", in.String("subscription"), "subscription")
	}
	return listing[*SubscriptionItem]{
		resource: "subscription_item", table: h.store.SubscriptionItems, rows: h.store.SubscriptionItems.by("subscription", in.String("subscription")),
		render: h.render,
	}.page(in)
}

func (h subscriptionItems) render(i *SubscriptionItem) wire.Object {
	o := wire.Object{
		"id": i.ID, "object": "subscription_item", "billing_thresholds": nil, "created": i.Created,
		"discounts": []any{}, "metadata": i.Metadata, "plan": nil, "price": nil, "quantity": i.Quantity,
		"subscription": i.Subscription, "tax_rates": []any{},
	}
	if p, ok := h.store.Prices.get(i.Price); ok {
		o["price"], o["plan"] = h.prices.render(p), p.renderPlan()
		if p.Metered {
			delete(o, "quantity")
		}
	}
	return o
}
