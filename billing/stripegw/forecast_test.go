package stripegw

import (
	"net/url"
	"testing"
	"time"

	"usher/billing"
)

// A preview of a first period has none of the customer's discounts but those that are named.
func TestPreviewFirstPeriodParameters(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/invoices/create_preview", respond(`{"object":"invoice","currency":"usd","amount_due":700,"total":700,"created":1714608000,
		"lines":{"object":"list","has_more":false,"data":[]}}`))
	first := billing.FirstPeriod{
		CustomerID: "cus_1", PriceID: "price_1", Quantity: 5, StartsAt: time.Unix(1714608000, 0), AnchorAt: time.Unix(1717200000, 0),
	}
	want := url.Values{
		"customer": {"cus_1"}, "expand[0]": {"discounts"}, "discounts": {""},
		"subscription_details[items][0][price]": {"price_1"}, "subscription_details[items][0][quantity]": {"5"},
		"subscription_details[start_date]": {"1714608000"}, "subscription_details[billing_cycle_anchor]": {"1717200000"},
		"subscription_details[proration_behavior]": {"create_prorations"},
	}
	if _, err := gateway.PreviewFirstPeriod(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	wantForm(t, f.seen("POST", "/v1/invoices/create_preview")[0].form, want)

	first.Coupons, first.AutomaticTax = []string{"fifth"}, true
	if _, err := gateway.PreviewFirstPeriod(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	want.Del("discounts")
	want.Set("discounts[0][coupon]", "fifth")
	want.Set("automatic_tax[enabled]", "true")
	wantForm(t, f.seen("POST", "/v1/invoices/create_preview")[1].form, want)
}
