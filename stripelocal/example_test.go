package stripelocal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"
	"github.com/stripe/stripe-go/v79/webhook"

	"usher/stripelocal"
)

// startExample starts a server on the loopback interface. In a test, call stop in t.Cleanup.
func startExample(o stripelocal.Options) (s *stripelocal.Server, baseURL string, stop func()) {
	s, err := stripelocal.New(o)
	if err != nil {
		log.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	s.SetOrigin(web.URL) // the base URL of hosted pages
	return s, web.URL, func() {
		web.Close()
		_ = s.Close(context.Background())
	}
}

// Start a server in a test and point an SDK at its base URL. Every SDK has a setting for it; this
// is stripe-go's. Any key that begins with sk_test_ and has at least 12 characters is accepted.
func Example() {
	_, baseURL, stop := startExample(stripelocal.Options{})
	defer stop()

	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{URL: stripe.String(baseURL)})
	api := client.New("sk_test_123456789012", &stripe.Backends{API: backend, Connect: backend, Uploads: backend})

	customer, err := api.Customers.New(&stripe.CustomerParams{Email: stripe.String("ada@example.com")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(customer.Email, strings.HasPrefix(customer.ID, "cus_"))
	// Output: ada@example.com true
}

// Without an SDK, requests are forms and responses are JSON.
func Example_withoutSDK() {
	_, baseURL, stop := startExample(stripelocal.Options{})
	defer stop()

	form := url.Values{"name": {"Pro"}, "default_price_data[currency]": {"usd"}, "default_price_data[unit_amount]": {"1000"}}
	req, err := http.NewRequest(http.MethodPost, baseURL+"/v1/products", strings.NewReader(form.Encode()))
	if err != nil {
		log.Fatal(err)
	}
	req.SetBasicAuth("sk_test_123456789012", "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	var product struct{ Object, Name string }
	if err := json.NewDecoder(res.Body).Decode(&product); err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.StatusCode, product.Object, product.Name)
	// Output: 200 product Pro
}

// A webhook endpoint receives signed events. Verify them like Stripe's.
func ExampleServer_EnsureWebhookEndpoint() {
	server, baseURL, stop := startExample(stripelocal.Options{})
	defer stop()

	received := make(chan stripe.Event)
	application := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		event, err := webhook.ConstructEvent(body, req.Header.Get("Stripe-Signature"), "whsec_example")
		if err != nil {
			log.Fatal(err)
		}
		received <- event
	}))
	defer application.Close()
	server.EnsureWebhookEndpoint(application.URL, "whsec_example", "customer.*")

	post(baseURL+"/v1/customers", url.Values{"email": {"ada@example.com"}})
	fmt.Println((<-received).Type)
	// Output: customer.created
}

// Advancing the clock runs everything that becomes due on the way, such as renewals.
func ExampleServer_Advance() {
	start := time.Date(2026, time.January, 31, 12, 0, 0, 0, time.UTC)
	server, baseURL, stop := startExample(stripelocal.Options{Now: func() time.Time { return start }})
	defer stop()

	price := post(baseURL+"/v1/prices", url.Values{
		"currency": {"usd"}, "unit_amount": {"1000"}, "recurring[interval]": {"month"}, "product_data[name]": {"Pro"},
	})
	customer := post(baseURL+"/v1/customers", url.Values{
		"payment_method": {"pm_card_visa"}, "email": {"ada@example.com"},
	})
	method := get(baseURL + "/v1/payment_methods?customer=" + customer["id"].(string))["data"].([]any)[0].(map[string]any)
	post(baseURL+"/v1/subscriptions", url.Values{
		"customer": {customer["id"].(string)}, "items[0][price]": {price["id"].(string)},
		"default_payment_method": {method["id"].(string)},
	})

	// A renewal's invoice stays a draft for an hour.
	for _, span := range []string{"3 months", "1 hour"} {
		if err := server.Advance(span); err != nil {
			log.Fatal(err)
		}
	}
	invoices := get(baseURL + "/v1/invoices?status=paid&customer=" + customer["id"].(string))["data"].([]any)
	fmt.Println(server.Now().Format(time.DateTime), len(invoices), "paid invoices")
	// Output: 2026-04-30 13:00:00 4 paid invoices
}

// A fault makes the next matching call fail, here with a rate limit error. The call after it
// succeeds.
func ExampleFaults_Add() {
	server, baseURL, stop := startExample(stripelocal.Options{})
	defer stop()

	if _, err := server.Faults().Add(stripelocal.Fault{Kind: stripelocal.RateLimited, Path: "/v1/customers"}); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		response := post(baseURL+"/v1/customers", url.Values{"email": {"ada@example.com"}})
		if failure, failed := response["error"].(map[string]any); failed {
			fmt.Println(failure["code"])
			continue
		}
		fmt.Println(response["object"])
	}
	// Output:
	// rate_limit
	// customer
}

func post(address string, form url.Values) map[string]any {
	return call(http.MethodPost, address, form.Encode())
}

func get(address string) map[string]any { return call(http.MethodGet, address, "") }

// call makes an API call and decodes the response.
func call(method, address, form string) map[string]any {
	req, err := http.NewRequest(method, address, strings.NewReader(form))
	if err != nil {
		log.Fatal(err)
	}
	req.SetBasicAuth("sk_test_123456789012", "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	var response map[string]any
	if err := json.NewDecoder(res.Body).Decode(&response); err != nil {
		log.Fatal(err)
	}
	return response
}
