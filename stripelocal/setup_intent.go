package stripelocal

import "usher/stripelocal/wire"

// SetupIntent sets up a payment method for future payments.
type SetupIntent struct {
	Base
	AutomaticPaymentMethods bool   // automatic_payment_methods[enabled]
	AllowRedirects          string // allow_redirects; empty is always
	MethodConfiguration     string `json:",omitzero"` // as in PaymentIntent
	CancellationReason      string
	Customer                string
	Description             string
	LastErrorMethod         string // the payment method of LastSetupError
	ReturnURL               string
	UseStripeSDK            bool   `json:",omitzero"` // Stripe.js shows the 3-D Secure page
	Usage                   string // empty is off_session
	LastSetupError          *Decline
	Metadata                map[string]string
	Mandate                 string `json:",omitzero"`
	PaymentMethod           string
	PaymentMethodTypes      []string `json:",omitzero"` // empty is those of configuredTypes
	ClientSecret            string
	CreatedBySession        string // the Checkout or portal session that created it
	Status                  string
}

// setupIntents serves /v1/setup_intents.
type setupIntents struct{ *request }

func setupIntentResource() resource {
	return resource{
		objectType: "setup_intent",
		render: renderFrom(func(s *store) *table[*SetupIntent] { return s.SetupIntents },
			bind(setupIntents.render)),
		routes: setupIntentRoutes(),
	}
}

func (h setupIntents) createFor(customer, session string) *SetupIntent {
	si := &SetupIntent{Customer: customer, CreatedBySession: session, Metadata: map[string]string{}}
	h.insert(si)
	return si
}

func (h setupIntents) insert(si *SetupIntent) {
	si.Base = Base{ID: h.ids.longID("seti_1"), Created: h.now}
	if si.Status == "" {
		si.Status = "requires_payment_method"
	}
	si.ClientSecret = si.ID + "_secret_" + h.ids.token(25)
	h.store.SetupIntents.insert(si)
	h.emit("setup_intent.created", h.render(si))
}

// confirmWith attempts to set up a payment method.
func (h setupIntents) confirmWith(si *SetupIntent, pm *PaymentMethod) (paymentOutcome, *Decline) {
	result, decline := pm.setupOutcome()
	si.PaymentMethod, si.LastErrorMethod, si.LastSetupError = pm.ID, pm.ID, decline
	switch result {
	case outcomePaid:
		h.setStatus(si, "succeeded", "setup_intent.succeeded")
	case outcomeDeclined:
		si.PaymentMethod = ""
		h.setStatus(si, "requires_payment_method", "setup_intent.setup_failed")
	case outcomeRequiresAction:
		h.setStatus(si, "requires_action", "setup_intent.requires_action")
	}
	return result, decline
}

func (h setupIntents) setStatus(si *SetupIntent, status, event string) {
	si.Status = status
	h.emit(event, h.render(si))
}

// completeAuthentication applies the result of 3-D Secure.
func (h setupIntents) completeAuthentication(si *SetupIntent, passed bool) (paymentOutcome, *Decline) {
	pm, ok := h.store.PaymentMethods.get(si.PaymentMethod)
	if !ok || si.Status != "requires_action" || !pm.isCard() {
		return outcomeDeclined, genericDecline()
	}
	if passed {
		pm.Authenticated = true
		h.setStatus(si, "succeeded", "setup_intent.succeeded")
		h.attachMethod(si, pm)
		return outcomePaid, nil
	}
	si.LastSetupError = &Decline{
		Code:    "setup_intent_authentication_failure",
		Message: "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
	}
	si.PaymentMethod = ""
	h.setStatus(si, "requires_payment_method", "setup_intent.setup_failed")
	return outcomeDeclined, si.LastSetupError
}

func (h setupIntents) get(in *input) (any, error) {
	si, err := h.find(in)
	if err == nil {
		err = in.checkClientSecret(si.ClientSecret, "SetupIntent")
	}
	if err != nil {
		return nil, err
	}
	return h.render(si), nil
}

func (h setupIntents) render(si *SetupIntent) wire.Object {
	o := wire.Object{
		"id": si.ID, "object": "setup_intent", "application": nil, "automatic_payment_methods": renderAutomatic(si.AutomaticPaymentMethods, si.AllowRedirects),
		"cancellation_reason": wire.StringOrNull(si.CancellationReason), "client_secret": si.ClientSecret, "created": si.Created,
		"customer": wire.Ref("customer", si.Customer), "description": wire.StringOrNull(si.Description), "flow_directions": nil,
		"last_setup_error": nil, "latest_attempt": wire.Ref("setup_attempt", h.setupAttempts.id(si)), "livemode": false, "mandate": wire.Ref("mandate", si.Mandate),
		"metadata": si.Metadata, "next_action": nil, "on_behalf_of": nil,
		"payment_method":                       wire.Ref("payment_method", si.PaymentMethod),
		"payment_method_configuration_details": h.methodConfiguration(si.AutomaticPaymentMethods, si.MethodConfiguration),
		"payment_method_options":               h.methodOptions(si),
		"payment_method_types":                 h.methodTypes(si), "single_use_mandate": nil, "status": si.Status, "usage": si.usage(),
	}
	if si.LastSetupError != nil {
		o["last_setup_error"] = h.paymentIntents.renderDecline(si.LastSetupError, si.LastErrorMethod)
	}
	if pm, ok := h.microdeposits.unverified(si.Status, si.PaymentMethod); ok {
		o["next_action"] = h.microdepositAction(si.ID, pm)
	} else if si.Status == "requires_action" {
		o["next_action"] = nextAction(h.origin+"/c/authenticate/"+si.ID, si.ReturnURL, si.UseStripeSDK)
	}
	return o
}

func (h setupIntents) methodTypes(si *SetupIntent) []string {
	if len(si.PaymentMethodTypes) > 0 {
		return si.PaymentMethodTypes
	}
	return h.configuredTypes(si.AutomaticPaymentMethods, si.MethodConfiguration, "")
}

func (h setupIntents) methodOptions(si *SetupIntent) wire.Object {
	all := wire.Object{}
	for _, kind := range h.methodTypes(si) {
		switch kind {
		case "card":
			all[kind] = wire.Object{"mandate_options": nil, "network": nil, "request_three_d_secure": "automatic"}
		case "us_bank_account":
			all[kind] = wire.Object{"mandate_options": wire.Object{}, "verification_method": "automatic"}
		default:
			all[kind] = wire.Object{}
		}
	}
	return all
}

func (si *SetupIntent) usage() string {
	if si.Usage == "" {
		return "off_session"
	}
	return si.Usage
}
