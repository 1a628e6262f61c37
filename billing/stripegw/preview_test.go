package stripegw

import (
	"net/url"
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

// The line of the renewal may be after Stripe's first page of ten, behind pending items: a preview
// of a plan change fetches all lines, with the parameters of the preview.
func TestPreviewPlanChangeHasAllLines(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/invoices/create_preview", respond(`{"object":"invoice","currency":"usd","amount_due":4900,"total":4900,"created":1714608000,
		"lines":{"object":"list","has_more":true,"data":[]}}`))
	f.HandleFunc("GET /v1/invoices/upcoming/lines", respond(`{"object":"list","has_more":false,"data":[
		{"id":"il_1","type":"subscription","amount":4900,"quantity":1,"period":{"start":1714608000,"end":1717200000},"price":{"id":"price_2"}}]}`))
	none := []string{}
	preview, err := gateway.PreviewPlanChange(t.Context(), billing.PlanUpdate{
		SubscriptionID: "sub_1", ItemID: "si_1", PriceID: "price_2", Quantity: 1, Proration: catalog.ProrationNone, Discounts: &none,
	})
	if err != nil || preview.MoreLines || len(preview.Lines) != 1 || preview.Lines[0].Amount.Minor != 4900 {
		t.Fatalf("preview %+v, %v", preview, err)
	}
	wantForm(t, f.seen("GET", "/v1/invoices/upcoming/lines")[0].form, url.Values{
		"subscription": {"sub_1"}, "discounts": {""}, "limit": {"100"}, "subscription_details[items][0][id]": {"si_1"},
		"subscription_details[items][0][price]": {"price_2"}, "subscription_details[items][0][quantity]": {"1"},
		"subscription_details[proration_behavior]": {"none"},
	})
}
