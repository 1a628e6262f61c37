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

// deliveries creates and shows webhook deliveries.
type deliveries struct{ *request }

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

// deliveryView is one delivery as /_usher/deliveries shows it.
type deliveryView struct {
	ID         string `json:"id"`
	Event      string `json:"event"`
	Type       string `json:"type"`
	URL        string `json:"url"`
	Attempts   int    `json:"attempts"`
	Status     string `json:"status"`
	LastStatus int    `json:"last_status"`
	LastError  string `json:"last_error"`
	NextAt     string `json:"next_at"` // RFC 3339, empty where none is to come
}

func (h deliveries) view(d *Delivery) deliveryView {
	view := deliveryView{
		ID: d.ID, Event: d.Event, Attempts: d.Attempts, Status: d.Status, LastStatus: d.LastStatus, LastError: d.LastError,
	}
	if e, ok := h.state.Events.get(d.Event); ok {
		view.Type = e.Type
	}
	if w, ok := h.state.Endpoints.get(d.Endpoint); ok {
		view.URL = w.URL
	}
	if d.Status == "pending" && d.NextAt != 0 {
		view.NextAt = time.UnixMilli(d.NextAt).UTC().Format(time.RFC3339Nano)
	}
	return view
}
