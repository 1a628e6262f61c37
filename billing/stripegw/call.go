package stripegw

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// call makes one call (or one walk over the pages of a list) and tells what is known of its exchange with Stripe. Errors carry a
// *billing.StripeError, wrapped with the operation.
//
// stripe-go sleeps between its tries without looking at the context, so the call runs beside and is left alone when the context ends:
// a page that may wait 3 s for Stripe must not wait for that sleep.
func call[T any](ctx context.Context, operation string, call func(context.Context) (T, error)) (T, callInfo, error) {
	type outcome struct {
		value    T
		exchange callInfo
		err      error
	}
	done := make(chan outcome, 1)
	go func() {
		var x callInfo
		value, err := call(context.WithValue(ctx, callInfoKey{}, &x))
		done <- outcome{value, x, err}
	}()

	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		o.err = ctx.Err()
	}
	if o.err != nil {
		return o.value, o.exchange, fmt.Errorf("%s: %w", operation, toStripeError(o.err, o.exchange))
	}
	return o.value, o.exchange, nil
}

// callInfo is what was seen of the requests and answers behind one call.
type callInfo struct {
	attempts     int
	maybeExecuted     bool // a try before the last may have been carried out: it got no answer, or one that stripe-go took for a reason to repeat
	status    int  // of the last answer; 0 where none came
	requestID string
	replayed  bool      // the last answer was the stored one of an earlier request with the same idempotency key
	noDate   bool      // a good answer carried no readable Date
	asOf    time.Time // when the oldest of the good answers (the pages of a list) was true at the earliest, by Stripe's clock
}

// snapshotTime returns the moment a snapshot read in this exchange was true at: zero for a replayed answer, which is old news, and an
// error where Stripe's clock was not to be seen.
func (x callInfo) snapshotTime() (time.Time, error) {
	if x.replayed {
		return time.Time{}, nil
	}
	if x.noDate || x.asOf.IsZero() {
		return time.Time{}, invalidResponse(x, "the answer has no readable Date header")
	}
	return x.asOf, nil
}

type callInfoKey struct{}

// recordingTransport is a transport that writes what it sees to the exchange in the request's context. It sits below stripe-go's retries, so
// that the time of a lost try and of the sleep after it do not count as time the last answer took.
type recordingTransport struct{ next http.RoundTripper }

// RoundTrip measures the time from the last sending to the answer's header with the monotonic clock.
func (m recordingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	x, ok := r.Context().Value(callInfoKey{}).(*callInfo)
	if !ok {
		return m.next.RoundTrip(r)
	}
	s := &sendCounter{last: time.Now()}
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { s.add() }}
	response, err := m.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	count, took := s.read()
	x.record(response, err, count, took)
	return response, err
}

// sendCounter counts how often one round trip sent its request: net/http itself sends one with an Idempotency-Key again where a kept
// connection turns out to be dead.
type sendCounter struct {
	mutex sync.Mutex // the hooks of a trace may be called from other goroutines
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

// note takes down one round trip of stripe-go.
func (x *callInfo) record(response *http.Response, err error, sendings int, took time.Duration) {
	if x.attempts++; sendings > 1 || x.attempts > 1 && !conflictOrLimit(x.status) {
		x.maybeExecuted = true
	}
	x.status, x.requestID, x.replayed = 0, "", false
	if err != nil {
		return
	}
	x.status = response.StatusCode
	x.requestID = response.Header.Get("Request-Id")
	x.replayed = response.Header.Get("Idempotent-Replayed") == "true"
	if response.StatusCode < http.StatusBadRequest {
		x.recordDate(response.Header.Get("Date"), took)
	}
}

func (x *callInfo) recordDate(date string, took time.Duration) {
	at, err := http.ParseTime(date)
	if err != nil {
		x.noDate = true
		return
	}
	if moment := at.UTC().Add(-took); x.asOf.IsZero() || moment.Before(x.asOf) {
		x.asOf = moment
	}
}
