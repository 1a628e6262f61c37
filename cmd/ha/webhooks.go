package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// webhookRecorder passes Stripe's webhooks on to the balancer and records how they are answered.
type webhookRecorder struct {
	target string
	client *http.Client

	mutex        sync.Mutex
	acknowledged map[string]bool // ids of events that were answered with 200
	record       func(ok bool)   // counts a delivery; nil: nothing counts yet
}

func newWebhookRecorder(target string) *webhookRecorder {
	return &webhookRecorder{target: target, client: &http.Client{Timeout: 30 * time.Second}, acknowledged: map[string]bool{}}
}

// ServeHTTP implements [http.Handler].
func (wr *webhookRecorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var event struct{ ID string }
	_ = json.Unmarshal(payload, &event) // of the local Stripe
	status := wr.pass(r, payload)
	wr.mutex.Lock()
	if status == http.StatusOK {
		wr.acknowledged[event.ID] = true
	}
	record := wr.record
	wr.mutex.Unlock()
	if record != nil {
		record(status == http.StatusOK)
	}
	w.WriteHeader(status)
}

// pass sends a webhook on and returns the status; 502 if there was no response.
func (wr *webhookRecorder) pass(r *http.Request, payload []byte) int {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, wr.target, bytes.NewReader(payload))
	if err != nil {
		return http.StatusBadGateway
	}
	for _, name := range []string{"Content-Type", "Stripe-Signature"} {
		request.Header.Set(name, r.Header.Get(name))
	}
	response, err := wr.client.Do(request)
	if err != nil {
		return http.StatusBadGateway
	}
	response.Body.Close()
	return response.StatusCode
}

// countWith counts deliveries from now on.
func (wr *webhookRecorder) countWith(record func(ok bool)) {
	wr.mutex.Lock()
	defer wr.mutex.Unlock()
	wr.record = record
}

// ids returns the events that were acknowledged.
func (wr *webhookRecorder) ids() (ids []string) {
	wr.mutex.Lock()
	defer wr.mutex.Unlock()
	for id := range wr.acknowledged {
		ids = append(ids, id)
	}
	return ids
}
