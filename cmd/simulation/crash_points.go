package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"

	"usher/billing"
	"usher/db"
)

// The points at which a replica may crash.
const (
	pointTxBegin    = "before a transaction"
	pointTxWritten  = "before the commit"
	pointTxDone     = "after the commit"
	pointCallBefore = "before a call to Stripe"
	pointCallAfter  = "after a call to Stripe"
)

// eventsTogether counts the events that were stored in batches.
const eventsTogether = "stored together"

// crashChance is the probability of a simulated crash at each point.
const crashChance = 0.01

// crash is the panic value of a simulated crash. The current operation, job or request ends there;
// the process continues.
type crash struct{ point string }

// crashesKey marks a context whose work can crash, because its caller recovers.
type crashesKey struct{}

// withCrashes allows simulated crashes.
func withCrashes(ctx context.Context) context.Context {
	return context.WithValue(ctx, crashesKey{}, true)
}

// recoverCrash must be deferred. It turns a simulated crash into an error.
func recoverCrash(err *error) {
	switch panicked := recover().(type) {
	case nil:
	case crash:
		*err = fmt.Errorf("crashed %s", panicked.point)
	default:
		panic(panicked)
	}
}

// crashes decides at each point whether the replica crashes.
type crashes struct {
	mutex  sync.Mutex
	random *rand.Rand
	chance float64 // of a simulated crash
	killAt int     // the number of the point at which the process is killed; 0: never
	passed int     // points so far
	counts map[string]int
}

func newCrashes(seed uint64, chance float64, killAt int) *crashes {
	return &crashes{random: rand.New(rand.NewPCG(seed, 7)), chance: chance, killAt: killAt, counts: map[string]int{}}
}

// at passes a point: it returns, panics with a [crash], or kills the process.
func (c *crashes) at(ctx context.Context, point string) {
	kill, simulate := c.pass(ctx, point)
	if kill {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	}
	if simulate {
		panic(crash{point})
	}
}

func (c *crashes) pass(ctx context.Context, point string) (kill, simulate bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.passed++
	kill = c.killAt > 0 && c.passed == c.killAt
	simulate = !kill && ctx.Value(crashesKey{}) != nil && c.random.Float64() < c.chance
	if simulate {
		c.counts[point]++
	}
	return kill, simulate
}

// count counts what is no crash, to be reported with them.
func (c *crashes) count(what string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.counts[what]++
}

// stop stops all crashes and returns how often each point crashed since the last call.
func (c *crashes) stop() map[string]int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.chance, c.killAt = 0, 0
	counts := c.counts
	c.counts = map[string]int{}
	return counts
}

// crashingStore may crash before and after transactions. It does not embed the whole store: a
// method that runs transactions must not bypass the crash points.
type crashingStore struct {
	billing.Tx
	store   *db.Store
	crashes *crashes
}

// InTx implements [billing.Store].
func (s crashingStore) InTx(ctx context.Context, f func(billing.Tx) error) error {
	return s.InTxRecording(ctx, nil, f)
}

// InTxRecording implements [billing.Store].
func (s crashingStore) InTxRecording(ctx context.Context, changes *billing.ChangeLog, f func(billing.Tx) error) error {
	s.crashes.at(ctx, pointTxBegin)
	err := s.store.InTxRecording(ctx, changes, func(tx billing.Tx) error {
		if err := f(tx); err != nil {
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

// InBatch implements [billing.Store].
func (s crashingStore) InBatch(
	ctx context.Context, acct billing.StripeAccount, events []billing.Event,
	decide func(context.Context, billing.Tx, billing.Event) (billing.StoredEvent, error),
) ([]bool, error) {
	s.crashes.at(ctx, pointTxBegin)
	stored, err := s.store.InBatch(ctx, acct, events, func(ctx context.Context, tx billing.Tx, e billing.Event) (billing.StoredEvent, error) {
		row, err := decide(ctx, tx, e)
		if err == nil {
			s.crashes.at(ctx, pointTxWritten)
		}
		return row, err
	})
	for _, ok := range stored {
		if ok {
			s.crashes.count(eventsTogether)
		}
	}
	if err == nil {
		s.crashes.at(ctx, pointTxDone)
	}
	return stored, err
}

// crashingGateway may crash before and after the calls to Stripe that billing state depends on.
type crashingGateway struct {
	billing.Gateway
	crashes *crashes
}

func around[T any](ctx context.Context, c *crashes, call func() (T, error)) (T, error) {
	c.at(ctx, pointCallBefore)
	result, err := call()
	c.at(ctx, pointCallAfter)
	return result, err
}

func (g crashingGateway) CreateCustomer(ctx context.Context, link billing.CustomerLink) (string, error) {
	return around(ctx, g.crashes, func() (string, error) { return g.Gateway.CreateCustomer(ctx, link) })
}

func (g crashingGateway) CreateCheckoutSession(ctx context.Context, session billing.CheckoutSession) (billing.StripeCheckoutSession, error) {
	return around(ctx, g.crashes, func() (billing.StripeCheckoutSession, error) { return g.Gateway.CreateCheckoutSession(ctx, session) })
}

func (g crashingGateway) PromotionCodes(ctx context.Context, code string) ([]billing.PromotionCode, error) {
	return around(ctx, g.crashes, func() ([]billing.PromotionCode, error) { return g.Gateway.PromotionCodes(ctx, code) })
}

func (g crashingGateway) CheckoutSession(ctx context.Context, id string) (billing.StripeCheckoutSession, error) {
	return around(ctx, g.crashes, func() (billing.StripeCheckoutSession, error) { return g.Gateway.CheckoutSession(ctx, id) })
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

func (g crashingGateway) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	return around(ctx, g.crashes, func() (billing.UpdatedSubscription, error) { return g.Gateway.UpdateQuantity(ctx, update) })
}

// PreviewQuantity is called in goroutines of its caller, who does not recover there: a crash only
// ends the call.
func (g crashingGateway) PreviewQuantity(ctx context.Context, update billing.QuantityUpdate) (preview billing.InvoicePreview, err error) {
	defer recoverCrash(&err)
	return around(ctx, g.crashes, func() (billing.InvoicePreview, error) { return g.Gateway.PreviewQuantity(ctx, update) })
}

func (g crashingGateway) PendingProrations(ctx context.Context, customerID, subscriptionID string) ([]billing.PreviewLine, error) {
	return around(ctx, g.crashes, func() ([]billing.PreviewLine, error) {
		return g.Gateway.PendingProrations(ctx, customerID, subscriptionID)
	})
}

func (g crashingGateway) CancelInvoicing(ctx context.Context, id string) error {
	_, err := around(ctx, g.crashes, func() (struct{}, error) { return struct{}{}, g.Gateway.CancelInvoicing(ctx, id) })
	return err
}

func (g crashingGateway) CancelAtPeriodEnd(ctx context.Context, id string, details billing.CancellationDetails) (billing.UpdatedSubscription, error) {
	return around(ctx, g.crashes, func() (billing.UpdatedSubscription, error) { return g.Gateway.CancelAtPeriodEnd(ctx, id, details) })
}

func (g crashingGateway) Resume(ctx context.Context, ending billing.Subscription) (billing.UpdatedSubscription, error) {
	return around(ctx, g.crashes, func() (billing.UpdatedSubscription, error) { return g.Gateway.Resume(ctx, ending) })
}

func (g crashingGateway) ChangePlan(ctx context.Context, update billing.PlanUpdate) (billing.UpdatedSubscription, error) {
	return around(ctx, g.crashes, func() (billing.UpdatedSubscription, error) { return g.Gateway.ChangePlan(ctx, update) })
}

func (g crashingGateway) SchedulePlan(ctx context.Context, plan billing.PlanSchedule) (string, error) {
	return around(ctx, g.crashes, func() (string, error) { return g.Gateway.SchedulePlan(ctx, plan) })
}

func (g crashingGateway) ResumePaused(ctx context.Context, paused billing.Subscription) error {
	_, err := around(ctx, g.crashes, func() (struct{}, error) { return struct{}{}, g.Gateway.ResumePaused(ctx, paused) })
	return err
}

func (g crashingGateway) PayInvoice(ctx context.Context, request billing.PayRequest) (billing.PaidInvoice, error) {
	return around(ctx, g.crashes, func() (billing.PaidInvoice, error) { return g.Gateway.PayInvoice(ctx, request) })
}

func (g crashingGateway) ReleaseSchedule(ctx context.Context, id string) error {
	_, err := around(ctx, g.crashes, func() (struct{}, error) { return struct{}{}, g.Gateway.ReleaseSchedule(ctx, id) })
	return err
}

func (g crashingGateway) UpcomingInvoice(ctx context.Context, id string) (billing.InvoicePreview, error) {
	return around(ctx, g.crashes, func() (billing.InvoicePreview, error) { return g.Gateway.UpcomingInvoice(ctx, id) })
}
