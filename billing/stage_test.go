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

const stageSecret = "whsec_stage"

// stage is the domain over a real PostgreSQL and a local Stripe reached over HTTP, with an organization that can be played with.
type stage struct {
	t       *testing.T
	service *billing.Service
	store   *db.Store
	dsn     string
	stripe  *stripelocal.Server
	origin  string       // Stripe's
	calls   atomic.Int64 // of the kind that sets seats
	faults  faults
	access  account.Access
}

// faults are what Stripe's answers to seat updates become while one is set. It stays until it is lifted: the SDK and net/http themselves
// repeat a call whose answer did not come.
type faults struct{ kind atomic.Value }

// The faults.
const (
	none      = ""
	refuse    = "402"        // a definite no
	broken    = "500"        // a definite failure, as Stripe stores it
	cutBefore = "cut before" // no answer, nothing done
	cutAfter  = "cut after"  // no answer, done
)

func (f *faults) set(kind string) { f.kind.Store(kind) }

func (f *faults) now() string {
	kind, _ := f.kind.Load().(string)
	return kind
}

// openStage starts everything but the background work.
func openStage(t *testing.T) *stage {
	t.Helper()
	t.Parallel()
	s := &stage{t: t, dsn: dbtest.New(t, db.Migrate)}
	stripe, err := stripelocal.New(stripelocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.stripe = stripe
	server := httptest.NewServer(s.faulty(stripe.Handler()))
	s.origin = server.URL
	stripe.SetOrigin(server.URL)
	t.Cleanup(func() {
		_ = stripe.Close(context.Background())
		server.Close()
	})
	s.store = s.openStore()
	s.service = s.newService(s.store)
	s.pushPlans()
	if err := s.service.Prices.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.signUp()
	return s
}

func (s *stage) openStore() *db.Store {
	store, err := db.Open(s.t.Context(), s.dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = store.Close() })
	return store
}

func (s *stage) gateway() *stripegw.Gateway {
	return stripegw.New(stripegw.Options{SecretKey: "sk_test_stage123456", APIBase: s.origin, WebhookSecrets: []string{stageSecret}})
}

// newService makes one replica.
func (s *stage) newService(store *db.Store) *billing.Service { return billing.New(s.options(store)) }

func (s *stage) options(store *db.Store) billing.Options {
	started := time.Now()
	return billing.Options{
		WallClock: func() time.Time { return started }, // so that no limit's window ends within a test
		Store:     store, Gateway: s.gateway(), Catalog: catalog.BuiltInPlans(), KeyFingerprint: "stage",
		SuccessURL: "http://usher.test/organization?tab=billing&success=true", CancelURL: "http://usher.test/organization",
		ReturnURL: "http://usher.test/organization", AllowedOrigins: []string{"http://usher.test"},
	}
}

func (s *stage) pushPlans() {
	for _, price := range stripegw.KeyedPrices(catalog.BuiltInPlans()) {
		_, _, err := s.gateway().EnsurePrice(s.t.Context(), price)
		s.must(err)
	}
}

func (s *stage) signUp() {
	user, organization, err := s.service.Users.SignUp(s.t.Context(), account.SignUp{
		Name: "Ana", Email: "ana@example.com", Password: "front of house", Organization: "Lantern",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.access, err = s.service.Organizations.Access(s.t.Context(), user.ID, organization.ID); err != nil {
		s.t.Fatal(err)
	}
}

var seatCall = regexp.MustCompile(`^/v1/subscriptions/sub_\w+$`)

// faulty puts the planned faults between Usher and Stripe.
func (s *stage) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !seatCall.MatchString(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !strings.Contains(string(body), "quantity") || r.Header.Get("X-Stage") != "" {
			next.ServeHTTP(w, r)
			return
		}
		s.calls.Add(1)
		switch s.faults.now() {
		case refuse:
			failWith(w, 402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"generic_decline","message":"Your card was declined."}}`)
		case broken:
			failWith(w, 500, `{"error":{"type":"api_error","message":"An unknown error occurred."}}`)
		case cutBefore:
			panic(http.ErrAbortHandler)
		case cutAfter:
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func failWith(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_stage")
	w.Header().Set("Stripe-Should-Retry", "false")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// subscribe buys a plan: Checkout is opened, paid on its hosted page, and the return taken.
func (s *stage) subscribe(plan string) billing.Subscription {
	s.t.Helper()
	session, err := s.service.Checkouts.Start(s.t.Context(), s.access, billing.CheckoutRequest{PlanID: plan, Interval: catalog.Monthly})
	if err != nil {
		s.t.Fatal(err)
	}
	s.pay(session)
	completed, err := s.service.Checkouts.Complete(s.t.Context(), s.access, session.StripeSessionID)
	if err != nil || !completed.Confirmed {
		s.t.Fatalf("completed %+v, %v", completed, err)
	}
	return *s.overview().Subscription
}

// pay fills in the hosted Checkout page.
func (s *stage) pay(session billing.CheckoutSession) { s.payWith(session, "4242424242424242") }

func (s *stage) payWith(session billing.CheckoutSession, card string) {
	s.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.PostForm(session.URL, url.Values{
		"email": {"ana@example.com"}, "cardNumber": {card}, "cardExpiry": {"12/34"}, "cardCvc": {"123"}, "billingName": {"Ana"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		body, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("paying answered %d: %s", answer.StatusCode, body)
	}
}

func (s *stage) overview() billing.Overview {
	s.t.Helper()
	o, err := s.service.Overviews.Get(s.t.Context(), s.access)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// join adds billed members.
func (s *stage) join(n int) {
	s.t.Helper()
	for range n {
		_, err := s.service.Users.CreateMember(s.t.Context(), s.access.Organization.ID, account.NewMember{
			Name: "Member", Email: fmt.Sprintf("m%d@example.com", joined.Add(1)), Password: "front of house",
			RoleID: account.RoleMember, Billable: true,
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

var joined atomic.Int64 // members of all tests, for addresses of their own

// due makes what is gathered due at once, as if the gathering had passed.
func (s *stage) due() {
	s.t.Helper()
	_, err := s.store.DB().ExecContext(s.t.Context(),
		`update billing_seat_state set due_at = now() - interval '1 second', lease_until = null where due_at is not null`)
	if err != nil {
		s.t.Fatal(err)
	}
}

// sync tells Stripe what is due.
func (s *stage) sync() error {
	return s.service.SeatSyncer.Sync(s.t.Context(), s.access.Organization.ID)
}

// atStripe reads the quantity Stripe has.
func (s *stage) atStripe() int {
	s.t.Helper()
	current := s.overview().Subscription
	fetched, err := s.gateway().Subscription(s.t.Context(), current.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return fetched.Quantity
}

// work runs a replica's background work until the test ends.
func (s *stage) work(service *billing.Service) {
	queue, err := db.NewQueue(s.store, slog.New(slog.DiscardHandler), service.Worker.RunJob)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- service.Worker.Run(ctx) }()
	go func() { done <- queue.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		<-done
		<-done
	})
}

// until waits for a condition.
func (s *stage) until(what string, met func(billing.Overview) bool) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !met(s.overview()) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited for %s: %+v", what, s.overview().Seats)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}

// webhook serves the stage's webhook endpoint and returns its URL.
func (s *stage) webhook() string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if err == nil {
			err = s.service.Inbox.Receive(r.Context(), payload, r.Header.Get("Stripe-Signature"))
		}
		if err != nil {
			s.t.Logf("webhook: %v", err)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// signatureOf signs a webhook body as Stripe does.
func signatureOf(payload []byte) string {
	now := time.Now()
	return fmt.Sprintf("t=%d,v1=%x", now.Unix(), webhook.ComputeSignature(now, payload, stageSecret))
}
