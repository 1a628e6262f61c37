package billing_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/stripegw"
)

// addForeignCustomers makes customers of another application on the same Stripe account, each with
// a subscription to that application's price and an open invoice.
func (env *testEnv) addForeignCustomers(n int) {
	env.t.Helper()
	var price, customer struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/prices", url.Values{
		"currency": {"usd"}, "unit_amount": {"500"}, "recurring[interval]": {"month"}, "product_data[name]": {"Another application"},
	}, &price)
	for range n {
		env.stripeRequest(http.MethodPost, "/v1/customers", url.Values{"email": {"foreign@example.com"}}, &customer)
		env.stripeRequest(http.MethodPost, "/v1/subscriptions", url.Values{
			"customer": {customer.ID}, "items[0][price]": {price.ID}, "collection_method": {"send_invoice"}, "days_until_due": {"30"},
		})
	}
}

// stripeCalls records the requests of a service to Stripe.
type stripeCalls struct {
	mutex    sync.Mutex
	requests []string         // method and URL
	on       func(number int) // called before a request is served
}

func (c *stripeCalls) add(r *http.Request) {
	c.mutex.Lock()
	c.requests = append(c.requests, r.Method+" "+r.URL.RequestURI())
	number, on := len(c.requests), c.on
	c.mutex.Unlock()
	if on != nil {
		on(number)
	}
}

// take returns the requests since the last call.
func (c *stripeCalls) take() []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	requests := c.requests
	c.requests = nil
	return requests
}

// recordCalls replaces the service with one whose requests to Stripe are recorded.
func (env *testEnv) recordCalls(change func(*billing.Options)) *stripeCalls {
	calls := &stripeCalls{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.add(r)
		env.stripe.Handler().ServeHTTP(w, r)
	}))
	env.t.Cleanup(server.Close)
	options := env.options(env.store)
	options.Gateway = stripegw.New(stripegw.Options{SecretKey: "sk_test_usher123456", APIBase: server.URL, WebhookSecrets: []string{testWebhookSecret}})
	change(&options)
	env.useService(env.startService(options))
	calls.take()
	return calls
}

// Objects of another application on the same Stripe account are neither differences nor stored.
func TestReconcilerIgnoresForeignCustomers(t *testing.T) {
	env := newTestEnv(t)
	env.addForeignCustomers(20)
	found := env.reconcile(billing.ReconcileOptions{})
	if stored := env.queryInt(`select count(*) from stripe_events`); len(found) != 0 || stored != 0 {
		t.Errorf("20 foreign customers: %d differences, %d stored events; want none. The first differences:\n%s",
			len(found), stored, strings.Join(found[:min(3, len(found))], "\n"))
	}
}

// A comparison makes as many calls as our customers need, however many other customers the Stripe
// account has.
func TestReconcilerCallsDoNotDependOnForeignCustomers(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	calls := env.recordCalls(func(*billing.Options) {})
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	compare := func() int {
		calls.take()
		if found := env.reconcile(billing.ReconcileOptions{}); len(found) != 0 {
			t.Errorf("differences:\n%s", strings.Join(found, "\n"))
		}
		return len(calls.take())
	}
	costs := []int{compare()}
	for range 3 {
		env.addForeignCustomers(700)
		costs = append(costs, compare())
	}
	t.Logf("beside 0, 700, 1400 and 2100 foreign customers: %v calls", costs)
	// Lists of the whole account are read up to a limit, which 1400 reach: 20 pages of events and 5
	// of invoices, and then our customers alone.
	if costs[3] != costs[2] || costs[3] > costs[0]+25 {
		t.Errorf("%v calls", costs)
	}
}

// The background work stops at the limit of its calls, and after a crash, and then continues where
// it was.
func TestReconcilerResumesWhereItStopped(t *testing.T) {
	env := newTestEnv(t)
	clock := newTestClock()
	env.subscribe("pro")
	env.addForeignCustomers(300)
	calls := env.recordCalls(func(o *billing.Options) { o.Now = clock.now })
	run := func(ctx context.Context) []string {
		calls.take()
		err := billing.ReconcileIfDue(ctx, env.service)
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		clock.advance(61 * time.Minute)
		return calls.take()
	}
	compared := func() bool {
		return env.queryInt(`select count(*) from reconcile_states where compared_at is not null`) == 1
	}

	ctx, crash := context.WithCancel(t.Context())
	calls.on = func(number int) {
		if number == 4 {
			crash()
		}
	}
	requests := run(ctx)
	if len(requests) != 4 || compared() {
		t.Fatalf("the run did not crash at its fourth call: %q", requests)
	}
	requests = requests[:3] // the last one got no answer
	calls.on = nil
	for !compared() {
		again := run(t.Context())
		if len(again) == 0 || len(again) > 20 {
			t.Fatalf("a run made %d calls, its limit is 10 and the repairs of a page", len(again))
		}
		requests = append(requests, again...)
	}
	pages := map[string]bool{}
	for _, request := range requests {
		if strings.Contains(request, "limit=100") && pages[request] {
			t.Errorf("read again after a stop: %s", request)
		}
		pages[request] = true
	}
	env.processEvents()
	if o := env.overview(); o.Credits.Balance != 1000 {
		t.Errorf("balance %d after the whole comparison, want 1000", o.Credits.Balance)
	}
	if n := env.queryInt(`select count(*) from drift_reports where partial`); n < 2 {
		t.Errorf("%d partial reports, want one of the crash and one of the limit", n)
	}
	if stored := env.queryInt(`select count(*) from stripe_events where organization_id is null`); stored != 0 {
		t.Errorf("%d events of other applications are stored", stored)
	}
}
