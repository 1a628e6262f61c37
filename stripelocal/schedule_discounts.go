package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

// phaseDiscounts reads the discounts of a phase. Without any, the subscription has none during the
// phase: it inherits only those of the customer (API reference: update a schedule,
// phases.discounts), which the local Stripe does not have. That discounts which no phase lists are
// lost: useautumn/autumn pull request 742, bitwarden/server pull request 8278.
func (h schedules) phaseDiscounts(sub *Subscription, p wire.Params) ([]Discount, error) {
	list, _, err := h.discounts.listFromParams(sub, p)
	return list, err
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
