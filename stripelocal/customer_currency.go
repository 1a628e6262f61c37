package stripelocal

import "usher/stripelocal/wire"

// checkCurrency rejects a subscription, invoice item or Checkout session in another currency than
// what the customer has already. One-time payments in Checkout are free to differ.
func (h customers) checkCurrency(customer, currency string) error {
	if c, ok := h.store.Customers.get(customer); ok && c.Discount != nil && c.Discount.Coupon.AmountOff > 0 && c.Discount.Coupon.Currency != currency {
		return combinedCurrencies(c.Discount.Coupon.Currency)
	}
	return h.checkOtherCurrencies(customer, currency)
}

// checkOtherCurrencies rejects a discount in another currency than what the customer has already
// besides a discount, which the new one replaces.
func (h customers) checkOtherCurrencies(customer, currency string) error {
	if other, differs := h.otherCurrency(customer, currency); differs {
		return combinedCurrencies(other)
	}
	return nil
}

// combinedCurrencies is Stripe's error (public issue threads).
func combinedCurrencies(other string) error {
	return wire.Invalid("", "", "You cannot combine currencies on a single customer. This customer has an active subscription, subscription schedule, discount, quote, invoice item or active subscription mode checkout session with currency "+other+".")
}

// otherCurrency returns the currency of a customer's subscriptions that have not ended, schedules
// that have not started, pending invoice items, open quotes and open Checkout sessions, if one
// differs. Other schedules have the currency of their subscription.
func (h customers) otherCurrency(customer, currency string) (string, bool) {
	for _, sub := range h.store.Subscriptions.by("customer", customer) {
		if !sub.hasEnded() && sub.Currency != currency {
			return sub.Currency, true
		}
	}
	if other, differs := h.schedules.otherCurrency(customer, currency); differs {
		return other, true
	}
	for _, item := range h.store.InvoiceItems.by("customer", customer) {
		if item.Invoice == "" && item.Currency != currency {
			return item.Currency, true
		}
	}
	for _, q := range h.store.Quotes.by("customer", customer) {
		if q.Status == "open" && q.Currency != currency {
			return q.Currency, true
		}
	}
	for _, cs := range h.store.CheckoutSessions.by("customer", customer) {
		if cs.Status == "open" && cs.Mode == "subscription" && cs.Currency != currency {
			return cs.Currency, true
		}
	}
	return "", false
}
