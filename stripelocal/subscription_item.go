package stripelocal

// SubscriptionItem is so many of one price.
type SubscriptionItem struct {
	Base
	Metadata     map[string]string
	Price        string
	Quantity     int64
	Subscription string
}

const itemParams = "quantity:int metadata:map? proration_date:time proration_behavior:create_prorations|none|always_invoice " +
	"payment_behavior:allow_incomplete|default_incomplete|error_if_incomplete|pending_if_incomplete "

func subscriptionItemResource() resource {
	return resource{
		kind: "subscription_item",
		render: finder(func(s *state) *table[*SubscriptionItem] { return s.Items },
			func(a *act, i *SubscriptionItem) object { return a.renderSubscriptionItem(i) }),
		routes: []route{
			{"GET /v1/subscription_items", "limit:int starting_after ending_before subscription!", (*act).listSubscriptionItems},
			{"GET /v1/subscription_items/{id}", "", (*act).getSubscriptionItem},
			{"POST /v1/subscription_items", itemParams + "subscription! price!", (*act).createSubscriptionItem},
			{"POST /v1/subscription_items/{id}", itemParams + "price off_session:bool", (*act).updateSubscriptionItem},
			{"DELETE /v1/subscription_items/{id}", "proration_behavior:create_prorations|none|always_invoice proration_date:time", (*act).deleteSubscriptionItem},
		},
	}
}

func (a *act) addItem(sub *Subscription, n newItem) *SubscriptionItem {
	item := &SubscriptionItem{
		Base:     Base{ID: a.ids.short("si_"), Created: a.timeOn(sub.TestClock)},
		Metadata: n.metadata, Price: n.price.ID, Quantity: n.quantity, Subscription: sub.ID,
	}
	a.state.Items.insert(item)
	return item
}

func (a *act) getSubscriptionItem(in *input) (any, error) {
	item, ok := a.state.Items.get(in.path("id"))
	if !ok {
		return nil, notFound("subscription_item", in.path("id"), "item")
	}
	return a.renderSubscriptionItem(item), nil
}

func (a *act) listSubscriptionItems(in *input) (any, error) {
	if _, ok := a.state.Subscriptions.get(in.str("subscription")); !ok {
		return nil, noSuch("subscription", in.str("subscription"), "subscription")
	}
	return listing[*SubscriptionItem]{
		what: "subscription_item", table: a.state.Items, rows: a.state.Items.by("subscription", in.str("subscription")),
		render: func(i *SubscriptionItem) object { return a.renderSubscriptionItem(i) },
	}.page(in)
}

func (a *act) renderSubscriptionItem(i *SubscriptionItem) object {
	o := object{
		"id": i.ID, "object": "subscription_item", "billing_thresholds": nil, "created": i.Created,
		"discounts": []any{}, "metadata": i.Metadata, "plan": nil, "price": nil, "quantity": i.Quantity,
		"subscription": i.Subscription, "tax_rates": []any{},
	}
	if p, ok := a.state.Prices.get(i.Price); ok {
		o["price"], o["plan"] = a.renderPrice(p), p.renderPlan()
	}
	return o
}
