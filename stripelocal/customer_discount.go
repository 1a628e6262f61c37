package stripelocal

import "usher/stripelocal/wire"

// customerDiscountParams set a customer's discount, replace it, or remove it by an empty value.
const customerDiscountParams = "coupon? promotion_code? "

// forCustomer reads the discount that the parameters give a customer, and whether they name one. It
// is nil if they remove it. A customer buys nothing here, so that the minimum amount of a promotion
// code is not checked (inferred).
func (h discounts) forCustomer(c *Customer, p wire.Params) (*Discount, bool, error) {
	coupon, promotion, param := p.String("coupon"), p.String("promotion_code"), "coupon"
	switch {
	case !p.Has("coupon") && !p.Has("promotion_code"):
		return nil, false, nil
	case coupon == "" && promotion == "":
		return nil, true, nil
	case coupon != "" && promotion != "":
		return nil, false, wire.Invalid("", "promotion_code", "You may only specify one of these parameters: coupon, promotion_code.")
	case promotion != "":
		x, ok := h.store.PromotionCodes.get(promotion)
		if !ok {
			return nil, false, wire.NoSuch("promotion code", promotion, "promotion_code")
		}
		if reason := h.promotionCodes.customerError(x, c.ID); reason != "" {
			return nil, false, refusedPromotionCode("promotion_code", reason)
		}
		coupon, param = x.Coupon, "promotion_code"
	}
	found, err := h.coupons.findValid(coupon, param)
	if err == nil && found.AmountOff > 0 {
		err = h.customers.checkOtherCurrencies(c.ID, found.Currency)
	}
	if err != nil {
		return nil, false, err
	}
	d := h.build(found, promotion, h.timeFor(c))
	d.CustomerWide = true
	return &d, true, nil
}

// setOnCustomer sets, replaces or removes a customer's discount, and emits the event. A replaced
// discount has a new id (inferred).
func (h discounts) setOnCustomer(c *Customer, to *Discount) {
	if c.Discount == nil && to == nil {
		return
	}
	had, before := c.Discount != nil, wire.Object(nil)
	if had {
		before = h.renderOfCustomer(c)
	}
	c.Discount = to
	switch {
	case to == nil:
		h.emit("customer.discount.deleted", before)
	case had:
		h.redeem(*to)
		h.emitUpdate("customer.discount.updated", before, h.renderOfCustomer(c))
	default:
		h.redeem(*to)
		h.emit("customer.discount.created", h.renderOfCustomer(c))
	}
	h.scheduleEnd(c)
}

// emitCreatedFor emits the event of the discount that a new customer starts with.
func (h discounts) emitCreatedFor(c *Customer) {
	if c.Discount != nil {
		h.emit("customer.discount.created", h.renderOfCustomer(c))
		h.scheduleEnd(c)
	}
}

// scheduleEnd removes a customer's discount at its end. That Stripe emits
// customer.discount.deleted then is inferred.
func (h discounts) scheduleEnd(c *Customer) {
	if c.Discount == nil || c.Discount.End == 0 {
		return
	}
	id := c.Discount.ID
	h.schedule(c.TestClock, c.Discount.End, func(r *request) { r.discounts.endOfCustomer(c.ID, id) })
}

// endOfCustomer removes a discount of a customer, unless it was replaced.
func (h discounts) endOfCustomer(customer, id string) {
	c, ok := h.store.Customers.get(customer)
	if ok && c.Discount != nil && c.Discount.ID == id {
		h.customers.change(c, func() { h.setOnCustomer(c, nil) })
	}
}

// ofCustomer returns the discount of a customer at a time, for what has none of its own. An amount
// in another currency than a one-time invoice's is not taken off (inferred).
func (h discounts) ofCustomer(customer, currency string, at int64) []Discount {
	c, ok := h.store.Customers.get(customer)
	if !ok || c.Discount == nil || !c.Discount.isActive(at) || c.Discount.Coupon.AmountOff > 0 && c.Discount.Coupon.Currency != currency {
		return nil
	}
	return []Discount{*c.Discount}
}

func (h discounts) renderOfCustomer(c *Customer) wire.Object {
	return h.render(c.ID, "", "", *c.Discount)
}

// findOnCustomer returns the customer of the path, who must have a discount.
func (h discounts) findOnCustomer(in *input) (*Customer, error) {
	c, err := h.customers.find(in)
	switch {
	case err != nil:
		return nil, err
	case c.Deleted:
		return nil, wire.NotFound("customer", c.ID, "id")
	case c.Discount == nil:
		return nil, wire.NotFound("discount", "", "")
	}
	return c, nil
}

func (h discounts) getOfCustomer(in *input) (any, error) {
	c, err := h.findOnCustomer(in)
	if err != nil {
		return nil, err
	}
	return h.renderOfCustomer(c), nil
}

func (h discounts) deleteOfCustomer(in *input) (any, error) {
	c, err := h.findOnCustomer(in)
	if err != nil {
		return nil, err
	}
	gone := h.renderOfCustomer(c)
	h.endOfCustomer(c.ID, c.Discount.ID)
	return deletedDiscount(gone), nil
}
