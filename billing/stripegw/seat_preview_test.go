package stripegw

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
)

// A preview has the parameters of the update that the seat sync sends, and all lines.
func TestPreviewQuantityHasTheParametersOfTheUpdate(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/subscriptions/sub_1", respond(subscriptionJSON("sub_1")))
	f.HandleFunc("POST /v1/invoices/create_preview", respond(`{"object":"invoice","currency":"usd","amount_due":0,"total":1450,"created":1714608000,
		"lines":{"object":"list","has_more":true,"data":[]}}`))
	f.HandleFunc("GET /v1/invoices/upcoming/lines", respond(`{"object":"list","has_more":false,"data":[
		{"id":"il_1","type":"invoiceitem","proration":true,"amount":1450,"quantity":3,"subscription_item":"si_1","period":{"start":1714608000,"end":1717200000}}]}`))
	at := time.Unix(1714608000, 0).UTC()
	update := billing.QuantityUpdate{SubscriptionID: "sub_1", ItemID: "si_1", Quantity: 3, Proration: "create_prorations", ProratedAt: &at}
	preview, err := gateway.PreviewQuantity(t.Context(), update)
	if err != nil || preview.MoreLines || len(preview.Lines) != 1 || preview.Lines[0].ItemID != "si_1" || preview.Lines[0].Amount.Minor != 1450 {
		t.Fatalf("preview %+v, %v", preview, err)
	}
	details := func(prefix string) url.Values {
		return url.Values{
			prefix + "[items][0][id]": {"si_1"}, prefix + "[items][0][quantity]": {"3"},
			prefix + "[proration_behavior]": {"create_prorations"}, prefix + "[proration_date]": {"1714608000"}, "subscription": {"sub_1"},
		}
	}
	want := details("subscription_details")
	want.Set("expand[0]", "discounts")
	wantForm(t, f.seen("POST", "/v1/invoices/create_preview")[0].form, want)
	if _, err := gateway.UpdateQuantity(t.Context(), update); err != nil {
		t.Fatal(err)
	}
	sent := f.seen("POST", "/v1/subscriptions/sub_1")[0].form
	for name, want := range map[string]string{
		"items[0][id]": "si_1", "items[0][quantity]": "3", "proration_behavior": "create_prorations", "proration_date": "1714608000",
	} {
		if sent.Get(name) != want {
			t.Errorf("%s is %q in the update, want %q", name, sent.Get(name), want)
		}
	}
}

// A subscription that ends and has nothing pending has no next invoice: that is an answer.
func TestPreviewQuantityWithoutNextInvoice(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/invoices/create_preview", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","code":"invoice_upcoming_none","message":"No upcoming invoices"}}`))
	})
	preview, err := gateway.PreviewQuantity(t.Context(), billing.QuantityUpdate{SubscriptionID: "sub_1"})
	if err != nil || !preview.At.IsZero() || preview.Lines != nil {
		t.Errorf("%+v, %v", preview, err)
	}
}
