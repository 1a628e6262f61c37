package stripelocal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"usher/stripelocal/wire"
)

const (
	deliveryTimeout    = 10 * time.Second
	retainedDeliveries = 5000 // completed ones, for /_usher/deliveries
)

// webhookDispatcher delivers events to endpoints in the background: one at a time per endpoint,
// with retries in between. It uses real time, independent of the account's clock, because receivers
// compare signature timestamps with theirs.
type webhookDispatcher struct {
	server  *Server
	client  *http.Client
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	// Guarded by the server's lock.
	queues   map[string]*endpointQueue
	closing  bool
	finished []string
}

// endpointQueue is the deliveries of one endpoint.
type endpointQueue struct {
	due   []*Delivery
	retry []*Delivery // ordered by NextAttemptAt
	wake  chan struct{}
}

func newWebhookDispatcher(s *Server) *webhookDispatcher {
	c := &webhookDispatcher{server: s, queues: map[string]*endpointQueue{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.client = &http.Client{
		Timeout: deliveryTimeout,
		// A redirect is a failed delivery (docs: webhooks).
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// enqueue queues a delivery. The caller holds the server's lock.
func (c *webhookDispatcher) enqueue(d *Delivery) {
	queue := c.queues[d.Endpoint]
	if queue == nil {
		queue = &endpointQueue{wake: make(chan struct{}, 1)}
		c.queues[d.Endpoint] = queue
		c.running.Add(1)
		go c.run(queue)
	}
	queue.due = append(queue.due, d)
	queue.wakeUp()
}

func (q *endpointQueue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// resume queues the pending deliveries of the loaded state. The caller holds the server's lock.
func (c *webhookDispatcher) resume() {
	for _, d := range c.server.store.Deliveries.all {
		if d.Status == "pending" {
			c.enqueue(d)
		} else {
			c.finished = append(c.finished, d.ID)
		}
	}
}

func (c *webhookDispatcher) run(queue *endpointQueue) {
	defer c.running.Done()
	for {
		d, wait, more := c.next(queue)
		switch {
		case d != nil:
			c.attempt(queue, d)
		case !more:
			return
		default:
			queue.wait(c.ctx, wait)
		}
	}
}

// next returns the delivery to attempt now, or the time to wait. After close, the last result is
// false once nothing is due.
func (c *webhookDispatcher) next(queue *endpointQueue) (*Delivery, time.Duration, bool) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	wait := time.Hour
	if len(queue.retry) > 0 {
		wait = time.Until(time.UnixMilli(queue.retry[0].NextAttemptAt))
	}
	switch {
	case c.ctx.Err() != nil:
		return nil, 0, false
	case wait <= 0:
		return popFirst(&queue.retry), 0, true
	case len(queue.due) > 0:
		return popFirst(&queue.due), 0, true
	}
	return nil, wait, !c.closing
}

func popFirst(queue *[]*Delivery) *Delivery {
	d := (*queue)[0]
	*queue = (*queue)[1:]
	return d
}

func (q *endpointQueue) wait(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-q.wake:
	case <-t.C:
	}
}

func (c *webhookDispatcher) attempt(queue *endpointQueue, d *Delivery) {
	fault, wrong := c.nextFault(d)
	switch {
	case wrong && fault.Kind == DuplicateDelivery:
		c.deliver(d)
	case wrong:
		c.applyFault(queue, d, fault)
		return
	}
	status, problem := c.deliver(d)
	c.recordAttempt(queue, d, status, problem)
}

func (c *webhookDispatcher) deliver(d *Delivery) (int, string) {
	req, err := c.buildRequest(d)
	if err != nil {
		return 0, err.Error()
	}
	return c.send(req)
}

// buildRequest builds the signed request of one attempt.
func (c *webhookDispatcher) buildRequest(d *Delivery) (*http.Request, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	w, ok := c.server.store.WebhookEndpoints.get(d.Endpoint)
	if !ok || w.Disabled {
		d.Attempts = maxAttempts
		return nil, fmt.Errorf("the endpoint is gone or disabled")
	}
	e, ok := c.server.store.Events.get(d.Event)
	if !ok {
		d.Attempts = maxAttempts
		return nil, fmt.Errorf("the event is too old")
	}
	body := wire.Encode(renderEvent(e, w.apiVersion()))
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	req.Header.Set("Stripe-Signature", signatureHeader(body, w.Secrets, time.Now()))
	return req, nil
}

func (c *webhookDispatcher) send(req *http.Request) (int, string) {
	res, err := c.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxBodyBytes))
	if res.StatusCode/100 != 2 {
		return res.StatusCode, "answered " + res.Status
	}
	return res.StatusCode, ""
}

func (c *webhookDispatcher) recordAttempt(queue *endpointQueue, d *Delivery, status int, problem string) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	d.recordAttempt(status, problem, time.Now())
	if d.Status == "pending" {
		queue.scheduleRetry(d)
	} else {
		c.finish(d)
	}
	c.server.stateWriter.markDirty()
}

// scheduleRetry inserts a delivery into the retries, which are ordered by time.
func (q *endpointQueue) scheduleRetry(d *Delivery) {
	at, _ := slices.BinarySearchFunc(q.retry, d.NextAttemptAt, func(x *Delivery, at int64) int { return int(x.NextAttemptAt - at) })
	q.retry = slices.Insert(q.retry, at, d)
}

func (c *webhookDispatcher) finish(d *Delivery) {
	if e, ok := c.server.store.Events.get(d.Event); ok {
		e.PendingWebhooks--
	}
	c.finished = append(c.finished, d.ID)
	if len(c.finished) > retainedDeliveries {
		c.server.store.Deliveries.remove(c.finished[0])
		c.finished = c.finished[1:]
	}
}

// close attempts all due deliveries and stops. ctx limits how long that may take.
func (c *webhookDispatcher) close(ctx context.Context) error {
	c.server.mu.Lock()
	c.closing = true
	for _, queue := range c.queues {
		queue.wakeUp()
	}
	c.server.mu.Unlock()
	done := make(chan struct{})
	go func() { c.running.Wait(); close(done) }()
	select {
	case <-done:
		c.cancel()
		return nil
	case <-ctx.Done():
		c.cancel()
		<-done
		return fmt.Errorf("drain webhooks: %w", ctx.Err())
	}
}

// waitForFirstAttempts waits until each delivery was attempted once.
func waitForFirstAttempts(ctx context.Context, deliveries []*Delivery) {
	for _, d := range deliveries {
		if d.firstAttempt == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-d.firstAttempt:
		}
	}
}
