package stripegw

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"usher/billing"
)

func TestAsOfIsDateMinusDuration(t *testing.T) {
	t.Parallel()
	const delay = 120 * time.Millisecond
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f, gateway := newFake(t)
	f.HandleFunc("GET /v1/subscriptions/sub_1", func(w http.ResponseWriter, r *http.Request) {
		<-time.After(delay) // simulates a slow response
		respond(subscriptionJSON("sub_1"), dated(at)...)(w, r)
	})

	s, err := gateway.Subscription(t.Context(), "sub_1")
	if err != nil {
		t.Fatal(err)
	}
	if took := at.Sub(s.AsOf); took < delay || took > delay+5*time.Second {
		t.Errorf("AsOf is %v before the Date header, want the call's duration of at least %v", took, delay)
	}
}

func TestAsOfExcludesEarlierAttempts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	took := shortest(func() time.Duration {
		f, gateway := newFake(t)
		f.HandleFunc("GET /v1/subscriptions/sub_1", sequence(hangUp, respond(subscriptionJSON("sub_1"), dated(at)...)))
		s, err := gateway.Subscription(t.Context(), "sub_1")
		if err != nil {
			t.Fatal(err)
		}
		return at.Sub(s.AsOf)
	})
	if took > 450*time.Millisecond {
		t.Errorf("AsOf is %v before the Date header: it includes stripe-go's sleep", took)
	}
}

// shortest returns the shortest of up to five measurements: load on the machine lengthens single
// ones, a delay in the code lengthens all.
func shortest(measure func() time.Duration) time.Duration {
	least := measure()
	for n := 1; n < 5 && least > 100*time.Millisecond; n++ {
		least = min(least, measure())
	}
	return least
}

func TestAsOfOfListIsEarliestPage(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	page := func(id, more string) string {
		return `{"object":"list","url":"/v1/subscriptions","has_more":` + more + `,"data":[` + subscriptionJSON(id) + `]}`
	}
	tests := map[string]struct {
		first, second []string
		undated       bool
	}{
		"in order":                {dated(at), dated(at.Add(time.Minute)), false},
		"by machines out of step": {dated(at.Add(time.Minute)), dated(at), false},
		"the first undated":       {[]string{"Date", "-"}, dated(at), true},
		"the second undated":      {dated(at), []string{"Date", "-"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("GET /v1/subscriptions", sequence(respond(page("sub_2", "true"), test.first...), respond(page("sub_1", "false"), test.second...)))
			all, err := gateway.Subscriptions(t.Context(), "cus_1")
			if test.undated {
				if err == nil {
					t.Errorf("got %+v without an error", all)
				}
				return
			}
			if err != nil || len(all) != 2 || all[0].ID != "sub_2" || all[1].ID != "sub_1" {
				t.Fatalf("got %+v, %v, want both pages", all, err)
			}
			if all[0].AsOf.After(at) || !all[0].AsOf.Equal(all[1].AsOf) {
				t.Errorf("AsOf is %v and %v, want the earlier page's", all[0].AsOf, all[1].AsOf)
			}
			requests := f.seen("GET", "/v1/subscriptions")
			if requests[0].form.Get("status") != "all" || requests[0].form.Get("customer") != "cus_1" || requests[1].form.Get("starting_after") != "sub_2" {
				t.Errorf("requests %v", requests)
			}
		})
	}
}

func TestResponseWithoutDateIsNoSnapshot(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("GET /v1/subscriptions/sub_1", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		respond(subscriptionJSON("sub_1"))(w, r)
	})
	f.HandleFunc("GET /v1/subscriptions/sub_2", respond(subscriptionJSON("sub_2"), "Date", "yesterday"))

	for _, id := range []string{"sub_1", "sub_2"} {
		if s, err := gateway.Subscription(t.Context(), id); err == nil || !s.AsOf.IsZero() {
			t.Errorf("%s: got %+v, %v, want an error", id, s, err)
		}
	}
}

func TestResponseOfAnotherType(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("/v1/", respond(`{"object":"list","data":[]}`))
	calls := map[string]func() error{
		"subscription": func() error { _, err := gateway.Subscription(t.Context(), "sub_1"); return err },
		"checkout":     func() error { _, err := gateway.CheckoutSession(t.Context(), "cs_1"); return err },
		"new checkout": func() error {
			_, err := gateway.CreateCheckoutSession(t.Context(), billing.CheckoutSession{})
			return err
		},
		"customer": func() error { _, err := gateway.CreateCustomer(t.Context(), billing.CustomerLink{}); return err },
		"price":    func() error { _, err := gateway.Prices(t.Context(), nil, []string{"price_1"}); return err },
		"portal":   func() error { _, err := gateway.CreatePortalSession(t.Context(), billing.PortalRequest{}); return err },
		"seats":    func() error { _, err := gateway.UpdateQuantity(t.Context(), billing.QuantityUpdate{}); return err },
	}
	for name, call := range calls {
		if e := stripeError(t, call()); !e.OutcomeUnknown || !e.ShouldRetry {
			t.Errorf("%s: %+v, want an invalid response", name, e)
		}
	}
}

func TestContextErrorStaysInChain(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	arrived, release := make(chan struct{}, 4), make(chan struct{})
	t.Cleanup(func() { close(release) })
	f.HandleFunc("GET /v1/subscriptions/sub_1", func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})

	canceled, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	expired, done := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer done()
	for want, ctx := range map[error]context.Context{context.Canceled: canceled, context.DeadlineExceeded: expired} {
		_, err := gateway.Subscription(ctx, "sub_1")
		if !errors.Is(err, want) {
			t.Errorf("error %v does not wrap %v", err, want)
		}
		if e := stripeError(t, err); !e.OutcomeUnknown || !e.ShouldRetry || e.Status != 0 {
			t.Errorf("%v: got %+v, want OutcomeUnknown", want, e)
		}
	}
}

func TestContextEndsSleepBetweenAttempts(t *testing.T) {
	t.Parallel()
	if waited := shortest(func() time.Duration { return cancelDuringBackoff(t) }); waited > 300*time.Millisecond {
		t.Errorf("returned %v after the context's end", waited)
	}
}

// cancelDuringBackoff cancels a call between two attempts and returns how long it took to return.
func cancelDuringBackoff(t *testing.T) time.Duration {
	t.Helper()
	f, gateway := newFake(t)
	tried := make(chan struct{}, 4)
	f.HandleFunc("GET /v1/subscriptions/sub_1", func(http.ResponseWriter, *http.Request) {
		tried <- struct{}{}
		panic(http.ErrAbortHandler)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	canceled := make(chan time.Time, 1)
	go func() {
		<-tried
		<-time.After(50 * time.Millisecond) // within stripe-go's sleep of at least 500 ms
		canceled <- time.Now()
		cancel()
	}()
	if _, err := gateway.Subscription(ctx, "sub_1"); !errors.Is(err, context.Canceled) {
		t.Errorf("returned %v", err)
	}
	return time.Since(<-canceled)
}

func TestAccountIsFetchedOnce(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	for range 3 {
		acct, err := gateway.Account(t.Context())
		if err != nil || acct != (billing.StripeAccount{ID: "acct_own"}) {
			t.Fatalf("got %+v, %v", acct, err)
		}
	}
	if n := len(f.seen("GET", "/v1/account")); n != 1 {
		t.Errorf("requests %d times, want once", n)
	}
	live := New(Options{SecretKey: " rk_live_123456789012 ", APIBase: f.url})
	if acct, err := live.Account(t.Context()); err != nil || !acct.Livemode {
		t.Errorf("got %+v, %v, want live mode", acct, err)
	}
}
