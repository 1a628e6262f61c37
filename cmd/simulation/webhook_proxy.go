package main

import (
	"context"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// webhookProxy stands between Stripe and the replicas' webhook endpoints. It loses, duplicates,
// delays and reorders events. Like Stripe, it retries until a replica responds with 200.
type webhookProxy struct {
	ctx        context.Context // of the batch
	env        *environment
	client     *webhookClient
	deliveries atomic.Int64 // under way: a WaitGroup would not allow one to begin while others are awaited

	mutex      sync.Mutex
	events     []receivedEvent      // in Stripe's order
	receivedAt map[string]time.Time // from Stripe, by event id
	answeredAt map[string]time.Time // by a replica with 200, by event id
	answered   map[string]time.Time // the same by Stripe's clock
	held       map[int][][]byte     // by the round in which they are delivered
	holding    bool                 // hold every event until the end
	faultsOver bool                 // deliver every event at once
}

// afterLastRound is a round that is never played.
const afterLastRound = 1 << 30

type receivedEvent struct {
	customerID string
	payload    []byte
}

func newWebhookProxy(ctx context.Context, e *environment) *webhookProxy {
	client := &webhookClient{client: e.client, replicas: func() []*replicaProcess { return e.replicas }}
	return &webhookProxy{ctx: ctx, env: e, client: client, receivedAt: map[string]time.Time{}, answeredAt: map[string]time.Time{}, answered: map[string]time.Time{}, held: map[int][][]byte{}}
}

// ServeHTTP receives an event from Stripe and always responds with 200: retries are the proxy's
// own.
func (p *webhookProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.receive(payload)
}

// receive decides what happens to an event. The decision depends only on the batch's seed, the
// event's id and the round.
func (p *webhookProxy) receive(payload []byte) {
	e := parseEvent(payload)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if _, known := p.receivedAt[e.ID]; known {
		return // a retry of the local Stripe
	}
	p.receivedAt[e.ID] = time.Now()
	p.events = append(p.events, receivedEvent{e.customerID(), payload})
	random := rand.New(rand.NewPCG(p.env.seed, hash(e.ID)))
	if random.Float64() < 0.05 && !p.faultsOver {
		p.sendNegativeCase(payload, random)
	}
	if p.isDeadLetter(e, random.Float64()) {
		p.storeDeadLetter(e, payload)
		return
	}
	if random.Float64() < 0.03 {
		p.count("another API version")
		payload = toOtherVersion(payload)
	}
	roll := random.Float64()
	switch {
	case p.faultsOver:
		p.deliver(payload, 0)
	case p.holding:
		p.hold(payload, afterLastRound)
	default:
		p.injectFault(payload, roll, random)
	}
}

// injectFault delivers an event with the fault that was rolled, or without one.
func (p *webhookProxy) injectFault(payload []byte, roll float64, random *rand.Rand) {
	switch {
	case roll < 0.10 && p.env.losesEvents():
		p.count("lost")
	case roll < 0.20:
		p.count("duplicated")
		p.deliver(payload, 0)
		p.deliver(payload, time.Duration(random.IntN(300))*time.Millisecond)
	case roll < 0.32 && p.env.round.Load() < rounds:
		p.hold(payload, int(p.env.round.Load())+1+random.IntN(2))
	case roll < 0.60:
		p.count("reordered")
		p.deliver(payload, time.Duration(random.IntN(400))*time.Millisecond)
	default:
		p.deliver(payload, 0)
	}
}

func (p *webhookProxy) count(fault string) { p.env.results.countFault("webhooks: "+fault, 1) }

// hold keeps an event until a later round.
func (p *webhookProxy) hold(payload []byte, round int) {
	p.count("delayed by days")
	p.held[round] = append(p.held[round], payload)
}

// start begins a delivery.
func (p *webhookProxy) start(delivery func()) {
	p.deliveries.Add(1)
	go func() {
		defer p.deliveries.Add(-1)
		delivery()
	}()
}

// delivered reports whether Stripe has sent all its events and no delivery is under way.
func (p *webhookProxy) delivered() bool {
	return p.env.stripe.PendingDeliveries() == 0 && p.deliveries.Load() == 0
}

// deliver delivers an event after a delay, and retries sooner than Stripe would.
func (p *webhookProxy) deliver(payload []byte, delay time.Duration) {
	p.start(func() {
		time.Sleep(delay)
		for retries := 0; p.ctx.Err() == nil; retries++ {
			if p.client.deliver(p.ctx, payload, p.env.sign(payload)) == http.StatusOK {
				p.recordAnswer(payload)
				return
			}
			time.Sleep(time.Duration(min(retries+1, 10)) * 20 * time.Millisecond)
		}
	})
}

// recordAnswer records when a replica has stored an event.
func (p *webhookProxy) recordAnswer(payload []byte) {
	id := parseEvent(payload).ID
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.answeredAt[id].IsZero() {
		p.answeredAt[id], p.answered[id] = time.Now(), p.env.stripe.Now()
	}
}

// processingTime is how long a replica may take to process an event that it has stored.
const processingTime = 15 * time.Second

// acknowledgedBefore reports whether Usher has processed one event before Stripe sent another, and
// before it fixed what that other one is about, by Stripe's clock.
func (p *webhookProxy) acknowledgedBefore(id, otherID string, fixed time.Time) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	answered := p.answeredAt[id]
	return !answered.IsZero() && answered.Add(processingTime).Before(p.receivedAt[otherID]) && p.answered[id].Add(processingTime).Before(fixed)
}

// deliverHeld delivers the events that were held until a round.
func (p *webhookProxy) deliverHeld(round int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for until, payloads := range p.held {
		if until > round {
			continue
		}
		for _, payload := range payloads {
			p.deliver(payload, 0)
		}
		delete(p.held, until)
	}
}

// holdAll starts or stops holding every event until the end.
func (p *webhookProxy) holdAll(holding bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.holding = holding
}

// flush stops the faults, delivers all events that are held and waits for all deliveries.
func (p *webhookProxy) flush(ctx context.Context) error {
	p.mutex.Lock()
	p.faultsOver = true
	p.mutex.Unlock()
	p.deliverHeld(afterLastRound)
	return waitUntil(ctx, "the held webhooks to be delivered", p.delivered)
}

// receivedCount returns how many events Stripe has sent.
func (p *webhookProxy) receivedCount() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.receivedAt)
}

// received returns all events that Stripe has sent, in its order.
func (p *webhookProxy) received() []receivedEvent {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.events
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, s)
	return h.Sum64()
}
