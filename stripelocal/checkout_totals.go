package stripelocal

import "usher/stripelocal/wire"

// checkoutTotals is what is due now for a session, in minor units.
type checkoutTotals struct {
	subtotal int64
	discount int64
	lines    []lineItemTotals
}

type lineItemTotals struct{ subtotal, discount int64 }

// totals adds up a session's line items and the coupon's discount. Recurring items cost nothing now
// if there is a trial.
func (h checkoutSessions) totals(cs *CheckoutSession) checkoutTotals {
	lines := make([]InvoiceLine, len(cs.LineItems))
	for i, l := range cs.LineItems {
		lines[i].Price = l.Price
		if p, ok := h.store.Prices.get(l.Price); ok && (p.Interval == "" || !cs.hasTrial()) {
			lines[i].Amount = p.amount(l.Quantity)
		}
	}
	out := checkoutTotals{lines: make([]lineItemTotals, len(lines))}
	off := make([]int64, len(lines))
	for _, d := range h.discounts.apply(cs.discounts(), lines, h.now) {
		off = d.Lines
	}
	for i, l := range lines {
		out.lines[i] = lineItemTotals{subtotal: l.Amount, discount: off[i]}
		out.subtotal += l.Amount
		out.discount += off[i]
	}
	return out
}

func (s checkoutTotals) total() int64 { return s.subtotal - s.discount }

// discounts returns the session's discount as a list of one or none.
func (cs *CheckoutSession) discounts() []Discount {
	if cs.Discount == nil {
		return nil
	}
	return []Discount{*cs.Discount}
}

// amountDue is the amount due now, in minor units.
func (h checkoutSessions) amountDue(cs *CheckoutSession) int64 { return h.totals(cs).total() }

// isFree reports whether a session can be completed without a payment method.
func (h checkoutSessions) isFree(cs *CheckoutSession) bool {
	if h.amountDue(cs) > 0 {
		return false
	}
	return cs.Mode == "payment" || cs.PaymentMethodCollection == "if_required"
}

// setDiscount reads the discounts parameter of a new session: at most one coupon or promotion code.
func (h checkoutSessions) setDiscount(cs *CheckoutSession, in *input) error {
	list := in.List("discounts")
	switch {
	case len(list) == 0:
		return nil
	case in.Has("allow_promotion_codes"):
		return wire.Invalid("", "discounts", "You may only specify one of these parameters: allow_promotion_codes, discounts.")
	case len(list) > 1:
		return wire.Invalid("", "discounts", "You can only apply one discount to a Checkout Session.")
	}
	coupon, promotion := list[0].String("coupon"), list[0].String("promotion_code")
	if promotion != "" {
		x, ok := h.store.PromotionCodes.get(promotion)
		if !ok {
			return wire.NoSuch("promotion code", promotion, list[0].Name("promotion_code"))
		}
		if reason := h.promotionCodes.redemptionError(x, cs.Customer, cs.Currency, h.totals(cs).subtotal); reason != "" {
			return wire.Invalid("", list[0].Name("promotion_code"), "This promotion code cannot be redeemed: "+reason)
		}
		coupon = x.Coupon
	}
	c, err := h.coupons.findRedeemable(coupon, cs.Currency, list[0].Name("coupon"))
	if err != nil {
		return err
	}
	cs.setDiscount(h.discounts.build(c, promotion, h.now))
	return nil
}

// paymentAttempted reports whether a payment was attempted. From then on the amount is fixed.
func (cs *CheckoutSession) paymentAttempted() bool {
	return cs.Subscription != "" || cs.PaymentIntent != ""
}

func (cs *CheckoutSession) setDiscount(d Discount) {
	d.Session = cs.ID
	cs.Discount = &d
}

// applyPromotionCode applies an entered promotion code to a session. It returns the message for the
// page if the code cannot be redeemed, else "".
func (h checkoutSessions) applyPromotionCode(cs *CheckoutSession, word string) string {
	if !cs.AllowPromotionCodes || cs.paymentAttempted() {
		return "This order cannot be changed any more."
	}
	x := h.promotionCodes.byCode(word, cs.Customer)
	if reason := h.promotionCodes.redemptionError(x, cs.Customer, cs.Currency, h.totals(cs).subtotal); reason != "" {
		return reason
	}
	c, _ := h.store.Coupons.get(x.Coupon)
	cs.setDiscount(h.discounts.build(c, x.ID, h.now))
	return ""
}

func (h checkoutSessions) renderTotalDetails(cs *CheckoutSession) wire.Object {
	sums := h.totals(cs)
	return wire.Object{
		"amount_discount": sums.discount, "amount_shipping": 0, "amount_tax": 0,
		"breakdown": wire.Expandable(func() any {
			list := []any{}
			if cs.Discount != nil {
				list = append(list, wire.Object{
					"amount": sums.discount, "discount": h.discounts.render(cs.Customer, cs.Subscription, cs.Invoice, *cs.Discount),
				})
			}
			return wire.Object{"discounts": list, "taxes": []any{}}
		}),
	}
}
