package stripegw

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"usher/billing"
	"usher/billing/apperr"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	body := func(fields string) string { return `{"error":{` + fields + `}}` }
	quiet := []string{"Request-Id", "req_1", "Stripe-Should-Retry", "false"}
	tests := map[string]struct {
		handler http.HandlerFunc
		want    apperr.StripeError
	}{
		"missing in the path": {
			status(404, body(`"type":"invalid_request_error","code":"resource_missing","param":"id","message":"No such subscription"`), quiet...),
			apperr.StripeError{Status: 404, Type: "invalid_request_error", Code: "resource_missing", Param: "id", RequestID: "req_1",
				Message: "No such subscription"},
		},
		"wrong key": {
			status(401, body(`"type":"invalid_request_error","message":"Invalid API Key provided"`), quiet...),
			apperr.StripeError{Status: 401, Type: "invalid_request_error", RequestID: "req_1", Message: "Invalid API Key provided"},
		},
		"declined": {
			status(402, body(`"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","message":"Declined"`), quiet...),
			apperr.StripeError{Status: 402, Type: "card_error", Code: "card_declined", DeclineCode: "insufficient_funds", RequestID: "req_1",
				Message: "Declined"},
		},
		"authentication by code": {
			status(402, body(`"type":"card_error","code":"subscription_payment_intent_requires_action","message":"Authenticate",
				"payment_intent":{"id":"pi_1","object":"payment_intent","status":"requires_action",
				"next_action":{"type":"use_stripe_sdk","use_stripe_sdk":{"type":"three_d_secure_redirect"}}}`), quiet...),
			apperr.StripeError{Status: 402, Type: "card_error", Code: "subscription_payment_intent_requires_action", RequestID: "req_1",
				Message: "Authenticate", RequiresAction: true},
		},
		"authentication by decline code": {
			status(402, body(`"type":"card_error","code":"card_declined","decline_code":"authentication_required","message":"Authenticate",
				"payment_intent":{"id":"pi_1","object":"payment_intent","status":"requires_payment_method",
				"invoice":"in_1"}`), quiet...),
			apperr.StripeError{Status: 402, Type: "card_error", Code: "card_declined", DeclineCode: "authentication_required",
				RequestID: "req_1", Message: "Authenticate", RequiresAction: true},
		},
		"other parameters under one key": {
			status(400, body(`"type":"idempotency_error","message":"Keys for idempotent requests"`), quiet...),
			apperr.StripeError{Status: 400, Type: "idempotency_error", RequestID: "req_1", Message: "Keys for idempotent requests"},
		},
		"key in flight may still be carried out": {
			status(409, body(`"type":"idempotency_error","code":"idempotency_key_in_use","message":"In use"`), quiet...),
			apperr.StripeError{Status: 409, Type: "idempotency_error", Code: "idempotency_key_in_use", RequestID: "req_1", Message: "In use",
				ShouldRetry: true, OutcomeUnknown: true},
		},
		"lock": {
			status(429, body(`"type":"invalid_request_error","code":"lock_timeout","message":"Locked"`), quiet...),
			apperr.StripeError{Status: 429, Type: "invalid_request_error", Code: "lock_timeout", RequestID: "req_1", Message: "Locked",
				ShouldRetry: true},
		},
		"rate limit": {
			status(429, body(`"type":"invalid_request_error","code":"rate_limit","message":"Too many"`), "Request-Id", "req_1"),
			apperr.StripeError{Status: 429, Type: "invalid_request_error", Code: "rate_limit", RequestID: "req_1", Message: "Too many",
				ShouldRetry: true},
		},
		"stored 500 read back": {
			status(500, body(`"type":"api_error","message":"Sorry"`), append(quiet, "Idempotent-Replayed", "true")...),
			apperr.StripeError{Status: 500, Type: "api_error", RequestID: "req_1", Message: "Sorry", ShouldRetry: true},
		},
		"lost, then a stored 402 read back": {
			sequence(hangUp, status(402, body(`"type":"card_error","code":"card_declined","message":"Declined"`), quiet...)),
			apperr.StripeError{Status: 402, Type: "card_error", Code: "card_declined", RequestID: "req_1", Message: "Declined"},
		},
		"lost, then limited: the first may have been carried out": {
			sequence(hangUp, status(429, body(`"type":"invalid_request_error","code":"rate_limit","message":"Too many"`), "Request-Id", "req_1")),
			apperr.StripeError{Status: 429, Type: "invalid_request_error", Code: "rate_limit", RequestID: "req_1", Message: "Too many",
				ShouldRetry: true, OutcomeUnknown: true},
		},
		"locked, then limited: nothing was carried out": {
			sequence(status(429, body(`"type":"invalid_request_error","code":"lock_timeout","message":"Locked"`)),
				status(429, body(`"type":"invalid_request_error","code":"rate_limit","message":"Too many"`), "Request-Id", "req_1")),
			apperr.StripeError{Status: 429, Type: "invalid_request_error", Code: "rate_limit", RequestID: "req_1", Message: "Too many",
				ShouldRetry: true},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("POST /v1/subscriptions/sub_1", test.handler)
			_, err := gateway.UpdateQuantity(t.Context(), billing.QuantityUpdate{SubscriptionID: "sub_1", ItemID: "si_1", IdempotencyKey: "k"})
			if got := *stripeError(t, err); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if !strings.HasPrefix(err.Error(), "update quantity: ") {
				t.Errorf("error %q does not contain the operation", err)
			}
		})
	}
}

// stripe-go retries each twice, so these take a second and a half in parallel.
func TestCallsWithUnknownOutcome(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler http.HandlerFunc
		status  int
	}{
		"hung up":              {hangUp, 0},
		"a proxy's page":       {status(502, "<html>Bad gateway</html>"), 502},
		"an error of no shape": {status(500, `{"message":"what"}`), 500},
		"good but garbage":     {respond(`{"id":`), 200},
		"good but cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4000")
			_, _ = fmt.Fprint(w, `{"id":"sub_1"`)
		}, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("POST /v1/subscriptions/sub_1", test.handler)
			_, err := gateway.UpdateQuantity(t.Context(), billing.QuantityUpdate{SubscriptionID: "sub_1", ItemID: "si_1", IdempotencyKey: "k"})
			if e := stripeError(t, err); !e.OutcomeUnknown || !e.ShouldRetry || e.Status != test.status {
				t.Errorf("got %+v, want OutcomeUnknown with status %d", e, test.status)
			}
			for _, r := range f.seen("POST", "/v1/subscriptions/sub_1") {
				if r.key != "k" {
					t.Errorf("an attempt has the key %q", r.key)
				}
			}
		})
	}
}
