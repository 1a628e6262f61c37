package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestPaymentMethodConfigurationsDecideWhatIntentsOffer(t *testing.T) {
	l := start(t, stripelocal.Options{})
	it := l.api.PaymentMethodConfigurations.List(&stripe.PaymentMethodConfigurationListParams{})
	if !it.Next() || !it.PaymentMethodConfiguration().IsDefault || !it.PaymentMethodConfiguration().Card.Available || it.PaymentMethodConfiguration().Klarna.Available {
		t.Fatalf("the default is %+v", it.PaymentMethodConfiguration())
	}
	byDefault := it.PaymentMethodConfiguration()
	off := must[*stripe.PaymentMethodConfiguration](t)(l.api.PaymentMethodConfigurations.New(&stripe.PaymentMethodConfigurationParams{
		Name: stripe.String("No cards"), Card: &stripe.PaymentMethodConfigurationCardParams{DisplayPreference: &stripe.PaymentMethodConfigurationCardDisplayPreferenceParams{Preference: stripe.String("off")}},
	}))
	if off.IsDefault || off.Card.Available || off.Card.DisplayPreference.Preference != "off" || !off.GooglePay.Available {
		t.Errorf("%+v", off)
	}
	pay := func(configuration string) (*stripe.PaymentIntent, error) {
		return l.api.PaymentIntents.New(&stripe.PaymentIntentParams{Amount: stripe.Int64(500), Currency: stripe.String("usd"), PaymentMethodConfiguration: stripe.String(configuration)})
	}
	_, err := pay(off.ID)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	_, err = pay("pmc_none")
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
	on := must[*stripe.PaymentMethodConfiguration](t)(l.api.PaymentMethodConfigurations.Update(off.ID, &stripe.PaymentMethodConfigurationParams{
		Card: &stripe.PaymentMethodConfigurationCardParams{DisplayPreference: &stripe.PaymentMethodConfigurationCardDisplayPreferenceParams{Preference: stripe.String("none")}},
	}))
	pi := must[*stripe.PaymentIntent](t)(pay(on.ID))
	if pi.PaymentMethodConfigurationDetails.ID != on.ID || on.Card.DisplayPreference.Preference != "none" || !on.Card.Available {
		t.Errorf("the intent uses %+v, cards %+v", pi.PaymentMethodConfigurationDetails, on.Card)
	}
	must[*stripe.PaymentMethodConfiguration](t)(l.api.PaymentMethodConfigurations.Update(on.ID, &stripe.PaymentMethodConfigurationParams{Active: stripe.Bool(false)}))
	_, err = l.api.SetupIntents.New(&stripe.SetupIntentParams{PaymentMethodConfiguration: stripe.String(on.ID)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.PaymentMethodConfigurations.Update(byDefault.ID, &stripe.PaymentMethodConfigurationParams{Active: stripe.Bool(false)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	si := must[*stripe.SetupIntent](t)(l.api.SetupIntents.New(nil))
	if si.PaymentMethodConfigurationDetails.ID != byDefault.ID {
		t.Errorf("a setup intent uses %+v", si.PaymentMethodConfigurationDetails)
	}
	_, err = l.api.PaymentMethodConfigurations.Get("pmc_none", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}

func TestDomainsAreRegisteredOnce(t *testing.T) {
	l := start(t, stripelocal.Options{})
	register := func(name string) (*stripe.PaymentMethodDomain, error) {
		return l.api.PaymentMethodDomains.New(&stripe.PaymentMethodDomainParams{DomainName: stripe.String(name)})
	}
	for _, wrong := range []string{"localhost", "https://shop.example.com", "127.0.0.1", "shop.example.com/x", "shop..example.com", "-a.example.com"} {
		_, err := register(wrong)
		wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	}
	d := must[*stripe.PaymentMethodDomain](t)(register("Shop.example.com"))
	again := must[*stripe.PaymentMethodDomain](t)(register("shop.example.com"))
	if again.ID != d.ID || d.DomainName != "shop.example.com" || d.ApplePay.Status != "active" || !d.Enabled {
		t.Errorf("%+v, then %+v", d, again)
	}
	must[*stripe.PaymentMethodDomain](t)(l.api.PaymentMethodDomains.Update(d.ID, &stripe.PaymentMethodDomainParams{Enabled: stripe.Bool(false)}))
	if it := l.api.PaymentMethodDomains.List(&stripe.PaymentMethodDomainListParams{Enabled: stripe.Bool(true)}); it.Next() {
		t.Error("a disabled domain is listed as enabled")
	}
	if d = must[*stripe.PaymentMethodDomain](t)(l.api.PaymentMethodDomains.Validate(d.ID, nil)); d.Enabled {
		t.Error("validating enables a domain")
	}
	_, err := l.api.PaymentMethodDomains.Validate("pmd_none", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)

	apple := must[*stripe.ApplePayDomain](t)(l.api.ApplePayDomains.New(&stripe.ApplePayDomainParams{DomainName: stripe.String("shop.example.com")}))
	if it := l.api.ApplePayDomains.List(&stripe.ApplePayDomainListParams{DomainName: stripe.String("shop.example.com")}); !it.Next() || it.ApplePayDomain().ID != apple.ID {
		t.Error("the domain is not listed")
	}
	must[*stripe.ApplePayDomain](t)(l.api.ApplePayDomains.Get(apple.ID, nil))
	must[*stripe.ApplePayDomain](t)(l.api.ApplePayDomains.Del(apple.ID, nil))
	_, err = l.api.ApplePayDomains.Get(apple.ID, nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}

func TestCountrySpecOfTheAccountsCountry(t *testing.T) {
	l := start(t, stripelocal.Options{})
	spec := must[*stripe.CountrySpec](t)(l.api.CountrySpecs.Get("US", nil))
	if spec.DefaultCurrency != "usd" || spec.SupportedPaymentCurrencies[0] != "usd" || len(spec.SupportedPaymentCurrencies) < 100 {
		t.Errorf("%+v", spec)
	}
	if it := l.api.CountrySpecs.List(nil); !it.Next() || it.CountrySpec().ID != "US" || it.Next() {
		t.Error("the list is another")
	}
	_, err := l.api.CountrySpecs.Get("XX", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}
