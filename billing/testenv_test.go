package billing_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79/webhook"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/stripegw"
	"usher/db"
	"usher/db/dbtest"
	"usher/stripelocal"
)

const testWebhookSecret = "whsec_stage"

// stage is the domain over a real PostgreSQL and a local Stripe reached over HTTP, with an organization that can be played with.
type testEnv struct {
	t               *testing.T
	service         *billing.Service
	store           *db.Store
	dsn             string
	stripe          *stripelocal.Server
	origin          string       // Stripe's
	quantityUpdates atomic.Int64 // of the kind that sets seats
	faults          seatFaults
	access          account.Access
}

// faults are what Stripe's answers to seat updates become while one is set. It stays until it is lifted: the SDK and net/http themselves
// repeat a call whose answer did not come.
type seatFaults struct{ kind atomic.Value }

// The faults.
const (
	noFault      = ""
	cardDeclined = "402"        // a definite no
	serverError  = "500"        // a definite failure, as Stripe stores it
	requestLost  = "cut before" // no answer, nothing done
	responseLost = "cut after"  // no answer, done
)

func (f *seatFaults) set(kind string) { f.kind.Store(kind) }

func (f *seatFaults) current() string {
	kind, _ := f.kind.Load().(string)
	return kind
}

// openStage starts everything but the background work.
func newTestEnv(t *testing.T) *testEnv {
	t.Helper()
	t.Parallel()
	env := &testEnv{t: t, dsn: dbtest.New(t, db.Migrate)}
	stripe, err := stripelocal.New(stripelocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	env.stripe = stripe
	server := httptest.NewServer(env.withSeatFaults(stripe.Handler()))
	env.origin = server.URL
	stripe.SetOrigin(server.URL)
	t.Cleanup(func() {
		_ = stripe.Close(context.Background())
		server.Close()
	})
	env.store = env.openStore()
	env.service = env.newService(env.store)
	env.createPrices()
	if err := env.service.Prices.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	env.signUp()
	return env
}

func (env *testEnv) openStore() *db.Store {
	store, err := db.Open(env.t.Context(), env.dsn)
	if err != nil {
		env.t.Fatal(err)
	}
	env.t.Cleanup(func() { _ = store.Close() })
	return store
}

func (env *testEnv) gateway() *stripegw.Gateway {
	return stripegw.New(stripegw.Options{SecretKey: "sk_test_stage123456", APIBase: env.origin, WebhookSecrets: []string{testWebhookSecret}})
}

// newService makes one replica.
func (env *testEnv) newService(store *db.Store) *billing.Service {
	return billing.New(env.options(store))
}

func (env *testEnv) options(store *db.Store) billing.Options {
	started := time.Now()
	return billing.Options{
		WallClock: func() time.Time { return started }, // so that no limit's window ends within a test
		Store:     store, Gateway: env.gateway(), Catalog: catalog.BuiltInPlans(), KeyFingerprint: "stage",
		SuccessURL: "http://usher.test/organization?tab=billing&success=true", CancelURL: "http://usher.test/organization",
		ReturnURL: "http://usher.test/organization", AllowedOrigins: []string{"http://usher.test"},
	}
}

func (env *testEnv) createPrices() {
	for _, price := range stripegw.KeyedPrices(catalog.BuiltInPlans()) {
		_, _, err := env.gateway().EnsurePrice(env.t.Context(), price)
		env.must(err)
	}
}

func (env *testEnv) signUp() {
	user, organization, err := env.service.Users.SignUp(env.t.Context(), account.SignUp{
		Name: "Ana", Email: "ana@example.com", Password: "front of house", Organization: "Lantern",
	})
	if err != nil {
		env.t.Fatal(err)
	}
	if env.access, err = env.service.Organizations.Access(env.t.Context(), user.ID, organization.ID); err != nil {
		env.t.Fatal(err)
	}
}

var subscriptionPath = regexp.MustCompile(`^/v1/subscriptions/sub_\w+$`)

// faulty puts the planned faults between Usher and Stripe.
func (env *testEnv) withSeatFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !subscriptionPath.MatchString(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !strings.Contains(string(body), "quantity") || r.Header.Get("X-Stage") != "" {
			next.ServeHTTP(w, r)
			return
		}
		env.quantityUpdates.Add(1)
		switch env.faults.current() {
		case cardDeclined:
			writeStripeError(w, 402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"generic_decline","message":"Your card was declined."}}`)
		case serverError:
			writeStripeError(w, 500, `{"error":{"type":"api_error","message":"An unknown error occurred."}}`)
		case requestLost:
			panic(http.ErrAbortHandler)
		case responseLost:
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func writeStripeError(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_stage")
	w.Header().Set("Stripe-Should-Retry", "false")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// subscribe buys a plan: Checkout is opened, paid on its hosted page, and the return taken.
func (env *testEnv) subscribe(plan string) billing.Subscription {
	env.t.Helper()
	session, err := env.service.Checkouts.Start(env.t.Context(), env.access, billing.CheckoutRequest{PlanID: plan, Interval: catalog.Monthly})
	if err != nil {
		env.t.Fatal(err)
	}
	env.pay(session)
	completed, err := env.service.Checkouts.Complete(env.t.Context(), env.access, session.StripeSessionID)
	if err != nil || !completed.Settled {
		env.t.Fatalf("completed %+v, %v", completed, err)
	}
	return *env.overview().Subscription
}

// pay fills in the hosted Checkout page.
func (env *testEnv) pay(session billing.CheckoutSession) {
	env.payWithCard(session, "4242424242424242")
}

func (env *testEnv) payWithCard(session billing.CheckoutSession, card string) {
	env.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.PostForm(session.URL, url.Values{
		"email": {"ana@example.com"}, "cardNumber": {card}, "cardExpiry": {"12/34"}, "cardCvc": {"123"}, "billingName": {"Ana"},
	})
	if err != nil {
		env.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		body, _ := io.ReadAll(answer.Body)
		env.t.Fatalf("paying answered %d: %s", answer.StatusCode, body)
	}
}

func (env *testEnv) overview() billing.Overview {
	env.t.Helper()
	o, err := env.service.Overviews.Get(env.t.Context(), env.access)
	if err != nil {
		env.t.Fatal(err)
	}
	return o
}

// join adds billed members.
func (env *testEnv) addMembers(n int) {
	env.t.Helper()
	for range n {
		_, err := env.service.Users.CreateMember(env.t.Context(), env.access.Organization.ID, account.NewMember{
			Name: "Member", Email: fmt.Sprintf("m%d@example.com", memberCounter.Add(1)), Password: "front of house",
			RoleID: account.RoleMember, Billable: true,
		})
		if err != nil {
			env.t.Fatal(err)
		}
	}
}

var memberCounter atomic.Int64 // members of all tests, for addresses of their own

// due makes what is gathered due at once, as if the gathering had passed.
func (env *testEnv) makeSeatsDue() {
	env.t.Helper()
	_, err := env.store.DB().ExecContext(env.t.Context(),
		`update billing_seat_state set due_at = now() - interval '1 second', lease_until = null where due_at is not null`)
	if err != nil {
		env.t.Fatal(err)
	}
}

// sync tells Stripe what is due.
func (env *testEnv) syncSeats() error {
	return env.service.SeatSyncer.Sync(env.t.Context(), env.access.Organization.ID)
}

// atStripe reads the quantity Stripe has.
func (env *testEnv) stripeQuantity() int {
	env.t.Helper()
	current := env.overview().Subscription
	fetched, err := env.gateway().Subscription(env.t.Context(), current.ID)
	if err != nil {
		env.t.Fatal(err)
	}
	return fetched.Quantity
}

// work runs a replica's background work until the test ends.
func (env *testEnv) startWorker(service *billing.Service) {
	queue, err := db.NewQueue(env.store, slog.New(slog.DiscardHandler), service.Worker.RunJob)
	if err != nil {
		env.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- service.Worker.Run(ctx) }()
	go func() { done <- queue.Run(ctx) }()
	env.t.Cleanup(func() {
		cancel()
		<-done
		<-done
	})
}

// until waits for a condition.
func (env *testEnv) waitFor(what string, met func(billing.Overview) bool) {
	env.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !met(env.overview()) {
		if time.Now().After(deadline) {
			env.t.Fatalf("waited for %s: %+v", what, env.overview().Seats)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}

// webhook serves the stage's webhook endpoint and returns its URL.
func (env *testEnv) serveWebhook() string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if err == nil {
			err = env.service.Inbox.Receive(r.Context(), payload, r.Header.Get("Stripe-Signature"))
		}
		if err != nil {
			env.t.Logf("webhook: %v", err)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	env.t.Cleanup(server.Close)
	return server.URL
}

// signatureOf signs a webhook body as Stripe does.
func signPayload(payload []byte) string {
	now := time.Now()
	return fmt.Sprintf("t=%d,v1=%x", now.Unix(), webhook.ComputeSignature(now, payload, testWebhookSecret))
}
