package main

import (
	"encoding/json"
	"math/big"
	"slices"
)

// counts reports whether a discount counts at a time. None is no discount.
func (d *recordedDiscount) counts(at int64) bool {
	return d != nil && (d.End == 0 || at < d.End)
}

// is reports whether a discount is one of a coupon.
func (d *recordedDiscount) is(coupon string) bool { return d != nil && d.Coupon.ID == coupon }

// amountsOff returns what a discount takes off each of several amounts. A fixed amount is
// distributed in proportion; the last one takes the rounding difference.
func (d *recordedDiscount) amountsOff(amounts []int64) []int64 {
	off := make([]int64, len(amounts))
	var sum, rest int64
	last := -1
	for i, amount := range amounts {
		if sum += max(0, amount); amount > 0 {
			last = i
		}
	}
	rest = min(d.Coupon.AmountOff, sum)
	for i, amount := range amounts {
		switch percent, isPercent := new(big.Rat).SetString(d.Coupon.PercentOff.String()); {
		case amount <= 0:
		case isPercent:
			off[i] = rounded(percent.Mul(percent, big.NewRat(amount, 100)))
		case i == last:
			off[i] = rest
		default:
			off[i] = min(rest, rounded(big.NewRat(min(d.Coupon.AmountOff, sum)*amount, sum)))
			rest -= off[i]
		}
	}
	return off
}

// netAmount returns the amount of a subscription's item for a period, less a discount: prorations
// are net of it (Stripe's changelog, 2025-09-30).
func netAmount(s recordedSubscription, item recordedItem, discount *recordedDiscount, at int64) int64 {
	amount := item.Price.UnitAmount * item.Quantity
	i := slices.IndexFunc(s.Items.Data, func(other recordedItem) bool { return other.ID == item.ID })
	if i < 0 || !discount.counts(at) {
		return amount
	}
	var amounts []int64
	for _, other := range s.Items.Data {
		amounts = append(amounts, other.Price.UnitAmount*other.Quantity)
	}
	return amount - discount.amountsOff(amounts)[i]
}

// discountsAt lists the discounts that may have counted for a change: that after it, that before
// it, which its invoice may have used up, and the one that the event says it has replaced.
func (s *subscriptionPast) discountsAt(n int) []*recordedDiscount {
	found := []*recordedDiscount{s.events[n].Data.Object.Discount}
	var previous struct{ Discount *recordedDiscount }
	if json.Unmarshal(s.events[n].Data.Previous, &previous) == nil && previous.Discount != nil {
		found = append(found, previous.Discount)
	}
	if n > 0 && s.events[n-1].Data.Object.Discount != nil {
		found = append(found, s.events[n-1].Data.Object.Discount)
	}
	return found
}

// verifyDiscount checks the discount of an invoice, and that its total is that of its lines.
func (o *moneyOracle) verifyDiscount(h *history, past *subscriptionPast, invoice *recordedInvoice) {
	var total, off int64
	for _, line := range invoice.Lines.Data {
		total += line.Amount
		off += sumOff(line.AmountsOff)
	}
	if off != sumOff(invoice.AmountsOff) || invoice.Total != total-off {
		h.diverged("%s: the total is %d, the lines are %d and %d off them", invoice.ID, invoice.Total, total, off)
	}
	expected, known := o.discountsOf(h, past, invoice)
	if !known {
		return
	}
	if off > 0 {
		o.results.countMoney("discounted", invoice.Currency, off, 1)
	}
	if !slices.ContainsFunc(expected, func(d *recordedDiscount) bool { return invoice.has(d, off) }) {
		h.diverged("%s of %s has %d off by %s, expected was %s", invoice.ID, past.ID, off, describeDiscount(invoice.Discount), describeDiscounts(expected))
	}
}

// verifyScheduled checks that a scheduled change of the plan keeps the discount. Stripe ends one
// that the next phase does not list.
func (o *moneyOracle) verifyScheduled(h *history, past *subscriptionPast) {
	for n := 1; n < len(past.events); n++ {
		c, changed := past.changeAt(n)
		is := c.event.Data.Object
		if !changed || c.event.Request.IdempotencyKey != "" || c.before.Schedule == "" || samePeriod(is, c.before) || !past.keptDiscount(n) {
			continue
		}
		o.results.countMoney("discounts kept by a scheduled change", "", 0, 1)
		if is.Discount == nil || is.Discount.ID != c.before.Discount.ID {
			h.diverged("%s: a scheduled change has replaced the discount %s by %s", past.ID, describeDiscount(c.before.Discount), describeDiscount(is.Discount))
		}
	}
}

// keptDiscount reports whether a subscription had one lasting discount since its schedule was made.
func (s *subscriptionPast) keptDiscount(n int) bool {
	before := s.events[n-1].Data.Object
	if !before.Discount.counts(s.events[n].Created) || before.Discount.Coupon.Duration == "once" {
		return false
	}
	for k := n - 1; k >= 0 && s.events[k].Data.Object.Schedule == before.Schedule; k-- {
		if d := s.events[k].Data.Object.Discount; d == nil || d.ID != before.Discount.ID {
			return false
		}
	}
	return true
}

func sumOff(amounts []amountOff) (sum int64) {
	for _, off := range amounts {
		sum += off.Amount
	}
	return sum
}

// has reports whether a discount of an invoice is the expected one. Prorations are net already.
func (i *recordedInvoice) has(d *recordedDiscount, off int64) bool {
	if !d.counts(i.Created) {
		return i.Discount == nil && off == 0
	}
	var amounts []int64
	for _, line := range i.Lines.Data {
		if !line.Proration {
			amounts = append(amounts, line.Amount)
		}
	}
	var want int64
	for _, part := range d.amountsOff(amounts) {
		want += part
	}
	code := d.PromotionCode == "" || i.Discount != nil && i.Discount.PromotionCode != ""
	return i.Discount != nil && i.Discount.Coupon.ID == d.Coupon.ID && off == want && code
}

// discountsOf returns the discounts that an invoice of a period may have: that of the Checkout for
// the first one, and that of the subscription when the period began for others.
func (o *moneyOracle) discountsOf(h *history, past *subscriptionPast, invoice *recordedInvoice) ([]*recordedDiscount, bool) {
	if invoice.Reason == "subscription_create" {
		return []*recordedDiscount{o.enteredAt(h, past)}, true
	}
	i := slices.IndexFunc(invoice.Lines.Data, func(l recordedLine) bool { return l.Type == "subscription" && !l.Proration && l.Price.plan() != "" })
	if i < 0 {
		return nil, false
	}
	var found []*recordedDiscount
	for n, e := range past.events {
		begins := e.Data.Object.PeriodStart == invoice.Lines.Data[i].Period.Start
		if begins && n == 0 {
			return nil, false
		}
		if begins && (found == nil || e.Created == invoice.Created) { // two periods can begin in one second
			found = append(found, past.discountsAt(n)...)
		}
	}
	return found, found != nil
}

// enteredAt returns the discount of the code with which a subscription was sold; nil: without one.
func (o *moneyOracle) enteredAt(h *history, past *subscriptionPast) *recordedDiscount {
	i := slices.IndexFunc(o.sessions, func(s recordedSession) bool { return s.Subscription == past.ID && s.Reference != "" })
	if i < 0 || h.codes[o.sessions[i].ID] == "" {
		return nil
	}
	code := h.codes[o.sessions[i].ID]
	return &recordedDiscount{Coupon: couponOf(code), PromotionCode: code}
}

// couponOf returns the terms of a promotion, which the histories have made themselves.
func couponOf(code string) recordedCoupon {
	terms := promotions[slices.IndexFunc(promotions, func(p promotion) bool { return p.code == code })].terms
	off, _ := json.Number(terms.Get("amount_off")).Int64()
	return recordedCoupon{ID: code, AmountOff: off, PercentOff: json.Number(terms.Get("percent_off"))}
}

func describeDiscount(d *recordedDiscount) string {
	if d == nil {
		return "no discount"
	}
	return d.Coupon.ID
}

func describeDiscounts(discounts []*recordedDiscount) (text string) {
	for _, d := range discounts {
		text += " " + describeDiscount(d)
	}
	return text
}
