package billing_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"usher/billing"
	"usher/billing/catalog"
)

// stripeGet reads from Stripe's API as another client.
func (env *testEnv) stripeGet(path string, into any) {
	env.stripeRequest(http.MethodGet, path, nil, into)
}

// stripeRequest calls Stripe's API as another client, without injected faults.
func (env *testEnv) stripeRequest(method, path string, form url.Values, into ...any) {
	env.t.Helper()
	request, err := http.NewRequestWithContext(env.t.Context(), method, env.origin+path, strings.NewReader(form.Encode()))
	env.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Test-Client", "dashboard")
	request.SetBasicAuth("sk_test_dashboard123", "")
	response, err := http.DefaultClient.Do(request)
	env.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		env.t.Fatalf("%s %s: %d, %v: %s", method, path, response.StatusCode, err, body)
	}
	for _, target := range into {
		env.must(json.Unmarshal(body, target))
	}
}

// eventsOfType fetches the payloads of all events of one type from Stripe, oldest first.
func (env *testEnv) eventsOfType(kind string) []json.RawMessage {
	env.t.Helper()
	var list struct{ Data []json.RawMessage }
	env.stripeGet("/v1/events?limit=100&type="+kind, &list)
	slices.Reverse(list.Data)
	return list.Data
}

// planPriceID returns the Stripe ID of a plan's price.
func (env *testEnv) planPriceID(id string, interval catalog.Interval) string {
	plan, _ := env.service.Prices.Catalog().Plan(id)
	price, _ := plan.Price(interval)
	return price.ID
}

// setQuantityAtStripe changes the quantity at Stripe as another client.
func (env *testEnv) setQuantityAtStripe(current billing.Subscription, quantity int) {
	env.t.Helper()
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID,
		url.Values{"items[0][id]": {current.ItemID}, "items[0][quantity]": {strconv.Itoa(quantity)}})
	if got := env.stripeQuantity(); got != quantity {
		env.t.Fatalf("quantity %d at Stripe, want %d", got, quantity)
	}
}

// setQuantityAndRefresh changes the quantity at Stripe and refreshes the subscription.
func (env *testEnv) setQuantityAndRefresh(current billing.Subscription, quantity int) {
	env.t.Helper()
	env.setQuantityAtStripe(current, quantity)
	if err := env.service.Subscriptions.Refresh(env.t.Context(), env.access); err != nil {
		env.t.Fatal(err)
	}
}

// cancelAtStripe cancels a subscription immediately, as in the Stripe dashboard.
func (env *testEnv) cancelAtStripe(current billing.Subscription) {
	env.t.Helper()
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+current.ID, nil)
}

// latestChargeID returns the newest charge of the subscription's customer.
func (env *testEnv) latestChargeID(current billing.Subscription) string {
	env.t.Helper()
	var charges struct{ Data []struct{ ID string } }
	env.stripeGet("/v1/charges?limit=1&customer="+current.CustomerID, &charges)
	if len(charges.Data) != 1 {
		env.t.Fatalf("charges: %+v", charges)
	}
	return charges.Data[0].ID
}

// lastInvoiceTotal fetches the total of the newest invoice from Stripe, in cents.
func (env *testEnv) lastInvoiceTotal() int64 {
	env.t.Helper()
	var invoices struct {
		Data []struct{ Total int64 }
	}
	env.stripeGet("/v1/invoices?limit=1&subscription="+env.overview().Subscription.ID, &invoices)
	if len(invoices.Data) != 1 {
		env.t.Fatalf("invoices: %+v", invoices)
	}
	return invoices.Data[0].Total
}
