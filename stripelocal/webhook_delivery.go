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
	maxAttempts   = 12
	minRetryDelay = time.Second
	maxRetryDelay = time.Minute
)

// Delivery is the delivery of one event to one endpoint. Status is pending, succeeded or failed.
type Delivery struct {
	Base
	Event         string
	Endpoint      string
	Attempts      int
	Status        string
	NextAttemptAt int64 // real time, unix milliseconds
	LastStatus    int   // HTTP status of the last attempt; 0 if there was no response
	LastError     string

	firstAttempt     chan struct{} // closed after the first attempt
	firstAttemptDone bool          // firstAttempt is closed
	faultApplied     bool          // a fault has postponed it
}

// deliveries creates and shows webhook deliveries.
type deliveries struct{ *request }

func (h deliveries) create(e *Event, w *WebhookEndpoint) *Delivery {
	d := &Delivery{
		Base: Base{ID: h.ids.longID("dlv_1"), Created: h.now}, Event: e.ID, Endpoint: w.ID,
		Status: "pending", firstAttempt: make(chan struct{}),
	}
	e.PendingWebhooks++
	h.store.Deliveries.insert(d)
	return d
}

// recordAttempt records the result of an attempt. An empty problem is success.
func (d *Delivery) recordAttempt(status int, problem string, now time.Time) {
	d.Attempts++
	d.LastStatus, d.LastError = status, problem
	switch {
	case problem == "":
		d.Status = "succeeded"
	case d.Attempts >= maxAttempts:
		d.Status = "failed"
	default:
		d.NextAttemptAt = now.Add(backoff(d.Attempts)).UnixMilli()
	}
	d.signalFirstAttempt()
}

// signalFirstAttempt releases those waiting for the first attempt.
func (d *Delivery) signalFirstAttempt() {
	if d.firstAttempt != nil && !d.firstAttemptDone {
		d.firstAttemptDone = true
		close(d.firstAttempt)
	}
}

// backoff doubles from one second to one minute.
func backoff(attempts int) time.Duration {
	return min(maxRetryDelay, minRetryDelay<<min(attempts-1, 10))
}

// signatureHeader is the Stripe-Signature header of a body. Every secret that has not expired signs
// (docs: webhook signatures).
func signatureHeader(body []byte, secrets []Secret, at time.Time) string {
	parts := []string{fmt.Sprintf("t=%d", at.Unix())}
	for _, s := range secrets {
		if s.ExpiresAt != 0 && s.ExpiresAt <= at.Unix() {
			continue
		}
		mac := hmac.New(sha256.New, []byte(s.Value))
		fmt.Fprintf(mac, "%d.", at.Unix())
		mac.Write(body)
		parts = append(parts, "v1="+hex.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(parts, ",")
}

// PendingDeliveries returns how many deliveries of webhooks are neither successful nor given up, so
// that a test can wait until every event has arrived.
func (s *Server) PendingDeliveries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := 0
	for _, d := range s.store.Deliveries.all {
		if d.Status == "pending" {
			pending++
		}
	}
	return pending
}

// deliveryView is a delivery in the response of /_usher/deliveries.
type deliveryView struct {
	ID         string `json:"id"`
	Event      string `json:"event"`
	Type       string `json:"type"`
	URL        string `json:"url"`
	Attempts   int    `json:"attempts"`
	Status     string `json:"status"`
	LastStatus int    `json:"last_status"`
	LastError  string `json:"last_error"`
	NextAt     string `json:"next_at"` // RFC 3339; empty if no attempt is scheduled
}

func (h deliveries) view(d *Delivery) deliveryView {
	view := deliveryView{
		ID: d.ID, Event: d.Event, Attempts: d.Attempts, Status: d.Status, LastStatus: d.LastStatus, LastError: d.LastError,
	}
	if e, ok := h.store.Events.get(d.Event); ok {
		view.Type = e.Type
	}
	if w, ok := h.store.WebhookEndpoints.get(d.Endpoint); ok {
		view.URL = w.URL
	}
	if d.Status == "pending" && d.NextAttemptAt != 0 {
		view.NextAt = time.UnixMilli(d.NextAttemptAt).UTC().Format(time.RFC3339Nano)
	}
	return view
}
