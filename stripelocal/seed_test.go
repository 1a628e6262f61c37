package stripelocal_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

const seedJSON = `{
  "settings": {"after_dunning": "unpaid", "terms_url": false},
  "products": [{"as": "pro", "id": "prod_pro", "name": "Pro", "metadata": {"tier": "2"}}],
  "prices": [
    {"id": "price_pro", "product": "${pro}", "currency": "usd", "unit_amount": 900,
     "recurring": {"interval": "month"}, "lookup_key": "pro_monthly"}
  ],
  "coupons": [{"id": "SPRING", "percent_off": 10, "duration": "once"}],
  "customers": [
    {"as": "ada", "id": "cus_ada", "email": "ada@example.com", "payment_method": "pm_card_visa",
     "invoice_settings": {"default_payment_method": "pm_card_visa"}},
    {"email": "bob@example.com"}
  ],
  "subscriptions": [{"id": "sub_ada", "customer": "${ada}", "items": [{"price": "price_pro", "quantity": 3}]}],
  "webhook_endpoints": [{"url": "http://127.0.0.1:1/hook", "enabled_events": ["*"], "secret": "whsec_seed"}]
}`

func parseSeed(t *testing.T, text string) *stripelocal.Seed {
	t.Helper()
	seed, err := stripelocal.ParseSeed("seed.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func TestEveryAccountBeginsWithTheSeed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stripe.json")
	o := stripelocal.Options{Seed: parseSeed(t, seedJSON), StatePath: path}
	l := start(t, o)
	for _, key := range []string{testKey, keyAlpha} {
		if got := l.list(key, "/v1/subscriptions"); !slices.Equal(got, []string{"sub_ada"}) {
			t.Errorf("%s: subscriptions %v", key, got)
		}
		if got := l.list(key, "/v1/customers"); len(got) != 2 || got[1] != "cus_ada" {
			t.Errorf("%s: customers %v", key, got)
		}
		if got := l.list(key, "/v1/events"); len(got) != 0 {
			t.Errorf("%s: events %v", key, got)
		}
	}
	sub := l.subscription("sub_ada")
	if sub.Status != stripe.SubscriptionStatusActive || sub.Items.Data[0].Quantity != 3 || sub.Items.Data[0].Price.Product.ID != "prod_pro" {
		t.Errorf("subscription %s of %v", sub.Status, sub.Items.Data[0].Price)
	}
	if got := l.browse("GET", "/_usher/settings", nil).body; !strings.Contains(got, `"unpaid"`) || !strings.Contains(got, `"terms_url":false`) {
		t.Errorf("settings %s", got)
	}
	l.createCustomer()
	if err := l.Reset(); err != nil {
		t.Fatal(err)
	}
	if got := l.list(testKey, "/v1/customers"); len(got) != 2 {
		t.Errorf("after a reset: customers %v", got)
	}
	l.createCustomer()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := start(t, o).list(testKey, "/v1/customers"); len(got) != 3 {
		t.Errorf("after a restart with a state file: customers %v", got)
	}
}

func TestSeedErrorsNameTheLineAndTheKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", "seed.json:1: the file ends in the middle"},
		{"[]", "seed.json:1: a seed is a JSON object"},
		{"{\n  \"customers\": [\n    {\"email\": }\n]}", "seed.json:3: customers[0].email: this is no JSON"},
		{"{\n  \"customers\": [{}]\n", "seed.json:2: the file ends in the middle"},
		{"{} {}", "seed.json:1: there is text after"},
		{"{\"customers\":[],\n\"customers\":[]}", "seed.json:2: customers: this key is there twice"},
		{"{\n\n\"customer\": []}", "seed.json:3: customer: there is no such key; keys are settings, "},
		{"{\"customers\": {}}", "seed.json:1: customers: this must be an array"},
		{"{\"customers\": [7]}", "seed.json:1: customers[0]: this must be an object"},
		{"{\"settings\": {\n\"after_dunning\": \"explode\"}}", "seed.json:2: settings.after_dunning: \"explode\" is none of cancel"},
		{"{\"settings\": {\n\"color\": \"red\"}}", "seed.json:2: settings.color: color is none of the settings"},
		{"{\"settings\": {\"speed\": null}}", "seed.json:1: settings.speed: this must be text"},
		{"{\"customers\": [{\"as\": \"a b\"}]}", "seed.json:1: customers[0].as: this must be a name"},
		{"{\"customers\": [\n{\"name\": \"x\"},\n{\"email\": \"ada\"}]}", "seed.json:3: customers[1].email: Invalid email address: ada"},
		{"{\"customers\": [\n{\"nickname\": \"x\"}]}", "seed.json:2: customers[0].nickname: Received unknown parameter: nickname"},
		{"{\"prices\": [\n{\"currency\": \"usd\",\n\"recurring\": {\"interval\":\n\"eon\"}, \"product_data\": {\"name\": \"x\"}}]}", "seed.json:4: prices[0].recurring.interval: "},
		{"{\"customers\": [{\"name\": null}]}", "seed.json:1: customers[0].name: null is no parameter"},
		{"{\"prices\": [\n{\"product\": \"${pro}\", \"currency\": \"usd\", \"unit_amount\": 1}]}", "seed.json:2: prices[0].product: nothing before it is created as pro"},
		{"{\"customers\": [{\"as\": \"a\"},\n{\"as\": \"a\"}]}", "seed.json:2: customers[1]: as: a is there twice"},
		{"{\"customers\": [{\"id\": \"cus_a\"},\n{\"id\": \"cus_a\"}]}", "seed.json:2: customers[1]: id: cus_a is there twice"},
		{"{\"customers\": [\n{\"id\": \"sub_a\"}]}", "seed.json:2: customers[0]: id: sub_a must begin like cus_"},
	} {
		seed, err := stripelocal.ParseSeed("seed.json", []byte(c.text))
		if err == nil {
			path := filepath.Join(t.TempDir(), "stripe.json")
			_, err = stripelocal.New(stripelocal.Options{Seed: seed, StatePath: path})
			if good, again := stripelocal.New(stripelocal.Options{Seed: parseSeed(t, `{"customers": [{}]}`), StatePath: path}); again != nil {
				t.Errorf("%s: the next start: %v", c.text, again)
			} else if good.Close(t.Context()) != nil {
				t.Errorf("%s: not closed", c.text)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngave %v\nwant %s", c.text, err, c.want)
		}
	}
}

const moneySeedJSON = `{
  "webhook_endpoints": [{"url": "http://127.0.0.1:1/hook", "enabled_events": ["*"]}],
  "products": [{"id": "gold", "name": "Gold"}],
  "plans": [{"id": "gold", "product": "gold", "currency": "usd", "amount": 900, "interval": "month"}],
  "coupons": [{"id": "gold", "percent_off": 10, "duration": "once"}],
  "tax_ids": [{"type": "eu_vat", "value": "DE987654321"}],
  "customers": [
    {"as": "ada", "email": "ada@example.com", "payment_method": "pm_card_visa", "balance": -500,
     "invoice_settings": {"default_payment_method": "pm_card_visa"}, "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}]}
  ],
  "subscriptions": [{"id": "sub_ada", "customer": "${ada}", "items": [{"plan": "gold"}]}],
  "charges": [{"id": "ch_ada", "amount": 1000, "currency": "usd", "source": "tok_createIssuerFraudRecord"}],
  "refunds": [{"id": "re_ada", "charge": "ch_ada", "amount": 300}],
  "payment_intents": [
    {"id": "pi_ada", "amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": true, "return_url": "http://app.test/"}
  ]
}`

func TestASeedHasPlansChargesAndBalances(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{Seed: parseSeed(t, moneySeedJSON)})
	for _, key := range []string{testKey, keyAlpha} {
		l.checkMoneySeed(key)
		if status, body := l.call(key, "POST", "/_usher/reset", nil); status != http.StatusOK {
			t.Fatalf("reset: %d %s", status, body)
		}
		l.checkMoneySeed(key)
	}
}

func (l *testServer) checkMoneySeed(key string) {
	l.t.Helper()
	l.time.Add(10) // nothing follows later
	if got := l.list(key, "/v1/events"); len(got) != 0 {
		l.t.Errorf("%s: events %v", key, got)
	}
	for path, want := range map[string]string{
		"/v1/plans": "gold", "/v1/products": "gold", "/v1/coupons": "gold", "/v1/subscriptions": "sub_ada", "/v1/refunds": "re_ada",
		"/v1/radar/early_fraud_warnings": "issfr_ada", "/v1/balance_transactions?source=ch_ada": "txn_ada",
		"/v1/balance_transactions?source=re_ada": "txn_rada",
	} {
		if got := l.list(key, path); !slices.Equal(got, []string{want}) {
			l.t.Errorf("%s: %s has %v", key, path, got)
		}
	}
	for path, want := range map[string]string{
		"/v1/balance_transactions/txn_ada": `"amount":1000`, "/v1/balance_transactions/txn_rada": `"amount":-300`,
		"/v1/payment_intents/pi_ada?expand[]=latest_charge": `"balance_transaction":"txn_`,
	} {
		if _, body := l.call(key, "GET", path, nil); !strings.Contains(string(body), want) {
			l.t.Errorf("%s: %s without %s: %s", key, path, want, body)
		}
	}
	if _, body := l.call(key, "GET", "/v1/invoices", nil); strings.Contains(string(body), `"webhooks_delivered_at":null`) {
		l.t.Errorf("%s: an invoice that nothing is delivered of: %s", key, body)
	}
}
