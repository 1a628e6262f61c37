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
	"usher/billing/mail"
	"usher/billing/stripegw"
	"usher/db"
	"usher/db/dbtest"
	"usher/stripelocal"
)

const (
	testPassword      = "front of house" // of every account created through the service
	testWebhookSecret = "whsec_test"

	// waitTimeout bounds each wait for background work. It only delays a failure, so it allows for
	// a busy machine.
	waitTimeout  = 2 * time.Minute
	pollInterval = 20 * time.Millisecond
)

// testEnv is the billing service on a PostgreSQL database and a local Stripe reached over HTTP. It
// has one organization with one admin.
type testEnv struct {
	t               *testing.T
	service         *billing.Service
	receiving       atomic.Pointer[billing.Service] // the service, for its webhook endpoint
	store           *db.Store
	dsn             string
	stripe          *stripelocal.Server
	origin          string       // of the local Stripe
	quantityUpdates atomic.Int64 // requests that set a subscription's quantity
	faults          seatFaults
	access          account.Access
}

// seatFaults is the fault injected into requests that set a quantity. A fault stays until it is
// cleared, because the SDK and net/http retry a request that got no response.
type seatFaults struct{ kind atomic.Value }

const (
	noFault      = ""
	cardDeclined = "card declined"
	serverError  = "server error"
	requestLost  = "request lost"  // no response, quantity unchanged
	responseLost = "response lost" // no response, quantity changed
)

func (f *seatFaults) set(kind string) { f.kind.Store(kind) }

func (f *seatFaults) current() string {
	kind, _ := f.kind.Load().(string)
	return kind
}

// newTestEnv starts everything except the background worker. The test becomes parallel.
func newTestEnv(t *testing.T) *testEnv {
	t.Helper()
	return newTestEnvAt(t, nil)
}

// newTestEnvAt is newTestEnv with the wall clock of the local Stripe; nil is time.Now.
func newTestEnvAt(t *testing.T, now func() time.Time) *testEnv {
	t.Helper()
	t.Parallel()
	env := &testEnv{t: t, dsn: dbtest.New(t, db.Migrate)}
	stripe, err := stripelocal.New(stripelocal.Options{Now: now})
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
	env.useService(env.newService(env.store))
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
	return stripegw.New(stripegw.Options{SecretKey: "sk_test_usher123456", APIBase: env.origin, WebhookSecrets: []string{testWebhookSecret}})
}

// newService creates a replica.
func (env *testEnv) newService(store *db.Store) *billing.Service {
	return billing.New(env.options(store))
}

// useService replaces the service, for requests of the test and for webhooks, which may be on
// their way.
func (env *testEnv) useService(service *billing.Service) {
	env.service = service
	env.receiving.Store(service)
}

// startService creates a replica with these options and loads its prices.
func (env *testEnv) startService(options billing.Options) *billing.Service {
	env.t.Helper()
	service := billing.New(options)
	env.must(service.Prices.Start(env.t.Context()))
	return service
}

// useClock replaces the service with one that uses the given clock.
func (env *testEnv) useClock(now func() time.Time) {
	env.t.Helper()
	options := env.options(env.store)
	options.Now = now
	env.useService(env.startService(options))
}

func (env *testEnv) options(store *db.Store) billing.Options {
	started := time.Now() // fixed, so that no rate limit's window ends within a test
	return billing.Options{
		HashMemory: 8, // KiB, the least that argon2id takes
		WallClock:  func() time.Time { return started },
		Store:      store, Gateway: env.gateway(), Catalog: catalog.BuiltInPlans(), KeyFingerprint: "test",
		SuccessURL: "http://usher.test/organization?tab=billing&success=true", CancelURL: "http://usher.test/organization",
		ReturnURL: "http://usher.test/organization", AllowedOrigins: []string{"http://usher.test"},
		StripeLimit: waitTimeout,
	}
}

func (env *testEnv) createPrices() {
	for _, price := range stripegw.PlanPrices(catalog.BuiltInPlans()) {
		_, _, err := env.gateway().EnsurePrice(env.t.Context(), price)
		env.must(err)
	}
}

func (env *testEnv) signUp() {
	user, organization, err := env.service.Users.SignUp(env.t.Context(), account.SignUp{
		Name: "Ana", Email: "ana@example.com", Password: testPassword, Organization: "Lantern",
	})
	if err != nil {
		env.t.Fatal(err)
	}
	if env.access, err = env.service.Organizations.Access(env.t.Context(), user.ID, organization.ID); err != nil {
		env.t.Fatal(err)
	}
}

var subscriptionPath = regexp.MustCompile(`^/v1/subscriptions/sub_\w+$`)

// withSeatFaults injects the current fault into requests of the service that set a quantity.
func (env *testEnv) withSeatFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !subscriptionPath.MatchString(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !strings.Contains(string(body), "quantity") || r.Header.Get("X-Test-Client") != "" {
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
	w.Header().Set("Request-Id", "req_test")
	w.Header().Set("Stripe-Should-Retry", "false")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// subscribe buys a plan monthly: it starts Checkout, pays on the hosted page and completes the
// session.
func (env *testEnv) subscribe(plan string) billing.Subscription {
	env.t.Helper()
	session, err := env.service.Checkouts.Start(env.t.Context(), env.access, billing.CheckoutRequest{PlanID: plan, Interval: catalog.Monthly})
	if err != nil {
		env.t.Fatal(err)
	}
	env.pay(session)
	completed, err := env.service.Checkouts.Complete(env.t.Context(), env.access, session.StripeSessionID)
	if err != nil || !completed.Confirmed {
		env.t.Fatalf("completed %+v, %v", completed, err)
	}
	return *env.overview().Subscription
}

// pay submits the hosted Checkout page with a valid card.
func (env *testEnv) pay(session billing.CheckoutSession) {
	env.payWithCard(session, "4242424242424242")
}

// payWithCard submits the hosted Checkout page.
func (env *testEnv) payWithCard(session billing.CheckoutSession, card string) {
	env.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.PostForm(session.URL, url.Values{
		"email": {"ana@example.com"}, "cardNumber": {card}, "cardExpiry": {"12/34"}, "cardCvc": {"123"}, "billingName": {"Ana"},
	})
	if err != nil {
		env.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSeeOther {
		body, _ := io.ReadAll(response.Body)
		env.t.Fatalf("payment: status %d: %s", response.StatusCode, body)
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

// addMembers adds n billed members through the service.
func (env *testEnv) addMembers(n int) {
	env.t.Helper()
	for range n {
		_, err := env.service.Users.CreateMember(env.t.Context(), env.access.Organization.ID, account.NewMember{
			Name: "Member", Email: fmt.Sprintf("m%d@example.com", memberCounter.Add(1)), Password: testPassword,
			RoleID: account.RoleMember, Billable: true,
		})
		if err != nil {
			env.t.Fatal(err)
		}
	}
}

var memberCounter atomic.Int64 // makes e-mail addresses unique across tests

// makeSeatsDue makes pending seat changes due, as if the debounce interval had passed and every
// lease had expired.
func (env *testEnv) makeSeatsDue() {
	env.t.Helper()
	_, err := env.store.DB().ExecContext(env.t.Context(),
		`update billing_seat_state set due_at = now() - interval '1 second', lease_until = null where due_at is not null`)
	if err != nil {
		env.t.Fatal(err)
	}
}

// syncSeats sends a due quantity to Stripe.
func (env *testEnv) syncSeats() error {
	return env.service.SeatSyncer.Sync(env.t.Context(), env.access.Organization.ID)
}

// stripeQuantity fetches the quantity from Stripe.
func (env *testEnv) stripeQuantity() int {
	env.t.Helper()
	current := env.overview().Subscription
	fetched, err := env.gateway().Subscription(env.t.Context(), current.ID)
	if err != nil {
		env.t.Fatal(err)
	}
	return fetched.Classified(env.service.Prices.Catalog()).Quantity
}

// startWorker runs a replica's background worker until the test ends.
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

// waitFor waits until the overview meets a condition.
func (env *testEnv) waitFor(what string, met func(billing.Overview) bool) {
	env.t.Helper()
	if !poll(func() bool { return met(env.overview()) }) {
		env.t.Fatalf("timed out waiting for %s: %+v", what, env.overview().Seats)
	}
}

// poll checks a condition repeatedly and reports whether it was met within waitTimeout.
func poll(met func() bool) bool {
	timeout, ticks := time.After(waitTimeout), time.Tick(pollInterval)
	for !met() {
		select {
		case <-ticks:
		case <-timeout:
			return false
		}
	}
	return true
}

// testClock stands still until it is advanced, so that no test depends on how long it takes.
type testClock struct {
	start  time.Time
	offset atomic.Int64
}

func newTestClock() *testClock { return &testClock{start: time.Now()} }

func (c *testClock) now() time.Time { return c.start.Add(time.Duration(c.offset.Load())) }

func (c *testClock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// serveWebhook serves the webhook endpoint of the current service and returns its URL.
func (env *testEnv) serveWebhook() string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if err == nil {
			err = env.receiving.Load().Inbox.Receive(r.Context(), payload, r.Header.Get("Stripe-Signature"))
		}
		if err != nil {
			env.t.Logf("webhook: %v", err)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	env.t.Cleanup(server.Close)
	return server.URL
}

// signPayload returns the Stripe-Signature header of a webhook body.
func signPayload(payload []byte) string {
	now := time.Now()
	return fmt.Sprintf("t=%d,v1=%x", now.Unix(), webhook.ComputeSignature(now, payload, testWebhookSecret))
}

func (env *testEnv) must(err error) {
	env.t.Helper()
	if err != nil {
		env.t.Fatal(err)
	}
}

func (env *testEnv) exec(query string, args ...any) {
	env.t.Helper()
	_, err := env.store.DB().ExecContext(env.t.Context(), query, args...)
	env.must(err)
}

func (env *testEnv) queryInt(query string, args ...any) int {
	env.t.Helper()
	var n int
	env.must(env.store.DB().GetContext(env.t.Context(), &n, query, args...))
	return n
}

// newServiceAhead creates a replica whose clock is ahead.
func (env *testEnv) newServiceAhead(ahead time.Duration) *billing.Service {
	return billing.New(billing.Options{
		Store: env.store, Gateway: env.gateway(), Catalog: env.service.Prices.Catalog(), KeyFingerprint: "test",
		Now: func() time.Time { return time.Now().Add(ahead) },
	})
}

// sellPro replaces the service with one that has a changed pro plan and uses the clock of the local
// Stripe.
func (env *testEnv) sellPro(change func(*catalog.Plan)) {
	env.t.Helper()
	options := env.options(env.store)
	options.Now = env.stripe.Now
	for i := range options.Catalog.Plans {
		if options.Catalog.Plans[i].ID == "pro" {
			change(&options.Catalog.Plans[i])
		}
	}
	env.useService(env.startService(options))
}

func (env *testEnv) seatState() billing.SeatState {
	env.t.Helper()
	state, err := env.store.Seats().State(env.t.Context(), env.access.Organization.ID)
	if err != nil {
		env.t.Fatal(err)
	}
	return state
}

// recountSeats recounts the billed members and schedules a sync.
func (env *testEnv) recountSeats() error {
	_, err := env.service.SeatSyncer.Retry(env.t.Context(), env.access)
	return err
}

// countMails counts the unsent mails of a kind in the outbox.
func (env *testEnv) countMails(kind mail.Kind) int {
	env.t.Helper()
	mails, err := env.store.Mails().Unsent(env.t.Context(), 100)
	if err != nil {
		env.t.Fatal(err)
	}
	n := 0
	for _, m := range mails {
		if m.Kind == kind {
			n++
		}
	}
	return n
}

// reconcile runs the reconciler and describes each drift it found.
func (env *testEnv) reconcile(o billing.ReconcileOptions) []string {
	env.t.Helper()
	report, err := env.service.Reconciler.Reconcile(env.t.Context(), o)
	env.must(err)
	var found []string
	for _, d := range report.Drifts {
		if d.Error != "" {
			env.t.Errorf("%+v", d)
		}
		found = append(found, string(d.Kind)+": "+d.Difference)
	}
	return found
}

func wantSeats(t *testing.T, env *testEnv, billed, quantity int, status billing.SyncStatus) {
	t.Helper()
	seats := env.overview().Seats
	if seats.Billable != billed || seats.Quantity != quantity || seats.Status != status {
		t.Fatalf("billed %d, quantity %d, %s (%s); want %d, %d, %s",
			seats.Billable, seats.Quantity, seats.Status, seats.Error, billed, quantity, status)
	}
}

func wantBalance(t *testing.T, env *testEnv, want int) {
	t.Helper()
	if got := env.overview().Credits.Balance; got != want {
		t.Fatalf("balance %d, want %d: %s", got, want, env.checkLedger())
	}
}

// checkLedger checks that the ledger's entries add up to the balance, and returns the entries as
// text, oldest first.
func (env *testEnv) checkLedger() string {
	env.t.Helper()
	entries, err := env.service.Credits.Entries(env.t.Context(), env.access)
	if err != nil {
		env.t.Fatal(err)
	}
	var lines []string
	sum := 0
	for i := len(entries) - 1; i >= 0; i-- {
		sum += entries[i].Amount
		lines = append(lines, fmt.Sprintf("%s %+d = %d (%s)", entries[i].Kind, entries[i].Amount, entries[i].Balance, entries[i].Source))
		if entries[i].Balance != sum {
			env.t.Errorf("the ledger's balance is %d, the sum of its entries %d", entries[i].Balance, sum)
		}
	}
	if balance := env.overview().Credits.Balance; balance != sum {
		env.t.Errorf("the balance is %d, the sum of the ledger's entries %d", balance, sum)
	}
	return strings.Join(lines, "; ")
}

func ptr[T any](v T) *T { return &v }
