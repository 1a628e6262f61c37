package stripelocal

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"usher/stripelocal/wire"
)

// publishablePatterns are the calls that a publishable key may make. Those about an intent need its
// client secret too (recorded by stripe-ios, whose calls have such a key).
var publishablePatterns = []string{
	"GET /v1/payment_intents/{id}",
	"POST /v1/payment_intents/{id}/confirm",
	"POST /v1/payment_intents/{id}/verify_microdeposits",
	"GET /v1/setup_intents/{id}",
	"POST /v1/setup_intents/{id}/confirm",
	"POST /v1/setup_intents/{id}/verify_microdeposits",
	"POST /v1/payment_methods",
	"POST /v1/tokens",
	"GET /v1/payment_pages/{id}",
}

// publicFields are the fields of objects that a publishable key is shown, by object type (recorded
// by stripe-ios; payment_method_options is shown there for other payment methods than cards only).
var publicFields = map[string][]string{
	"payment_intent": {
		"id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at", "cancellation_reason", "capture_method",
		"client_secret", "confirmation_method", "created", "currency", "description", "last_payment_error", "livemode", "next_action",
		"payment_method", "payment_method_configuration_details", "payment_method_types", "processing", "receipt_email",
		"setup_future_usage", "shipping", "source", "status",
	},
	"setup_intent": {
		"id", "object", "automatic_payment_methods", "cancellation_reason", "client_secret", "created", "description", "last_setup_error",
		"livemode", "next_action", "payment_method", "payment_method_configuration_details", "payment_method_types", "status", "usage",
	},
	"payment_method": {"id", "object", "allow_redisplay", "billing_details", "card", "created", "customer", "livemode", "type"},
	"checkout.session": {
		"id", "object", "amount_total", "currency", "livemode", "mode", "payment_status", "redirect_on_completion", "return_url", "status", "ui_mode", "url",
	},
	"token": {"id", "object", "card", "client_ip", "created", "livemode", "type", "used"},
	"card": {
		"id", "object", "address_city", "address_country", "address_line1", "address_line1_check", "address_line2", "address_state",
		"address_zip", "address_zip_check", "brand", "country", "cvc_check", "dynamic_last4", "exp_month", "exp_year", "funding", "last4",
		"name", "tokenization_method",
	},
}

// isPublishable reports whether a key is for the scripts of pages.
func isPublishable(key string) bool { return strings.HasPrefix(key, "pk_test_") }

func (in *input) publishable() bool { return isPublishable(apiKey(in.req)) }

// publishableCalls has the patterns of publishablePatterns.
var publishableCalls = sync.OnceValue(func() *http.ServeMux {
	mux := http.NewServeMux()
	for _, pattern := range publishablePatterns {
		mux.Handle(pattern, http.NotFoundHandler())
	}
	return mux
})

// mayBePublishable reports whether a publishable key may make a call.
func mayBePublishable(method, path string) bool {
	_, pattern := publishableCalls().Handler(&http.Request{Method: method, URL: &url.URL{Path: path}})
	return slices.Contains(publishablePatterns, pattern)
}

// checkPublishable refuses a call of the API that a publishable key may not make (wording: public
// issue threads; code: docs, error codes; status: inferred from the SDKs' AuthenticationError).
func checkPublishable(key, pattern string) *wire.Error {
	if !isPublishable(key) || pattern == "" || slices.Contains(publishablePatterns, pattern) {
		return nil
	}
	e := wire.Unauthorized("This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.")
	e.Code = "secret_key_required"
	return e
}

// checkClientSecret checks that a call with a publishable key has the client secret of the intent
// (wording of the mismatch: public issue threads).
func (in *input) checkClientSecret(secret, intent string) error {
	switch given := in.String("client_secret"); {
	case !in.publishable():
		return nil
	case given == "":
		return wire.MissingParam("client_secret")
	case given != secret:
		return wire.Invalid("", "client_secret", "The client_secret provided does not match the client_secret associated with the "+intent+".")
	}
	return nil
}

// visible is what the key of a call is shown of a rendered object or error.
func (in *input) visible(v any) any {
	if !in.publishable() {
		return v
	}
	return publicView(v)
}

// publicView is an object, and each object in it, with its public fields.
func publicView(v any) any {
	o, ok := v.(wire.Object)
	if !ok {
		return v
	}
	kind, _ := o["object"].(string)
	fields, limited := publicFields[kind]
	out := wire.Object{}
	for name, field := range o {
		if !limited || slices.Contains(fields, name) {
			out[name] = publicView(field)
		}
	}
	if card, ok := out["card"].(wire.Object); ok && kind == "payment_method" {
		delete(card, "fingerprint")
		card["checks"] = wire.Object{"address_line1_check": nil, "address_postal_code_check": nil, "cvc_check": nil}
	}
	return out
}
