package main

import (
	"fmt"
	"net/http"
	"net/url"

	"usher/billing"
)

// interruption is what happens between a preview of seats and its confirmation. Without a function,
// days pass.
type interruption struct {
	name string
	do   func(*history, *seatChange)
}

// interruptions are picked by index: their number and order are part of what a seed means.
var interruptions = []interruption{
	{"confirmed", func(*history, *seatChange) {}},
	{"confirmed", func(*history, *seatChange) {}},
	{"confirmed", func(*history, *seatChange) {}},
	{"confirmed", func(*history, *seatChange) {}},
	{"days pass", nil},
	{"a member changes", func(h *history, _ *seatChange) { h.toggleBillable() }},
	{"confirmed for other people", confirmForOthers},
	{"support changes the quantity", interruptByQuantity},
	{"support switches the plan", interruptByPlan},
	{"support adds a discount", interruptByDiscount},
	{"confirmed after a while", func(h *history, _ *seatChange) { h.usher.think() }},
}

// confirmForOthers uses the token of a preview for another change.
func confirmForOthers(h *history, change *seatChange) {
	other, ok := h.anySeatRequest()
	if !ok || fmt.Sprint(other) == fmt.Sprint(change.request) || change.shown.Subscription == "" {
		return
	}
	if other.Kind == change.request.Kind && sameChange(other, change.request) {
		return
	}
	change.request, change.moved = other, "another change was previewed"
}

// sameChange reports whether two requests of one kind ask for the same.
func sameChange(a, b billing.SeatRequest) bool {
	described := func(r billing.SeatRequest) string {
		if r.Change.Billable == nil {
			return fmt.Sprint(r.MemberIDs, r.Invitation)
		}
		return fmt.Sprint(r.MemberIDs, r.Invitation, *r.Change.Billable)
	}
	return described(a) == described(b)
}

// interruptByQuantity lets support change the quantity. The confirmation does not count any more
// then, even if Usher has reverted the quantity. An invitation changes no quantity: what it showed
// is right again once that is reverted.
func interruptByQuantity(h *history, change *seatChange) {
	quantity := 1 + h.random.IntN(9)
	_, after := h.interrupt(change, func(o stripeObjects) url.Values {
		return url.Values{"items[0][id]": {o.item}, "items[0][quantity]": {fmt.Sprint(quantity)}}
	})
	item, ours := after.seatItem()
	counts := change.request.Kind != billing.SeatInvitation && change.shown.costs()
	if ours && item.ID == change.shown.Item && item.Quantity != change.shown.From && counts {
		change.moved = fmt.Sprintf("support has set the quantity %d", item.Quantity)
	}
}

// interruptByPlan lets support switch the plan.
func interruptByPlan(h *history, change *seatChange) {
	price := h.stripe.priceID(planKeys[h.random.IntN(len(planKeys))])
	_, after := h.interrupt(change, func(o stripeObjects) url.Values {
		return url.Values{"items[0][id]": {o.item}, "items[0][price]": {price}, "items[0][quantity]": {"2"}, "proration_behavior": {"none"}}
	})
	if item, ours := after.seatItem(); ours && item.Price.ID != change.shown.Price && change.shown.costs() {
		change.moved = "support has switched the plan"
	}
}

// leastDiscounted is an amount that the discount of support changes, in the minor unit.
const leastDiscounted = 10

// interruptByDiscount lets support add a discount that no code gives.
func interruptByDiscount(h *history, change *seatChange) {
	before, after := h.interrupt(change, func(stripeObjects) url.Values {
		return url.Values{"discounts[0][coupon]": {supportCoupon}}
	})
	if after.Discount != nil && !before.Discount.is(supportCoupon) && change.shown.costs() && max(change.shown.Sum, -change.shown.Sum) >= leastDiscounted {
		change.moved = "support has added a discount"
	}
}

// interrupt lets support change the subscription at Stripe. The person then thinks for a while. The
// results are empty if it is not the subscription that was previewed.
func (h *history) interrupt(change *seatChange, form func(stripeObjects) url.Values) (before, after recordedSubscription) {
	objects := h.stripeObjects()
	if objects.subscription == "" || objects.subscription != change.shown.Subscription {
		return before, after
	}
	h.callStripe(http.MethodGet, objects.path(), nil, &before)
	h.callStripe(http.MethodPost, objects.path(), form(objects), &after)
	h.usher.think()
	return before, after
}
