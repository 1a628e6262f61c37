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
	gone  bool // the endpoint was removed by a reset
}

func newWebhookDispatcher(s *Server) *webhookDispatcher {
	wd := &webhookDispatcher{server: s, queues: map[string]*endpointQueue{}}
	wd.ctx, wd.cancel = context.WithCancel(context.Background())
	wd.client = &http.Client{
		Timeout: deliveryTimeout,
		// A redirect is a failed delivery (docs: webhooks).
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return wd
}

// enqueue queues a delivery. The caller holds the server's lock.
func (wd *webhookDispatcher) enqueue(d *Delivery) {
	queue := wd.queues[d.Endpoint]
	if queue == nil {
		queue = &endpointQueue{wake: make(chan struct{}, 1)}
		wd.queues[d.Endpoint] = queue
		wd.running.Add(1)
		go wd.run(queue)
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
func (wd *webhookDispatcher) resume() {
	for _, d := range wd.server.store.Deliveries.all {
		if d.Status == "pending" {
			wd.enqueue(d)
		} else {
			wd.finished = append(wd.finished, d.ID)
		}
	}
}

func (wd *webhookDispatcher) run(queue *endpointQueue) {
	defer wd.running.Done()
	for {
		d, wait, more := wd.next(queue)
		switch {
		case d != nil:
			wd.attempt(queue, d)
		case !more:
			return
		default:
			queue.wait(wd.ctx, wait)
		}
	}
}

// next returns the delivery to attempt now, or the time to wait. After close, the last result is
// false once nothing is due.
func (wd *webhookDispatcher) next(queue *endpointQueue) (*Delivery, time.Duration, bool) {
	wd.server.mu.Lock()
	defer wd.server.mu.Unlock()
	wait := time.Hour
	if len(queue.retry) > 0 {
		wait = time.Until(time.UnixMilli(queue.retry[0].NextAttemptAt))
	}
	switch {
	case wd.ctx.Err() != nil || queue.gone:
		return nil, 0, false
	case wait <= 0:
		return popFirst(&queue.retry), 0, true
	case len(queue.due) > 0:
		return popFirst(&queue.due), 0, true
	}
	return nil, wait, !wd.closing
}

func popFirst[T any](queue *[]T) T {
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

func (wd *webhookDispatcher) attempt(queue *endpointQueue, d *Delivery) {
	fault, wrong := wd.nextFault(d)
	switch {
	case wrong && fault.Kind == DuplicateDelivery:
		wd.deliver(d)
	case wrong:
		wd.applyFault(queue, d, fault)
		return
	}
	status, problem := wd.deliver(d)
	wd.recordAttempt(queue, d, status, problem)
}

func (wd *webhookDispatcher) deliver(d *Delivery) (int, string) {
	req, err := wd.buildRequest(d)
	if err != nil {
		return 0, err.Error()
	}
	return wd.send(req)
}

// buildRequest builds the signed request of one attempt.
func (wd *webhookDispatcher) buildRequest(d *Delivery) (*http.Request, error) {
	wd.server.mu.Lock()
	defer wd.server.mu.Unlock()
	w, ok := wd.server.store.WebhookEndpoints.get(d.Endpoint)
	if !ok || w.Disabled {
		d.Attempts = maxAttempts
		return nil, fmt.Errorf("the endpoint is gone or disabled")
	}
	e, ok := wd.server.store.Events.get(d.Event)
	if !ok {
		d.Attempts = maxAttempts
		return nil, fmt.Errorf("the event is too old")
	}
	r := wd.server.newRequest(wd.server.clock(), requestInfo{})
	body := wire.Encode(r.renderEvent(e, w.apiVersion()))
	req, err := http.NewRequestWithContext(wd.ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	req.Header.Set("Stripe-Signature", signatureHeader(body, w.Secrets, time.Now()))
	return req, nil
}

func (wd *webhookDispatcher) send(req *http.Request) (int, string) {
	res, err := wd.client.Do(req)
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

func (wd *webhookDispatcher) recordAttempt(queue *endpointQueue, d *Delivery, status int, problem string) {
	wd.server.mu.Lock()
	defer wd.server.mu.Unlock()
	d.recordAttempt(status, problem, time.Now())
	if d.Status == "pending" {
		queue.scheduleRetry(d)
	} else {
		wd.finish(d)
	}
	wd.server.stateWriter.markDirty()
}

// scheduleRetry inserts a delivery into the retries, which are ordered by time.
func (q *endpointQueue) scheduleRetry(d *Delivery) {
	at, _ := slices.BinarySearchFunc(q.retry, d.NextAttemptAt, func(x *Delivery, at int64) int { return int(x.NextAttemptAt - at) })
	q.retry = slices.Insert(q.retry, at, d)
}

func (wd *webhookDispatcher) finish(d *Delivery) {
	if e, ok := wd.server.store.Events.get(d.Event); ok {
		e.PendingWebhooks--
		wd.server.recordInvoiceDelivery(e)
	}
	wd.finished = append(wd.finished, d.ID)
	if len(wd.finished) > retainedDeliveries {
		wd.server.store.Deliveries.remove(wd.finished[0])
		wd.finished = wd.finished[1:]
	}
}

// close attempts all due deliveries and stops. ctx limits how long that may take.
func (wd *webhookDispatcher) close(ctx context.Context) error {
	wd.server.mu.Lock()
	wd.closing = true
	for _, queue := range wd.queues {
		queue.wakeUp()
	}
	wd.server.mu.Unlock()
	done := make(chan struct{})
	go func() { wd.running.Wait(); close(done) }()
	select {
	case <-done:
		wd.cancel()
		return nil
	case <-ctx.Done():
		wd.cancel()
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
