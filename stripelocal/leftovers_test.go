package stripelocal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// post makes a call with a form and returns the answer, which must have a status.
func (l *testServer) post(want int, path, form string) string {
	l.t.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		l.t.Fatal(err)
	}
	status, body := l.call(testKey, "POST", path, values)
	if status != want {
		l.t.Fatalf("POST %s %s: %d %s", path, form, status, body)
	}
	return string(body)
}

func (l *testServer) get(want int, path string) string {
	l.t.Helper()
	status, body := l.call(testKey, "GET", path, nil)
	if status != want {
		l.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	return string(body)
}

func (l *testServer) remove(want int, path string) string {
	l.t.Helper()
	status, body := l.call(testKey, "DELETE", path, nil)
	if status != want {
		l.t.Fatalf("DELETE %s: %d %s", path, status, body)
	}
	return string(body)
}

func TestLinesOfADraftAreAddedChangedAndRemoved(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c := l.payingCustomer()
	inv := must[*stripe.Invoice](t)(l.api.Invoices.New(&stripe.InvoiceParams{Customer: stripe.String(c.ID)}))
	pending := must[*stripe.InvoiceItem](t)(l.api.InvoiceItems.New(&stripe.InvoiceItemParams{Customer: stripe.String(c.ID), Amount: stripe.Int64(300), Currency: stripe.String("usd")}))
	path, price := "/v1/invoices/"+inv.ID, l.oneTimePrice(500).ID
	l.post(200, path+"/add_lines", "lines[0][amount]=1000&lines[0][description]=Work&lines[1][price]="+price+"&lines[1][quantity]=2&lines[2][invoice_item]="+pending.ID+"&invoice_metadata[po]=7")
	inv = must[*stripe.Invoice](t)(l.api.Invoices.Get(inv.ID, nil))
	if inv.Total != 2300 || len(inv.Lines.Data) != 3 || inv.Metadata["po"] != "7" {
		t.Fatalf("total %d of %d lines, %v", inv.Total, len(inv.Lines.Data), inv.Metadata)
	}
	work, priced, item := inv.Lines.Data[0].ID, inv.Lines.Data[1].ID, inv.Lines.Data[2].ID
	l.post(200, path+"/update_lines", "lines[0][id]="+work+"&lines[0][amount]=700&lines[1][id]="+priced+"&lines[1][quantity]=3")
	if line := l.post(200, path+"/lines/"+item, "description=Later&amount=100"); !strings.Contains(line, `"Later"`) {
		t.Error(line)
	}
	if inv = must[*stripe.Invoice](t)(l.api.Invoices.Get(inv.ID, nil)); inv.Total != 700+1500+100 {
		t.Errorf("changed to %d", inv.Total)
	}
	l.post(400, path+"/remove_lines", "lines[0][id]="+work+"&lines[0][behavior]=delete&lines[1][id]=il_none&lines[1][behavior]=delete")
	l.post(200, path+"/remove_lines", "lines[0][id]="+work+"&lines[0][behavior]=delete&lines[1][id]="+item+"&lines[1][behavior]=unassign")
	pending = must[*stripe.InvoiceItem](t)(l.api.InvoiceItems.Get(pending.ID, nil))
	if inv = must[*stripe.Invoice](t)(l.api.Invoices.Get(inv.ID, nil)); inv.Total != 1500 || pending.Invoice != nil || l.countEvents("invoiceitem.deleted") != 1 {
		t.Errorf("left: %d, pending on %v", inv.Total, pending.Invoice)
	}
	must[*stripe.Invoice](t)(l.api.Invoices.FinalizeInvoice(inv.ID, nil))
	if refused := l.post(400, path+"/add_lines", "lines[0][amount]=1"); !strings.Contains(refused, "invoice_not_editable") {
		t.Error(refused)
	}
}

func TestLinesOfCreditNotesAreListed(t *testing.T) {
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(1)
	invoice := "invoice=" + sub.LatestInvoice.ID + "&amount=100&credit_amount=100"
	if preview := l.get(200, "/v1/credit_notes/preview/lines?"+invoice); !strings.Contains(preview, `"amount":100`) {
		t.Error(preview)
	}
	note := idOf(t, []byte(l.post(200, "/v1/credit_notes", invoice)))
	if lines := l.get(200, "/v1/credit_notes/"+note+"/lines"); strings.Count(lines, "credit_note_line_item") != 1 {
		t.Error(lines)
	}
	l.get(404, "/v1/credit_notes/cn_none/lines")
}

func TestCardsOfACustomerAreReadAndChanged(t *testing.T) {
	l := start(t, stripelocal.Options{})
	customer := "/v1/customers/" + l.createCustomer().ID
	card := idOf(t, []byte(l.post(200, customer+"/cards", "source=tok_visa")))
	if list := l.get(200, customer+"/cards"); !strings.Contains(list, card) {
		t.Error(list)
	}
	if changed := l.post(200, customer+"/cards/"+card, "exp_year=2045&name=Ada&metadata[a]=1"); !strings.Contains(changed, `"exp_year":2045`) || !strings.Contains(changed, `"Ada"`) {
		t.Error(changed)
	}
	l.post(402, customer+"/sources/"+card, "exp_month=13")
	l.get(200, customer+"/sources/"+card)
	l.get(200, customer+"/payment_methods/"+card)
	l.get(404, "/v1/customers/"+l.createCustomer().ID+"/payment_methods/"+card)
	l.remove(200, customer+"/cards/"+card)
	l.get(404, customer+"/cards/"+card)
	if l.countEvents("customer.source.updated") != 1 {
		t.Error("no customer.source.updated")
	}
}

func TestADisputeIsReachedThroughItsCharge(t *testing.T) {
	l := start(t, stripelocal.Options{})
	charge := "/v1/charges/" + idOf(t, []byte(l.post(200, "/v1/charges", "amount=1000&currency=usd&source=tok_createDispute")))
	l.get(200, charge)
	if d := l.get(200, charge+"/dispute"); !strings.Contains(d, "needs_response") {
		t.Error(d)
	}
	l.post(200, charge+"/dispute", "metadata[a]=1")
	if d := l.post(200, charge+"/dispute/close", ""); !strings.Contains(d, `"status":"lost"`) {
		t.Error(d)
	}
	l.get(404, "/v1/charges/"+idOf(t, []byte(l.post(200, "/v1/charges", "amount=1000&currency=usd&source=tok_visa")))+"/dispute")
	history := l.get(200, "/v1/balance/history?type=charge")
	if strings.Count(history, `"object":"balance_transaction"`) != 2 {
		t.Error(history)
	}
	l.get(404, "/v1/balance/history/txn_none")
}

func TestTheDiscountOfACustomersSubscription(t *testing.T) {
	l := start(t, stripelocal.Options{})
	sub := l.createSubscription(1)
	path := "/v1/customers/" + sub.Customer.ID + "/subscriptions/" + sub.ID + "/discount"
	l.get(http.StatusNotFound, path)
	coupon := must[*stripe.Coupon](t)(l.api.Coupons.New(&stripe.CouponParams{PercentOff: stripe.Float64(10), Duration: stripe.String("forever")}))
	must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{Coupon: stripe.String(coupon.ID)}))
	if d := l.get(200, path); !strings.Contains(d, coupon.ID) {
		t.Error(d)
	}
}

func TestTheAttemptOfASetupIntent(t *testing.T) {
	l := start(t, stripelocal.Options{})
	si := must[*stripe.SetupIntent](t)(l.api.SetupIntents.New(&stripe.SetupIntentParams{PaymentMethod: stripe.String("pm_card_visa"), Confirm: stripe.Bool(true), ReturnURL: stripe.String("http://app.test/"), Expand: []*string{stripe.String("latest_attempt")}}))
	if si.LatestAttempt == nil || si.LatestAttempt.Status != "succeeded" {
		t.Errorf("latest attempt: %+v", si.LatestAttempt)
	}
	declined := must[*stripe.SetupIntent](t)(l.api.SetupIntents.New(&stripe.SetupIntentParams{}))
	if none := l.get(200, "/v1/setup_attempts?setup_intent="+declined.ID); !strings.Contains(none, `"data":[]`) {
		t.Error(none)
	}
	_, err := l.api.SetupIntents.Confirm(declined.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_chargeDeclined"), ReturnURL: stripe.String("http://app.test/")})
	wantError(t, err, 402, "card_declined", stripe.ErrorTypeCard)
	if failed := l.get(200, "/v1/setup_attempts?setup_intent="+declined.ID); !strings.Contains(failed, `"status":"failed"`) || !strings.Contains(failed, `"card_declined"`) {
		t.Error(failed)
	}
}
