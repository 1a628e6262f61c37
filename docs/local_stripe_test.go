package docs_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"

	"usher/stripelocal"
)

// TestLocalStripeFromGo is the example of local-stripe.md: the two must be equal.
func TestLocalStripeFromGo(t *testing.T) {
	server, err := stripelocal.New(stripelocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	t.Cleanup(web.Close)
	t.Cleanup(func() { _ = server.Close(t.Context()) })
	server.SetOrigin(web.URL) // for the URLs of hosted pages

	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{URL: stripe.String(web.URL)})
	api := client.New("sk_test_1234567890", &stripe.Backends{API: backend})
	customer, err := api.Customers.New(&stripe.CustomerParams{Email: stripe.String("ana@example.com")})
	if err != nil {
		t.Fatal(err)
	}
	if customer.Email != "ana@example.com" {
		t.Errorf("email %q", customer.Email)
	}
}
