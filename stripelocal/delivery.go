package stripelocal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

const (
	maxAttempts  = 12
	firstRetry   = time.Second
	longestRetry = time.Minute
)

// Delivery is one event on its way to one endpoint. Status is pending,
// succeeded or failed (given up).
type Delivery struct {
	Base
	Event      string
	Endpoint   string
	Attempts   int
	Status     string
	NextAt     int64 // real time, unix milliseconds
	LastStatus int   // HTTP status of the last attempt, 0 where none came
	LastError  string

	first    chan struct{} // closed after the first attempt
	awaited  bool          // first is closed
	detained bool          // a fault has held it up once
}

func (h deliveries) create(e *Event, w *WebhookEndpoint) *Delivery {
	d := &Delivery{
		Base: Base{ID: h.ids.long("dlv_1"), Created: h.now}, Event: e.ID, Endpoint: w.ID,
		Status: "pending", first: make(chan struct{}),
	}
	e.Pending++
	h.state.Deliveries.insert(d)
	return d
}

// record notes what came of an attempt; an empty problem is success.
func (d *Delivery) record(status int, problem string, now time.Time) {
	d.Attempts++
	d.LastStatus, d.LastError = status, problem
	switch {
	case problem == "":
		d.Status = "succeeded"
	case d.Attempts >= maxAttempts:
		d.Status = "failed"
	default:
		d.NextAt = now.Add(backoff(d.Attempts)).UnixMilli()
	}
	d.release()
}

// release lets go whoever waits for the first attempt.
func (d *Delivery) release() {
	if d.first != nil && !d.awaited {
		d.awaited = true
		close(d.first)
	}
}

// backoff doubles from a second to a minute.
func backoff(attempts int) time.Duration {
	return min(longestRetry, firstRetry<<min(attempts-1, 10))
}

// signature is the Stripe-Signature header for a body sent at a moment: every
// living secret signs (docs: webhook signatures).
func signature(body []byte, secrets []Secret, at time.Time) string {
	parts := []string{fmt.Sprintf("t=%d", at.Unix())}
	for _, s := range secrets {
		if s.Expires != 0 && s.Expires <= at.Unix() {
			continue
		}
		mac := hmac.New(sha256.New, []byte(s.Value))
		fmt.Fprintf(mac, "%d.", at.Unix())
		mac.Write(body)
		parts = append(parts, "v1="+hex.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(parts, ",")
}
