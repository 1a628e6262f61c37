package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// newCard attaches a card that pays and returns its id.
func (h *history) newCard(customer string) string {
	var method struct{ ID string }
	h.callStripe(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {"tok_visa"}}, &method)
	h.callStripe(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {customer}}, nil)
	return method.ID
}

// createSubscription creates a subscription by API, with or without the organization in its
// metadata, and returns its id.
func (h *history) createSubscription(customer, lookupKey string, quantity int, named bool) string {
	form := url.Values{
		"customer": {customer}, "default_payment_method": {h.newCard(customer)},
		"items[0][price]": {h.stripe.priceID(lookupKey)}, "items[0][quantity]": {fmt.Sprint(quantity)},
	}
	if strings.HasPrefix(lookupKey, "usher_trial") { // support gives another trial
		form.Set("trial_period_days", "20")
	}
	if named {
		form.Set("metadata[orgId]", h.organizationID)
	}
	var created struct{ ID string }
	h.callStripe(http.MethodPost, "/v1/subscriptions", form, &created)
	return created.ID
}

// addForeignSubscription lets support sell something that is no plan.
func (h *history) addForeignSubscription() {
	customer := h.stripeObjects().customer
	if customer == "" {
		return
	}
	quantity, named := 1+h.random.IntN(3), h.random.IntN(2) == 0
	if id := h.createSubscription(customer, addOnKey, quantity, named); id != "" {
		h.foreign[id] = int64(quantity)
	}
}

// addForeignSubscriptionDuringCheckout lets support sell something else while a Checkout page is
// open, which is then paid.
func (h *history) addForeignSubscriptionDuringCheckout() {
	if s, ok := h.openCheckout(h.anyPlan()); ok {
		h.addForeignSubscription()
		h.payAndReturn(s, validCard)
	}
}

// endForeignSubscription ends one of the foreign subscriptions.
func (h *history) endForeignSubscription() {
	for id := range h.foreign {
		if len(h.foreign) == 1 { // more of them have no order that a seed could repeat
			h.ended[id] = true
			h.callStripe(http.MethodDelete, "/v1/subscriptions/"+id, nil, nil)
		}
	}
}

// sellPlanByAPI lets support sell any plan beside the current one.
func (h *history) sellPlanByAPI() {
	customer := h.stripeObjects().customer
	key, quantity := planKeys[h.random.IntN(len(planKeys))], 1+h.random.IntN(3)
	if customer != "" {
		h.createSubscription(customer, key, quantity, true)
	}
}

// giveAnotherTrial ends the subscription and lets support give a trial in its place.
func giveAnotherTrial(h *history, o stripeObjects) {
	h.ended[o.subscription] = true
	h.callStripe(http.MethodDelete, o.path(), nil, nil)
	h.createSubscription(o.customer, "usher_trial_month", 1, true)
}

// addForeignItem adds an item that is no plan to the plan's subscription.
func addForeignItem(h *history, o stripeObjects) {
	h.callStripe(http.MethodPost, o.path(), url.Values{"items[0][price]": {h.stripe.priceID(addOnKey)}}, nil)
}

// switchToAnyPlan changes plan, interval and quantity as the portal, an operator or another
// application may.
func switchToAnyPlan(h *history, o stripeObjects) {
	key, quantity := planKeys[h.random.IntN(len(planKeys))], 1+h.random.IntN(4)
	behavior := []string{"create_prorations", "always_invoice", "none"}[h.random.IntN(3)]
	h.callStripe(http.MethodPost, o.path(), url.Values{
		"items[0][id]": {o.item}, "items[0][price]": {h.stripe.priceID(key)}, "items[0][quantity]": {fmt.Sprint(quantity)},
		"proration_behavior": {behavior},
	}, nil)
}

// creditInvoice issues a credit note for a part of the newest paid invoice, to the card or to the
// customer's balance.
func creditInvoice(h *history, o stripeObjects) {
	var invoices struct {
		Data []struct {
			ID    string
			Total int64
		}
	}
	h.callStripe(http.MethodGet, "/v1/invoices?limit=1&status=paid&subscription="+o.subscription, nil, &invoices)
	parts, target := int64(1+h.random.IntN(3)), []string{"refund_amount", "credit_amount"}[h.random.IntN(2)]
	if len(invoices.Data) == 1 && invoices.Data[0].Total > 1 {
		amount := fmt.Sprint(invoices.Data[0].Total / parts)
		h.callStripe(http.MethodPost, "/v1/credit_notes", url.Values{"invoice": {invoices.Data[0].ID}, "amount": {amount}, target: {amount}}, nil)
	}
}

// creditBalance gives the customer a balance, which pays a part of the next invoice.
func (h *history) creditBalance() {
	if customer := h.stripeObjects().customer; customer != "" {
		h.callStripe(http.MethodPost, "/v1/customers/"+customer, url.Values{"balance": {fmt.Sprint(-500 * (1 + h.random.IntN(3)))}}, nil)
	}
}
