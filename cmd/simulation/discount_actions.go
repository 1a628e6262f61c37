package main

import (
	"context"
	"maps"
	"net/http"
	"net/url"
)

// promotion is a coupon that a promotion code of the same name redeems.
type promotion struct {
	code  string
	terms url.Values
}

// promotions are picked by index.
var promotions = []promotion{
	{"ONCE20", url.Values{"percent_off": {"20"}, "duration": {"once"}}},
	{"ONCE3", url.Values{"amount_off": {"300"}, "currency": {"usd"}, "duration": {"once"}}},
	{"SPRING", url.Values{"percent_off": {"12.5"}, "duration": {"repeating"}, "duration_in_months": {"2"}}},
	{"LESS", url.Values{"amount_off": {"250"}, "currency": {"usd"}, "duration": {"repeating"}, "duration_in_months": {"1"}}},
	{"ALWAYS10", url.Values{"percent_off": {"10"}, "duration": {"forever"}}},
	{"FREE6", url.Values{"amount_off": {"600"}, "currency": {"usd"}, "duration": {"forever"}}}, // more than a seat of some plans
}

// supportCoupon is a coupon that only support applies.
const supportCoupon = "SUPPORT35"

// createCoupons creates the coupons and promotion codes.
func (e *environment) createCoupons(ctx context.Context) error {
	support := promotion{supportCoupon, url.Values{"percent_off": {"35"}, "duration": {"forever"}}}
	for _, p := range append([]promotion{support}, promotions...) {
		terms := maps.Clone(p.terms)
		terms.Set("id", p.code)
		if err := e.postStripe(ctx, "/v1/coupons", terms); err != nil {
			return err
		}
		if p.code == supportCoupon {
			continue
		}
		if err := e.postStripe(ctx, "/v1/promotion_codes", url.Values{"coupon": {p.code}, "code": {p.code}}); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) anyPromotion() string { return promotions[h.random.IntN(len(promotions))].code }

// anyCode returns the code that a person has, or none.
func (h *history) anyCode() string {
	if h.random.IntN(3) > 0 {
		return ""
	}
	return h.anyPromotion()
}

// enter remembers the code of a Checkout session.
func (h *history) enter(s session, code string) {
	if h.codes[s.ID] = code; code != "" {
		h.results.countAction("codes: " + code + " at Checkout")
	}
}

// addDiscount lets support replace the discount of the subscription.
func addDiscount(h *history, o stripeObjects) {
	coupon := h.anyPromotion()
	h.results.countAction("codes: " + coupon + " by support")
	h.callStripe(http.MethodPost, o.path(), url.Values{"discounts[0][coupon]": {coupon}}, nil)
}

// downgradeWithDiscount adds a lasting discount and confirms a change to the cheapest plan, which
// is scheduled for the end of the period.
func downgradeWithDiscount(h *history, o stripeObjects) {
	h.callStripe(http.MethodPost, o.path(), url.Values{"discounts[0][coupon]": {"ALWAYS10"}}, nil)
	h.perform(operation{Kind: changePlan, Plan: "starter"})
}

func removeDiscount(h *history, o stripeObjects) {
	h.results.countAction("codes: removed by support")
	h.callStripe(http.MethodDelete, o.path()+"/discount", nil, nil)
}
