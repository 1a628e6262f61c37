package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

// validateOptions checks what the page collects.
func (h checkoutSessions) validateOptions(in *input) error {
	if in.At("consent_collection").String("terms_of_service") == "required" && h.store.WithoutTerms {
		// Stripe documents that the URL has to be set (docs:
		// https://docs.stripe.com/api/checkout/sessions/create,
		// consent_collection.terms_of_service); wording and parameter are inferred.
		return wire.Invalid("", "consent_collection[terms_of_service]", "You cannot collect consent to your terms of service unless a URL is set in the Stripe Dashboard.")
	}
	filters := in.At("saved_payment_method_options").Strings("allow_redisplay_filters")
	if len(filters) > 0 && !in.Has("customer") {
		return wire.Invalid("", "saved_payment_method_options", "`saved_payment_method_options` can only be used with `customer`.")
	}
	return h.taxes.checkAutomaticTax(in.Params)
}

// setTaxRates reads the tax rates of the subscription and of one-time lines. Rates of recurring
// lines are not supported (docs: they become those of the subscription's items).
func (h checkoutSessions) setTaxRates(cs *CheckoutSession, in *input) error {
	var recurring []*Price
	for i, p := range in.List("line_items") {
		price, _ := h.store.Prices.get(cs.LineItems[i].Price)
		if price.Interval != "" {
			recurring = append(recurring, price)
		}
		rates, err := h.taxRates.fromParams(p, "tax_rates", price)
		if err != nil {
			return err
		}
		switch {
		case len(rates) > 0 && price.Interval != "":
			return wire.Invalid("", p.Name("tax_rates"), "The local Stripe takes tax rates of recurring prices in `subscription_data[default_tax_rates]` only.")
		case len(rates) > 0 && cs.AutomaticTax:
			return automaticWithRatesError(p.Name("tax_rates"))
		}
		cs.LineItems[i].TaxRates = rates
	}
	if _, err := h.taxRates.fromParams(in.At("subscription_data"), "default_tax_rates", recurring...); err != nil {
		return err
	}
	if cs.AutomaticTax && len(cs.DefaultTaxRates) > 0 {
		return automaticWithRatesError("subscription_data[default_tax_rates]")
	}
	return nil
}

func (h checkoutSessions) renderAutomaticTax(cs *CheckoutSession) wire.Object {
	o := renderAutomaticTax(cs.AutomaticTax)
	switch {
	case !cs.AutomaticTax:
		o["status"] = nil
	case h.taxAddress(cs) == nil:
		o["status"] = "requires_location_inputs"
	default:
		o["status"] = "complete"
	}
	return o
}

func (cs *CheckoutSession) renderConsentCollection() any {
	if cs.ConsentTerms == "" && cs.ConsentPromotions == "" {
		return nil
	}
	return wire.Object{
		"payment_method_reuse_agreement": nil, "promotions": wire.StringOrNull(cs.ConsentPromotions), "terms_of_service": wire.StringOrNull(cs.ConsentTerms),
	}
}

func (cs *CheckoutSession) renderCustomText() any {
	message := func(text string) any {
		if text == "" {
			return nil
		}
		return wire.Object{"message": text}
	}
	return wire.Object{"after_submit": nil, "shipping_address": nil, "submit": message(cs.SubmitText), "terms_of_service_acceptance": message(cs.TermsText)}
}

func (cs *CheckoutSession) renderConsent() any {
	if cs.renderConsentCollection() == nil {
		return nil
	}
	accepted := ""
	if cs.EnteredTerms {
		accepted = "accepted"
	}
	return wire.Object{"promotions": nil, "terms_of_service": wire.StringOrNull(accepted)}
}

func (cs *CheckoutSession) renderSavedOptions() any {
	if len(cs.RedisplayFilters) == 0 && cs.PaymentMethodSave == "" {
		return nil
	}
	return wire.Object{
		"allow_redisplay_filters": wire.StringsOrNull(cs.RedisplayFilters), "payment_method_remove": nil, "payment_method_save": wire.StringOrNull(cs.PaymentMethodSave),
	}
}

// savedCards are the customer's cards that the page offers: those whose allow_redisplay is among
// the filters, by default always (docs: https://docs.stripe.com/payments/existing-customers).
func (h checkoutSessions) savedCards(cs *CheckoutSession) []*PaymentMethod {
	filters := cs.RedisplayFilters
	if len(filters) == 0 {
		filters = []string{"always"}
	}
	var out []*PaymentMethod
	if cs.Customer == "" {
		return nil
	}
	for _, pm := range h.store.PaymentMethods.by("customer", cs.Customer) {
		if slices.Contains(filters, pm.allowRedisplay()) && pm.isCard() {
			out = append(out, pm)
		}
	}
	return out
}

// savedCard returns the saved card with an id that the page offers.
func (h checkoutSessions) savedCard(cs *CheckoutSession, id string) (*PaymentMethod, bool) {
	for _, pm := range h.savedCards(cs) {
		if pm.ID == id {
			return pm, true
		}
	}
	return nil, false
}
