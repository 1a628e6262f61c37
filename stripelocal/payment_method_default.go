package stripelocal

// forInvoice returns the payment method that an invoice is charged to.
func (h paymentMethods) forInvoice(inv *Invoice) (*PaymentMethod, bool) {
	if pm, ok := h.store.PaymentMethods.get(inv.DefaultPaymentMethod); ok {
		return pm, true
	}
	if sub, ok := h.store.Subscriptions.get(inv.Subscription); ok {
		return h.forSubscription(sub)
	}
	c, ok := h.store.Customers.get(inv.Customer)
	if !ok {
		return nil, false
	}
	return h.defaultFor(c)
}

// forSubscription returns the subscription's default payment method, else the customer's.
func (h paymentMethods) forSubscription(sub *Subscription) (*PaymentMethod, bool) {
	if pm, ok := h.store.PaymentMethods.get(sub.DefaultPaymentMethod); ok {
		return pm, true
	}
	c, ok := h.store.Customers.get(sub.Customer)
	if !ok {
		return nil, false
	}
	return h.defaultFor(c)
}

// defaultFor returns the customer's default payment method, else the default source.
func (h paymentMethods) defaultFor(c *Customer) (*PaymentMethod, bool) {
	if pm, ok := h.store.PaymentMethods.get(c.DefaultPaymentMethod); ok {
		return pm, true
	}
	return h.store.PaymentMethods.get(c.DefaultSource)
}

func (h paymentMethods) makeDefault(c *Customer, pm *PaymentMethod) {
	h.customers.change(c, func() { c.DefaultPaymentMethod = pm.ID })
	for _, sub := range h.store.Subscriptions.by("customer", c.ID) {
		if !sub.hasEnded() && sub.DefaultPaymentMethod != "" {
			h.subscriptions.change(sub, func() { sub.DefaultPaymentMethod = pm.ID })
		}
	}
}

func (h paymentMethods) paysSubscription(pm *PaymentMethod) bool {
	for _, sub := range h.store.Subscriptions.by("customer", pm.Customer) {
		if !sub.hasEnded() && sub.DefaultPaymentMethod == pm.ID {
			return true
		}
	}
	return false
}

// clearDefaults removes a payment method wherever it is the default.
func (h paymentMethods) clearDefaults(pm *PaymentMethod) {
	c, ok := h.store.Customers.get(pm.Customer)
	if ok && (c.DefaultPaymentMethod == pm.ID || c.DefaultSource == pm.ID) {
		h.customers.change(c, func() { c.clearDefault(pm.ID) })
	}
	for _, sub := range h.store.Subscriptions.by("customer", pm.Customer) {
		if sub.DefaultPaymentMethod == pm.ID && !sub.hasEnded() {
			h.subscriptions.change(sub, func() { sub.DefaultPaymentMethod = "" })
		}
	}
}

func (c *Customer) clearDefault(method string) {
	if c.DefaultPaymentMethod == method {
		c.DefaultPaymentMethod = ""
	}
	if c.DefaultSource == method {
		c.DefaultSource = ""
	}
}
