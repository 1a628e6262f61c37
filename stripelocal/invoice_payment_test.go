package stripelocal_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// Endpoints since 2025-03-31.basil are sent invoice_payment.paid for each payment, after the events
// of the invoice (types of events of stripe-node 18.5.0).
func TestInvoicePaymentPaid(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	older, newer := l.receiveIn("2025-02-24.acacia", "*"), l.receiveIn("2025-03-31.basil", "*")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 3)
	free := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(14))
	must[*stripe.Customer](t)(l.api.Customers.Update(k.customer, &stripe.CustomerParams{Name: stripe.String("Ada")}))
	sent := func(next func() receivedEvent) (types []string, paid map[string]any) {
		for e := next(); e.Type != "customer.updated"; e = next() {
			types = append(types, e.Type)
			if e.Type == "invoice_payment.paid" {
				paid = e.Data.Object
			}
		}
		return types, paid
	}
	types, paid := sent(newer)
	succeeded, at := slices.Index(types, "invoice.payment_succeeded"), slices.Index(types, "invoice_payment.paid")
	if at < succeeded || succeeded < 0 {
		t.Fatalf("the newer endpoint was sent %v", types)
	}
	if n := len(types) - len(slices.DeleteFunc(slices.Clone(types), func(kind string) bool { return kind == "invoice_payment.paid" })); n != 1 {
		t.Errorf("%d payments: %s over 0 has none", n, free.LatestInvoice.ID)
	}
	payment, _ := paid["payment"].(map[string]any)
	if paid["invoice"] != sub.LatestInvoice.ID || paid["amount_paid"] != 3000.0 || paid["status"] != "paid" || paid["is_default"] != true || payment["payment_intent"] != sub.LatestInvoice.PaymentIntent.ID {
		t.Errorf("%v", paid)
	}
	if types, _ := sent(older); slices.Contains(types, "invoice_payment.paid") {
		t.Errorf("the older endpoint was sent %v", types)
	}
	for version, want := range map[string]int{"2025-02-24.acacia": 0, "2025-03-31.basil": 1} {
		_, list := versioned{l, version}.call("GET", "/v1/events?type=invoice_payment.paid", nil)
		if data, _ := list["data"].([]any); len(data) != want {
			t.Errorf("%s lists %v, want %d", version, data, want)
		}
	}
	l.wantPayments("?invoice="+sub.LatestInvoice.ID, 1)
	l.wantPayments("?invoice="+free.LatestInvoice.ID, 0)
	l.wantPayments("?payment[type]=payment_intent&payment[payment_intent]="+sub.LatestInvoice.PaymentIntent.ID, 1)
	l.wantPayments("?status=open", 0)
	l.wantPayments("?status=paid", 1)
	_, one := versioned{l, basil}.call("GET", fmt.Sprintf("/v1/invoice_payments/%v", paid["id"]), nil)
	if one["id"] != paid["id"] || one["object"] != "invoice_payment" {
		t.Errorf("%v", one)
	}
	if status, refused := (versioned{l, basil}).call("GET", "/v1/invoice_payments?invoice=in_no", nil); status != 400 {
		t.Errorf("an unknown invoice: %d %v", status, refused)
	}
}

func (l *testServer) wantPayments(query string, want int) {
	l.t.Helper()
	_, list := versioned{l, basil}.call("GET", "/v1/invoice_payments"+query, nil)
	if data, _ := list["data"].([]any); len(data) != want {
		l.t.Errorf("%s: %v, want %d", query, data, want)
	}
}

// An invoice paid out of band has no payment intent, so that there is no such event (inferred).
func TestPaymentOutOfBandIsNoInvoicePayment(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	l.callObject("POST", "/v1/invoiceitems", "amount=1000&currency=usd&customer="+c.ID)
	inv := l.callObject("POST", "/v1/invoices", "pending_invoice_items_behavior=include&customer="+c.ID)
	l.callObject("POST", fmt.Sprintf("/v1/invoices/%v/pay", inv["id"]), "paid_out_of_band=true")
	_, list := versioned{l, basil}.call("GET", "/v1/events?type=invoice_payment.paid", nil)
	if data, _ := list["data"].([]any); len(data) != 0 || count(l, "invoice.paid") != 1 {
		t.Errorf("%v", list)
	}
}
