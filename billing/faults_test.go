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
func (s *stage) eventsOf(kind string) []json.RawMessage {
	s.t.Helper()
	var made struct{ Data []json.RawMessage }
	s.getStripe("/v1/events?limit=100&type="+kind, &made)
	slices.Reverse(made.Data)
	return made.Data
}

func TestDuplicatesOverTwoReplicas(t *testing.T) {
	s := openStage(t)
	other := s.newService(s.openStore())
	s.must(other.Prices.Start(t.Context()))
	session, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	s.must(err)
	s.pay(session)
	payload := s.eventsOf("invoice.paid")[0]
	var group sync.WaitGroup
	for n := range 20 { // in parallel
		service := []*billing.Service{s.service, other}[n%2]
		group.Go(func() {
			if err := service.Inbox.Receive(context.WithoutCancel(t.Context()), payload, signatureOf(payload)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for range 3 { // and one after the other
		deliver(t, s, payload)
	}
	s.settleEvents()
	if rows := s.one(`select count(*) from stripe_events`); rows != 1 {
		t.Errorf("%d rows of one event", rows)
	}
	wantBalance(t, s, 1000)
	if n := s.one(`select count(*) from credit_entries`); n != 1 {
		t.Errorf("%d lines in the ledger: %s", n, s.ledger())
	}
}

// Five changes within one second: none of their moments tells which came last, so that no order of delivery may matter.
func TestFiveEventsOfOneSecondInEveryOrder(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	path := "/v1/subscriptions/" + current.ID
	for n := range 5 {
		s.postStripe(http.MethodPost, path, url.Values{"cancel_at_period_end": {fmt.Sprint(n%2 == 0)}, "metadata[turn]": {fmt.Sprint(n)}})
	}
	made := s.eventsOf("customer.subscription.updated")
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
		_, err := s.store.DB().ExecContext(t.Context(), `with forgotten as (delete from stripe_events)
			update subscriptions set as_of = $1, cancel_at_period_end = false, cancel_at = null, revision = revision + 1`, time.Unix(second-60, 0))
		s.must(err)
		for _, n := range order {
			deliver(t, s, five[n])
		}
		s.settleEvents()
		if o := s.overview(); !o.Subscription.CancelAtPeriodEnd { // as the fifth change left it at Stripe
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
func TestEventSurvivesWhatStripeAnswers(t *testing.T) {
	for _, c := range []struct {
		kind stripelocal.FaultKind
		says string
	}{
		{stripelocal.RateLimited, "429"}, {stripelocal.LockTimeout, "409"}, {stripelocal.ServerError, "500"},
		{stripelocal.TimeoutBefore, ""}, {stripelocal.TimeoutAfter, ""},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			s := openStage(t)
			current := s.subscribe("pro")
			s.postStripe(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
			made := s.eventsOf("customer.subscription.updated")
			_, err := s.stripe.Faults().Add(stripelocal.Fault{Kind: c.kind, Method: http.MethodGet, Path: "/v1/subscriptions/*", Calls: -1})
			s.must(err)
			deliver(t, s, made[len(made)-1]) // within the skew margin of what is held: Stripe has to be asked
			_, _ = s.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
			if n := s.one(`select count(*) from stripe_events where outcome = 'pending' and attempts = 1 and error <> '' and next_attempt_at > received_at`); n != 1 {
				t.Fatal("the failure is not written down, or there is no next attempt")
			}
			s.stripe.Faults().Clear()
			_, err = s.store.DB().ExecContext(t.Context(), `update stripe_events set next_attempt_at = now() where outcome = 'pending'`)
			s.must(err)
			s.settleEvents()
			if !s.overview().Subscription.CancelAtPeriodEnd {
				t.Error("what the event told of is not here")
			}
		})
	}
}

// slowGateway holds the first question about a subscription back until it is let go.
type slowGateway struct {
	billing.Gateway
	once    sync.Once
	asked   chan struct{}
	release chan struct{}
}

func (g *slowGateway) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	answer, err := g.Gateway.Subscription(ctx, id)
	g.once.Do(func() {
		close(g.asked)
		<-g.release
	})
	return answer, err
}

// A worker is away for longer than its lease; another one takes the event over, the world moves on, and then the first one comes back with an
// answer of long ago.
func TestWorkerThatOutlivesItsLease(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	s.postStripe(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	made := s.eventsOf("customer.subscription.updated")
	deliver(t, s, made[len(made)-1])

	options := s.options(s.store)
	slow := &slowGateway{Gateway: options.Gateway, asked: make(chan struct{}), release: make(chan struct{})}
	options.Gateway = slow
	first := billing.New(options)
	s.must(first.Prices.Start(t.Context()))
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = first.Worker.RunJob(context.WithoutCancel(t.Context()), job.Job{Kind: job.KindEvent})
	})
	<-slow.asked
	s.postStripe(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"false"}})
	second := s.later(time.Minute) // the lease is over
	s.must(second.Prices.Start(t.Context()))
	_, err := second.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
	s.must(err)
	if s.one(`select count(*) from stripe_events where outcome = 'applied' and attempts = 2`) != 1 {
		t.Fatal("the second worker has not settled it")
	}
	close(slow.release)
	group.Wait()
	if s.overview().Subscription.CancelAtPeriodEnd {
		t.Error("the answer of long ago was written over what came after it")
	}
	if s.one(`select count(*) from stripe_events where outcome = 'applied'`) != 1 {
		t.Error("the event is not settled any more")
	}
}

// One organization's backlog of a hundred thousand keeps another one's event waiting for its turn and no longer, whichever of them comes first.
func TestBacklogLeavesOthersTheirTurn(t *testing.T) {
	for _, busy := range []string{"org_0", "org_zzz"} {
		t.Run(busy, func(t *testing.T) { backlogLeavesOthersTheirTurn(t, busy) })
	}
}

func backlogLeavesOthersTheirTurn(t *testing.T, busy string) {
	s := openStage(t)
	current := s.subscribe("pro")
	_, err := s.store.DB().ExecContext(t.Context(), `insert into organizations (id, name, created_at) values ($1, 'Busy', now())`, busy)
	s.must(err)
	_, err = s.store.DB().ExecContext(t.Context(), `
		insert into stripe_events (id, type, api_version, livemode, account, created, received_at, object_id, object_type, customer_id,
			subscription_id, org_id, test_clock, organization_id, outcome, attempts, error, next_attempt_at, payload)
		select 'evt_busy_' || n, 'something.new', '2024-06-20', false, '', now(), now(), '', '', '', '', '', false, $1, 'pending', 0, '',
			now() - interval '1 hour', '{"id":"evt_busy_' || n || '","type":"something.new"}' from generate_series(1, 100000) n`, busy)
	s.must(err)
	s.postStripe(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	made := s.eventsOf("customer.subscription.updated")
	deliver(t, s, made[len(made)-1])
	for range 2 { // one of theirs and one of ours
		_, err := s.service.Worker.RunJob(t.Context(), job.Job{Kind: job.KindEvent})
		s.must(err)
	}
	if !s.overview().Subscription.CancelAtPeriodEnd {
		t.Errorf("it waits, as %d others do", s.one(`select count(*) from stripe_events where outcome = 'pending'`))
	}
}
