package stripegw

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

func priceJSON(id, key string, amount int, active bool) string {
	return fmt.Sprintf(`{"id":%q,"object":"price","active":%t,"currency":"usd","unit_amount":%d,"lookup_key":%q,"billing_scheme":"per_unit",
		"product":{"id":"prod_1","object":"product","name":"Team"},"type":"recurring",
		"recurring":{"interval":"month","interval_count":1,"usage_type":"licensed"}}`, id, active, amount, key)
}

func priceList(prices ...string) string {
	return `{"object":"list","has_more":false,"url":"/v1/prices","data":[` + strings.Join(prices, ",") + `]}`
}

func TestPrices(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("GET /v1/prices", func(w http.ResponseWriter, r *http.Request) {
		var found []string
		for name, values := range r.URL.Query() {
			if strings.HasPrefix(name, "lookup_keys[") && values[0] != "key_missing" {
				found = append(found, priceJSON("price_of_"+values[0], values[0], 900, true))
			}
		}
		respond(priceList(found...))(w, r)
	})
	f.HandleFunc("GET /v1/prices/price_quarter", respond(`{"id":"price_quarter","object":"price","active":false,"currency":"jpy","unit_amount":500,
		"lookup_key":null,"product":"prod_2","recurring":{"interval":"month","interval_count":3,"usage_type":"licensed"}}`))
	f.HandleFunc("GET /v1/prices/price_once", respond(`{"id":"price_once","object":"price","active":true,"currency":"usd","unit_amount":100,"recurring":null}`))
	f.HandleFunc("GET /v1/prices/price_gone", status(404, `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such price"}}`))

	keys := []string{"key_missing", "", "key_0"}
	for i := range 11 {
		keys = append(keys, fmt.Sprint("key_", i))
	}
	found, err := gateway.Prices(t.Context(), keys, []string{"price_quarter", "price_gone", "price_once", "price_once", ""})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]catalog.StripePrice{}
	for _, p := range found {
		byID[p.ID] = p
	}
	want := map[string]catalog.StripePrice{
		"price_of_key_3": {ID: "price_of_key_3", ProductID: "prod_1", ProductName: "Team", LookupKey: "key_3", Interval: catalog.Monthly, Active: true,
			Amount: catalog.Money{Minor: 900, Currency: "usd"}},
		"price_quarter": {ID: "price_quarter", ProductID: "prod_2", Interval: "3 month", Amount: catalog.Money{Minor: 500, Currency: "jpy"}},
		"price_once":    {ID: "price_once", Active: true, Amount: catalog.Money{Minor: 100, Currency: "usd"}},
	}
	for id, price := range want {
		if !reflect.DeepEqual(byID[id], price) {
			t.Errorf("got %+v, want %+v", byID[id], price)
		}
	}
	requests := f.seen("GET", "/v1/prices")
	if len(found) != 13 || len(requests) != 2 {
		t.Errorf("got %d prices by %d lists, want 13 by 2", len(found), len(requests))
	}
	if requests[0].form.Get("active") != "true" || requests[0].form.Get("lookup_keys[9]") == "" || requests[0].form.Get("lookup_keys[10]") != "" {
		t.Errorf("requests %v", requests[0].form)
	}
}

func TestPricesReturnsOtherErrors(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("GET /v1/prices/price_1", status(403, `{"error":{"type":"invalid_request_error","message":"not permitted"}}`))
	if found, err := gateway.Prices(t.Context(), nil, []string{"price_1"}); err == nil {
		t.Errorf("got %v without an error", found)
	}
}

func TestEnsurePrice(t *testing.T) {
	t.Parallel()
	want := PlanPrice{PlanID: "team", PlanName: "Team", Interval: catalog.Monthly, Amount: catalog.Money{Minor: 900, Currency: "USD"}, LookupKey: "team_month"}
	const missing = `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"id","message":"No such product"}}`
	const exists = `{"error":{"type":"invalid_request_error","code":"resource_already_exists","param":"id","message":"Product already exists"}}`
	const product = `{"id":"usher_team","object":"product","name":"Team"}`
	tests := map[string]struct {
		holders               string
		getProduct, inProduct http.HandlerFunc
		result                PushResult
		product               string
		products              int
	}{
		"as wanted: nothing is written": {priceList(priceJSON("price_1", "team_month", 900, true)), nil, nil, PushUnchanged, "", 0},
		"another amount":                {priceList(priceJSON("price_1", "team_month", 800, true)), nil, nil, PushCreated, "prod_1", 0},
		"archived":                      {priceList(priceJSON("price_1", "team_month", 900, false)), nil, nil, PushCreated, "prod_1", 0},
		"no price yet, product there":   {priceList(), respond(product), nil, PushCreated, "usher_team", 0},
		"nothing yet":                   {priceList(), status(404, missing), respond(product), PushCreated, "usher_team", 1},
		"another push was faster":       {priceList(), status(404, missing), status(400, exists), PushCreated, "usher_team", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("GET /v1/prices", respond(test.holders))
			f.HandleFunc("POST /v1/prices", respond(priceJSON("price_new", "team_month", 900, true)))
			if test.getProduct != nil {
				f.HandleFunc("GET /v1/products/usher_team", test.getProduct)
			}
			if test.inProduct != nil {
				f.HandleFunc("POST /v1/products", test.inProduct)
			}
			got, result, err := gateway.EnsurePrice(t.Context(), want)
			if err != nil || result != test.result || got.Amount.Minor != 900 {
				t.Fatalf("got %+v, %s, %v", got, result, err)
			}
			if n := len(f.seen("POST", "/v1/products")); n != test.products {
				t.Errorf("created %d products, want %d", n, test.products)
			}
			sent := f.seen("POST", "/v1/prices")
			if test.result == PushUnchanged {
				if len(sent) != 0 {
					t.Errorf("wrote %v", sent)
				}
				return
			}
			wantForm(t, sent[0].form, url.Values{
				"product": {test.product}, "currency": {"usd"}, "unit_amount": {"900"}, "recurring[interval]": {"month"}, "lookup_key": {"team_month"},
				"transfer_lookup_key": {"true"}, "tax_behavior": {"exclusive"}, "metadata[usher_plan]": {"team"}, "expand[0]": {"product"},
			})
		})
	}
}

// An amount that changes 9 -> 10 -> 9 within a day needs three prices: Stripe stores idempotency
// keys for that long.
func TestReplacementPricesHaveOwnIdempotencyKeys(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("GET /v1/prices", sequence(respond(priceList(priceJSON("price_1", "team_month", 800, true))),
		respond(priceList(priceJSON("price_3", "team_month", 800, true)))))
	f.HandleFunc("POST /v1/prices", respond(priceJSON("price_new", "team_month", 900, true)))
	want := PlanPrice{PlanID: "team", Interval: catalog.Monthly, Amount: catalog.Money{Minor: 900, Currency: "usd"}, LookupKey: "team_month"}
	for range 3 {
		if _, _, err := gateway.EnsurePrice(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	sent := f.seen("POST", "/v1/prices")
	if sent[0].key == sent[1].key || sent[1].key != sent[2].key {
		t.Errorf("keys %q, %q, %q: want another for another replaced price, the same for the same", sent[0].key, sent[1].key, sent[2].key)
	}
}

func TestEnsurePriceValidatesArguments(t *testing.T) {
	t.Parallel()
	_, gateway := newFake(t)
	for _, want := range []PlanPrice{{PlanID: "p", Interval: catalog.Monthly}, {LookupKey: "k", Interval: catalog.Monthly}, {PlanID: "p", LookupKey: "k", Interval: "week"}} {
		if _, _, err := gateway.EnsurePrice(t.Context(), want); apperr.CodeOf(err) != apperr.CodeInvalid {
			t.Errorf("%+v: got %v", want, err)
		}
	}
}

func TestEnsureWebhookEndpoint(t *testing.T) {
	t.Parallel()
	list := func(endpoint string) string { return `{"object":"list","has_more":false,"data":[` + endpoint + `]}` }
	endpoint := func(url, status, events string) string {
		return fmt.Sprintf(`{"id":"we_1","object":"webhook_endpoint","url":%q,"status":%q,"enabled_events":%s}`, url, status, events)
	}
	const here = "https://app.example/stripe/webhook"
	wanted := []string{"invoice.paid", "customer.subscription.updated"}
	tests := map[string]struct {
		list    string
		id      string
		secret  string
		created bool
		update  url.Values // nil: no update
	}{
		"none":         {list(""), "we_new", "whsec_new", true, nil},
		"another URL":  {list(endpoint("https://other.example", "enabled", `["*"]`)), "we_new", "whsec_new", true, nil},
		"there":        {list(endpoint(here, "enabled", `["customer.subscription.updated","invoice.paid"]`)), "we_1", "", false, nil},
		"there, all":   {list(endpoint(here, "enabled", `["*"]`)), "we_1", "", false, nil},
		"off":          {list(endpoint(here, "disabled", `["*"]`)), "we_1", "", false, url.Values{"disabled": {"false"}}},
		"lacks events": {list(endpoint(here, "enabled", `["invoice.paid","ping"]`)), "we_1", "", false, url.Values{"disabled": {"false"}, "enabled_events[0]": {"invoice.paid"}, "enabled_events[1]": {"ping"}, "enabled_events[2]": {"customer.subscription.updated"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("GET /v1/webhook_endpoints", respond(test.list))
			f.HandleFunc("POST /v1/webhook_endpoints", respond(`{"id":"we_new","object":"webhook_endpoint","secret":"whsec_new"}`))
			f.HandleFunc("POST /v1/webhook_endpoints/we_1", respond(endpoint(here, "enabled", `["*"]`)))
			id, secret, created, err := gateway.EnsureWebhookEndpoint(t.Context(), here, wanted)
			if err != nil || id != test.id || secret != test.secret || created != test.created {
				t.Errorf("got %q, %q, %t, %v", id, secret, created, err)
			}
			if test.created {
				wantForm(t, f.seen("POST", "/v1/webhook_endpoints")[0].form, url.Values{"url": {here}, "api_version": {"2024-06-20"},
					"enabled_events[0]": {"invoice.paid"}, "enabled_events[1]": {"customer.subscription.updated"}})
			}
			updates := f.seen("POST", "/v1/webhook_endpoints/we_1")
			if len(updates) != min(len(test.update), 1) {
				t.Fatalf("updated %v", updates)
			}
			if test.update != nil {
				wantForm(t, updates[0].form, test.update)
			}
		})
	}
}

func TestEnsurePriceTaxBehavior(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		desired catalog.TaxBehavior
		stored  string
		result  PushResult
	}{
		"same":                      {"exclusive", "exclusive", PushUnchanged},
		"left to Stripe":            {"unspecified", "inclusive", PushUnchanged},
		"unspecified: set once":     {"exclusive", "unspecified", PushUpdated},
		"opposite: needs a new one": {"inclusive", "exclusive", PushCreated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			stored := strings.Replace(priceJSON("price_1", "team_month", 900, true), `"active"`, `"tax_behavior":"`+test.stored+`","active"`, 1)
			f.HandleFunc("GET /v1/prices", respond(priceList(stored)))
			f.HandleFunc("POST /v1/prices", respond(stored))
			f.HandleFunc("POST /v1/prices/price_1", respond(stored))
			want := PlanPrice{PlanID: "team", Interval: catalog.Monthly, Amount: catalog.Money{Minor: 900, Currency: "usd"}, LookupKey: "team_month", TaxBehavior: test.desired}
			if _, result, err := gateway.EnsurePrice(t.Context(), want); err != nil || result != test.result {
				t.Errorf("%s, %v, want %s", result, err, test.result)
			}
			updates, creations := f.seen("POST", "/v1/prices/price_1"), f.seen("POST", "/v1/prices")
			if (len(updates) == 1) != (test.result == PushUpdated) || (len(creations) == 1) != (test.result == PushCreated) {
				t.Fatalf("updates %v, creations %v", updates, creations)
			}
			for _, sent := range append(updates, creations...) {
				if got := sent.form.Get("tax_behavior"); got != string(test.desired) {
					t.Errorf("sent tax_behavior %q", got)
				}
			}
		})
	}
}

// No sample price of the specification is as a plan file says, so that [Gateway.EnsurePrice] sets
// no tax behavior in TestSpecificationAcceptsEveryRequestOfTheGateway.
func TestSpecificationAcceptsTheTaxBehavior(t *testing.T) {
	t.Parallel()
	server := newSpecServer(t, answerSamples)
	gateway := New(Options{SecretKey: "sk_test_123456789012", APIBase: server.url, WebhookSecrets: []string{secretA}})
	for _, behavior := range []catalog.TaxBehavior{catalog.TaxExclusive, catalog.TaxInclusive} {
		if _, err := gateway.setTaxBehavior(t.Context(), "price_1", behavior); err != nil {
			t.Error(err)
		}
	}
	if !server.operations["POST /v1/prices/{price}"] {
		t.Errorf("requested %v", server.operations)
	}
}
