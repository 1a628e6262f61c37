package stripelocal_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/stripelocal"
)

// accountsOwn is what differs between accounts, and after a restart: the address, and the id of the
// default payment method configuration, which is named after its account.
var accountsOwn = regexp.MustCompile(`http://127\.0\.0\.1:\d+|pmc_\w+`)

// contents returns the responses of every list, every search and the balance, by path.
func (l *testServer) contents(key string) map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for pattern, params := range stripelocal.RouteParams() {
		path, isGet := strings.CutPrefix(pattern, "GET ")
		limited := slices.ContainsFunc(params, func(p stripelocal.Param) bool { return p.Name == "limit" })
		if !isGet || strings.Contains(path, "{") || strings.Contains(path, "/upcoming") || !limited && path != "/v1/balance" {
			continue
		}
		if strings.HasSuffix(path, "/search") {
			path += "?query=" + url.QueryEscape("created>0")
		} else if slices.ContainsFunc(params, func(p stripelocal.Param) bool { return p.Required }) {
			continue // a list of one object's parts
		}
		version := stripelocal.APIVersion
		if !stripelocal.HasRoute(pattern, version) {
			version = stripelocal.LatestAPIVersion()
		}
		status, body := l.call(key, "GET", path, nil, "Stripe-Version", version)
		if status != http.StatusOK {
			l.t.Fatalf("%s: %d %s", path, status, body)
		}
		out[path] = accountsOwn.ReplaceAllString(string(body), "")
	}
	return out
}

// fillAccount creates objects of many resources. It returns paths of some that no list has.
func (l *testServer) fillAccount(key string) []string {
	l.t.Helper()
	l.create(key, "/v1/plans", url.Values{"id": {"gold"}, "currency": {"usd"}, "amount": {"900"}, "interval": {"month"}, "product[name]": {"Gold"}})
	customer := l.create(key, "/v1/customers", url.Values{
		"email": {"ada@example.com"}, "balance": {"-500"}, "payment_method": {"pm_card_visa"}, "invoice_settings[default_payment_method]": {"pm_card_visa"},
		"tax_id_data[0][type]": {"eu_vat"}, "tax_id_data[0][value]": {"DE123456789"},
	})
	own := l.create(key, "/v1/tax_ids", url.Values{"type": {"eu_vat"}, "value": {"DE987654321"}})
	change := l.create(key, "/v1/customers/"+customer+"/balance_transactions", url.Values{"amount": {"-100"}, "currency": {"usd"}})
	l.create(key, "/v1/subscriptions", url.Values{"customer": {customer}, "items[0][plan]": {"gold"}})
	l.create(key, "/v1/payment_intents", url.Values{
		"amount": {"2000"}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}, "confirm": {"true"}, "return_url": {"http://app.test/"},
	})
	charge := l.create(key, "/v1/charges", url.Values{"amount": {"1000"}, "currency": {"usd"}, "source": {"tok_createIssuerFraudRecord"}})
	l.create(key, "/v1/refunds", url.Values{"charge": {charge}, "amount": {"300"}})
	return []string{
		"/v1/plans/gold", "/v1/prices/gold", "/v1/tax_ids/" + own, "/v1/customers/" + customer + "/balance_transactions/" + change,
		"/v1/balance_transactions/txn_" + strings.TrimPrefix(charge, "ch_"), "/v1/radar/early_fraud_warnings/issfr_" + strings.TrimPrefix(charge, "ch_"),
	}
}

// TestEveryListIsAnAccountsOwn also tests that a reset and a state file cover every list.
func TestEveryListIsAnAccountsOwn(t *testing.T) {
	t.Parallel()
	o := stripelocal.Options{StatePath: filepath.Join(t.TempDir(), "stripe.json")}
	l := start(t, o)
	fresh := l.contents(keyBeta)
	paths := l.fillAccount(keyAlpha)
	l.time.Add(10) // the transaction of an asynchronous capture comes after the payment
	full := l.contents(keyAlpha)
	for _, path := range []string{
		"/v1/plans", "/v1/tax_ids", "/v1/charges", "/v1/radar/early_fraud_warnings", "/v1/balance_transactions", "/v1/balance",
		"/v1/charges/search?query=created%3E0", "/v1/payment_intents/search?query=created%3E0", "/v1/invoices/search?query=created%3E0",
	} {
		if full[path] == "" || full[path] == fresh[path] {
			t.Errorf("%s shows nothing: %s", path, full[path])
		}
	}
	for _, key := range []string{keyBeta, testKey} {
		sameContents(t, "of another account", l.contents(key), fresh)
		for _, path := range paths {
			if status, _ := l.call(key, "GET", path, nil); status != http.StatusNotFound {
				t.Errorf("%s of another account: %d", path, status)
			}
		}
	}
	now := l.time.Load()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l = start(t, o)
	l.time.Store(now)
	sameContents(t, "after a restart", l.contents(keyAlpha), full)
	for _, path := range paths {
		if status, body := l.call(keyAlpha, "GET", path, nil); status != http.StatusOK {
			t.Errorf("%s after a restart: %d %s", path, status, body)
		}
	}
	if status, body := l.call(keyAlpha, "POST", "/_usher/reset", nil); status != http.StatusOK {
		t.Fatalf("reset: %d %s", status, body)
	}
	sameContents(t, "after a reset", l.contents(keyAlpha), fresh)
}

func sameContents(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for path := range want {
		if got[path] != want[path] {
			t.Errorf("%s %s is\n%s\nnot\n%s", path, when, got[path], want[path])
		}
	}
}

func TestListenShowsTheEventsOfTheNewerResources(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	alpha, beta := l.listenCLI(l.authorizeCLI(keyAlpha, "laptop")), l.listenCLI(l.authorizeCLI(keyBeta, "laptop"))
	l.fillAccount(keyAlpha)
	l.create(keyBeta, "/v1/products", url.Values{"name": {"Pro"}})
	want := map[string]bool{
		"plan.created": true, "price.created": true, "customer.tax_id.created": true, "charge.refunded": true, "radar.early_fraud_warning.created": true,
	}
	for len(want) > 0 {
		e, _ := alpha.next()
		delete(want, eventType(t, e.Payload))
		alpha.acknowledge(e)
	}
	if e, _ := beta.next(); eventType(t, e.Payload) != "product.created" {
		t.Errorf("another account's tool is sent %s", e.Payload)
	}
}

func eventType(t *testing.T, payload string) string {
	t.Helper()
	var e struct{ Type string }
	decode(t, []byte(payload), &e)
	return e.Type
}
