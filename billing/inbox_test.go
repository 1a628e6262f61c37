package billing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/billing/job"
	"usher/stripelocal"
)

// eventsOf lists the payloads of the events of one type, the oldest first.
func (env *testEnv) eventsOfType(kind string) []json.RawMessage {
	env.t.Helper()
	var made struct{ Data []json.RawMessage }
	env.stripeGet("/v1/events?limit=100&type="+kind, &made)
	slices.Reverse(made.Data)
	return made.Data
}

func TestDuplicateEventsOnTwoReplicas(t *testing.T) {
	env := newTestEnv(t)
	other := env.newService(env.openStore())
	env.must(other.Prices.Start(t.Context()))
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.pay(session)
	payload := env.eventsOfType("invoice.paid")[0]
	var group sync.WaitGroup
	for n := range 20 { // in parallel
		service := []*billing.Service{env.service, other}[n%2]
		group.Go(func() {
			if err := service.Inbox.Receive(context.WithoutCancel(t.Context()), payload, signPayload(payload)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for range 3 { // and one after the other
		deliver(t, env, payload)
	}
	env.processEvents()
	if rows := env.queryInt(`select count(*) from stripe_events`); rows != 1 {
		t.Errorf("%d rows of one event", rows)
	}
	wantBalance(t, env, 1000)
	if n := env.queryInt(`select count(*) from credit_entries`); n != 1 {
		t.Errorf("%d lines in the ledger: %s", n, env.checkLedger())
	}
}

// Five changes within one second: none of their moments tells which came last, so that no order of delivery may matter.
func TestEventsOfOneSecondInEveryOrder(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	path := "/v1/subscriptions/" + current.ID
	for n := range 5 {
		env.stripeRequest(http.MethodPost, path, url.Values{"cancel_at_period_end": {fmt.Sprint(n%2 == 0)}, "metadata[turn]": {fmt.Sprint(n)}})
	}
	made := env.eventsOfType("customer.subscription.updated")
	five := made[len(made)-5:]
	second := time.Now().Add(time.Minute).Unix() // later than all that is held, and the same for all five
	for i := range five {
		five[i] = withCreated(t, five[i], second)
	}
	orders := permutations(5)
	if len(orders) != 120 {
		t.Fatalf("%d orders", len(orders))
	}
	for _, order := range orders {
		_, err := env.store.DB().ExecContext(t.Context(), `with forgotten as (delete from stripe_events)
			update subscriptions set as_of = $1, cancel_at_period_end = false, cancel_at = null, revision = revision + 1`, time.Unix(second-60, 0))
		env.must(err)
		for _, n := range order {
			deliver(t, env, five[n])
		}
		env.processEvents()
		if o := env.overview(); !o.Subscription.CancelAtPeriodEnd { // as the fifth change left it at Stripe
			t.Fatalf("delivered as %v it goes on", order)
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
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

// Every way in which Stripe can fail a question leaves the event waiting, its error written down, and settled once Stripe is well.
func TestEventIsRetriedAfterStripeFailure(t *testing.T) {
	for _, c := range []struct {
		kind stripelocal.FaultKind
		says string
	}{
		{stripelocal.RateLimited, "429"}, {stripelocal.LockTimeout, "409"}, {stripelocal.ServerError, "500"},
		{stripelocal.TimeoutBefore, ""}, {stripelocal.TimeoutAfter, ""},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			env := newTestEnv(t)
			current := env.subscribe("pro")
			env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
			made := env.eventsOfType("customer.subscription.updated")
			_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: c.kind, Method: http.MethodGet, Path: "/v1/subscriptions/*", Calls: -1})
			env.must(err)
			deliver(t, env, made[len(made)-1]) // within the skew margin of what is held: Stripe has to be asked
			_, _ = env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
			if n := env.queryInt(`select count(*) from stripe_events where outcome = 'pending' and attempts = 1 and error <> '' and next_attempt_at > received_at`); n != 1 {
				t.Fatal("the failure is not written down, or there is no next attempt")
			}
			env.stripe.Faults().Clear()
			_, err = env.store.DB().ExecContext(t.Context(), `update stripe_events set next_attempt_at = now() where outcome = 'pending'`)
			env.must(err)
			env.processEvents()
			if !env.overview().Subscription.CancelAtPeriodEnd {
				t.Error("what the event told of is not here")
			}
		})
	}
}

// slowGateway holds the first question about a subscription back until it is let go.
type blockingGateway struct {
	billing.Gateway
	once    sync.Once
	called  chan struct{}
	release chan struct{}
}

func (g *blockingGateway) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	answer, err := g.Gateway.Subscription(ctx, id)
	g.once.Do(func() {
		close(g.called)
		<-g.release
	})
	return answer, err
}

// A worker is away for longer than its lease; another one takes the event over, the world moves on, and then the first one comes back with an
// answer of long ago.
func TestWorkerWithExpiredLease(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	made := env.eventsOfType("customer.subscription.updated")
	deliver(t, env, made[len(made)-1])

	options := env.options(env.store)
	slow := &blockingGateway{Gateway: options.Gateway, called: make(chan struct{}), release: make(chan struct{})}
	options.Gateway = slow
	first := billing.New(options)
	env.must(first.Prices.Start(t.Context()))
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = first.Worker.RunJob(context.WithoutCancel(t.Context()), job.Job{Kind: job.KindEvent})
	})
	<-slow.called
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"false"}})
	second := env.newServiceAhead(time.Minute) // the lease is over
	env.must(second.Prices.Start(t.Context()))
	_, err := second.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
	env.must(err)
	if env.queryInt(`select count(*) from stripe_events where outcome = 'applied' and attempts = 2`) != 1 {
		t.Fatal("the second worker has not settled it")
	}
	close(slow.release)
	group.Wait()
	if env.overview().Subscription.CancelAtPeriodEnd {
		t.Error("the answer of long ago was written over what came after it")
	}
	if env.queryInt(`select count(*) from stripe_events where outcome = 'applied'`) != 1 {
		t.Error("the event is not settled any more")
	}
}

// One organization's backlog of a hundred thousand keeps another one's event waiting for its turn and no longer, whichever of them comes first.
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
	made := env.eventsOfType("customer.subscription.updated")
	deliver(t, env, made[len(made)-1])
	for range 2 { // one of theirs and one of ours
		_, err := env.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		env.must(err)
	}
	if !env.overview().Subscription.CancelAtPeriodEnd {
		t.Errorf("it waits, as %d others do", env.queryInt(`select count(*) from stripe_events where outcome = 'pending'`))
	}
}
