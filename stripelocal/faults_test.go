package stripelocal_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) fault(f stripelocal.Fault) {
	l.t.Helper()
	must[string](l.t)(l.Faults().Add(f))
}

func (l *testServer) newCustomer(key string) (*stripe.Customer, error) {
	p := &stripe.CustomerParams{Name: stripe.String("Ada")}
	if key != "" {
		p.SetIdempotencyKey(key)
	}
	return l.api.Customers.New(p)
}

func (l *testServer) customers() int {
	n := 0
	for it := l.api.Customers.List(&stripe.CustomerListParams{}); it.Next(); {
		n++
	}
	return n
}

func TestFaultsOfCalls(t *testing.T) {
	t.Parallel()
	cases := []struct {
		kind   stripelocal.FaultKind
		status int
		code   string
		done   int  // number of customers after the failed call
		stored bool // the same key returns the same response
	}{
		{stripelocal.RateLimited, 429, "rate_limit", 0, false},
		{stripelocal.LockTimeout, 429, "lock_timeout", 0, false},
		{stripelocal.ServerError, 500, "", 0, true},
		{stripelocal.TimeoutBefore, 0, "", 0, false},
		{stripelocal.TimeoutAfter, 0, "", 1, false},
	}
	for _, c := range cases {
		t.Run(string(c.kind), func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			l.customers() // makes the connection a kept-alive one
			l.fault(stripelocal.Fault{Kind: c.kind, Method: "POST", Path: "/v1/customers"})
			_, err := l.newCustomer("key_1")
			checkFault(t, err, c.status, c.code)
			if n := l.customers(); n != c.done {
				t.Errorf("%d customers after the faulty call, want %d", n, c.done)
			}
			_, err = l.newCustomer("key_1")
			if c.stored != (err != nil) {
				t.Errorf("the same key again: %v", err)
			}
			_, err = l.newCustomer("key_2")
			if want := c.done + 1; err != nil || c.kind == stripelocal.TimeoutAfter && l.customers() != want {
				t.Errorf("another key: %v, %d customers", err, l.customers())
			}
		})
	}
}

func checkFault(t *testing.T, err error, status int, code string) {
	t.Helper()
	var e *stripe.Error
	switch {
	case err == nil:
		t.Fatal("the call went well")
	case status == 0:
		if errors.As(err, &e) {
			t.Fatalf("got a response: %v", err)
		}
	case !errors.As(err, &e) || e.HTTPStatusCode != status || string(e.Code) != code:
		t.Fatalf("%v, want %d %s", err, status, code)
	}
}

// postRaw makes a call without an SDK, which would retry it or refuse its key. The body is closed.
func (l *testServer) postRaw(path, form, key string) *http.Response {
	l.t.Helper()
	req, err := http.NewRequest("POST", l.url+path, strings.NewReader(form))
	if err != nil {
		l.t.Fatal(err)
	}
	req.SetBasicAuth(testKey, "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func TestAStoredServerErrorSaysNotToRetry(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.fault(stripelocal.Fault{Kind: stripelocal.ServerError})
	for i, replayed := range []string{"", "true"} {
		res := l.postRaw("/v1/customers", "name=Ada", "one")
		if res.StatusCode != 500 || res.Header.Get("Stripe-Should-Retry") != "false" || res.Header.Get("Idempotent-Replayed") != replayed {
			t.Errorf("call %d: %d %v", i, res.StatusCode, res.Header)
		}
	}
}

func TestASlowCallKeepsItsKeyInUse(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.fault(stripelocal.Fault{Kind: stripelocal.SlowCall, Path: "/v1/customers", Millis: 3000})
	first := make(chan error, 1)
	go func() {
		_, err := l.newCustomer("same")
		first <- err
	}()
	for len(l.Faults().List()) > 0 { // until the slow call has started
		<-time.After(time.Millisecond)
	}
	_, err := l.newCustomer("same")
	checkFault(t, err, 409, "idempotency_key_in_use")
	if err := <-first; err != nil {
		t.Errorf("the slow call: %v", err)
	}
	if _, err := l.newCustomer("same"); err != nil || l.customers() != 1 {
		t.Errorf("afterwards: %v, %d customers", err, l.customers())
	}
}

func TestFaultsMatchAndRunOut(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.fault(stripelocal.Fault{Kind: stripelocal.RateLimited, Method: "GET", Path: "/v1/customers/*", Calls: 2})
	c := must[*stripe.Customer](t)(l.newCustomer(""))
	var got []string
	for range 3 {
		_, err := l.api.Customers.Get(c.ID, nil)
		got = append(got, fmt.Sprint(err == nil))
	}
	if want := "false false true"; strings.Join(got, " ") != want {
		t.Errorf("three successful reads: %v, want %s", got, want)
	}
	if left := l.Faults().List(); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestRandomFaultsRepeatWithTheirSeed(t *testing.T) {
	t.Parallel()
	play := func(seed uint64) string {
		l := start(t, stripelocal.Options{})
		l.Faults().Seed(seed)
		l.fault(stripelocal.Fault{Kind: stripelocal.LockTimeout, Chance: 0.5})
		var out strings.Builder
		for range 32 {
			_, err := l.newCustomer("")
			fmt.Fprint(&out, map[bool]int{true: 1, false: 0}[err == nil])
		}
		l.Faults().Clear()
		return out.String()
	}
	one, again, other := play(7), play(7), play(8)
	if one != again || one == other || !strings.Contains(one, "0") || !strings.Contains(one, "1") {
		t.Errorf("seed 7: %s and %s, seed 8: %s", one, again, other)
	}
}

// A lock is worth a retry, which the response says (recorded; docs: rate limits). SDKs retry it.
func TestALockSaysToRetry(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.fault(stripelocal.Fault{Kind: stripelocal.LockTimeout})
	res := l.postRaw("/v1/customers", "name=Ada", "one")
	if res.StatusCode != 429 || res.Header.Get("Stripe-Should-Retry") != "true" || res.Header.Get("Stripe-Rate-Limited-Reason") != "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if res := l.postRaw("/v1/customers", "name=Ada", "one"); res.StatusCode != 200 {
		t.Errorf("the retry: %d", res.StatusCode)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.Faults().LimitRate(3)
	refused := 0
	for range 5 {
		if _, err := l.newCustomer(""); err != nil {
			checkFault(t, err, 429, "rate_limit")
			refused++
		}
	}
	l.time.Add(1)
	if _, err := l.newCustomer(""); err != nil || refused != 2 {
		t.Errorf("%d of 5 refused, in the next second: %v", refused, err)
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	added := l.browse("POST", "/_usher/faults", url.Values{"kind": {"server_error"}, "method": {"POST"}, "path": {"/v1/**"}, "calls": {"5"}, "rate_limit": {"25"}, "seed": {"3"}})
	if added.status != 200 || !strings.Contains(added.body, `"calls":5`) || !strings.Contains(added.body, `"rate_limit":25`) || !strings.Contains(added.body, `"seed":3`) {
		t.Errorf("added: %d %s", added.status, added.body)
	}
	_, err := l.newCustomer("")
	checkFault(t, err, 500, "")
	res, err := http.Post(l.url+"/_usher/faults", "application/json", strings.NewReader(`{"kind":"drop","event":"invoice.*","chance":0.25}`))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("JSON: %v %v", res, err)
	}
	res.Body.Close()
	if list := l.Faults().List(); len(list) != 2 || list[1].Calls != -1 || list[1].Event != "invoice.*" {
		t.Errorf("list: %+v", list)
	}
	for _, bad := range []url.Values{{}, {"kind": {"fire"}}, {"kind": {"drop"}, "path": {"/v1/x"}}, {"kind": {"slow"}, "millis": {"x"}}, {"kind": {"slow"}, "chance": {"2"}}} {
		if got := l.browse("POST", "/_usher/faults", bad); got.status != 400 {
			t.Errorf("%v: %d %s", bad, got.status, got.body)
		}
	}
	if one := l.browse("DELETE", "/_usher/faults/"+l.Faults().List()[0].ID, nil); one.status != 200 || len(l.Faults().List()) != 1 {
		t.Errorf("one removed: %d %s", one.status, one.body)
	}
	if none := l.browse("DELETE", "/_usher/faults", nil); none.status != 200 || len(l.Faults().List()) != 0 {
		t.Errorf("cleared: %d %s", none.status, none.body)
	}
}

func TestFaultsOfDeliveries(t *testing.T) {
	t.Parallel()
	cases := []struct {
		kind stripelocal.FaultKind
		want []string // product names in order of arrival
	}{
		{stripelocal.DropDelivery, []string{"b", "c"}},
		{stripelocal.DuplicateDelivery, []string{"a", "a", "b", "c"}},
		{stripelocal.DelayDelivery, []string{"b", "c", "a"}},
	}
	for _, c := range cases {
		t.Run(string(c.kind), func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			in := newWebhookReceiver(t, 0)
			l.EnsureWebhookEndpoint(in.url, testSecret, "product.*")
			l.fault(stripelocal.Fault{Kind: c.kind, Event: "product.created", Millis: 3000})
			for _, name := range []string{"a", "b", "c"} {
				must[*stripe.Product](t)(l.api.Products.New(&stripe.ProductParams{Name: stripe.String(name)}))
			}
			if got := in.waitForNames(len(c.want)); !slices.Equal(got, c.want) {
				t.Errorf("arrived: %v, want %v", got, c.want)
			}
		})
	}
}

// A fault of one customer's events leaves those of others alone.
func TestFaultOfCustomersDeliveries(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret, "customer.updated")
	customers := map[string]string{}
	for _, name := range []string{"a", "b"} {
		customers[name] = must[*stripe.Customer](t)(l.newCustomer("")).ID
	}
	l.fault(stripelocal.Fault{Kind: stripelocal.DropDelivery, Customer: customers["a"], Calls: -1})
	for _, name := range []string{"a", "b"} {
		must[*stripe.Customer](t)(l.api.Customers.Update(customers[name], &stripe.CustomerParams{Name: stripe.String(name)}))
	}
	if got := in.waitForNames(1); !slices.Equal(got, []string{"b"}) {
		t.Errorf("arrived: %v", got)
	}
	if faults := l.Faults().List(); len(faults) != 1 {
		t.Errorf("%+v", faults)
	}
	if _, err := l.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Customer: customers["a"]}); err == nil {
		t.Error("a call has a customer")
	}
}

// waitForNames waits for n events and returns their objects' names.
func (in *webhookReceiver) waitForNames(n int) []string {
	in.t.Helper()
	limit := time.After(time.Minute)
	for {
		in.mu.Lock()
		var out []string
		for _, e := range in.got {
			out = append(out, e.GetObjectValue("name"))
		}
		in.mu.Unlock()
		if len(out) >= n {
			return out
		}
		select {
		case <-in.received:
		case <-limit:
			in.t.Fatalf("only %v were delivered", out)
		}
	}
}

func TestReorderedDeliveriesChangePlaces(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret, "product.created", "price.created")
	l.fault(stripelocal.Fault{Kind: stripelocal.ReorderDelivery, Event: "product.created"})
	l.createPrice("pro", 1000, "month") // creates its product first, in the same transaction
	in.waitFor("product.created")
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.got[0].Type != "price.created" || in.got[1].Type != "product.created" {
		t.Errorf("arrived: %s, %s", in.got[0].Type, in.got[1].Type)
	}
}

func TestADroppedDeliveryIsNotSuccessful(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret, "product.*", "customer.*")
	l.fault(stripelocal.Fault{Kind: stripelocal.DropDelivery, Event: "product.created"})
	must[*stripe.Product](t)(l.api.Products.New(&stripe.ProductParams{Name: stripe.String("a")}))
	l.createCustomer()
	in.waitFor("customer.created")
	it := l.api.Events.List(&stripe.EventListParams{DeliverySuccess: stripe.Bool(false), Type: stripe.String("product.created")})
	if !it.Next() || it.Event().PendingWebhooks != 0 {
		t.Errorf("undelivered: %+v", it.Event())
	}
}

func TestCheckoutDoesNotWaitForADroppedDelivery(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	var calls atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer web.Close()
	l.EnsureWebhookEndpoint(web.URL, testSecret, "checkout.session.completed")
	l.fault(stripelocal.Fault{Kind: stripelocal.DropDelivery})
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, 1)
	began := time.Now()
	if done := l.submitCheckout(cs.URL, "4242424242424242"); done.status != 303 || time.Since(began) > 5*time.Second || calls.Load() != 0 {
		t.Errorf("%d after %v with %d deliveries", done.status, time.Since(began), calls.Load())
	}
}
