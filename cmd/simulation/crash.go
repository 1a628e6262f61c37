package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"syscall"

	"usher/billing"
	"usher/db"
)

// The named points at which a replica may end.
const (
	pointTxBegin    = "transaction begins"
	pointTxWritten  = "written, not committed"
	pointTxDone     = "committed, not answered"
	pointCallBefore = "before a call of Stripe"
	pointCallAfter  = "after a call of Stripe, answer not read"
)

// crash is a simulated one: the work at hand ends there, nothing after it is done.
type crash struct{ point string }

// canCrash marks work whose caller survives a simulated crash.
type canCrash struct{}

// crashes decides at each named point whether the replica ends there.
type crashes struct {
	mutex  sync.Mutex
	random *rand.Rand
	chance float64 // of a simulated one
	killAt int     // the point at which the process is killed; 0: none
	passed int
	counts map[string]int
}

func newCrashes(seed uint64, chance float64, killAt int) *crashes {
	return &crashes{random: rand.New(rand.NewPCG(seed, 7)), chance: chance, killAt: killAt, counts: map[string]int{}}
}

func (c *crashes) at(ctx context.Context, point string) {
	c.mutex.Lock()
	c.passed++
	kill := c.killAt > 0 && c.passed == c.killAt
	simulate := !kill && ctx.Value(canCrash{}) != nil && c.random.Float64() < c.chance
	if simulate {
		c.counts[point]++
	}
	c.mutex.Unlock()
	if kill {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	}
	if simulate {
		panic(crash{point})
	}
}

func (c *crashes) calm() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.chance, c.killAt = 0, 0
}

func (c *crashes) taken() map[string]int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	taken := c.counts
	c.counts = map[string]int{}
	return taken
}

// crashingStore ends at the borders of transactions.
type crashingStore struct {
	*db.Store
	crashes *crashes
}

func (s crashingStore) InTx(ctx context.Context, f func(billing.Queries) error) error {
	s.crashes.at(ctx, pointTxBegin)
	err := s.Store.InTx(ctx, func(q billing.Queries) error {
		if err := f(q); err != nil {
			return err
		}
		s.crashes.at(ctx, pointTxWritten)
		return nil
	})
	if err == nil {
		s.crashes.at(ctx, pointTxDone)
	}
	return err
}

// crashingGateway ends around the calls that change something at Stripe, and around the questions.
type crashingGateway struct {
	billing.Gateway
	crashes *crashes
}

func around[T any](ctx context.Context, c *crashes, call func() (T, error)) (T, error) {
	c.at(ctx, pointCallBefore)
	answer, err := call()
	c.at(ctx, pointCallAfter)
	return answer, err
}

func (g crashingGateway) CreateCustomer(ctx context.Context, link billing.CustomerLink) (string, error) {
	return around(ctx, g.crashes, func() (string, error) { return g.Gateway.CreateCustomer(ctx, link) })
}

func (g crashingGateway) CreateCheckout(ctx context.Context, session billing.CheckoutSession) (billing.StripeCheckout, error) {
	return around(ctx, g.crashes, func() (billing.StripeCheckout, error) { return g.Gateway.CreateCheckout(ctx, session) })
}

func (g crashingGateway) Checkout(ctx context.Context, id string) (billing.StripeCheckout, error) {
	return around(ctx, g.crashes, func() (billing.StripeCheckout, error) { return g.Gateway.Checkout(ctx, id) })
}

func (g crashingGateway) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	return around(ctx, g.crashes, func() (billing.Subscription, error) { return g.Gateway.Subscription(ctx, id) })
}

func (g crashingGateway) Invoice(ctx context.Context, id string) (billing.Invoice, error) {
	return around(ctx, g.crashes, func() (billing.Invoice, error) { return g.Gateway.Invoice(ctx, id) })
}

func (g crashingGateway) Charge(ctx context.Context, id string) (billing.Payment, error) {
	return around(ctx, g.crashes, func() (billing.Payment, error) { return g.Gateway.Charge(ctx, id) })
}

func (g crashingGateway) SetSeats(ctx context.Context, update billing.SeatUpdate) (billing.SubscriptionAnswer, error) {
	return around(ctx, g.crashes, func() (billing.SubscriptionAnswer, error) { return g.Gateway.SetSeats(ctx, update) })
}
