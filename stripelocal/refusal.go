package stripelocal

import (
	"fmt"
	"net/http"

	"usher/stripelocal/wire"
)

// cardError is a 402 card_error for a decline.
func cardError(d *Decline) *wire.Error {
	param := map[string]string{"expired_card": "exp_month", "incorrect_cvc": "cvc"}[d.Code] // public recordings
	return &wire.Error{Status: http.StatusPaymentRequired, Type: "card_error", Code: d.Code, DeclineCode: d.DeclineCode, Param: param, Message: d.Message}
}

// renderError renders the body of an error response.
func (r *request) renderError(e *wire.Error) wire.Object {
	body := wire.Object{"type": e.Type, "message": e.Message}
	if e.Code != "" {
		body["code"] = e.Code
		body["doc_url"] = wire.DocURL(e.Code)
	}
	for name, value := range map[string]string{"param": e.Param, "decline_code": e.DeclineCode, "charge": e.Charge} {
		if value != "" {
			body[name] = value
		}
	}
	if e.EmptyParam {
		body["param"] = ""
	}
	if r.info.RequestID != "" {
		body["request_log_url"] = fmt.Sprintf("https://dashboard.stripe.com/test/logs/%s?t=%d", r.info.RequestID, r.now)
	}
	if pi, ok := r.store.PaymentIntents.get(e.PaymentIntent); ok {
		body["payment_intent"] = r.paymentIntents.render(pi)
	}
	if pm, ok := r.store.PaymentMethods.get(e.PaymentMethod); ok {
		body["payment_method"] = r.paymentMethods.render(pm)
	}
	if si, ok := r.store.SetupIntents.get(e.SetupIntent); ok {
		body["setup_intent"] = r.setupIntents.render(si)
	}
	return wire.Object{"error": body}
}
