package stripegw

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
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
		"features[subscription_update][proration_behavior]":         {"always_invoice"},
	}
	tests := map[string]struct {
		products []switchProduct
		more     url.Values
	}{
		"two products": {
			mustSwitch(t, "price_m", switchable("price_m", "prod_1", catalog.Monthly), switchable("price_y", "prod_1", catalog.Yearly), switchable("price_o", "prod_2", catalog.Monthly)),
			url.Values{
				"features[subscription_update][enabled]":                {"true"},
				"features[subscription_update][products][0][product]":   {"prod_1"},
				"features[subscription_update][products][0][prices][0]": {"price_m"},
				"features[subscription_update][products][0][prices][1]": {"price_y"},
				"features[subscription_update][products][1][product]":   {"prod_2"},
				"features[subscription_update][products][1][prices][0]": {"price_o"},
			},
		},
		"none: off, and the required parameters all the same": {
			nil,
			url.Values{"features[subscription_update][enabled]": {"false"}, "features[subscription_update][products]": {""}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("GET /v1/billing_portal/configurations", respond(`{"object":"list","has_more":false,"data":[]}`))
			f.HandleFunc("POST /v1/billing_portal/configurations", respond(`{"id":"bpc_1","object":"billing_portal.configuration"}`))
			if id, err := gateway.portalConfiguration(t.Context(), test.products, ""); err != nil || id != "bpc_1" {
				t.Fatalf("got %q, %v", id, err)
			}
			sent := f.seen("POST", "/v1/billing_portal/configurations")[0]
			test.more["metadata[usher_config]"] = []string{portalHash(portalParams(test.products))}
			for name, values := range common {
				test.more[name] = values
			}
			wantForm(t, sent.form, test.more)
		})
	}
}

// switchable is a price that the portal may offer.
func switchable(id, product string, interval catalog.Interval) candidate {
	return candidate{
		plan:  catalog.Plan{ID: "plan_of_" + id, PerSeat: true},
		price: catalog.Price{ID: id, ProductID: product, Interval: interval, Amount: catalog.Money{Minor: 900, Currency: "usd"}}, tax: "exclusive",
	}
}

func mustSwitch(t *testing.T, current string, candidates ...candidate) []switchProduct {
	t.Helper()
	products, problems := portalSwitches(candidates, current, "exclusive")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return products
}

// The portal offers only what its documented limits allow, and says what is left out.
func TestPortalSwitches(t *testing.T) {
	t.Parallel()
	first, year := switchable("price_m", "prod_1", catalog.Monthly), switchable("price_y", "prod_1", catalog.Yearly)
	twin := switchable("price_t", "prod_1", catalog.Monthly)
	unspecified, inclusive := switchable("price_u", "prod_2", catalog.Monthly), switchable("price_i", "prod_3", catalog.Monthly)
	unspecified.tax, inclusive.tax = "unspecified", "inclusive"
	var many []candidate
	for i := range 12 {
		many = append(many, switchable(fmt.Sprint("price_", i), fmt.Sprint("prod_", i), catalog.Monthly))
	}
	for name, c := range map[string]struct {
		candidates []candidate
		current    string // tax behavior of the present price
		products   int
		problem    string
	}{
		"two intervals":                  {[]candidate{first, year}, "exclusive", 1, ""},
		"same product and interval":      {[]candidate{first, twin, year}, "exclusive", 1, "plan_of_price_t (month) is left out: its price has the same product and interval as price_m"},
		"one without tax behavior":       {[]candidate{first, year, unspecified}, "exclusive", 1, "plan_of_price_u (month) is left out: the tax_behavior of its price is unspecified"},
		"one with another tax behavior":  {[]candidate{first, year, inclusive}, "exclusive", 1, "plan_of_price_i (month) is left out: the tax_behavior of its price is inclusive, that of the present one exclusive"},
		"present one has none":           {[]candidate{first, year}, "unspecified", 0, "the tax_behavior of price price_m is unspecified"},
		"only one is left, so no switch": {[]candidate{first, unspecified}, "exclusive", 0, "plan_of_price_u"},
		"twelve products":                {many, "exclusive", 10, ""},
	} {
		t.Run(name, func(t *testing.T) {
			products, problems := portalSwitches(c.candidates, "price_m", c.current)
			if len(products) != c.products || (len(problems) == 0) != (c.problem == "") || c.problem != "" && !strings.Contains(problems[0], c.problem) {
				t.Errorf("%d products, problems %q", len(products), problems)
			}
		})
	}
	plans := catalog.Catalog{Plans: []catalog.Plan{
		{ID: "seats", PerSeat: true, Prices: []catalog.Price{first.price, {LookupKey: "unresolved"}}}, {ID: "flat", Prices: []catalog.Price{year.price}},
		{ID: "yen", PerSeat: true, Prices: []catalog.Price{{ID: "price_yen", ProductID: "prod_9", Amount: catalog.Money{Minor: 900, Currency: "jpy"}}}},
	}}
	if got := switchCandidates(plans, billing.PortalSwitch{PriceID: "price_m", PerSeat: true, Currency: "USD"}); len(got) != 1 || got[0].price.ID != "price_m" {
		t.Errorf("candidates %+v, want neither another kind nor another currency", got)
	}
}

// Refused plan switches never keep the portal closed, whether Stripe refuses them when the
// configuration is made or when the portal is opened.
func TestPortalOpensWithoutRefusedSwitches(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"configuration", "session"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			account, f, gateway := newPortalAccount(t)
			account.refuseSwitches = where
			request := portalRequest(billing.PortalChangePlan)
			for range 2 {
				session, err := gateway.CreatePortalSession(t.Context(), request)
				if err != nil || session.URL == "" || session.SwitchProblem != "Stripe refused the plan switches: unfit" {
					t.Fatalf("%+v, %v", session, err)
				}
			}
			sessions := f.seen("POST", "/v1/billing_portal/sessions")
			if last := sessions[len(sessions)-1]; last.form.Has("flow_data[type]") {
				t.Errorf("the plan switch is linked although it is not offered: %v", last.form)
			}
			tried := 0
			for _, created := range f.seen("POST", "/v1/billing_portal/configurations") {
				if created.form.Get("features[subscription_update][enabled]") == "true" {
					tried++
				}
			}
			if tried > 2 {
				t.Errorf("the refused switches were tried %d times in two openings", tried)
			}
		})
	}
}

// A deep link that Stripe refuses opens the portal's home page.
func TestPortalOpensWithoutRefusedFlow(t *testing.T) {
	t.Parallel()
	account, f, gateway := newPortalAccount(t)
	account.refuseFlow = true
	request := portalRequest(billing.PortalCancel)
	request.Switch = nil
	session, err := gateway.CreatePortalSession(t.Context(), request)
	if err != nil || session.URL == "" || session.SwitchProblem != "" {
		t.Fatalf("%+v, %v", session, err)
	}
	if sessions := f.seen("POST", "/v1/billing_portal/sessions"); len(sessions) != 2 || sessions[1].form.Has("flow_data[type]") {
		t.Errorf("sessions %v", sessions)
	}
}

// portalRequest is a request by a customer of one plan that may switch to another.
func portalRequest(flow billing.PortalFlow) billing.PortalRequest {
	price := func(id, product string) []catalog.Price {
		return []catalog.Price{{ID: id, ProductID: product, Interval: catalog.Monthly, Amount: catalog.Money{Minor: 900, Currency: "usd"}}}
	}
	return billing.PortalRequest{
		CustomerID: "cus_1", Flow: flow, SubscriptionID: "sub_1",
		Catalog: catalog.Catalog{Plans: []catalog.Plan{{ID: "a", PerSeat: true, Prices: price("price_m", "prod_1")}, {ID: "b", PerSeat: true, Prices: price("price_o", "prod_2")}}},
		Switch:  &billing.PortalSwitch{PriceID: "price_m", PerSeat: true, Currency: "usd"},
	}
}

// portalAccount is a Stripe that stores portal configurations and idempotency keys.
type portalAccount struct {
	mutex   sync.Mutex
	byKey   map[string]string
	marks   map[string]string // by id
	refused map[string]bool

	refuseSwitches string // configuration or session: where plan switches are refused
	refuseFlow     bool
	switching      map[string]bool // configurations with plan switches, by id
}

func newPortalAccount(t *testing.T) (*portalAccount, *fake, *Gateway) {
	f, gateway := newFake(t)
	a := &portalAccount{byKey: map[string]string{}, marks: map[string]string{}, refused: map[string]bool{}, switching: map[string]bool{}}
	f.HandleFunc("GET /v1/billing_portal/configurations", a.list)
	f.HandleFunc("POST /v1/billing_portal/configurations", a.create)
	f.HandleFunc("POST /v1/billing_portal/sessions", a.open)
	f.HandleFunc("GET /v1/prices/{id}", func(w http.ResponseWriter, r *http.Request) {
		respond(fmt.Sprintf(`{"id":%q,"object":"price","tax_behavior":"exclusive","currency":"usd"}`, r.PathValue("id")))(w, r)
	})
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
	switching := r.FormValue("features[subscription_update][enabled]") == "true"
	if switching && a.refuseSwitches == "configuration" {
		status(400, `{"error":{"type":"invalid_request_error","param":"features[subscription_update][products]","message":"unfit"}}`)(w, r)
		return
	}
	if a.byKey[key] == "" {
		a.byKey[key] = fmt.Sprint("bpc_", len(a.byKey)+1)
		a.marks[a.byKey[key]] = r.FormValue("metadata[usher_config]")
	}
	a.switching[a.byKey[key]] = switching
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
	case a.switching[id] && a.refuseSwitches == "session":
		status(400, `{"error":{"type":"invalid_request_error","param":"configuration","message":"unfit"}}`)(w, r)
	case a.refuseFlow && r.FormValue("flow_data[type]") != "":
		status(400, `{"error":{"type":"invalid_request_error","param":"flow_data[subscription_cancel][subscription]","message":"unfit"}}`)(w, r)
	default:
		respond(fmt.Sprintf(`{"id":"bps_1","object":"billing_portal.session","url":"https://portal.example/%s"}`, id))(w, r)
	}
}

func TestPortalConfigurationIsReused(t *testing.T) {
	t.Parallel()
	_, f, gateway := newPortalAccount(t)
	restarted := New(Options{SecretKey: "sk_test_123456789012", APIBase: f.url})
	for _, g := range []*Gateway{gateway, gateway, restarted} {
		if _, err := g.CreatePortalSession(t.Context(), portalRequest(billing.PortalHome)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.seen("POST", "/v1/billing_portal/configurations")); n != 1 {
		t.Errorf("created %d configurations, want one", n)
	}
	if n := len(f.seen("GET", "/v1/billing_portal/configurations")); n != 2 {
		t.Errorf("searched for it %d times, want once for each gateway", n)
	}
	other := portalRequest(billing.PortalHome)
	other.Catalog.Plans[1].Prices[0].ID = "price_new"
	if _, err := gateway.CreatePortalSession(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if n := len(f.seen("POST", "/v1/billing_portal/configurations")); n != 2 {
		t.Errorf("created %d configurations for two catalogues", n)
	}
}

func TestRefusedPortalConfigurationIsReplaced(t *testing.T) {
	t.Parallel()
	account, f, gateway := newPortalAccount(t)
	request := portalRequest(billing.PortalHome)
	request.Switch = nil
	for _, want := range []string{"bpc_1", "bpc_2", "bpc_3"} {
		if got, err := gateway.CreatePortalSession(t.Context(), request); err != nil || got.URL != "https://portal.example/"+want {
			t.Fatalf("got %q, %v, want %s", got.URL, err, want)
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
