package stripelocal

import (
	"maps"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// PaymentMethodConfiguration is which payment methods a page or an intent offers. The local Stripe
// reads those for cards and for bank debits.
type PaymentMethodConfiguration struct {
	Base
	Name     string
	Inactive bool
	// Preferences are on, off or none by payment method. One that is missing is none, which is the
	// default.
	Preferences map[string]string
}

// methodConfigurations serves /v1/payment_method_configurations.
type methodConfigurations struct{ *request }

func paymentMethodConfigurationResource() resource {
	methods := ""
	for _, method := range methodPreferences(wire.Params{}) {
		methods += method.name + "{display_preference{preference:none|off|on}} "
	}
	return resource{
		objectType: "payment_method_configuration",
		render: func(r *request, id string) (wire.Object, bool) {
			x, ok := r.methodConfigurations.byID(id)
			if !ok {
				return nil, false
			}
			return r.methodConfigurations.render(x), true
		},
		routes: []route{
			on("POST /v1/payment_method_configurations", "name:100 "+methods, methodConfigurations.create),
			on("GET /v1/payment_method_configurations", pageParams, methodConfigurations.list),
			on("GET /v1/payment_method_configurations/{id}", "", methodConfigurations.get),
			on("POST /v1/payment_method_configurations/{id}", "active:bool name:100 "+methods, methodConfigurations.update),
		},
	}
}

// methodPreference is a payment method with the preference that a call sends for it, if any.
type methodPreference struct{ name, sent string }

// methodPreferences are the payment methods of a configuration. The preferences are those of a
// call, which may be empty.
func methodPreferences(p wire.Params) []methodPreference {
	var out []methodPreference
	for _, name := range []string{
		"acss_debit", "affirm", "afterpay_clearpay", "alipay", "amazon_pay", "apple_pay", "au_becs_debit", "bacs_debit", "bancontact",
		"blik", "boleto", "card", "cartes_bancaires", "cashapp", "customer_balance", "eps", "fpx", "giropay", "google_pay", "grabpay", "ideal",
		"jcb", "klarna", "konbini", "link", "mobilepay", "multibanco", "oxxo", "p24", "paynow", "paypal", "promptpay", "revolut_pay",
		"sepa_debit", "sofort", "swish", "twint", "us_bank_account", "wechat_pay", "zip",
	} {
		out = append(out, methodPreference{name, p.At(name).At("display_preference").String("preference")})
	}
	return out
}

// defaultConfigurationID is the id of the configuration that applies if none is named (recorded by
// pay-rails/pay).
func (r *request) defaultConfigurationID() string {
	return "pmc_" + strings.TrimPrefix(r.store.Account.ID, "acct_")
}

// byID returns a configuration. The default one exists before it is stored.
func (h methodConfigurations) byID(id string) (*PaymentMethodConfiguration, bool) {
	x, ok := h.store.PaymentMethodConfigurations.get(id)
	if !ok && id == h.defaultConfigurationID() {
		x = &PaymentMethodConfiguration{Base: Base{ID: id, Created: h.store.Account.Created}, Name: "Default", Preferences: map[string]string{}}
	}
	return x, x != nil
}

// storeDefault stores the default configuration, so that it can be listed and changed.
func (h methodConfigurations) storeDefault() {
	id := h.defaultConfigurationID()
	if _, stored := h.store.PaymentMethodConfigurations.get(id); !stored {
		x, _ := h.byID(id)
		h.store.PaymentMethodConfigurations.insert(x)
	}
}

func (h methodConfigurations) find(in *input) (*PaymentMethodConfiguration, error) {
	x, ok := h.byID(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("payment method configuration", in.pathValue("id"), "configuration")
	}
	return x, nil
}

func (h methodConfigurations) create(in *input) (any, error) {
	x := &PaymentMethodConfiguration{Base: Base{ID: h.ids.longID("pmc_1"), Created: h.now}, Name: in.StringOr("name", "Payment method configuration"), Preferences: map[string]string{}}
	x.setPreferences(in.Params)
	h.store.PaymentMethodConfigurations.insert(x)
	return h.render(x), nil
}

// setPreferences reads the preferences in a call.
func (x *PaymentMethodConfiguration) setPreferences(p wire.Params) {
	x.Preferences = maps.Clone(x.Preferences)
	for _, method := range methodPreferences(p) {
		if method.sent != "" {
			x.Preferences[method.name] = method.sent
		}
	}
}

func (h methodConfigurations) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

// update changes a configuration. The default one stays active (inferred).
func (h methodConfigurations) update(in *input) (any, error) {
	h.storeDefault()
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if x.ID == h.defaultConfigurationID() && !in.BoolOr("active", true) {
		return nil, wire.Invalid("", "active", "You cannot deactivate the default payment method configuration.")
	}
	in.SetString("name", &x.Name)
	x.Inactive = !in.BoolOr("active", !x.Inactive)
	x.setPreferences(in.Params)
	return h.render(x), nil
}

func (h methodConfigurations) list(in *input) (any, error) {
	h.storeDefault()
	return listing[*PaymentMethodConfiguration]{
		resource: "payment method configuration", table: h.store.PaymentMethodConfigurations, rows: h.store.PaymentMethodConfigurations.all, render: h.render,
	}.page(in)
}

// checkForIntent checks the configuration that a new intent with automatic payment methods uses:
// the one that the call names, or the default one. One that offers no cards leaves nothing to pay
// with here (the wordings are inferred).
func (h methodConfigurations) checkForIntent(p wire.Params) error {
	id := p.StringOr("payment_method_configuration", h.defaultConfigurationID())
	x, ok := h.byID(id)
	switch {
	case !ok:
		return wire.NoSuch("payment method configuration", id, "payment_method_configuration")
	case x.Inactive:
		return wire.Invalid("", "payment_method_configuration", "The payment method configuration "+id+" is not active.")
	case !usesAutomaticMethods(p) && p.Has("payment_method_configuration"):
		return wire.Invalid("", "payment_method_configuration", "You can only specify `payment_method_configuration` with automatic payment methods, and not with `payment_method_types`.")
	case usesAutomaticMethods(p) && !x.offers("card"):
		return wire.Invalid("", "", "No valid payment method types for this Payment Intent. Please ensure that you have activated payment methods compatible with your chosen currency in your dashboard (https://dashboard.stripe.com/settings/payments) or specify payment_method_types.")
	}
	return nil
}

// offers reports the effective value of a preference. Cards and the wallets that use them are on by
// default (API reference: the default configuration; link, which is off there for some accounts, is
// off here).
func (x *PaymentMethodConfiguration) offers(method string) bool {
	switch x.Preferences[method] {
	case "on":
		return true
	case "off":
		return false
	}
	return method == "card" || method == "apple_pay" || method == "google_pay"
}

// render shows a payment method as available if it is on and the account has the capability, which
// here is that for card payments.
func (h methodConfigurations) render(x *PaymentMethodConfiguration) wire.Object {
	o := wire.Object{
		"id": x.ID, "object": "payment_method_configuration", "active": !x.Inactive, "application": nil, "is_default": x.ID == h.defaultConfigurationID(),
		"livemode": false, "name": x.Name, "parent": nil,
	}
	for _, method := range methodPreferences(wire.Params{}) {
		name := method.name
		value, preference := "off", x.Preferences[name]
		if x.offers(name) {
			value = "on"
		}
		if preference == "" {
			preference = value
		}
		capable := slices.Contains([]string{"card", "apple_pay", "google_pay", "sepa_debit", "us_bank_account"}, name)
		o[name] = wire.Object{"available": capable && value == "on", "display_preference": wire.Object{"overridable": nil, "preference": preference, "value": value}}
	}
	return o
}
