package billing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"usher/billing"
)

// batchStore counts batches. While its gate is set, transactions of single events wait for it.
type batchStore struct {
	billing.Store
	gate    atomic.Pointer[chan struct{}]
	waiting atomic.Int64
	batches atomic.Int64
	stored  atomic.Int64 // in batches
	fail    func() error // of every event of a batch
}

func (s *batchStore) InTxRecording(ctx context.Context, changes *billing.ChangeLog, f func(billing.Tx) error) error {
	if gate := s.gate.Load(); gate != nil {
		s.waiting.Add(1)
		<-*gate
	}
	return s.Store.InTxRecording(ctx, changes, f)
}

var errNoBatch = errors.New("the batch fails")

func (s *batchStore) InBatch(
	ctx context.Context, acct billing.StripeAccount, events []billing.Event,
	decide func(context.Context, billing.Tx, billing.Event) (billing.StoredEvent, error),
) ([]bool, error) {
	s.batches.Add(1)
	stored, err := s.Store.InBatch(ctx, acct, events, func(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, error) {
		row, err := decide(ctx, tx, e)
		if err == nil && s.fail != nil {
			err = s.fail()
		}
		return row, err
	})
	for _, ok := range stored {
		if ok {
			s.stored.Add(1)
		}
	}
	return stored, err
}

func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	if !poll(met) {
		t.Fatalf("timed out waiting for %s", what)
	}
}

// Events that arrive while two are being stored are stored together. Each request has its answer
// after the commit, also if the batch fails.
func TestEventsAreStoredTogether(t *testing.T) {
	for name, fail := range map[string]func() error{
		"stored": nil,
		"failed": func() error { return errNoBatch },
		"panics": func() error { panic("the handler panics") },
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			current := env.subscribe("pro")
			for n := range 3 {
				env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"metadata[change]": {fmt.Sprint(n)}})
			}
			payloads := env.eventsOfType("customer.subscription.updated")
			payloads = append(payloads, env.eventsOfType("invoice.paid")...)
			for n := range 40 {
				payloads = append(payloads, fmt.Appendf(nil, `{"id":"evt_%d","object":"event","api_version":"2024-06-20","type":"product.updated","data":{"object":{"id":"prod_1"}}}`, n))
			}

			const committers = 2
			store := &batchStore{Store: env.store, fail: fail}
			options := env.options(env.store)
			options.Store, options.EventCommitters = store, committers
			service := env.startService(options)
			gate := make(chan struct{})
			store.gate.Store(&gate)
			var requests sync.WaitGroup
			receive := func(payload []byte) {
				requests.Go(func() {
					if err := service.Inbox.Receive(t.Context(), payload, signPayload(payload)); err != nil {
						t.Error(err)
					}
				})
			}
			for n := range committers {
				receive(fmt.Appendf(nil, `{"id":"evt_first_%d","object":"event","type":"product.updated","data":{"object":{"id":"prod_1"}}}`, n))
			}
			await(t, "committers at work", func() bool { return store.waiting.Load() == committers })
			for _, payload := range payloads {
				receive(payload)
			}
			await(t, "queued events", func() bool { return service.Inbox.QueuedEvents() == len(payloads) })
			store.gate.Store(nil)
			close(gate)
			requests.Wait()

			if n := env.queryInt(`select count(*) from stripe_events where type = 'product.updated'`); n != committers+40 {
				t.Errorf("%d events are stored", n)
			}
			together := store.stored.Load()
			if fail == nil && (store.batches.Load() < 2 || together < 40) || fail != nil && together != 0 {
				t.Errorf("%d events in %d batches", together, store.batches.Load())
			}
			env.processEvents()
			if n := env.queryInt(`select count(*) from stripe_events where type = 'customer.subscription.updated' and outcome in ('applied', 'stale')`); n < 3 {
				t.Errorf("%d updates were applied", n)
			}
			if n := env.queryInt(`select count(*) from credit_entries`); n > 1 {
				t.Errorf("the invoice granted %d times", n)
			}
		})
	}
}
