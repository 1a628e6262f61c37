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
	deliveryTimeout = 10 * time.Second
	keptDeliveries  = 5000 // finished ones, for /_usher/deliveries
)

// courier brings events to endpoints in the background: one at a time to each
// endpoint, retries between the others. It works by real time, whatever the
// account's clock says, because receivers hold signatures against theirs.
type courier struct {
	server *Server
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	// The server's lock guards these.
	boxes    map[string]*mailbox
	closing  bool
	finished []string
}

// mailbox is what is owed to one endpoint.
type mailbox struct {
	ready []*Delivery
	retry []*Delivery // by NextAt
	wake  chan struct{}
}

func newCourier(s *Server) *courier {
	c := &courier{server: s, boxes: map[string]*mailbox{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.client = &http.Client{
		Timeout: deliveryTimeout,
		// A redirect is a failed delivery (docs: webhooks).
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// post takes over a delivery. Called under the server's lock.
func (c *courier) post(d *Delivery) {
	box := c.boxes[d.Endpoint]
	if box == nil {
		box = &mailbox{wake: make(chan struct{}, 1)}
		c.boxes[d.Endpoint] = box
		c.work.Add(1)
		go c.serve(box)
	}
	box.ready = append(box.ready, d)
	box.rouse()
}

func (b *mailbox) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// resume takes up what the loaded state still owes. Called under the lock.
func (c *courier) resume() {
	for _, d := range c.server.state.Deliveries.all {
		if d.Status == "pending" {
			c.post(d)
		} else {
			c.finished = append(c.finished, d.ID)
		}
	}
}

func (c *courier) serve(box *mailbox) {
	defer c.work.Done()
	for {
		d, wait, more := c.next(box)
		switch {
		case d != nil:
			c.attempt(box, d)
		case !more:
			return
		default:
			box.sleep(c.ctx, wait)
		}
	}
}

// next is the delivery to attempt now, or how long there is none. After close
// there is no more once nothing is due.
func (c *courier) next(box *mailbox) (*Delivery, time.Duration, bool) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	wait := time.Hour
	if len(box.retry) > 0 {
		wait = time.Until(time.UnixMilli(box.retry[0].NextAt))
	}
	switch {
	case c.ctx.Err() != nil:
		return nil, 0, false
	case wait <= 0:
		return shift(&box.retry), 0, true
	case len(box.ready) > 0:
		return shift(&box.ready), 0, true
	}
	return nil, wait, !c.closing
}

func shift(queue *[]*Delivery) *Delivery {
	d := (*queue)[0]
	*queue = (*queue)[1:]
	return d
}

func (b *mailbox) sleep(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-b.wake:
	case <-t.C:
	}
}

func (c *courier) attempt(box *mailbox, d *Delivery) {
	fault, wrong := c.faultOf(d)
	switch {
	case wrong && fault.Kind == DuplicateDelivery:
		c.deliver(d)
	case wrong:
		c.detain(box, d, fault)
		return
	}
	status, problem := c.deliver(d)
	c.record(box, d, status, problem)
}

func (c *courier) deliver(d *Delivery) (int, string) {
	req, err := c.request(d)
	if err != nil {
		return 0, err.Error()
	}
	return c.send(req)
}

// request is the signed call, made anew for every attempt.
func (c *courier) request(d *Delivery) (*http.Request, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	w, ok := c.server.state.Endpoints.get(d.Endpoint)
	if !ok || w.Disabled {
		d.Attempts = maxAttempts
		return nil, fmt.Errorf("the endpoint is gone or disabled")
	}
	e, ok := c.server.state.Events.get(d.Event)
	if !ok {
		d.Attempts = maxAttempts
		return nil, fmt.Errorf("the event is too old")
	}
	body := wire.Encode(renderEvent(e, w.version()))
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	req.Header.Set("Stripe-Signature", signature(body, w.Secrets, time.Now()))
	return req, nil
}

func (c *courier) send(req *http.Request) (int, string) {
	res, err := c.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody))
	if res.StatusCode/100 != 2 {
		return res.StatusCode, "answered " + res.Status
	}
	return res.StatusCode, ""
}

func (c *courier) record(box *mailbox, d *Delivery, status int, problem string) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	d.record(status, problem, time.Now())
	if d.Status == "pending" {
		box.again(d)
	} else {
		c.finish(d)
	}
	c.server.saver.touch()
}

// again puts a delivery among the retries, soonest first.
func (b *mailbox) again(d *Delivery) {
	at, _ := slices.BinarySearchFunc(b.retry, d.NextAt, func(x *Delivery, at int64) int { return int(x.NextAt - at) })
	b.retry = slices.Insert(b.retry, at, d)
}

func (c *courier) finish(d *Delivery) {
	if e, ok := c.server.state.Events.get(d.Event); ok {
		e.Pending--
	}
	c.finished = append(c.finished, d.ID)
	if len(c.finished) > keptDeliveries {
		c.server.state.Deliveries.remove(c.finished[0])
		c.finished = c.finished[1:]
	}
}

// close attempts what is due and ends; ctx bounds how long that may take.
func (c *courier) close(ctx context.Context) error {
	c.server.mu.Lock()
	c.closing = true
	for _, box := range c.boxes {
		box.rouse()
	}
	c.server.mu.Unlock()
	done := make(chan struct{})
	go func() { c.work.Wait(); close(done) }()
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

// awaitFirst waits until each of the deliveries was attempted once.
func awaitFirst(ctx context.Context, deliveries []*Delivery) {
	for _, d := range deliveries {
		if d.first == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-d.first:
		}
	}
}
