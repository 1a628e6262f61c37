package stripegw

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
)

// Stripe waits for the confirmation, or the bank declined the payment for want of one. An event
// carries the payment intent as an id and says neither.
func TestInvoiceThatRequiresAction(t *testing.T) {
	t.Parallel()
	declined := func(field, code string) string {
		return fmt.Sprintf(`{"id":"pi_1","status":"requires_payment_method","last_payment_error":{"type":"card_error",%q:%q}}`, field, code)
	}
	for name, test := range map[string]struct {
		status, intent string
		want           bool
	}{
		"Stripe waits":                   {"open", `{"id":"pi_1","status":"requires_action"}`, true},
		"declined for want of it":        {"open", declined("code", "authentication_required"), true},
		"decline code":                   {"open", declined("decline_code", "authentication_required"), true},
		"declined":                       {"open", declined("code", "card_declined"), false},
		"the customer did not pass":      {"open", declined("code", "payment_intent_authentication_failure"), false},
		"no attempt":                     {"open", `{"id":"pi_1","status":"requires_payment_method","last_payment_error":null}`, false},
		"an error of a former attempt":   {"open", `{"id":"pi_1","status":"processing","last_payment_error":{"code":"authentication_required"}}`, false},
		"paid":                           {"paid", `{"id":"pi_1","status":"succeeded"}`, false},
		"voided while Stripe was asking": {"void", `{"id":"pi_1","status":"requires_action"}`, false},
		"no payment intent":              {"open", `null`, false},
		"not expanded":                   {"open", `"pi_1"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, gateway := newFake(t)
			object := fmt.Sprintf(`{"id":"in_1","object":"invoice","status":%q,"payment_intent":%s,"lines":{"object":"list","data":[],"has_more":false}}`, test.status, test.intent)
			f.HandleFunc("GET /v1/invoices/in_1", respond(object, "Date", time.Unix(1714521650, 0).UTC().Format(http.TimeFormat)))
			invoice, err := gateway.Invoice(t.Context(), "in_1")
			if err != nil || invoice.ActionRequired != test.want {
				t.Errorf("got %v, %v, want %v", invoice.ActionRequired, err, test.want)
			}
			if seen := f.seen(http.MethodGet, "/v1/invoices/in_1"); len(seen) != 1 || seen[0].form.Get("expand[0]") != "payment_intent.latest_charge" {
				t.Errorf("requests %+v", seen)
			}
			event, err := gateway.ParseEvent([]byte(eventJSON(stripe.APIVersion, "invoice.payment_failed", `{"id":"in_1","object":"invoice","status":"open","payment_intent":"pi_1",
				"lines":{"object":"list","data":[],"has_more":false}}`)))
			if err != nil || event.Invoice == nil || event.Invoice.ActionRequired {
				t.Errorf("event %+v, %v", event.Invoice, err)
			}
		})
	}
}

func TestLinesHaveTheirDiscounts(t *testing.T) {
	f, gateway := newFake(t)
	f.HandleFunc("GET /v1/invoices/in_1", respond(`{"id":"in_1","object":"invoice","status":"paid","total":2350,"lines":{"object":"list","has_more":false,"data":[
		{"id":"il_1","object":"line_item","type":"subscription","amount":2900,"discount_amounts":[{"amount":1450,"discount":"di_1"},{"amount":100,"discount":"di_2"}]},
		{"id":"il_2","object":"line_item","type":"invoiceitem","amount":1000,"proration":true,"discount_amounts":[]}]}}`, "Date", time.Unix(1714521650, 0).UTC().Format(http.TimeFormat)))
	invoice, err := gateway.Invoice(t.Context(), "in_1")
	if err != nil || len(invoice.Lines) != 2 || invoice.Lines[0].Discount != 1550 || invoice.Lines[1].Discount != 0 {
		t.Errorf("lines %+v, %v", invoice.Lines, err)
	}
}
