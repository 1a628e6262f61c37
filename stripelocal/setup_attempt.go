package stripelocal

import (
	"strings"

	"usher/stripelocal/wire"
)

// setupAttempts serves /v1/setup_attempts. Nothing is stored: the last attempt follows from its
// setup intent.
type setupAttempts struct{ *request }

func setupAttemptResource() resource {
	return resource{
		objectType: "setup_attempt",
		render: func(r *request, id string) (wire.Object, bool) {
			si, ok := r.store.SetupIntents.get("seti_" + strings.TrimPrefix(id, "setatt_"))
			if !ok || r.setupAttempts.id(si) == "" {
				return nil, false
			}
			return r.setupAttempts.render(si), true
		},
		routes: []route{on("GET /v1/setup_attempts", listParams+"setup_intent!", setupAttempts.list)},
	}
}

func (h setupAttempts) list(in *input) (any, error) {
	si, ok := h.store.SetupIntents.get(in.String("setup_intent"))
	if !ok {
		return nil, wire.NoSuch("setupintent", in.String("setup_intent"), "setup_intent")
	}
	data := []any{}
	if h.id(si) != "" && in.InRange("created", si.Created) {
		data = append(data, h.render(si))
	}
	return pageOf(wire.List(in.url, data, false), in)
}

// method is the payment method of the last attempt, or "" before the first.
func (si *SetupIntent) attemptedMethod() string {
	if si.Status == "requires_confirmation" {
		return si.LastErrorMethod
	}
	if si.LastErrorMethod != "" && si.LastSetupError != nil {
		return si.LastErrorMethod
	}
	return si.PaymentMethod
}

// id is the attempt's id, or "" before the first attempt.
func (h setupAttempts) id(si *SetupIntent) string {
	if _, ok := h.store.PaymentMethods.get(si.attemptedMethod()); !ok {
		return ""
	}
	return "setatt_" + strings.TrimPrefix(si.ID, "seti_")
}

func (h setupAttempts) render(si *SetupIntent) wire.Object {
	pm, _ := h.store.PaymentMethods.get(si.attemptedMethod())
	status, problem := si.Status, any(nil)
	switch {
	case si.LastSetupError != nil:
		status, problem = "failed", h.paymentIntents.renderDecline(si.LastSetupError, si.LastErrorMethod)
	case status == "canceled":
		status = "abandoned"
	}
	kind, details := pm.methodKind(), wire.Object{}
	if card, ok := h.paymentMethods.render(pm)["card"].(wire.Object); ok {
		details = wire.Object{"three_d_secure": nil, "network": nil, "wallet": nil}
		for _, name := range []string{"brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4"} {
			details[name] = card[name]
		}
	}
	return wire.Object{
		"id": h.id(si), "object": "setup_attempt", "application": nil, "created": si.Created, "customer": wire.Ref("customer", si.Customer),
		"flow_directions": nil, "livemode": false, "on_behalf_of": nil, "payment_method": wire.Ref("payment_method", pm.ID),
		"payment_method_details": wire.Object{"type": kind, kind: details}, "setup_error": problem, "setup_intent": wire.Ref("setup_intent", si.ID),
		"status": status, "usage": si.usage(),
	}
}
