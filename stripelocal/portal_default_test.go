package stripelocal_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// The dashboard saves the portal's default configuration, which has no API; the setting
// portal_configuration stands in for it.
func TestPortalSessionsHaveTheDefaultConfiguration(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	params := &stripe.BillingPortalSessionParams{Customer: stripe.String(p.sub.Customer.ID)}
	_, err := p.api.BillingPortalSessions.New(params)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	configured := must[*stripe.BillingPortalConfiguration](t)
	first, second := configured(p.configure()).ID, configured(p.configure()).ID
	for _, want := range []string{first, second} {
		if set := p.browse("POST", "/_usher/settings", url.Values{"portal_configuration": {want}}); set.status != http.StatusOK {
			t.Fatalf("%d %s", set.status, set.body)
		}
		if got := must[*stripe.BillingPortalSession](t)(p.api.BillingPortalSessions.New(params)).Configuration.ID; got != want {
			t.Errorf("the session has %s, want %s", got, want)
		}
	}
	list := p.api.BillingPortalConfigurations.List(&stripe.BillingPortalConfigurationListParams{IsDefault: stripe.Bool(true)})
	if !list.Next() || list.BillingPortalConfiguration().ID != second || list.Next() {
		t.Error("the second configuration is not the only default")
	}
	if set := p.browse("POST", "/_usher/settings", url.Values{"portal_configuration": {"bpc_no"}, "after_dunning": {"unpaid"}}); set.status != http.StatusBadRequest {
		t.Errorf("a default that does not exist: %d", set.status)
	}
}

// What a portal does not offer need not be described since 2024-09-30.acacia, nor the business
// since 2024-10-28.acacia.
func TestPortalConfigurationsNeedLessInNewerVersions(t *testing.T) {
	t.Parallel()
	v := startIn(t, stripelocal.APIVersion)
	const path = "/v1/billing_portal/configurations"
	form := url.Values{"features[subscription_update][enabled]": {"false"}}
	v.refuses(400, "business_profile", "Missing required param", "POST", path, form)
	form.Set("business_profile[headline]", "Usher")
	v.refuses(400, "features[subscription_update][default_allowed_updates]", "Missing required param", "POST", path, form)
	v.version = "2024-09-30.acacia"
	if status, o := v.call("POST", path, form); status != http.StatusOK {
		t.Errorf("%d %v", status, o)
	}
	form.Del("business_profile[headline]")
	v.refuses(400, "business_profile", "Missing required param", "POST", path, form)
	v.version = "2024-10-28.acacia"
	if status, o := v.call("POST", path, form); status != http.StatusOK {
		t.Errorf("%d %v", status, o)
	}
	form.Set("features[subscription_update][enabled]", "true")
	v.refuses(400, "features[subscription_update][default_allowed_updates]", "Missing required param", "POST", path, form)
}

// A seed names its default configuration by the id that it chose.
func TestSeedHasADefaultPortalConfiguration(t *testing.T) {
	t.Parallel()
	seed, err := stripelocal.ParseSeed("seed.json", []byte(`{
		"settings": {"portal_configuration": "bpc_1seed"},
		"billing_portal/configurations": [{"id": "bpc_1seed", "business_profile": {"headline": "Usher"}, "features": {"invoice_history": {"enabled": true}}}],
		"customers": [{"id": "cus_ada"}]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	l := start(t, stripelocal.Options{Seed: seed})
	session := must[*stripe.BillingPortalSession](t)(l.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{Customer: stripe.String("cus_ada")}))
	if session.Configuration.ID != "bpc_1seed" {
		t.Errorf("the session has %s", session.Configuration.ID)
	}
}
