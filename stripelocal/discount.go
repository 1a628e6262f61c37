package stripelocal

import (
	"math/big"
	"slices"

	"usher/stripelocal/wire"
)

// Discount is a coupon applied to a subscription, a customer, an invoice or a quote. It has a
// copy of the coupon.
type Discount struct {
	ID            string
	Coupon        Coupon
	PromotionCode string
	Session       string // the Checkout session that applied it
	CustomerWide  bool   `json:",omitzero"` // of a customer
	Invoice       string `json:",omitzero"` // of a single invoice
	Start         int64
	End           int64 // 0 is no end
}

// InvoiceDiscount is the discount amounts of an invoice by line.
type InvoiceDiscount struct {
	Discount Discount
	Lines    []int64 // minor units, in the order of the invoice's lines
}

const discountParams = "coupon? promotion_code? discounts[]{coupon discount promotion_code}? "

// discounts applies coupons and promotion codes to customers, subscriptions and invoices.
type discounts struct{ *request }

// setFromParams replaces a subscription's discounts by those in the parameters. The older
// parameters coupon and promotion_code name a single one.
func (h discounts) setFromParams(sub *Subscription, p wire.Params) error {
	list, given, err := h.listFromParams(sub, p)
	if err != nil || !given {
		return err
	}
	sub.IgnoresCustomerDiscount = false // API reference: discounts "not specified or empty, inherits"
	h.replace(sub, list)
	return nil
}

// listFromParams returns the discounts in the parameters, and whether there are any parameters. It
// redeems nothing.
func (h discounts) listFromParams(sub *Subscription, p wire.Params) ([]Discount, bool, error) {
	if !p.Has("coupon") && !p.Has("promotion_code") && !p.Has("discounts") {
		return nil, false, nil
	}
	named := p.List("discounts")
	if !p.Has("discounts") {
		named = []wire.Params{p}
	}
	var out []Discount
	for _, n := range named {
		d, keep, err := h.fromParams(sub, n)
		if err != nil {
			return nil, false, err
		}
		if keep {
			out = append(out, d)
		}
	}
	return out, true, nil
}

func (h discounts) fromParams(sub *Subscription, p wire.Params) (Discount, bool, error) {
	if id := p.String("discount"); id != "" {
		at := slices.IndexFunc(sub.Discounts, func(d Discount) bool { return d.ID == id })
		if at < 0 {
			return Discount{}, false, wire.NoSuch("discount", id, p.Name("discount"))
		}
		return sub.Discounts[at], true, nil
	}
	coupon := p.String("coupon")
	if id := p.String("promotion_code"); id != "" {
		x, ok := h.store.PromotionCodes.get(id)
		if !ok {
			return Discount{}, false, wire.NoSuch("promotion code", id, p.Name("promotion_code"))
		}
		if reason := h.promotionCodes.redemptionError(x, sub.Customer, sub.Currency, x.MinimumAmount); reason != "" {
			return Discount{}, false, refusedPromotionCode(p.Name("promotion_code"), reason)
		}
		coupon = x.Coupon
	}
	if coupon == "" {
		return Discount{}, false, nil
	}
	c, err := h.coupons.findRedeemable(coupon, sub.Currency, p.Name("coupon"))
	if err != nil {
		return Discount{}, false, err
	}
	return h.build(c, p.String("promotion_code"), h.timeOnClock(sub.TestClock)), true, nil
}

func (h discounts) build(c *Coupon, promotion string, at int64) Discount {
	d := Discount{ID: h.ids.longID("di_1"), Coupon: *c, PromotionCode: promotion}
	d.startAt(at)
	return d
}

func (d *Discount) startAt(at int64) {
	d.Start = at
	if d.Coupon.Duration == "repeating" {
		d.End = wire.AddIntervals(at, "month", d.Coupon.DurationInMonths)
	}
}

// replace sets a subscription's discounts, counts redemptions and emits events. For a subscription
// that is not stored yet, emitCreated emits them later.
func (h discounts) replace(sub *Subscription, to []Discount) {
	old := sub.Discounts
	sub.Discounts = to
	for _, d := range to {
		if !containsDiscount(old, d.ID) {
			h.redeem(d)
			if sub.ID != "" {
				h.emit("customer.discount.created", h.render(sub.Customer, sub.ID, "", d))
			}
		}
	}
	for _, d := range old {
		if !containsDiscount(to, d.ID) {
			h.emit("customer.discount.deleted", h.render(sub.Customer, sub.ID, "", d))
		}
	}
}

func containsDiscount(list []Discount, id string) bool {
	return slices.ContainsFunc(list, func(d Discount) bool { return d.ID == id })
}

func (h discounts) redeem(d Discount) {
	if c, ok := h.store.Coupons.get(d.Coupon.ID); ok {
		c.TimesRedeemed++
	}
	if x, ok := h.store.PromotionCodes.get(d.PromotionCode); ok {
		x.TimesRedeemed++
	}
}

// emitCreated emits the events of the discounts that a new subscription starts with.
func (h discounts) emitCreated(sub *Subscription) {
	for _, d := range sub.Discounts {
		h.emit("customer.discount.created", h.render(sub.Customer, sub.ID, "", d))
	}
}

// applyToInvoice sets an invoice's discounts at a time, and the taxes that follow from them. It
// stores nothing, so previews use it too.
func (h discounts) applyToInvoice(sub *Subscription, inv *Invoice, at int64) {
	inv.Discounts = h.apply(h.effective(sub, at), inv.Lines)
	h.taxes.applyToInvoice(inv)
}

// effective returns the discounts of a subscription at a time: its own, else the customer's, which
// they override (API reference: subscriptions, discount).
func (h discounts) effective(sub *Subscription, at int64) []Discount {
	own := slices.DeleteFunc(slices.Clone(sub.Discounts), func(d Discount) bool { return !d.isActive(at) })
	if len(own) > 0 || sub.IgnoresCustomerDiscount {
		return own
	}
	return h.ofCustomer(sub.Customer, sub.Currency, at)
}

func (d *Discount) isActive(at int64) bool { return d.End == 0 || at < d.End }

func (d *Discount) isOnce() bool { return d != nil && d.Coupon.Duration == "once" }

// apply applies discounts one after the other. It skips prorations, whose amounts are net already
// (docs: prorations and discounts).
func (h discounts) apply(discounts []Discount, lines []InvoiceLine) []InvoiceDiscount {
	left := make([]int64, len(lines))
	for i, l := range lines {
		if !l.Proration && !l.NotDiscountable {
			left[i] = l.Amount
		}
	}
	var out []InvoiceDiscount
	for _, d := range discounts {
		off := h.amountsOff(&d.Coupon, lines, left)
		for i := range left {
			left[i] -= off[i]
		}
		out = append(out, InvoiceDiscount{Discount: d, Lines: off})
	}
	return out
}

// amountsOff is the amount that a coupon takes off each line. A fixed amount is distributed in
// proportion to the lines; the last covered line takes the rounding difference.
func (h discounts) amountsOff(c *Coupon, lines []InvoiceLine, left []int64) []int64 {
	off := make([]int64, len(lines))
	var covered []int
	var sum int64
	for i, l := range lines {
		p, ok := h.store.Prices.get(l.Price)
		if left[i] > 0 && (!ok || c.appliesTo(p.Product)) {
			covered = append(covered, i)
			sum += left[i]
			off[i] = c.percentOfAmount(left[i])
		}
	}
	if c.AmountOff == 0 || sum == 0 {
		return off
	}
	total := min(c.AmountOff, sum)
	rest := total
	for _, i := range covered {
		part := new(big.Rat).SetFrac64(total, sum)
		off[i] = min(rest, wire.Round(part.Mul(part, new(big.Rat).SetInt64(left[i]))))
		rest -= off[i]
	}
	off[covered[len(covered)-1]] += rest
	return off
}

// endUsed removes the one-time discounts that a new invoice has used (stripe-go issue 944: the
// invoice consumes them at once), whatever amount they took off.
func (h discounts) endUsed(inv *Invoice) {
	sub, hasSub := h.store.Subscriptions.get(inv.Subscription)
	for _, used := range inv.Discounts {
		switch {
		case !used.Discount.isOnce():
		case used.Discount.CustomerWide:
			h.endOfCustomer(inv.Customer, used.Discount.ID)
		case hasSub && containsDiscount(sub.Discounts, used.Discount.ID):
			h.replace(sub, slices.DeleteFunc(slices.Clone(sub.Discounts), func(d Discount) bool { return d.ID == used.Discount.ID }))
		}
	}
}

// discountAmount is the total of all discounts.
func (inv *Invoice) discountAmount() int64 {
	var sum int64
	for _, d := range inv.Discounts {
		sum += d.amount()
	}
	return sum
}

func (d InvoiceDiscount) amount() int64 {
	var sum int64
	for _, off := range d.Lines {
		sum += off
	}
	return sum
}

// render renders a discount with the coupon as it is now (a public log of a customer's update shows
// times_redeemed and valid after the redemption).
func (h discounts) render(customer, sub, invoice string, d Discount) wire.Object {
	coupon := &d.Coupon
	if now, ok := h.store.Coupons.get(d.Coupon.ID); ok {
		coupon = now
	}
	return wire.Object{
		"id": d.ID, "object": "discount", "checkout_session": wire.StringOrNull(d.Session), "coupon": h.coupons.render(coupon),
		"customer": wire.Ref("customer", customer), "end": wire.IntOrNull(d.End), "invoice": wire.StringOrNull(invoice), "invoice_item": nil,
		"promotion_code": wire.Ref("promotion_code", d.PromotionCode), "start": d.Start, "subscription": wire.StringOrNull(sub), "subscription_item": nil,
	}
}

// renderOnSubscription sets the discount fields of a subscription.
func (h discounts) renderOnSubscription(o wire.Object, sub *Subscription) {
	var list []any
	for _, d := range sub.Discounts {
		list = append(list, wire.Ref("discount", d.ID))
	}
	if len(list) > 0 {
		o["discounts"] = list
		o["discount"] = h.render(sub.Customer, sub.ID, "", sub.Discounts[len(sub.Discounts)-1])
	}
}

// renderOf renders a discount of an invoice. The discount's own invoice is the one that it was
// applied to directly, and null otherwise (recorded by pay-rails/pay).
func (h discounts) renderOf(inv *Invoice, d Discount) wire.Object {
	sub := inv.Subscription
	if d.CustomerWide || d.Invoice != "" {
		sub = ""
	}
	return h.render(inv.Customer, sub, d.Invoice, d)
}

// renderOnInvoice sets the discount fields and totals of an invoice. discount is null if there are
// several (API reference).
func (h discounts) renderOnInvoice(o wire.Object, inv *Invoice) {
	if len(inv.Discounts) == 0 {
		return
	}
	var list, amounts []any
	for _, d := range inv.Discounts {
		list = append(list, wire.Ref("discount", d.Discount.ID))
		amounts = append(amounts, wire.Object{"amount": d.amount(), "discount": wire.Ref("discount", d.Discount.ID)})
	}
	if len(inv.Discounts) == 1 {
		o["discount"] = h.renderOf(inv, inv.Discounts[0].Discount)
	}
	o["discounts"], o["total_discount_amounts"] = list, amounts
	o["subtotal_excluding_tax"] = o["subtotal"]
}

// lineDiscountAmounts renders discount_amounts of a line.
func (inv *Invoice) lineDiscountAmounts(id string) []any {
	out := []any{}
	at := slices.IndexFunc(inv.Lines, func(l InvoiceLine) bool { return l.ID == id })
	for _, d := range inv.Discounts {
		if at >= 0 && at < len(d.Lines) && d.Lines[at] != 0 {
			out = append(out, wire.Object{"amount": d.Lines[at], "discount": wire.Ref("discount", d.Discount.ID)})
		}
	}
	return out
}

// renderByID renders a discount for expand[].
func (h discounts) renderByID(id string) (wire.Object, bool) {
	for _, sub := range h.store.Subscriptions.all {
		for _, d := range sub.Discounts {
			if d.ID == id {
				return h.render(sub.Customer, sub.ID, "", d), true
			}
		}
	}
	for _, c := range h.store.Customers.all {
		if c.Discount != nil && c.Discount.ID == id {
			return h.renderOfCustomer(c), true
		}
	}
	for _, q := range h.store.Quotes.all {
		if q.Discount != nil && q.Discount.ID == id {
			return h.render(q.Customer, "", "", *q.Discount), true
		}
	}
	for _, inv := range h.store.Invoices.all {
		for _, d := range inv.Discounts {
			if d.Discount.ID == id {
				return h.renderOf(inv, d.Discount), true
			}
		}
	}
	return nil, false
}

func discountResource() resource {
	return resource{objectType: "discount", render: func(r *request, id string) (wire.Object, bool) { return r.discounts.renderByID(id) }, routes: []route{
		on("DELETE /v1/subscriptions/{id}/discount", "", discounts.delete),
		on("GET /v1/customers/{id}/discount", "", discounts.getOfCustomer),
		on("DELETE /v1/customers/{id}/discount", "", discounts.deleteOfCustomer),
	}}
}

// delete removes all discounts of a subscription.
func (h discounts) delete(in *input) (any, error) {
	sub, err := h.subscriptions.find(in)
	if err != nil {
		return nil, err
	}
	if len(sub.Discounts) == 0 {
		return nil, wire.NotFound("discount", "", "")
	}
	gone := h.render(sub.Customer, sub.ID, "", sub.Discounts[len(sub.Discounts)-1])
	h.subscriptions.change(sub, func() { h.replace(sub, nil) })
	h.schedules.syncCurrentPhase(sub)
	return deletedDiscount(gone), nil
}

// deletedDiscount makes a rendered discount the response to its deletion, which has no end (API
// reference: deleted_discount).
func deletedDiscount(o wire.Object) wire.Object {
	delete(o, "end")
	o["deleted"] = true
	return o
}

// reapply recomputes the discounts and taxes of a draft whose lines changed.
func (h discounts) reapply(inv *Invoice) {
	defer h.taxes.applyToInvoice(inv)
	if len(inv.Discounts) == 0 {
		return
	}
	inv.Discounts = h.apply(inv.discounts(), inv.Lines)
}

func (inv *Invoice) discounts() []Discount {
	var out []Discount
	for _, d := range inv.Discounts {
		out = append(out, d.Discount)
	}
	return out
}
