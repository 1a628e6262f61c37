package stripegw

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// call makes one API call, or reads all pages of a list, and returns what is known about its
// requests and responses. Errors contain an [apperr.StripeError], wrapped with the operation.
//
// stripe-go sleeps between retries without observing the context. The call therefore runs in its
// own goroutine, which is abandoned when the context ends: a page must not wait for that sleep.
func call[T any](ctx context.Context, operation string, f func(context.Context) (T, error)) (T, callInfo, error) {
	type result struct {
		value T
		info  callInfo
		err   error
	}
	ctx, span := startSpan(ctx, operation)
	done := make(chan result, 1)
	go func() {
		info := callInfo{operation: operation}
		value, err := f(context.WithValue(ctx, callInfoKey{}, &info))
		done <- result{value, info, err}
	}()

	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	endSpan(span, r.info, r.err)
	if r.err != nil {
		return r.value, r.info, fmt.Errorf("%s: %w", operation, toStripeError(r.err, r.info))
	}
	return r.value, r.info, nil
}

// callInfo is what was observed of the requests and responses of one call.
type callInfo struct {
	operation string
	attempts  int
	// maybeExecuted: an attempt before the last may have been executed, since it got no response or
	// one that stripe-go retried.
	maybeExecuted bool
	status        int // of the last response; 0 without one
	requestID     string
	replayed      bool // the last response had the header Idempotent-Replayed
	noDate        bool // a successful response had no valid Date header
	// asOf is the earliest time, by Stripe's clock, at which the successful responses (the pages of
	// a list) were current.
	asOf time.Time
}

// snapshotTime returns the AsOf of a snapshot read by this call: zero for a replayed response,
// which is outdated, and an error without a Date header.
func (i callInfo) snapshotTime() (time.Time, error) {
	if i.replayed {
		return time.Time{}, nil
	}
	if i.noDate || i.asOf.IsZero() {
		return time.Time{}, invalidResponse(i, "the response has no valid Date header")
	}
	return i.asOf, nil
}

type callInfoKey struct{}

// recordingTransport records requests and responses in the callInfo of the request's context. It is
// below stripe-go's retries, so that earlier attempts and the sleep after them do not count as
// duration of the last response.
type recordingTransport struct {
	next    http.RoundTripper
	observe func(Attempt) // called after each request; may be nil
}

// Attempt is one request to Stripe. A call makes several if stripe-go retries.
type Attempt struct {
	Operation string        // what the call does, such as "list events"
	Status    int           // of the response; 0: none came
	Took      time.Duration // from the last transmission to the header of the response
}

// RoundTrip measures the time from the last transmission of the request to the response header.
func (t recordingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	info, ok := r.Context().Value(callInfoKey{}).(*callInfo)
	if !ok {
		return t.next.RoundTrip(r)
	}
	s := &sendCounter{last: time.Now()}
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { s.add() }}
	response, err := t.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	count, took := s.read()
	info.record(response, err, count, took)
	if t.observe != nil {
		t.observe(Attempt{Operation: info.operation, Status: info.status, Took: took})
	}
	return response, err
}

// sendCounter counts the transmissions of one round trip: net/http resends a request with an
// Idempotency-Key if an idle connection turns out to be closed.
type sendCounter struct {
	mutex sync.Mutex // trace hooks may run in other goroutines
	count int
	last  time.Time
}

func (s *sendCounter) add() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.count++
	s.last = time.Now()
}

func (s *sendCounter) read() (count int, sinceLast time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.count, time.Since(s.last)
}

// record records one round trip of stripe-go.
func (i *callInfo) record(response *http.Response, err error, transmissions int, took time.Duration) {
	if i.attempts++; transmissions > 1 || i.attempts > 1 && !conflictOrLimit(i.status) {
		i.maybeExecuted = true
	}
	i.status, i.requestID, i.replayed = 0, "", false
	if err != nil {
		return
	}
	i.status = response.StatusCode
	i.requestID = response.Header.Get("Request-Id")
	i.replayed = response.Header.Get("Idempotent-Replayed") == "true"
	if response.StatusCode < http.StatusBadRequest {
		i.recordDate(response.Header.Get("Date"), took)
	}
}

func (i *callInfo) recordDate(date string, took time.Duration) {
	at, err := http.ParseTime(date)
	if err != nil {
		i.noDate = true
		return
	}
	if asOf := at.UTC().Add(-took); i.asOf.IsZero() || asOf.Before(i.asOf) {
		i.asOf = asOf
	}
}
