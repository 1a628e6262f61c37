package stripelocal_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) confirmationToken(p *stripe.TestHelpersConfirmationTokenParams) *stripe.ConfirmationToken {
	l.t.Helper()
	return must[*stripe.ConfirmationToken](l.t)(l.api.TestHelpersConfirmationTokens.New(p))
}

func TestAConfirmationTokenConfirmsOnePayment(t *testing.T) {
	l := start(t, stripelocal.Options{})
	token := l.confirmationToken(&stripe.TestHelpersConfirmationTokenParams{
		PaymentMethod: stripe.String("pm_card_visa"), ReturnURL: stripe.String("https://app.test/back"), SetupFutureUsage: stripe.String("off_session"),
		Shipping: &stripe.TestHelpersConfirmationTokenShippingParams{Name: stripe.String("Ada"), Address: &stripe.AddressParams{City: stripe.String("London")}},
	})
	if token.PaymentMethodPreview.Card.Last4 != "4242" || token.ExpiresAt != token.Created+12*60*60 || token.PaymentIntent != "" {
		t.Errorf("%+v", token)
	}
	customer := l.createCustomer().ID
	pay := func(token string) (*stripe.PaymentIntent, error) {
		return l.api.PaymentIntents.New(&stripe.PaymentIntentParams{
			Amount: stripe.Int64(900), Currency: stripe.String("usd"), Customer: stripe.String(customer), Confirm: stripe.Bool(true), ConfirmationToken: stripe.String(token),
		})
	}
	pi := must[*stripe.PaymentIntent](t)(pay(token.ID))
	if pi.Status != "succeeded" || pi.SetupFutureUsage != "off_session" || pi.Shipping.Name != "Ada" {
		t.Errorf("%s, for %s, to %+v", pi.Status, pi.SetupFutureUsage, pi.Shipping)
	}
	pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Get(pi.PaymentMethod.ID, nil))
	if pm.Customer == nil || pm.Customer.ID != customer {
		t.Error("the card is not saved")
	}
	if token = must[*stripe.ConfirmationToken](t)(l.api.ConfirmationTokens.Get(token.ID, nil)); token.PaymentIntent != pi.ID {
		t.Errorf("the token names %q", token.PaymentIntent)
	}
	_, err := pay(token.ID)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	_, err = pay("ctoken_none")
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.ConfirmationTokens.Get("ctoken_none", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}

func TestAConfirmationTokenExpires(t *testing.T) {
	l := start(t, stripelocal.Options{})
	used := l.confirmationToken(&stripe.TestHelpersConfirmationTokenParams{PaymentMethod: stripe.String("pm_card_threeDSecure2Required"), ReturnURL: stripe.String("https://app.test/back")})
	late := l.confirmationToken(&stripe.TestHelpersConfirmationTokenParams{PaymentMethod: stripe.String("pm_card_visa")})
	si := must[*stripe.SetupIntent](t)(l.api.SetupIntents.New(nil))
	_, err := l.api.SetupIntents.New(&stripe.SetupIntentParams{ConfirmationToken: stripe.String(used.ID)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	si = must[*stripe.SetupIntent](t)(l.api.SetupIntents.Confirm(si.ID, &stripe.SetupIntentConfirmParams{ConfirmationToken: stripe.String(used.ID)}))
	if si.Status != "requires_action" || si.NextAction.RedirectToURL.ReturnURL != "https://app.test/back" {
		t.Errorf("%s, %+v", si.Status, si.NextAction)
	}
	if used = must[*stripe.ConfirmationToken](t)(l.api.ConfirmationTokens.Get(used.ID, nil)); used.SetupIntent != si.ID {
		t.Errorf("the token names %q", used.SetupIntent)
	}
	l.time.Add(12 * 60 * 60)
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(&stripe.PaymentIntentParams{Amount: stripe.Int64(900), Currency: stripe.String("usd")}))
	_, err = l.api.PaymentIntents.Confirm(pi.ID, &stripe.PaymentIntentConfirmParams{ConfirmationToken: stripe.String(late.ID)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestAnEphemeralKeyActsForItsCustomer(t *testing.T) {
	l := start(t, stripelocal.Options{})
	const mobile = "2020-08-27"
	mine, other := l.createCustomer().ID, l.createCustomer().ID
	l.post(400, "/v1/ephemeral_keys", "customer="+mine) // without a version
	key := must[*stripe.EphemeralKey](t)(l.api.EphemeralKeys.New(&stripe.EphemeralKeyParams{Customer: stripe.String(mine), StripeVersion: stripe.String(mobile)}))
	if key.Expires != key.Created+60*60 || !strings.HasPrefix(key.Secret, "ek_test_") {
		t.Fatalf("%+v", key)
	}
	call := func(want int, method, path string, form url.Values) {
		t.Helper()
		if status, body := l.call(key.Secret, method, path, form, "Stripe-Version", mobile); status != want {
			t.Errorf("%s %s: %d %s", method, path, status, body)
		}
	}
	pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("card"), Card: &stripe.PaymentMethodCardParams{Token: stripe.String("tok_visa")}}))
	call(200, "GET", "/v1/customers/"+mine, nil)
	call(200, "POST", "/v1/payment_methods/"+pm.ID+"/attach", url.Values{"customer": {mine}})
	call(200, "GET", "/v1/payment_methods?type=card&customer="+mine, nil)
	call(403, "GET", "/v1/customers/"+other, nil)
	call(403, "GET", "/v1/customers", nil)
	call(403, "POST", "/v1/refunds", url.Values{"charge": {"ch_1"}})
	call(403, "POST", "/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {other}})
	must[*stripe.EphemeralKey](t)(l.api.EphemeralKeys.Del(key.ID, nil))
	call(401, "GET", "/v1/customers/"+mine, nil)
	_, err := l.api.EphemeralKeys.Del(key.ID, nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)

	key = must[*stripe.EphemeralKey](t)(l.api.EphemeralKeys.New(&stripe.EphemeralKeyParams{Customer: stripe.String(mine), StripeVersion: stripe.String(mobile)}))
	l.time.Add(60 * 60)
	call(401, "GET", "/v1/customers/"+mine, nil)
}

func TestCustomerSessionsEnableComponents(t *testing.T) {
	l := start(t, stripelocal.Options{})
	create := func(components *stripe.CustomerSessionComponentsParams) (*stripe.CustomerSession, error) {
		return l.api.CustomerSessions.New(&stripe.CustomerSessionParams{Customer: stripe.String(l.createCustomer().ID), Components: components})
	}
	element := func(features *stripe.CustomerSessionComponentsPaymentElementFeaturesParams) *stripe.CustomerSessionComponentsParams {
		return &stripe.CustomerSessionComponentsParams{PaymentElement: &stripe.CustomerSessionComponentsPaymentElementParams{Enabled: stripe.Bool(true), Features: features}}
	}
	s := must[*stripe.CustomerSession](t)(create(element(&stripe.CustomerSessionComponentsPaymentElementFeaturesParams{
		PaymentMethodSave: stripe.String("enabled"), PaymentMethodSaveUsage: stripe.String("off_session"),
	})))
	if f := s.Components.PaymentElement.Features; f.PaymentMethodSave != "enabled" || f.PaymentMethodRedisplayLimit != 3 || s.ExpiresAt != s.Created+30*60 || s.Components.BuyButton.Enabled {
		t.Errorf("%+v", f)
	}
	for name, wrong := range map[string]*stripe.CustomerSessionComponentsParams{
		"no component":           {PricingTable: &stripe.CustomerSessionComponentsPricingTableParams{Enabled: stripe.Bool(false)}},
		"limit":                  element(&stripe.CustomerSessionComponentsPaymentElementFeaturesParams{PaymentMethodRedisplayLimit: stripe.Int64(11)}),
		"usage of what is saved": element(&stripe.CustomerSessionComponentsPaymentElementFeaturesParams{PaymentMethodSaveUsage: stripe.String("off_session")}),
	} {
		if _, err := create(wrong); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	_, err := l.api.CustomerSessions.New(&stripe.CustomerSessionParams{Customer: stripe.String("cus_none"), Components: element(nil)})
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
}
