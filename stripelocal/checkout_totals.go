package stripelocal

import (
	"strings"

	"usher/stripelocal/wire"
)

// checkoutTotals is what is due now for a session, in minor units.
type checkoutTotals struct {
	subtotal  int64
	discount  int64
	tax       int64 // of which the total contains exclusive besides subtotal and discount
	exclusive int64
	shipping  int64
	taxes     []InvoiceTax
	lines     []lineItemTotals
}

type lineItemTotals struct{ subtotal, discount, tax, exclusive int64 }

// totals adds up a session's line items, the coupon's discount and the tax. Recurring items cost
// nothing now if there is a trial.
func (h checkoutSessions) totals(cs *CheckoutSession) checkoutTotals {
	lines := make([]InvoiceLine, len(cs.LineItems))
	for i, l := range cs.LineItems {
		lines[i].Price, lines[i].TaxRates = l.Price, l.TaxRates
		if p, ok := h.prices.inCurrency(l.Price, cs.Currency); ok && (p.Interval == "" || !cs.hasTrial()) {
			lines[i].Amount = p.fixedAmount(l.Quantity)
		}
	}
	out := checkoutTotals{lines: make([]lineItemTotals, len(lines)), shipping: h.shippingAmount(cs)}
	off := make([]int64, len(lines))
	discounts := h.discounts.apply(h.discountsOf(cs), lines)
	for _, d := range discounts {
		off = d.Lines
	}
	for i, l := range lines {
		out.lines[i] = lineItemTotals{subtotal: l.Amount, discount: off[i]}
		out.subtotal += l.Amount
		out.discount += off[i]
	}
	out.taxes = h.taxes.compute(&Invoice{
		Customer: cs.Customer, Lines: lines, Discounts: discounts, AutomaticTax: cs.AutomaticTax, DefaultTaxRates: cs.DefaultTaxRates,
	}, h.taxAddress(cs), taxIDType(cs.EnteredTaxID) == "eu_vat" || h.taxes.hasVATNumber(cs.Customer))
	for _, t := range out.taxes {
		for i, amount := range t.Lines {
			out.lines[i].tax += amount
			if !t.Rate.Inclusive {
				out.lines[i].exclusive += amount
			}
		}
	}
	for _, l := range out.lines {
		out.tax += l.tax
		out.exclusive += l.exclusive
	}
	return out
}

// taxAddress is the address that decides the tax: the one entered on the page, else the customer's.
func (h checkoutSessions) taxAddress(cs *CheckoutSession) *Address {
	if cs.EnteredAddress != nil {
		return cs.EnteredAddress
	}
	if c, ok := h.store.Customers.get(cs.Customer); ok {
		return c.Address
	}
	return nil
}

func (s checkoutTotals) total() int64 { return s.subtotal - s.discount + s.exclusive + s.shipping }

// discountsOf returns the discount of a session's amounts as a list of one or none. It is the
// session's own, else the customer's that the subscription inherits (that Checkout shows it is
// inferred).
func (h checkoutSessions) discountsOf(cs *CheckoutSession) []Discount {
	switch {
	case cs.Discount != nil:
		return []Discount{*cs.Discount}
	case cs.Inherited != nil:
		return []Discount{*cs.Inherited}
	case cs.Mode == "subscription" && cs.Status == "open" && cs.Subscription == "":
		return h.discounts.ofCustomer(cs.Customer, cs.Currency, h.timeForCustomer(cs.Customer))
	}
	return nil
}

// keepInherited keeps the customer's discount of a session whose amounts no longer change.
func (h checkoutSessions) keepInherited(cs *CheckoutSession) {
	if list := h.discountsOf(cs); cs.Discount == nil && len(list) > 0 {
		cs.Inherited = &list[0]
	}
}

// amountDue is the amount due now, in minor units.
func (h checkoutSessions) amountDue(cs *CheckoutSession) int64 { return h.totals(cs).total() }

// checkTotal rejects a payment that cannot be charged (recorded by a public test suite, the wording
// by public issue threads; docs: minimum and maximum charge amounts). A total of 0 needs no
// payment. The invoice of a subscription moves what is below the minimum to the balance.
func (h checkoutSessions) checkTotal(cs *CheckoutSession) error {
	total, least := h.amountDue(cs), wire.SmallestCharge(cs.Currency)
	amount := func(minor int64) string {
		return wire.DescribeAmount(minor, cs.Currency) + " " + strings.ToUpper(cs.Currency)
	}
	switch {
	case cs.Mode != "payment" || total == 0:
		return nil
	case total < least:
		return wire.Invalid("amount_too_small", "", "The Checkout Session's total amount due must add up to at least "+amount(least))
	case total > largestCharge:
		return wire.Invalid("amount_too_large", "", "The Checkout Session's total amount due must be no more than "+amount(largestCharge)+".")
	}
	return nil
}

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
			return refusedPromotionCode(list[0].Name("promotion_code"), reason)
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
		"amount_discount": sums.discount, "amount_shipping": sums.shipping, "amount_tax": sums.tax,
		"breakdown": wire.Expandable(func() any {
			list := []any{}
			for _, d := range h.discountsOf(cs) {
				discount := h.discounts.render(cs.Customer, cs.Subscription, cs.Invoice, d)
				if d.CustomerWide {
					discount = h.discounts.render(cs.Customer, "", "", d)
				}
				list = append(list, wire.Object{"amount": sums.discount, "discount": discount})
			}
			taxes := []any{}
			for _, t := range sums.taxes {
				taxes = append(taxes, wire.Object{
					"amount": t.amount(), "rate": t.Rate.render(), "taxability_reason": wire.StringOrNull(t.Reason), "taxable_amount": t.taxable(),
				})
			}
			return wire.Object{"discounts": list, "taxes": taxes}
		}),
	}
}
