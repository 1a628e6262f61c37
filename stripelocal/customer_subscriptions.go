package stripelocal

import "usher/stripelocal/wire"

// customerSubscriptions serves /v1/customers/{customer}/subscriptions, the older paths of a
// customer's subscriptions.
type customerSubscriptions struct{ *request }

func customerSubscriptionRoutes() []route {
	return []route{
		on("POST /v1/customers/{customer}/subscriptions", olderSubscriptionParams+discountParams+newSubscriptionParams, customerSubscriptions.create),
		on("GET /v1/customers/{customer}/subscriptions", pageParams, customerSubscriptions.list),
		on("GET /v1/customers/{customer}/subscriptions/{id}", "", customerSubscriptions.get),
		on("POST /v1/customers/{customer}/subscriptions/{id}", olderSubscriptionParams+discountParams+cancellationParams+changeParams+pauseParams+"plan quantity:int trial_from_plan:bool", customerSubscriptions.update),
		on("DELETE /v1/customers/{customer}/subscriptions/{id}", "invoice_now:bool prorate:bool", customerSubscriptions.cancel),
		on("GET /v1/customers/{customer}/subscriptions/{id}/discount", "", customerSubscriptions.getDiscount),
		on("DELETE /v1/customers/{customer}/subscriptions/{id}/discount", "", customerSubscriptions.deleteDiscount),
	}
}

// customer returns the existing customer of the path.
func (h customerSubscriptions) customer(in *input) (*Customer, error) {
	c, ok := h.store.Customers.get(in.pathValue("customer"))
	if !ok || c.Deleted {
		return nil, wire.NotFound("customer", in.pathValue("customer"), "customer")
	}
	return c, nil
}

func (h customerSubscriptions) create(in *input) (any, error) {
	c, err := h.customer(in)
	if err != nil {
		return nil, err
	}
	in.Params = in.With("customer", c.ID)
	return h.subscriptions.create(in)
}

func (h customerSubscriptions) list(in *input) (any, error) {
	c, err := h.customer(in)
	if err != nil {
		return nil, err
	}
	in.Params = in.With("customer", c.ID)
	return h.subscriptions.list(in)
}

// check rejects a subscription of another customer.
func (h customerSubscriptions) check(in *input) error {
	sub, ok := h.store.Subscriptions.get(in.pathValue("id"))
	if !ok || sub.Customer != in.pathValue("customer") {
		return wire.NotFound("subscription", in.pathValue("id"), "id")
	}
	return nil
}

func (h customerSubscriptions) get(in *input) (any, error) {
	if err := h.check(in); err != nil {
		return nil, err
	}
	return h.subscriptions.get(in)
}

func (h customerSubscriptions) update(in *input) (any, error) {
	if err := h.check(in); err != nil {
		return nil, err
	}
	return h.subscriptions.update(in)
}

func (h customerSubscriptions) cancel(in *input) (any, error) {
	if err := h.check(in); err != nil {
		return nil, err
	}
	return h.subscriptions.cancel(in)
}

// getDiscount returns the last discount of a subscription.
func (h customerSubscriptions) getDiscount(in *input) (any, error) {
	if err := h.check(in); err != nil {
		return nil, err
	}
	sub, err := h.subscriptions.find(in)
	if err != nil {
		return nil, err
	}
	if len(sub.Discounts) == 0 {
		return nil, wire.NotFound("discount", "", "")
	}
	return h.discounts.render(sub.Customer, sub.ID, "", sub.Discounts[len(sub.Discounts)-1]), nil
}

func (h customerSubscriptions) deleteDiscount(in *input) (any, error) {
	if err := h.check(in); err != nil {
		return nil, err
	}
	return h.discounts.delete(in)
}
