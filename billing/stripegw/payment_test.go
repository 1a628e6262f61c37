package stripegw

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
)

// What the payment intent of an open invoice says about its last unsuccessful attempt.
func TestLastAttemptMapping(t *testing.T) {
	t.Parallel()
	const method = `"payment_method":{"id":"pm_1","object":"payment_method"}`
	at := time.Unix(1714521600, 0).UTC()
	declined := billing.PaymentAttempt{ID: "ch_2", At: at, Outcome: billing.AttemptDeclined, DeclineCode: "insufficient_funds", PaymentMethodID: "pm_1"}
	older := declined
	older.At = time.Time{}
	for name, test := range map[string]struct {
		status, attempted, intent string
		want                      *billing.PaymentAttempt
	}{
		"declined": {"open", "true", `"status":"requires_payment_method","latest_charge":{"id":"ch_2","object":"charge","created":1714521600},
			"last_payment_error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","charge":"ch_2",` + method + `}`, &declined},
		"the newest charge is another one": {"open", "true", `"status":"requires_payment_method","latest_charge":{"id":"ch_9","object":"charge","created":1714521999},
			"last_payment_error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","charge":"ch_2",` + method + `}`, &older},
		"to be confirmed": {"open", "true", `"status":"requires_action",` + method, &billing.PaymentAttempt{
			Outcome: billing.AttemptActionRequired, DeclineCode: "authentication_required", PaymentMethodID: "pm_1"}},
		"not confirmed": {"open", "true", `"status":"requires_payment_method","last_payment_error":{"type":"invalid_request_error","code":"payment_intent_authentication_failure",` + method + `}`,
			&billing.PaymentAttempt{Outcome: billing.AttemptDeclined, DeclineCode: "payment_intent_authentication_failure", PaymentMethodID: "pm_1"}},
		"nothing to charge": {"open", "true", `"status":"requires_payment_method"`, &billing.PaymentAttempt{
			Outcome: billing.AttemptNoPaymentMethod, DeclineCode: "no_payment_method"}},
		"not attempted": {"open", "false", `"status":"requires_payment_method"`, nil},
		"processing":    {"open", "true", `"status":"processing"`, nil},
		"paid":          {"paid", "true", `"status":"succeeded"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, gateway := newFake(t)
			object := fmt.Sprintf(`{"id":"in_1","object":"invoice","status":%q,"attempted":%s,"payment_intent":{"id":"pi_1","object":"payment_intent",%s},"lines":{"object":"list","data":[],"has_more":false}}`,
				test.status, test.attempted, test.intent)
			f.HandleFunc("GET /v1/invoices/in_1", respond(object, "Date", at.Format(http.TimeFormat)))
			invoice, err := gateway.Invoice(t.Context(), "in_1")
			if err != nil || (invoice.LastAttempt == nil) != (test.want == nil) || test.want != nil && *invoice.LastAttempt != *test.want {
				t.Errorf("got %+v, %v, want %+v", invoice.LastAttempt, err, test.want)
			}
		})
	}
}

func TestPayInvoiceParameters(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/invoices/in_1/pay", respond(`{"id":"in_1","object":"invoice","status":"paid"}`, "Date", time.Unix(1714521600, 0).UTC().Format(http.TimeFormat)))
	for request, want := range map[billing.PayRequest]url.Values{
		{InvoiceID: "in_1", IdempotencyKey: "pay_1:1"}:                                            {"off_session": {"false"}},
		{InvoiceID: "in_1", IdempotencyKey: "pay_2:1", OffSession: true, PaymentMethodID: "pm_1"}: {"off_session": {"true"}, "payment_method": {"pm_1"}},
	} {
		paid, err := gateway.PayInvoice(t.Context(), request)
		if err != nil || paid.Invoice.Status != billing.InvoicePaid || paid.Replayed {
			t.Errorf("%+v, %v", paid, err)
		}
		seen := f.seen("POST", "/v1/invoices/in_1/pay")
		sent := seen[len(seen)-1]
		wantForm(t, sent.form, want)
		if sent.key != request.IdempotencyKey {
			t.Errorf("key %q, want %q", sent.key, request.IdempotencyKey)
		}
	}
}
