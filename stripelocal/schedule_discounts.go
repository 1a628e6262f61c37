package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

// phaseDiscounts reads the discounts of a phase. Without any, the subscription has none of its own
// during the phase and inherits the customer's (API reference: update a schedule,
// phases.discounts). That discounts which no phase lists are lost: useautumn/autumn pull request
// 742, bitwarden/server pull request 8278.
func (h schedules) phaseDiscounts(sub *Subscription, p wire.Params) ([]Discount, error) {
	list, _, err := h.discounts.listFromParams(sub, p)
	return list, err
}

// ignoresCustomerDiscount reports whether the discounts of a phase or of a preview are empty:
// unlike without the parameter, the customer's is not inherited then (API reference).
func ignoresCustomerDiscount(p wire.Params) bool {
	return p.Has("discounts") && len(p.List("discounts")) == 0
}

// enterPhaseDiscounts sets the discounts of the subscription to those of a phase that begins. New
// ones start with the phase. One for a single invoice that was used up meanwhile does not come
// back.
func (h schedules) enterPhaseDiscounts(sub *Subscription, phase SchedulePhase) {
	if !phase.HasDiscounts {
		return
	}
	entered := slices.Clone(phase.Discounts)
	for i, d := range entered {
		if !containsDiscount(sub.Discounts, d.ID) {
			entered[i].startAt(h.timeOnClock(sub.TestClock))
		}
	}
	sub.IgnoresCustomerDiscount = phase.IgnoresCustomerDiscount
	h.discounts.replace(sub, slices.DeleteFunc(entered, func(d Discount) bool {
		return d.Coupon.Duration == "once" && h.discounts.isUsed(sub, d)
	}))
}

// isUsed reports whether an invoice of a subscription has a discount.
func (h discounts) isUsed(sub *Subscription, d Discount) bool {
	return slices.ContainsFunc(h.store.Invoices.by("subscription", sub.ID), func(inv *Invoice) bool {
		return slices.ContainsFunc(inv.Discounts, func(used InvoiceDiscount) bool { return used.Discount.ID == d.ID })
	})
}

// renderPhaseDiscounts renders the discounts of a phase. An existing one is shown with its coupon
// and code.
func renderPhaseDiscounts(list []Discount) []any {
	out := []any{}
	for _, d := range list {
		out = append(out, wire.Object{
			"coupon": wire.Ref("coupon", d.Coupon.ID), "discount": wire.Ref("discount", d.ID), "promotion_code": wire.Ref("promotion_code", d.PromotionCode),
		})
	}
	return out
}
