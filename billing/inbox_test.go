package billing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/billing/job"
	"usher/stripelocal"
)

func TestDuplicateEventsOnTwoReplicas(t *testing.T) {
	env := newTestEnv(t)
	other := env.newService(env.openStore())
	env.must(other.Prices.Start(t.Context()))
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.pay(session)
	payload := env.eventsOfType("invoice.paid")[0]
	var group sync.WaitGroup
	for n := range 20 { // concurrently
		service := []*billing.Service{env.service, other}[n%2]
		group.Go(func() {
			receive := func() error {
				return service.Inbox.Receive(context.WithoutCancel(t.Context()), payload, signPayload(payload))
			}
			err := receive()
			if err != nil && strings.Contains(err.Error(), "lock timeout") {
				err = receive() // as Stripe does after a 500
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for range 3 { // and sequentially
		deliver(t, env, payload)
	}
	env.processEvents()
	if rows := env.queryInt(`select count(*) from stripe_events`); rows != 1 {
		t.Errorf("%d rows for one event, want 1", rows)
	}
	wantBalance(t, env, 1000)
	if n := env.queryInt(`select count(*) from credit_entries`); n != 1 {
		t.Errorf("%d ledger entries, want 1: %s", n, env.checkLedger())
	}
}

// Stripe's timestamps have a resolution of one second, so that they do not order five changes
// within one second. Every order of delivery must end in the last state.
func TestEventsOfOneSecondInEveryOrder(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	path := "/v1/subscriptions/" + current.ID
	for n := range 5 {
		env.stripeRequest(http.MethodPost, path, url.Values{"cancel_at_period_end": {fmt.Sprint(n%2 == 0)}, "metadata[change]": {fmt.Sprint(n)}})
	}
	updates := env.eventsOfType("customer.subscription.updated")
	events := updates[len(updates)-5:]
	// The time is later than the stored snapshot and the same for all events.
	second := time.Now().Add(time.Minute).Unix()
	for i := range events {
		events[i] = withCreated(t, events[i], second)
	}
	orders := permutations(5)
	if len(orders) != 120 {
		t.Fatalf("%d orders, want 120", len(orders))
	}
	for _, order := range orders {
		_, err := env.store.DB().ExecContext(t.Context(), `with deleted as (delete from stripe_events)
			update subscriptions set as_of = $1, cancel_at_period_end = false, cancel_at = null, revision = revision + 1`, time.Unix(second-60, 0))
		env.must(err)
		for _, n := range order {
			deliver(t, env, events[n])
		}
		env.processEvents()
		if o := env.overview(); !o.Subscription.CancelAtPeriodEnd { // the fifth change
			t.Fatalf("order %v: not canceled at the end of the period", order)
		}
	}
}

func withCreated(t *testing.T, payload []byte, created int64) []byte {
	t.Helper()
	var e map[string]json.RawMessage
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	e["created"] = json.RawMessage(fmt.Sprint(created))
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), i, n-1))
		}
	}
	return all
}

// When a fetch fails, the event stays pending with the error and the time of the next attempt. It
// is processed once Stripe responds again.
func TestEventIsRetriedAfterStripeFailure(t *testing.T) {
	for _, c := range []struct {
		kind    stripelocal.FaultKind
		message string // part of the recorded error
	}{
		{stripelocal.RateLimited, "429"}, {stripelocal.LockTimeout, "429"}, {stripelocal.ServerError, "500"},
		{stripelocal.TimeoutBefore, ""}, {stripelocal.TimeoutAfter, ""},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			env := newTestEnv(t)
			current := env.subscribe("pro")
			env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
			updates := env.eventsOfType("customer.subscription.updated")
			_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: c.kind, Method: http.MethodGet, Path: "/v1/subscriptions/*", Calls: -1})
			env.must(err)
			// The event is within the skew margin of the snapshot, so that the subscription is
			// fetched.
			deliver(t, env, updates[len(updates)-1])
			_, _ = env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
			if n := env.queryInt(`select count(*) from stripe_events where outcome = 'pending' and attempts = 1 and error <> '' and error like '%' || $1 || '%' and next_attempt_at > received_at`, c.message); n != 1 {
				t.Fatal("the failure is not recorded, or no next attempt is scheduled")
			}
			env.stripe.Faults().Clear()
			_, err = env.store.DB().ExecContext(t.Context(), `update stripe_events set next_attempt_at = now() where outcome = 'pending'`)
			env.must(err)
			env.processEvents()
			if !env.overview().Subscription.CancelAtPeriodEnd {
				t.Error("the event was not applied")
			}
		})
	}
}

// blockingGateway delays its first response about a subscription until it is released.
type blockingGateway struct {
	billing.Gateway
	once    sync.Once
	called  chan struct{}
	release chan struct{}
}

func (g *blockingGateway) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	subscription, err := g.Gateway.Subscription(ctx, id)
	g.once.Do(func() {
		close(g.called)
		<-g.release
	})
	return subscription, err
}

// A worker is blocked for longer than its lease and another worker processes the event. The first
// worker then returns with an outdated response, which must not be stored.
func TestWorkerWithExpiredLease(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	updates := env.eventsOfType("customer.subscription.updated")
	deliver(t, env, updates[len(updates)-1])

	options := env.options(env.store)
	blocking := &blockingGateway{Gateway: options.Gateway, called: make(chan struct{}), release: make(chan struct{})}
	options.Gateway = blocking
	first := billing.New(options)
	env.must(first.Prices.Start(t.Context()))
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = first.Worker.RunJob(context.WithoutCancel(t.Context()), job.Job{Kind: job.KindEvent})
	})
	<-blocking.called
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"false"}})
	second := env.newServiceAhead(time.Minute) // past the lease
	env.must(second.Prices.Start(t.Context()))
	_, err := second.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
	env.must(err)
	if env.queryInt(`select count(*) from stripe_events where outcome = 'applied' and attempts = 2`) != 1 {
		t.Fatal("the second worker did not apply the event")
	}
	close(blocking.release)
	group.Wait()
	if env.overview().Subscription.CancelAtPeriodEnd {
		t.Error("the outdated response overwrote the newer state")
	}
	if env.queryInt(`select count(*) from stripe_events where outcome = 'applied'`) != 1 {
		t.Error("the event is no longer applied")
	}
}

// Events are processed round-robin per organization, so that a backlog of 100,000 events delays
// another organization's event by one event, whichever ID sorts first.
func TestBacklogDoesNotBlockOtherOrganizations(t *testing.T) {
	for _, busy := range []string{"org_0", "org_zzz"} {
		t.Run(busy, func(t *testing.T) { testBacklogFairness(t, busy) })
	}
}

func testBacklogFairness(t *testing.T, busy string) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	_, err := env.store.DB().ExecContext(t.Context(), `insert into organizations (id, name, created_at) values ($1, 'Busy', now())`, busy)
	env.must(err)
	_, err = env.store.DB().ExecContext(t.Context(), `
		insert into stripe_events (id, type, api_version, livemode, account, created, received_at, object_id, object_type, customer_id,
			subscription_id, org_id, test_clock, organization_id, outcome, attempts, error, next_attempt_at, payload)
		select 'evt_busy_' || n, 'something.new', '2024-06-20', false, '', now(), now(), '', '', '', '', '', false, $1, 'pending', 0, '',
			now() - interval '1 hour', '{"id":"evt_busy_' || n || '","type":"something.new"}' from generate_series(1, 100000) n`, busy)
	env.must(err)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	updates := env.eventsOfType("customer.subscription.updated")
	deliver(t, env, updates[len(updates)-1])
	for range 2 { // one event per organization
		_, err := env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		env.must(err)
	}
	if !env.overview().Subscription.CancelAtPeriodEnd {
		t.Errorf("the event is not processed, %d events are pending", env.queryInt(`select count(*) from stripe_events where outcome = 'pending'`))
	}
}
