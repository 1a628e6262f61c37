package stripegw

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"usher/billing/apperr"
)

// request is a request received by the fake.
type request struct {
	method, path, key string
	form              url.Values
}

// fake is a Stripe with canned responses, for cases that the local Stripe does not produce.
type fake struct {
	*http.ServeMux
	url      string
	mutex    sync.Mutex
	requests []request
}

func newFake(t *testing.T) (*fake, *Gateway) {
	t.Helper()
	f := &fake{ServeMux: http.NewServeMux()}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	f.HandleFunc("GET /v1/account", respond(`{"id":"acct_own","object":"account"}`))
	return f, New(Options{SecretKey: "sk_test_123456789012", APIBase: server.URL, WebhookSecrets: []string{secretA, "", secretB}})
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	f.mutex.Lock()
	f.requests = append(f.requests, request{r.Method, r.URL.Path, r.Header.Get("Idempotency-Key"), r.Form})
	f.mutex.Unlock()
	f.ServeMux.ServeHTTP(w, r)
}

// seen returns the requests to a path in order of arrival.
func (f *fake) seen(method, path string) []request {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var found []request
	for _, r := range f.requests {
		if r.method == method && r.path == path {
			found = append(found, r)
		}
	}
	return found
}

// respond writes a body with headers given as name, value, name, value.
func respond(body string, headers ...string) http.HandlerFunc {
	return status(http.StatusOK, body, headers...)
}

func status(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// sequence handles the n-th request with the n-th handler, and every later one with the last.
func sequence(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mutex sync.Mutex
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		handle := handlers[min(next, len(handlers)-1)]
		next++
		mutex.Unlock()
		handle(w, r)
	}
}

// hangUp closes the connection without a response.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func dated(at time.Time) []string { return []string{"Date", at.UTC().Format(http.TimeFormat)} }

func stripeError(t *testing.T, err error) *apperr.StripeError {
	t.Helper()
	var e *apperr.StripeError
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no StripeError", err)
	}
	return e
}

func subscriptionJSON(id string, replaced ...string) string {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(subscriptionSample), &fields); err != nil {
		panic(err)
	}
	fields["id"] = fmt.Appendf(nil, "%q", id)
	for i := 0; i < len(replaced); i += 2 {
		fields[replaced[i]] = json.RawMessage(replaced[i+1])
	}
	written, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(written)
}

func itemJSON(id string, created int, usage, metadata string) string {
	return fmt.Sprintf(`{"id":%q,"object":"subscription_item","created":%d,"metadata":%s,"quantity":4,"subscription":"sub_1",
		"price":{"id":"price_%s","object":"price","active":true,"currency":"usd","unit_amount":900,"lookup_key":null,"product":"prod_team",
		"recurring":{"interval":"month","interval_count":1,"usage_type":%q},"type":"recurring"}}`, id, created, metadata, id, usage)
}

func itemsJSON(more bool, items ...string) string {
	list := "["
	for i, item := range items {
		if i > 0 {
			list += ","
		}
		list += item
	}
	return fmt.Sprintf(`{"object":"list","has_more":%t,"url":"/v1/subscription_items?subscription=sub_1","data":%s]}`, more, list)
}

// subscriptionSample is a subscription in API version 2024-06-20 without fields that are not read.
const subscriptionSample = `{
	"id":"sub_1","object":"subscription","application":null,"automatic_tax":{"enabled":false,"liability":null},
	"billing_cycle_anchor":1714521600,"cancel_at":null,"cancel_at_period_end":false,"canceled_at":null,
	"cancellation_details":{"comment":null,"feedback":null,"reason":null},"collection_method":"charge_automatically",
	"created":1714521600,"currency":"usd","current_period_end":1717200000,"current_period_start":1714521600,
	"customer":"cus_1","default_payment_method":"pm_1","discounts":[],"ended_at":null,
	"items":{"object":"list","has_more":false,"total_count":1,"url":"/v1/subscription_items?subscription=sub_1","data":[
		{"id":"si_1","object":"subscription_item","created":1714521600,"metadata":{},"quantity":3,"subscription":"sub_1",
		"price":{"id":"price_team_month","object":"price","active":true,"currency":"usd","unit_amount":900,"product":"prod_team",
			"recurring":{"interval":"month","interval_count":1,"usage_type":"licensed"},"type":"recurring"}}]},
	"latest_invoice":"in_1","livemode":false,"metadata":{"orgId":"org_1"},"start_date":1714521600,"status":"active",
	"test_clock":null,"trial_end":null,"trial_start":null}`
