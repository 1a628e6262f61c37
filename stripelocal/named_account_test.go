package stripelocal_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/stripelocal"
)

const (
	keyAlpha = "sk_test_acct_alpha_1"
	keyBeta  = "sk_test_acct_beta_1"
)

// list returns the ids of a list.
func (l *testServer) list(key, path string) []string {
	l.t.Helper()
	_, body := l.call(key, "GET", path, nil)
	var list struct{ Data []struct{ ID string } }
	if err := json.Unmarshal(body, &list); err != nil {
		l.t.Fatal(err)
	}
	ids := []string{}
	for _, o := range list.Data {
		ids = append(ids, o.ID)
	}
	return ids
}

func (l *testServer) create(key, path string, form url.Values) string {
	l.t.Helper()
	status, body := l.call(key, "POST", path, form)
	if status != http.StatusOK {
		l.t.Fatalf("%s: %d %s", path, status, body)
	}
	return idOf(l.t, body)
}

func TestKeysWithANameHaveAnAccountEach(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	mine := map[string]string{}
	for _, key := range []string{testKey, "sk_test_another_1234", keyAlpha, "rk_test_acct_alpha_2", keyBeta} {
		mine[key] = l.create(key, "/v1/customers", nil)
	}
	for key, want := range map[string][]string{
		testKey:  {mine["sk_test_another_1234"], mine[testKey]},
		keyAlpha: {mine["rk_test_acct_alpha_2"], mine[keyAlpha]},
		keyBeta:  {mine[keyBeta]},
	} {
		if got := l.list(key, "/v1/customers"); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", key, got, want)
		}
		if got := l.list(key, "/v1/events"); len(got) != len(want) {
			t.Errorf("%s has %d events, want %d", key, len(got), len(want))
		}
	}
	if status, _ := l.call(keyBeta, "GET", "/v1/customers/"+mine[keyAlpha], nil); status != http.StatusNotFound {
		t.Errorf("another account's customer: %d", status)
	}
	if _, body := l.call(keyAlpha, "GET", "/v1/account", nil); idOf(t, body) != "acct_alpha" {
		t.Errorf("account %s", body)
	}
}

func TestIdempotencyKeysClocksFaultsAndSettingsAreAnAccountsOwn(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	_, first := l.call(keyAlpha, "POST", "/v1/customers", nil, "Idempotency-Key", "one")
	_, second := l.call(keyBeta, "POST", "/v1/customers", nil, "Idempotency-Key", "one")
	if idOf(t, first) == idOf(t, second) {
		t.Error("an idempotency key of another account was replayed")
	}
	for path, form := range map[string]url.Values{
		"/_usher/clock": {"by": {"1 year"}}, "/_usher/settings": {"after_dunning": {"unpaid"}}, "/_usher/faults": {"kind": {"server_error"}, "calls": {"-1"}},
	} {
		if status, body := l.call(keyAlpha, "POST", path, form); status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		_, alpha := l.call(keyAlpha, "GET", path, nil)
		_, beta := l.call(keyBeta, "GET", path, nil)
		if string(alpha) == string(beta) {
			t.Errorf("%s is the same in both accounts: %s", path, alpha)
		}
	}
	if status, _ := l.call(keyBeta, "POST", "/v1/customers", nil); status != http.StatusOK {
		t.Errorf("another account's fault applied: %d", status)
	}
}

func TestHostedPagesFindTheirAccount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	customer := l.create(keyAlpha, "/v1/customers", nil)
	price := l.create(keyAlpha, "/v1/prices", url.Values{
		"currency": {"usd"}, "unit_amount": {"900"}, "recurring[interval]": {"month"}, "product_data[name]": {"Pro"},
	})
	_, body := l.call(keyAlpha, "POST", "/v1/checkout/sessions", url.Values{
		"mode": {"subscription"}, "customer": {customer}, "success_url": {"http://app.test/"}, "line_items[0][price]": {price}, "line_items[0][quantity]": {"2"},
	})
	var session struct{ ID, URL string }
	if err := json.Unmarshal(body, &session); err != nil {
		t.Fatal(err)
	}
	if shown := l.browse("GET", session.URL, nil); shown.status != http.StatusOK {
		t.Fatalf("the page: %d", shown.status)
	}
	if paid := l.submitCheckout(session.URL, "4242424242424242"); paid.location != "http://app.test/" {
		t.Fatalf("paid: %d %q", paid.status, paid.location)
	}
	if subs := l.list(keyAlpha, "/v1/subscriptions"); len(subs) != 1 {
		t.Errorf("%d subscriptions", len(subs))
	}
	if subs := l.list(testKey, "/v1/subscriptions?status=all"); len(subs) != 0 {
		t.Errorf("%d subscriptions of the default account", len(subs))
	}
	if page := l.browse("GET", "/_usher/list/customers?account=alpha", nil); !strings.Contains(page.body, customer) {
		t.Error("the dashboard does not show the account that was chosen")
	}
	if page := l.browse("GET", "/?account=typo", nil); page.status != http.StatusNotFound {
		t.Errorf("an account that does not exist: %d", page.status)
	}
}

func TestAccountsListenForThemselves(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	alpha, beta := l.listenCLI(l.authorizeCLI(keyAlpha, "laptop")), l.listenCLI(l.authorizeCLI(keyBeta, "laptop"))
	l.create(testKey, "/v1/customers", nil)
	l.create(keyAlpha, "/v1/customers", nil)
	l.create(keyBeta, "/v1/customers", nil)
	for key, c := range map[string]*cliClient{keyAlpha: alpha, keyBeta: beta} {
		if _, id := c.next(); id != l.list(key, "/v1/events")[0] {
			t.Errorf("%s got %s", key, id)
		}
	}
}

func TestAccountsAreCreatedOnceInParallel(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	var calls sync.WaitGroup
	for range 40 {
		calls.Go(func() { l.call(keyAlpha, "POST", "/v1/customers", nil) })
	}
	calls.Wait()
	if n := len(l.list(keyAlpha, "/v1/customers?limit=100")); n != 40 {
		t.Errorf("%d of 40 customers are in the account", n)
	}
}

func TestAccountsHaveAStateFileEach(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stripe.json")
	l := start(t, stripelocal.Options{StatePath: path})
	alpha, shared := l.create(keyAlpha, "/v1/customers", nil), l.create(testKey, "/v1/customers", nil)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, stripelocal.Options{StatePath: path})
	if got := again.browse("GET", "/_usher/accounts", nil).body; !strings.Contains(got, "acct_alpha") {
		t.Errorf("accounts after the restart, before any call: %s", got)
	}
	if got := again.list(keyAlpha, "/v1/customers"); !slices.Equal(got, []string{alpha}) {
		t.Errorf("alpha has %v, want %s", got, alpha)
	}
	if got := again.list(testKey, "/v1/customers"); !slices.Equal(got, []string{shared}) {
		t.Errorf("the default account has %v, want %s", got, shared)
	}
	if removed := again.browse("POST", "/_usher/reset", url.Values{"all": {"true"}}); removed.status != http.StatusOK {
		t.Fatalf("reset: %d %s", removed.status, removed.body)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*acct_*")); len(files) != 0 {
		t.Errorf("state files after the reset: %v", files)
	}
	if got := again.list(keyAlpha, "/v1/customers"); len(got) != 0 {
		t.Errorf("alpha has %v after the reset", got)
	}
}

func TestResetEmptiesAnAccount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret)
	l.create(testKey, "/v1/webhook_endpoints", url.Values{"url": {"http://127.0.0.1:1/"}, "enabled_events[]": {"*"}})
	l.createSubscription(2)
	l.create(keyAlpha, "/v1/customers", nil)
	l.call(testKey, "POST", "/v1/customers", nil, "Idempotency-Key", "one")
	l.call("", "POST", "/_usher/settings", url.Values{"after_dunning": {"unpaid"}})
	l.call("", "POST", "/_usher/faults", url.Values{"kind": {"server_error"}, "path": {"/v1/customers"}})
	if err := l.Advance("1 year"); err != nil {
		t.Fatal(err)
	}
	_, account := l.call(testKey, "GET", "/v1/account", nil)

	if done := l.browse("POST", "/_usher/reset", nil); done.status != http.StatusOK {
		t.Fatalf("reset: %d %s", done.status, done.body)
	}
	for _, path := range []string{"/v1/customers", "/v1/prices", "/v1/invoices", "/v1/events", "/v1/payment_intents"} {
		if got := l.list(testKey, path); len(got) != 0 {
			t.Errorf("%s has %v", path, got)
		}
	}
	if _, again := l.call(testKey, "GET", "/v1/account", nil); idOf(t, again) != idOf(t, account) {
		t.Errorf("the account is %s, was %s", again, account)
	}
	if ahead := l.Now().Unix() - l.time.Load(); ahead != 0 {
		t.Errorf("the clock is %d s ahead", ahead)
	}
	if got := l.browse("GET", "/_usher/settings", nil).body; !strings.Contains(got, `"cancel"`) {
		t.Errorf("settings %s", got)
	}
	if got := l.list(testKey, "/v1/webhook_endpoints"); len(got) != 1 {
		t.Errorf("endpoints %v, want the configured one", got)
	}
	if n := len(l.list(keyAlpha, "/v1/customers")); n != 1 {
		t.Errorf("another account has %d customers, want its one", n)
	}
	in.mu.Lock()
	in.got = nil
	in.mu.Unlock()
	_, replay := l.call(testKey, "POST", "/v1/customers", url.Values{"email": {"new@example.com"}}, "Idempotency-Key", "one")
	if !strings.Contains(string(replay), "new@example.com") {
		t.Errorf("under an idempotency key of before: %s", replay)
	}
	created := idOf(t, replay)
	if e := in.waitFor("customer.created"); !strings.Contains(string(e.Data.Raw), created) {
		t.Errorf("the configured endpoint got %s, want the event of %s", e.Data.Raw, created)
	}
	if bad := l.browse("POST", "/_usher/reset?all=yes", nil); bad.status != http.StatusBadRequest {
		t.Errorf("all=yes: %d", bad.status)
	}
}

// A delivery that an endpoint is receiving during a reset must not fail it.
func TestResetDuringADelivery(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	arrived, proceed := make(chan struct{}, 10), make(chan struct{})
	address := serveWebhooks(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-proceed
		w.WriteHeader(http.StatusInternalServerError)
	}))
	l.EnsureWebhookEndpoint(address, testSecret)
	l.createCustomer()
	l.createCustomer()
	<-arrived
	if err := l.Reset(); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	l.createCustomer()
	<-arrived
	if got := l.list(testKey, "/v1/events"); len(got) != 1 {
		t.Errorf("%d events after the reset, want 1", len(got))
	}
}

func TestConnectedAccountsAndVersion2AreRefusedAsJSON(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for _, c := range []struct {
		path, header string
		status       int
		word         string
	}{
		{"/v1/customers", "acct_other", 403, "account_invalid"},
		{"/v2/core/events", "", 404, "/v2/"},
		{"/v2/core/accounts/acct_1", "", 404, "Unrecognized request URL"},
	} {
		status, header, body := l.callWithHeader(testKey, "GET", c.path, nil, "Stripe-Account", c.header)
		var answer struct {
			Error struct{ Type, Code, Message string }
		}
		if err := json.Unmarshal(body, &answer); err != nil || status != c.status || answer.Error.Type != "invalid_request_error" ||
			!strings.Contains(string(body), c.word) || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %s", c.path, status, err, body)
		}
	}
	if status, body := l.call("", "POST", "/v2/core/events", nil); status != http.StatusUnauthorized || !json.Valid(body) {
		t.Errorf("no key: %d %s", status, body)
	}
	if got := l.list(testKey, "/v1/customers"); len(got) != 0 {
		t.Errorf("a refused call created %v", got)
	}
}

func TestScriptsOfLocalPagesMayCallTheAPI(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{AllowedOrigins: []string{"http://app.test:3000"}})
	for origin, allowed := range map[string]bool{
		"http://localhost:3000": true, "https://127.0.0.1": true, "http://[::1]:80": true, "http://shop.localhost": true, "http://app.test:3000": true,
		"http://app.test": false, "https://evil.example": false, "http://localhost.evil.example": false, "null": false, "file://localhost": false,
	} {
		_, header, _ := l.callWithHeader(testKey, "GET", "/v1/customers", nil, "Origin", origin)
		if got := header.Get("Access-Control-Allow-Origin"); (got == origin) != allowed || !allowed && got != "" {
			t.Errorf("%s: allowed %q", origin, got)
		}
		status, header, _ := l.callWithHeader("", "OPTIONS", "/v1/customers", nil, "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,idempotency-key")
		if ok := status == http.StatusNoContent && header.Get("Access-Control-Allow-Headers") == "authorization,idempotency-key" &&
			strings.Contains(header.Get("Access-Control-Allow-Methods"), "DELETE"); ok != allowed {
			t.Errorf("preflight of %s: %d %v", origin, status, header)
		}
	}
	_, header, _ := l.callWithHeader("", "GET", "/_usher/clock", nil, "Origin", "http://localhost:3000")
	if got := header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the control endpoints allow %q", got)
	}
}

func TestAFastClockRunsWhatBecomesDue(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{Speed: 86400})
	sub := l.createSubscription(1)
	l.time.Add(32) // a day a second
	limit := time.After(time.Minute)
	for len(l.list(testKey, "/v1/invoices?subscription="+sub.ID)) < 2 {
		select {
		case <-limit:
			t.Fatalf("no renewal, the clock shows %v", l.Now())
		case <-time.After(20 * time.Millisecond):
		}
	}
	renewed := l.subscription(sub.ID)
	if renewed.CurrentPeriodStart != sub.CurrentPeriodEnd {
		t.Errorf("renewed at %d, want %d", renewed.CurrentPeriodStart, sub.CurrentPeriodEnd)
	}
	for value, ok := range map[string]bool{"1": true, "60": true, "0.5": false, "0": false, "604801": false, "fast": false, "NaN": false} {
		if changed := l.browse("POST", "/_usher/settings", url.Values{"speed": {value}}); (changed.status == http.StatusOK) != ok {
			t.Errorf("speed %s: %d %s", value, changed.status, changed.body)
		}
	}
	if _, err := stripelocal.New(stripelocal.Options{Speed: -1}); err == nil {
		t.Error("speed -1 was accepted")
	}
}

func TestSettingsAreChangedTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	before := l.browse("GET", "/_usher/settings", nil).body
	for _, form := range []url.Values{
		nil, {"after_dunning": {"unpaid"}, "terms_url": {"perhaps"}}, {"stripe_tax": {"false"}, "after_dunnning": {"unpaid"}}, {"portal_refusal": {"never"}},
	} {
		bad := l.browse("POST", "/_usher/settings", form)
		if now := l.browse("GET", "/_usher/settings", nil).body; bad.status != http.StatusBadRequest || now != before {
			t.Errorf("%v: %d %s; now %s", form, bad.status, bad.body, now)
		}
	}
}
