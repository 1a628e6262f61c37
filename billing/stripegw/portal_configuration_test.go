package stripegw

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

func newCatalog(prices ...catalog.Price) catalog.Catalog {
	return catalog.Catalog{Plans: []catalog.Plan{{ID: "team", Prices: prices}}}
}

func TestPortalConfiguration(t *testing.T) {
	t.Parallel()
	common := url.Values{
		"business_profile[headline]":                                {"Manage your plan, cards and invoices"},
		"features[customer_update][enabled]":                        {"true"},
		"features[customer_update][allowed_updates][0]":             {"email"},
		"features[customer_update][allowed_updates][1]":             {"name"},
		"features[customer_update][allowed_updates][2]":             {"address"},
		"features[customer_update][allowed_updates][3]":             {"tax_id"},
		"features[invoice_history][enabled]":                        {"true"},
		"features[payment_method_update][enabled]":                  {"true"},
		"features[subscription_cancel][enabled]":                    {"true"},
		"features[subscription_cancel][mode]":                       {"at_period_end"},
		"features[subscription_update][default_allowed_updates][0]": {"price"},
		"features[subscription_update][proration_behavior]":         {"create_prorations"},
	}
	tests := map[string]struct {
		plans catalog.Catalog
		more  url.Values
	}{
		"two prices of one product": {
			newCatalog(catalog.Price{ID: "price_m", ProductID: "prod_1"}, catalog.Price{ID: "price_y", ProductID: "prod_1"}),
			url.Values{
				"features[subscription_update][enabled]":                {"true"},
				"features[subscription_update][products][0][product]":   {"prod_1"},
				"features[subscription_update][products][0][prices][0]": {"price_m"},
				"features[subscription_update][products][0][prices][1]": {"price_y"},
			},
		},
		"unresolved ones are left out": {
			newCatalog(catalog.Price{LookupKey: "k"}, catalog.Price{ID: "price_y", ProductID: "prod_1"}),
			url.Values{
				"features[subscription_update][enabled]":                {"true"},
				"features[subscription_update][products][0][product]":   {"prod_1"},
				"features[subscription_update][products][0][prices][0]": {"price_y"},
			},
		},
		"none resolved: off, and the required parameters all the same": {
			newCatalog(catalog.Price{LookupKey: "k"}),
			url.Values{"features[subscription_update][enabled]": {"false"}, "features[subscription_update][products]": {""}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("GET /v1/billing_portal/configurations", respond(`{"object":"list","has_more":false,"data":[]}`))
			f.HandleFunc("POST /v1/billing_portal/configurations", respond(`{"id":"bpc_1","object":"billing_portal.configuration"}`))
			if id, err := gateway.portalConfiguration(t.Context(), test.plans, ""); err != nil || id != "bpc_1" {
				t.Fatalf("got %q, %v", id, err)
			}
			sent := f.seen("POST", "/v1/billing_portal/configurations")[0]
			test.more["metadata[usher_config]"] = []string{portalHash(portalParams(test.plans))}
			for name, values := range common {
				test.more[name] = values
			}
			wantForm(t, sent.form, test.more)
		})
	}
}

func TestPortalOffersTenProducts(t *testing.T) {
	t.Parallel()
	var prices []catalog.Price
	for i := range 12 {
		prices = append(prices, catalog.Price{ID: fmt.Sprint("price_", i), ProductID: fmt.Sprint("prod_", i)})
	}
	products := switchableProducts(newCatalog(prices...))
	if len(products) != 10 || *products[0].Product != "prod_0" || *products[9].Product != "prod_9" {
		t.Errorf("got %d products", len(products))
	}
}

// portalAccount is a Stripe that stores portal configurations and idempotency keys.
type portalAccount struct {
	mutex   sync.Mutex
	byKey   map[string]string
	marks   map[string]string // by id
	refused map[string]bool
}

func newPortalAccount(t *testing.T) (*portalAccount, *fake, *Gateway) {
	f, gateway := newFake(t)
	a := &portalAccount{byKey: map[string]string{}, marks: map[string]string{}, refused: map[string]bool{}}
	f.HandleFunc("GET /v1/billing_portal/configurations", a.list)
	f.HandleFunc("POST /v1/billing_portal/configurations", a.create)
	f.HandleFunc("POST /v1/billing_portal/sessions", a.open)
	return a, f, gateway
}

func (a *portalAccount) list(w http.ResponseWriter, r *http.Request) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	rows := ""
	for id, mark := range a.marks {
		if a.refused[id] {
			continue
		}
		if rows != "" {
			rows += ","
		}
		rows += fmt.Sprintf(`{"id":%q,"object":"billing_portal.configuration","metadata":{"usher_config":%q}}`, id, mark)
	}
	respond(`{"object":"list","has_more":false,"data":[`+rows+`]}`)(w, r)
}

func (a *portalAccount) create(w http.ResponseWriter, r *http.Request) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if a.byKey[key] == "" {
		a.byKey[key] = fmt.Sprint("bpc_", len(a.byKey)+1)
		a.marks[a.byKey[key]] = r.FormValue("metadata[usher_config]")
	}
	respond(fmt.Sprintf(`{"id":%q,"object":"billing_portal.configuration"}`, a.byKey[key]))(w, r)
}

func (a *portalAccount) open(w http.ResponseWriter, r *http.Request) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	switch id := r.FormValue("configuration"); {
	case r.FormValue("customer") == "cus_gone":
		status(400, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"customer","message":"No such customer"}}`)(w, r)
	case a.refused[id]:
		status(400, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"configuration","message":"No such configuration"}}`)(w, r)
	default:
		respond(fmt.Sprintf(`{"id":"bps_1","object":"billing_portal.session","url":"https://portal.example/%s"}`, id))(w, r)
	}
}

func TestPortalConfigurationIsReused(t *testing.T) {
	t.Parallel()
	_, f, gateway := newPortalAccount(t)
	plans := newCatalog(catalog.Price{ID: "price_m", ProductID: "prod_1"})
	restarted := New(Options{SecretKey: "sk_test_123456789012", APIBase: f.url})
	for _, g := range []*Gateway{gateway, gateway, restarted} {
		if _, err := g.CreatePortalSession(t.Context(), billing.PortalRequest{CustomerID: "cus_1", Catalog: plans}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.seen("POST", "/v1/billing_portal/configurations")); n != 1 {
		t.Errorf("created %d configurations, want one", n)
	}
	if n := len(f.seen("GET", "/v1/billing_portal/configurations")); n != 2 {
		t.Errorf("searched for it %d times, want once for each gateway", n)
	}
	other := newCatalog(catalog.Price{ID: "price_new", ProductID: "prod_1"})
	if _, err := gateway.CreatePortalSession(t.Context(), billing.PortalRequest{CustomerID: "cus_1", Catalog: other}); err != nil {
		t.Fatal(err)
	}
	if n := len(f.seen("POST", "/v1/billing_portal/configurations")); n != 2 {
		t.Errorf("created %d configurations for two catalogues", n)
	}
}

func TestRefusedPortalConfigurationIsReplaced(t *testing.T) {
	t.Parallel()
	account, f, gateway := newPortalAccount(t)
	request := billing.PortalRequest{CustomerID: "cus_1", Catalog: newCatalog(catalog.Price{ID: "price_m", ProductID: "prod_1"})}
	for _, want := range []string{"bpc_1", "bpc_2", "bpc_3"} {
		if got, err := gateway.CreatePortalSession(t.Context(), request); err != nil || got != "https://portal.example/"+want {
			t.Fatalf("got %q, %v, want %s", got, err, want)
		}
		account.mutex.Lock()
		account.refused[want] = true
		account.mutex.Unlock()
	}
	request.CustomerID = "cus_gone"
	before := len(f.seen("POST", "/v1/billing_portal/sessions"))
	if _, err := gateway.CreatePortalSession(t.Context(), request); stripeError(t, err).Param != "customer" {
		t.Errorf("got %v", err)
	}
	if n := len(f.seen("POST", "/v1/billing_portal/sessions")) - before; n != 1 {
		t.Errorf("a missing customer was attempted %d times, want once", n)
	}
}
