package stripelocal

import "usher/stripelocal/wire"

// confirmationTokenLifetime is how long a confirmation token can be used, in seconds (API
// reference: the times of the example).
const confirmationTokenLifetime = 12 * 60 * 60

// ConfirmationToken carries what a customer entered to the server that confirms the intent. It can
// be used once (docs: finalize payments on the server).
type ConfirmationToken struct {
	Base
	PaymentMethod    string
	PaymentIntent    string // that it was used to confirm
	SetupIntent      string
	ReturnURL        string
	SetupFutureUsage string
	Shipping         *Shipping
}

// confirmationTokens serves /v1/confirmation_tokens.
type confirmationTokens struct{ *request }

func confirmationTokenResource() resource {
	return resource{
		objectType: "confirmation_token",
		render: renderFrom(func(s *store) *table[*ConfirmationToken] { return s.ConfirmationTokens },
			bind(confirmationTokens.render)),
		routes: []route{
			on("GET /v1/confirmation_tokens/{id}", "", confirmationTokens.get),
			on("POST /v1/test_helpers/confirmation_tokens", "payment_method return_url setup_future_usage:off_session|on_session shipping{address"+addressLines+"! name! phone?}", confirmationTokens.create),
		},
	}
}

// create makes the token that Stripe.js makes on a page. Its payment method is a test card or one
// that exists.
func (h confirmationTokens) create(in *input) (any, error) {
	if !in.Has("payment_method") {
		return nil, wire.MissingParam("payment_method")
	}
	pm, err := h.paymentMethods.findUsable(in.String("payment_method"), "payment_method")
	if err != nil {
		return nil, err
	}
	x := &ConfirmationToken{
		Base: Base{ID: h.ids.longID("ctoken_1"), Created: h.now}, PaymentMethod: pm.ID, ReturnURL: in.String("return_url"), SetupFutureUsage: in.String("setup_future_usage"),
	}
	setShipping(in.Params, &x.Shipping)
	h.store.ConfirmationTokens.insert(x)
	return h.render(x), nil
}

func (h confirmationTokens) get(in *input) (any, error) {
	x, ok := h.store.ConfirmationTokens.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("confirmation_token", in.pathValue("id"), "confirmation_token")
	}
	return h.render(x), nil
}

// apply adds what the token of a call carries to the parameters that confirm an intent. Parameters
// of the call take precedence (API reference: confirm a PaymentIntent). The token is nil if the
// call has none. The messages are inferred.
func (h confirmationTokens) apply(in *input) (*ConfirmationToken, error) {
	id := in.String("confirmation_token")
	if id == "" {
		return nil, nil
	}
	x, ok := h.store.ConfirmationTokens.get(id)
	switch {
	case !ok:
		return nil, wire.NoSuch("confirmation_token", id, "confirmation_token")
	case x.PaymentIntent != "" || x.SetupIntent != "":
		return nil, wire.Invalid("", "confirmation_token", "You cannot use a ConfirmationToken more than once: "+id+".")
	case h.now >= x.Created+confirmationTokenLifetime:
		return nil, wire.Invalid("", "confirmation_token", "The ConfirmationToken "+id+" has expired.")
	}
	in.setDefault("payment_method", x.PaymentMethod)
	in.setDefault("return_url", x.ReturnURL)
	return x, nil
}

// applyTo writes the rest of a token to a payment intent, and marks the token as used. A token may
// be nil.
func (x *ConfirmationToken) applyTo(pi *PaymentIntent, p wire.Params) {
	if x == nil {
		return
	}
	x.PaymentIntent = pi.ID
	if x.SetupFutureUsage != "" && !p.Has("setup_future_usage") {
		pi.SetupFutureUsage = x.SetupFutureUsage
	}
	if x.Shipping != nil && !p.Has("shipping") {
		pi.Shipping = x.Shipping
	}
}

// setDefault adds a parameter that a call lacks.
func (in *input) setDefault(name, value string) {
	if value != "" && !in.Has(name) {
		in.Params = in.With(name, value)
	}
}

func (h confirmationTokens) render(x *ConfirmationToken) wire.Object {
	preview, shipping := wire.Object{}, any(nil)
	if pm, ok := h.store.PaymentMethods.get(x.PaymentMethod); ok {
		shown := h.paymentMethods.render(pm)
		for _, name := range []string{"type", "allow_redisplay", "billing_details", "customer", "card", "sepa_debit", "us_bank_account"} {
			if value, has := shown[name]; has {
				preview[name] = value
			}
		}
	}
	if o, ok := x.Shipping.render().(wire.Object); ok {
		shipping = wire.Object{"address": o["address"], "name": o["name"], "phone": o["phone"]}
	}
	return wire.Object{
		"id": x.ID, "object": "confirmation_token", "created": x.Created, "expires_at": x.Created + confirmationTokenLifetime, "livemode": false,
		"mandate_data": nil, "payment_intent": wire.StringOrNull(x.PaymentIntent), "payment_method_options": nil, "payment_method_preview": preview,
		"return_url": wire.StringOrNull(x.ReturnURL), "setup_future_usage": wire.StringOrNull(x.SetupFutureUsage),
		"setup_intent": wire.StringOrNull(x.SetupIntent), "shipping": shipping, "use_stripe_sdk": true,
	}
}
