package stripelocal_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"
	"github.com/stripe/stripe-go/v79/webhook"

	"usher/stripelocal"
)

const (
	testKey    = "sk_test_123456789012"
	testSecret = "whsec_local"
)

// testServer is a server on the loopback interface with a stripe-go client.
type testServer struct {
	*stripelocal.Server
	t    *testing.T
	url  string
	api  *client.API
	time *atomic.Int64 // unix seconds of the injected clock

	validator *validator
}

func start(t *testing.T, o stripelocal.Options) *testServer {
	t.Helper()
	l := &testServer{t: t, time: &atomic.Int64{}}
	l.time.Store(time.Now().Unix())
	o.Now = func() time.Time { return time.Unix(l.time.Load(), 0) }
	s, err := stripelocal.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	l.validator = validated(t, s.Handler())
	web := httptest.NewServer(l.validator)
	s.SetOrigin(web.URL)
	l.Server, l.url, l.api = s, web.URL, newClient(web.URL)
	t.Cleanup(func() {
		l.checkEventsAndState()
		web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	return l
}

func newClient(base string) *client.API {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: stripe.String(base), MaxNetworkRetries: stripe.Int64(0), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	return client.New(testKey, &stripe.Backends{API: backend, Connect: backend, Uploads: backend})
}

// checkEventsAndState ends every test: it validates all events and checks the state's invariants.
func (l *testServer) checkEventsAndState() {
	if l.t.Failed() {
		return
	}
	l.validator.checkAllEvents(l.AllEvents())
	for _, problem := range l.StateProblems() {
		l.t.Errorf("corrupt state: %s", problem)
	}
}

// must fails the test on an API error.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		return v
	}
}

// createPrice creates a product with one recurring price.
func (l *testServer) createPrice(lookup string, amount int64, interval string) *stripe.Price {
	l.t.Helper()
	return must[*stripe.Price](l.t)(l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(amount), LookupKey: stripe.String(lookup),
		Recurring:   &stripe.PriceRecurringParams{Interval: stripe.String(interval)},
		ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Pro")},
		TaxBehavior: stripe.String("exclusive"), // the portal switches no other
	}))
}

func (l *testServer) createCustomer() *stripe.Customer {
	l.t.Helper()
	return must[*stripe.Customer](l.t)(l.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("ada@example.com")}))
}

// createCheckoutSession creates a session in subscription mode.
func (l *testServer) createCheckoutSession(customer, price string, quantity int64, more ...func(*stripe.CheckoutSessionParams)) *stripe.CheckoutSession {
	l.t.Helper()
	p := &stripe.CheckoutSessionParams{
		Mode: stripe.String("subscription"), Customer: stripe.String(customer), ClientReferenceID: stripe.String("org_1"),
		SuccessURL: stripe.String("http://app.test/ok?session_id={CHECKOUT_SESSION_ID}"), CancelURL: stripe.String("http://app.test/no"),
		LineItems:        []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(price), Quantity: stripe.Int64(quantity)}},
		SubscriptionData: &stripe.CheckoutSessionSubscriptionDataParams{Metadata: map[string]string{"orgId": "org_1"}},
	}
	for _, change := range more {
		change(p)
	}
	return must[*stripe.CheckoutSession](l.t)(l.api.CheckoutSessions.New(p))
}

// createSubscription creates an active subscription through the hosted page.
func (l *testServer) createSubscription(quantity int64) *stripe.Subscription {
	l.t.Helper()
	cs := l.createCheckoutSession(l.createCustomer().ID, l.createPrice("pro", 1000, "month").ID, quantity)
	l.submitCheckout(cs.URL, "4242424242424242")
	return l.subscriptionOfSession(cs.ID)
}

func (l *testServer) session(id string) *stripe.CheckoutSession {
	l.t.Helper()
	return must[*stripe.CheckoutSession](l.t)(l.api.CheckoutSessions.Get(id, nil))
}

func (l *testServer) subscriptionOfSession(session string) *stripe.Subscription {
	l.t.Helper()
	return l.subscription(l.session(session).Subscription.ID)
}

func (l *testServer) subscription(id string) *stripe.Subscription {
	l.t.Helper()
	p := &stripe.SubscriptionParams{}
	p.AddExpand("latest_invoice.payment_intent")
	return must[*stripe.Subscription](l.t)(l.api.Subscriptions.Get(id, p))
}

// page is a response as a browser without JavaScript sees it.
type page struct {
	status   int
	location string
	body     string
}

// browse sends a form or gets a page. It does not follow redirects.
func (l *testServer) browse(method, address string, form url.Values) page {
	l.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = l.url + address
	}
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return page{res.StatusCode, res.Header.Get("Location"), string(body)}
}

// submitCheckout submits the hosted Checkout form.
func (l *testServer) submitCheckout(address, card string) page {
	l.t.Helper()
	return l.browse("POST", address, url.Values{
		"email": {"ada@example.com"}, "cardNumber": {card}, "cardExpiry": {"12 / 40"}, "cardCvc": {"123"}, "billingName": {"Ada L"},
	})
}

// eventTypes returns the types of all events, oldest first.
func (l *testServer) eventTypes() []string {
	l.t.Helper()
	p := &stripe.EventListParams{}
	p.Limit = stripe.Int64(100)
	var out []string
	it := l.api.Events.List(p)
	for it.Next() {
		out = append([]string{string(it.Event().Type)}, out...)
	}
	if it.Err() != nil {
		l.t.Fatal(it.Err())
	}
	return out
}

// webhookReceiver is a webhook receiver that verifies every delivery with stripe-go.
type webhookReceiver struct {
	t        *testing.T
	url      string
	mu       sync.Mutex
	got      []stripe.Event
	failures int // number of deliveries to answer with 500
	received chan struct{}
}

func newWebhookReceiver(t *testing.T, failures int) *webhookReceiver {
	in := &webhookReceiver{t: t, failures: failures, received: make(chan struct{}, 1000)}
	in.url = serveWebhooks(t, in)
	return in
}

var webhookPaths atomic.Int64

// serveWebhooks serves webhooks under a path that no other test uses, in this process or another.
// The port of a test that has ended may be reused while its server still retries a delivery; such a
// delivery gets a 404.
func serveWebhooks(t *testing.T, receiver http.Handler) string {
	path := fmt.Sprintf("/webhooks/%d-%d", os.Getpid(), webhookPaths.Add(1))
	mux := http.NewServeMux()
	mux.Handle(path, receiver)
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	return web.URL + path
}

func (in *webhookReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the test ended, and its Stripe with it, during the delivery
	}
	e, err := webhook.ConstructEvent(body, req.Header.Get("Stripe-Signature"), testSecret)
	in.mu.Lock()
	defer in.mu.Unlock()
	defer func() { in.received <- struct{}{} }()
	if err != nil {
		in.t.Errorf("signature: %v", err)
	}
	if in.failures > 0 {
		in.failures--
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	in.got = append(in.got, e)
}

// waitFor waits until an event of this type is delivered.
func (in *webhookReceiver) waitFor(kind string) stripe.Event {
	in.t.Helper()
	limit := time.After(time.Minute)
	for {
		if e, ok := in.find(kind); ok {
			return e
		}
		select {
		case <-in.received:
		case <-limit:
			in.t.Fatalf("%s was not delivered", kind)
		}
	}
}

func (in *webhookReceiver) find(kind string) (stripe.Event, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range in.got {
		if string(e.Type) == kind {
			return e, true
		}
	}
	return stripe.Event{}, false
}

// authenticationPage is the page that stands in for the bank's, for an intent in requires_action.
func authenticationPage(intent string) string { return "/c/authenticate/" + intent }
