package stripelocal

import (
	"net/http"
	"slices"

	"usher/stripelocal/wire"
)

const maxShippingOptions = 5 // API reference: create a session, shipping_options

// setShippingOptions reads shipping_options of a new session in payment mode. The first one is
// chosen until the page says otherwise. The wordings are inferred.
func (h checkoutSessions) setShippingOptions(cs *CheckoutSession, in *input) error {
	list := in.List("shipping_options")
	switch {
	case len(list) == 0:
		return nil
	case cs.Mode != "payment":
		return wire.Invalid("", "shipping_options", "The local Stripe takes `shipping_options` in `payment` mode only.")
	case len(list) > maxShippingOptions:
		return wire.Invalid("", "shipping_options", "You can only pass up to 5 shipping options.")
	}
	var rates []*ShippingRate
	for _, option := range list {
		rate, err := h.shippingRates.ofOption(option)
		if err != nil {
			return err
		}
		if rate.Currency != cs.Currency {
			return wire.Invalid("", option.Name("shipping_rate"), "The shipping rate "+rate.ID+" is in `"+rate.Currency+"`, and the session in `"+cs.Currency+"`.")
		}
		rates = append(rates, rate)
	}
	for _, rate := range rates {
		if _, stored := h.store.ShippingRates.get(rate.ID); !stored {
			h.store.ShippingRates.insert(rate)
		}
		cs.ShippingOptions = append(cs.ShippingOptions, rate.ID)
	}
	cs.ShippingRate = cs.ShippingOptions[0]
	return nil
}

// ofOption returns the rate that an option names, or makes it of shipping_rate_data.
func (h shippingRates) ofOption(option wire.Params) (*ShippingRate, error) {
	switch {
	case option.Has("shipping_rate") == option.Has("shipping_rate_data"):
		return nil, wire.Invalid("", option.Name("shipping_rate"), "You must specify one of `shipping_rate` and `shipping_rate_data`.")
	case option.Has("shipping_rate_data"):
		return h.fromParams(option.At("shipping_rate_data"))
	}
	x, ok := h.store.ShippingRates.get(option.String("shipping_rate"))
	switch {
	case !ok:
		return nil, wire.NoSuch("shipping rate", option.String("shipping_rate"), option.Name("shipping_rate"))
	case x.Inactive:
		return nil, wire.Invalid("", option.Name("shipping_rate"), "The shipping rate "+x.ID+" is not active.")
	}
	return x, nil
}

// shippingAmount is what the chosen option costs.
func (h checkoutSessions) shippingAmount(cs *CheckoutSession) int64 {
	if x, ok := h.store.ShippingRates.get(cs.ShippingRate); ok {
		return x.Amount
	}
	return 0
}

// chooseShipping takes the option that was chosen on the page.
func (cs *CheckoutSession) chooseShipping(req *http.Request) {
	if id := req.PostFormValue("shippingRate"); slices.Contains(cs.ShippingOptions, id) && !cs.paymentAttempted() {
		cs.ShippingRate = id
	}
}

func (h checkoutSessions) renderShippingOptions(cs *CheckoutSession) []any {
	out := []any{}
	for _, id := range cs.ShippingOptions {
		if x, ok := h.store.ShippingRates.get(id); ok {
			out = append(out, wire.Object{"shipping_amount": x.Amount, "shipping_rate": wire.Ref("shipping_rate", id)})
		}
	}
	return out
}

// renderShippingCost is the cost of the chosen option, which is not taxed.
func (h checkoutSessions) renderShippingCost(cs *CheckoutSession) any {
	if cs.ShippingRate == "" {
		return nil
	}
	amount := h.shippingAmount(cs)
	return wire.Object{"amount_subtotal": amount, "amount_tax": 0, "amount_total": amount, "shipping_rate": wire.Ref("shipping_rate", cs.ShippingRate)}
}

// addShipping shows the options, and the cost of the chosen one.
func (h checkoutPages) addShipping(p *checkoutPage, cs *CheckoutSession) {
	for _, id := range cs.ShippingOptions {
		x, ok := h.store.ShippingRates.get(id)
		if !ok {
			continue
		}
		cost := wire.FormatAmount(x.Amount, x.Currency)
		p.Shipping = append(p.Shipping, pageOption{Value: id, Label: x.DisplayName + ", " + cost, Selected: id == cs.ShippingRate})
		if id == cs.ShippingRate {
			p.ShippingCost = &labeledValue{x.DisplayName, cost}
		}
	}
}
