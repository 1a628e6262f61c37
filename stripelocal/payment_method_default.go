package stripelocal

// forInvoice is the card that an invoice of a subscription is taken from.
func (h paymentMethods) forInvoice(inv *Invoice) (*PaymentMethod, bool) {
	if pm, ok := h.state.PaymentMethods.get(inv.DefaultMethod); ok {
		return pm, true
	}
	if sub, ok := h.state.Subscriptions.get(inv.Subscription); ok {
		return h.forSubscription(sub)
	}
	c, ok := h.state.Customers.get(inv.Customer)
	if !ok {
		return nil, false
	}
	return h.defaultFor(c)
}

// forSubscription is the subscription's card, else its customer's default.
func (h paymentMethods) forSubscription(sub *Subscription) (*PaymentMethod, bool) {
	if pm, ok := h.state.PaymentMethods.get(sub.DefaultPaymentMethod); ok {
		return pm, true
	}
	c, ok := h.state.Customers.get(sub.Customer)
	if !ok {
		return nil, false
	}
	return h.defaultFor(c)
}

// defaultFor is the card that a customer pays with.
func (h paymentMethods) defaultFor(c *Customer) (*PaymentMethod, bool) {
	if pm, ok := h.state.PaymentMethods.get(c.DefaultPaymentMethod); ok {
		return pm, true
	}
	return h.state.PaymentMethods.get(c.DefaultSource)
}

func (h paymentMethods) makeDefault(c *Customer, pm *PaymentMethod) {
	h.customers.change(c, func() { c.DefaultPaymentMethod = pm.ID })
	for _, sub := range h.state.Subscriptions.by("customer", c.ID) {
		if !sub.ended() && sub.DefaultPaymentMethod != "" {
			h.subscriptions.change(sub, func() { sub.DefaultPaymentMethod = pm.ID })
		}
	}
}

func (h paymentMethods) paysSubscription(pm *PaymentMethod) bool {
	for _, sub := range h.state.Subscriptions.by("customer", pm.Customer) {
		if !sub.ended() && sub.DefaultPaymentMethod == pm.ID {
			return true
		}
	}
	return false
}

// clearDefaults takes a card out of where it was the default.
func (h paymentMethods) clearDefaults(pm *PaymentMethod) {
	c, ok := h.state.Customers.get(pm.Customer)
	if ok && (c.DefaultPaymentMethod == pm.ID || c.DefaultSource == pm.ID) {
		h.customers.change(c, func() { c.forget(pm.ID) })
	}
	for _, sub := range h.state.Subscriptions.by("customer", pm.Customer) {
		if sub.DefaultPaymentMethod == pm.ID && !sub.ended() {
			h.subscriptions.change(sub, func() { sub.DefaultPaymentMethod = "" })
		}
	}
}

func (c *Customer) forget(method string) {
	if c.DefaultPaymentMethod == method {
		c.DefaultPaymentMethod = ""
	}
	if c.DefaultSource == method {
		c.DefaultSource = ""
	}
}
