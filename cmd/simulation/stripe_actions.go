package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// stripeObjects are the ids of what an organization has at Stripe; empty if there is none.
type stripeObjects struct{ customer, subscription, item string }

// path returns the path of the subscription.
func (o stripeObjects) path() string { return "/v1/subscriptions/" + o.subscription }

// stripeObjects finds the organization's customer and its newest living subscription of a plan.
func (h *history) stripeObjects() stripeObjects {
	customer := h.usher.customerID(h.organizationID)
	if customer == "" {
		return stripeObjects{}
	}
	var list struct {
		Data []struct {
			ID    string
			Items struct{ Data []struct{ ID string } }
		}
	}
	h.callStripe(http.MethodGet, "/v1/subscriptions?customer="+customer, nil, &list)
	for _, s := range list.Data {
		if _, foreign := h.foreign[s.ID]; !foreign && len(s.Items.Data) > 0 {
			return stripeObjects{customer, s.ID, s.Items.Data[0].ID}
		}
	}
	return stripeObjects{customer: customer}
}

// callStripe calls Stripe's API under the history's next idempotency key.
func (h *history) callStripe(method, path string, form url.Values, result any) {
	h.stripeCalls++
	key := fmt.Sprintf("simulation:%d:%d", h.seed, h.stripeCalls)
	h.behaviors[key] = form.Get("proration_behavior")
	h.stripe.call(key, method, path, form, result)
}

// behaviorOf returns how a change that the history made at Stripe is prorated. The key has the
// number of the try at its end.
func (h *history) behaviorOf(key string) string {
	return h.behaviors[key[:strings.LastIndex(key, ":")]]
}

func setQuantity(h *history, o stripeObjects, quantity int) {
	h.callStripe(http.MethodPost, o.path(), url.Values{"items[0][id]": {o.item}, "items[0][quantity]": {fmt.Sprint(quantity)}}, nil)
}

func setCancelAtPeriodEnd(h *history, o stripeObjects, cancel bool) {
	h.callStripe(http.MethodPost, o.path(), url.Values{"cancel_at_period_end": {fmt.Sprint(cancel)}}, nil)
}

func changeQuantity(h *history, o stripeObjects) { setQuantity(h, o, 1+h.random.IntN(40)) }

// changeQuantityOften creates more lines of the next invoice than fit on one page of the API.
func changeQuantityOften(h *history, o stripeObjects) {
	for n := range 12 * h.random.IntN(2) {
		setQuantity(h, o, 2+n%3)
	}
}

func switchPlan(h *history, o stripeObjects) {
	price := h.stripe.priceID([]string{"usher_starter_month", "usher_pro_month"}[h.random.IntN(2)])
	h.callStripe(http.MethodPost, o.path(), url.Values{
		"items[0][id]": {o.item}, "items[0][price]": {price}, "items[0][quantity]": {"2"}, "proration_behavior": {"always_invoice"},
	}, nil)
}

func cancelAtPeriodEnd(h *history, o stripeObjects) { setCancelAtPeriodEnd(h, o, true) }

func resume(h *history, o stripeObjects) { setCancelAtPeriodEnd(h, o, false) }

// setCancellationRepeatedly makes several changes within one second. None creates an invoice,
// whose events would cause the subscription to be fetched.
func setCancellationRepeatedly(h *history, o stripeObjects) {
	for n := range 3 + h.random.IntN(2) {
		setCancelAtPeriodEnd(h, o, n%2 == 0)
	}
}

// toggleCancellation schedules the end of the subscription, or removes it.
func (h *history) toggleCancellation() {
	o := h.stripeObjects()
	if o.subscription == "" {
		return
	}
	var subscription struct {
		CancelAtPeriodEnd bool `json:"cancel_at_period_end"`
	}
	h.callStripe(http.MethodGet, o.path(), nil, &subscription)
	setCancelAtPeriodEnd(h, o, !subscription.CancelAtPeriodEnd)
}

func endSubscription(h *history, o stripeObjects) {
	if h.random.IntN(3) == 0 {
		h.ended[o.subscription] = true
		h.callStripe(http.MethodDelete, o.path(), nil, nil)
	}
}

// changeCard sets another card, one that pays or one that is declined at every charge.
func changeCard(h *history, o stripeObjects) {
	var method struct{ ID string }
	token := []string{"tok_visa", "tok_chargeCustomerFail"}[h.random.IntN(2)]
	h.callStripe(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {token}}, &method)
	h.callStripe(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {o.customer}}, nil)
	h.callStripe(http.MethodPost, o.path(), url.Values{"default_payment_method": {method.ID}}, nil)
}

// refund refunds the newest charge, in whole or in part.
func refund(h *history, o stripeObjects) {
	var charges struct {
		Data []struct {
			ID     string
			Amount int64
		}
	}
	h.callStripe(http.MethodGet, "/v1/charges?limit=1&customer="+o.customer, nil, &charges)
	if len(charges.Data) == 1 && charges.Data[0].Amount > 1 {
		amount := fmt.Sprint(charges.Data[0].Amount / int64(1+h.random.IntN(3)))
		h.callStripe(http.MethodPost, "/v1/refunds", url.Values{"charge": {charges.Data[0].ID}, "amount": {amount}}, nil)
	}
}

func (h *history) deleteCustomer() {
	o := h.stripeObjects()
	if o.customer != "" && h.random.IntN(8) == 0 {
		h.ended[o.customer] = true
		h.callStripe(http.MethodDelete, "/v1/customers/"+o.customer, nil, nil)
	}
}
