package stripelocal_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) shippingRate(name string, amount int64, currency string) *stripe.ShippingRate {
	l.t.Helper()
	return must[*stripe.ShippingRate](l.t)(l.api.ShippingRates.New(&stripe.ShippingRateParams{
		DisplayName: stripe.String(name), FixedAmount: &stripe.ShippingRateFixedAmountParams{Amount: stripe.Int64(amount), Currency: stripe.String(currency)},
	}))
}

func TestShippingRates(t *testing.T) {
	l := start(t, stripelocal.Options{})
	ground := must[*stripe.ShippingRate](t)(l.api.ShippingRates.New(&stripe.ShippingRateParams{
		DisplayName: stripe.String("Ground"), FixedAmount: &stripe.ShippingRateFixedAmountParams{Amount: stripe.Int64(500), Currency: stripe.String("usd")},
		DeliveryEstimate: &stripe.ShippingRateDeliveryEstimateParams{Minimum: &stripe.ShippingRateDeliveryEstimateMinimumParams{Unit: stripe.String("day"), Value: stripe.Int64(2)}},
		TaxCode:          stripe.String("txcd_99999999"),
	}))
	if ground.DeliveryEstimate.Minimum.Value != 2 || ground.DeliveryEstimate.Maximum != nil || ground.TaxBehavior != "unspecified" || !ground.Active {
		t.Errorf("%+v", ground)
	}
	_, err := l.api.ShippingRates.New(&stripe.ShippingRateParams{DisplayName: stripe.String("None")})
	wantError(t, err, 400, "parameter_missing", stripe.ErrorTypeInvalidRequest)
	l.shippingRate("Sea", 900, "eur")
	must[*stripe.ShippingRate](t)(l.api.ShippingRates.Update(ground.ID, &stripe.ShippingRateParams{TaxBehavior: stripe.String("exclusive")}))
	_, err = l.api.ShippingRates.Update(ground.ID, &stripe.ShippingRateParams{TaxBehavior: stripe.String("inclusive")})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	must[*stripe.ShippingRate](t)(l.api.ShippingRates.Update(ground.ID, &stripe.ShippingRateParams{Active: stripe.Bool(false)}))
	if it := l.api.ShippingRates.List(&stripe.ShippingRateListParams{Currency: stripe.String("usd"), Active: stripe.Bool(true)}); it.Next() {
		t.Error("an inactive rate is listed as active")
	}
	_, err = l.api.ShippingRates.Get("shr_none", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), SuccessURL: stripe.String("http://app.test/ok"), ShippingOptions: []*stripe.CheckoutSessionShippingOptionParams{{ShippingRate: stripe.String(ground.ID)}},
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(l.createPrice("pro", 1000, "month").ID), Quantity: stripe.Int64(1)}},
	})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestCheckoutChargesTheChosenShipping(t *testing.T) {
	l := start(t, stripelocal.Options{})
	ground := l.shippingRate("Ground", 500, "usd")
	cs := l.once(func(p *stripe.CheckoutSessionParams) {
		p.ShippingOptions = []*stripe.CheckoutSessionShippingOptionParams{{ShippingRate: stripe.String(ground.ID)}, {ShippingRateData: &stripe.CheckoutSessionShippingOptionShippingRateDataParams{
			DisplayName: stripe.String("Air"), FixedAmount: &stripe.CheckoutSessionShippingOptionShippingRateDataFixedAmountParams{Amount: stripe.Int64(2500), Currency: stripe.String("usd")},
		}}}
	})
	goods := cs.AmountSubtotal
	if cs.AmountTotal != goods+500 || cs.ShippingCost.ShippingRate.ID != ground.ID || cs.TotalDetails.AmountShipping != 500 || len(cs.ShippingOptions) != 2 {
		t.Fatalf("%d of %d, %+v", cs.AmountTotal, goods, cs.ShippingCost)
	}
	air := cs.ShippingOptions[1].ShippingRate.ID
	p := l.browse(http.MethodPost, cs.URL, url.Values{"action": {"apply"}, "shippingRate": {air}})
	if p.status != http.StatusOK {
		t.Fatalf("the page answers %d", p.status)
	}
	l.submitCheckout(cs.URL, "4242424242424242")
	cs = l.session(cs.ID)
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Get(cs.PaymentIntent.ID, nil))
	if cs.Status != "complete" || cs.AmountTotal != goods+2500 || pi.AmountReceived != goods+2500 || cs.ShippingCost.ShippingRate.ID != air {
		t.Errorf("%s, %d, received %d", cs.Status, cs.AmountTotal, pi.AmountReceived)
	}
}
