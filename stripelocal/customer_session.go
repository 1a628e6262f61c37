package stripelocal

import (
	"slices"

	"usher/stripelocal/wire"
)

// customerSessionLifetime is how long the secret of a customer session is valid, in seconds
// (inferred: half an hour).
const customerSessionLifetime = 30 * 60

// CustomerSession lets Stripe's scripts on a page act for a customer. It has no id at Stripe.
type CustomerSession struct {
	Base
	ClientSecret   string
	Customer       string
	BuyButton      bool
	PricingTable   bool
	PaymentElement *PaymentElementFeatures // nil if it is not enabled
}

// PaymentElementFeatures are what a customer may do in the Payment Element. Their fields and
// defaults are those of the API reference.
type PaymentElementFeatures struct {
	HasFeatures    bool
	RedisplayFrom  []string // values of allow_redisplay
	Redisplay      string
	RedisplayLimit int64
	Remove         string
	Save           string
	SaveUsage      string
}

// customerSessions serves /v1/customer_sessions.
type customerSessions struct{ *request }

func customerSessionResource() resource {
	const features = "features{payment_method_allow_redisplay_filters[]:always|limited|unspecified payment_method_redisplay:disabled|enabled payment_method_redisplay_limit:int " +
		"payment_method_remove:disabled|enabled payment_method_save:disabled|enabled payment_method_save_usage:off_session|on_session}"
	return resource{
		objectType: "customer_session",
		routes: []route{
			on("POST /v1/customer_sessions", "customer! components{buy_button{enabled:bool!} payment_element{enabled:bool! "+features+"} pricing_table{enabled:bool!}}!", customerSessions.create),
		},
	}
}

func (h customerSessions) create(in *input) (any, error) {
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	components := in.At("components")
	x := &CustomerSession{
		Base: Base{ID: h.ids.longID("cuss_1"), Created: h.now}, ClientSecret: "cuss_secret_" + h.ids.token(47), Customer: c.ID,
		BuyButton: components.At("buy_button").Bool("enabled"), PricingTable: components.At("pricing_table").Bool("enabled"),
	}
	if element := components.At("payment_element"); element.Bool("enabled") {
		if x.PaymentElement, err = elementFeatures(element.At("features"), element.Has("features")); err != nil {
			return nil, err
		}
	}
	if !x.BuyButton && !x.PricingTable && x.PaymentElement == nil {
		return nil, wire.Invalid("", "components", "You must enable at least one component.")
	}
	h.prune()
	h.store.CustomerSessions.insert(x)
	return x.render(), nil
}

// elementFeatures reads features. The limit is at most 10, and a usage needs saving to be enabled
// (API reference; the wording is inferred).
func elementFeatures(p wire.Params, sent bool) (*PaymentElementFeatures, error) {
	f := &PaymentElementFeatures{
		HasFeatures: sent, RedisplayFrom: p.Strings("payment_method_allow_redisplay_filters"), Redisplay: p.StringOr("payment_method_redisplay", "disabled"),
		RedisplayLimit: p.IntOr("payment_method_redisplay_limit", 3), Remove: p.StringOr("payment_method_remove", "disabled"),
		Save: p.StringOr("payment_method_save", "disabled"), SaveUsage: p.String("payment_method_save_usage"),
	}
	if len(f.RedisplayFrom) == 0 {
		f.RedisplayFrom = []string{"always"}
	}
	switch {
	case f.RedisplayLimit < 1 || f.RedisplayLimit > 10:
		return nil, wire.Invalid("parameter_invalid_integer", p.Name("payment_method_redisplay_limit"), "This value must be between 1 and 10.")
	case f.SaveUsage != "" && f.Save != "enabled":
		return nil, wire.Invalid("", p.Name("payment_method_save_usage"), "You can only set `payment_method_save_usage` if `payment_method_save` is `enabled`.")
	}
	return f, nil
}

// prune removes the sessions whose secrets have expired.
func (h customerSessions) prune() {
	for _, x := range slices.Clone(h.store.CustomerSessions.all) {
		if h.now >= x.Created+customerSessionLifetime {
			h.store.CustomerSessions.remove(x.ID)
		}
	}
}

func (x *CustomerSession) render() wire.Object {
	element := wire.Object{"enabled": x.PaymentElement != nil, "features": nil}
	if f := x.PaymentElement; f != nil && f.HasFeatures {
		element["features"] = wire.Object{
			"payment_method_allow_redisplay_filters": f.RedisplayFrom, "payment_method_redisplay": f.Redisplay,
			"payment_method_redisplay_limit": f.RedisplayLimit, "payment_method_remove": f.Remove,
			"payment_method_save": f.Save, "payment_method_save_usage": wire.StringOrNull(f.SaveUsage),
		}
	}
	return wire.Object{
		"object": "customer_session", "client_secret": x.ClientSecret, "created": x.Created, "customer": wire.Ref("customer", x.Customer),
		"components": wire.Object{
			"buy_button": wire.Object{"enabled": x.BuyButton}, "payment_element": element, "pricing_table": wire.Object{"enabled": x.PricingTable},
		},
		"expires_at": x.Created + customerSessionLifetime, "livemode": false,
	}
}
