package stripegw

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// ask makes one call (or one walk over the pages of a list) and tells what is known of its exchange with Stripe. Errors carry a
// *billing.StripeError, wrapped with the operation.
//
// stripe-go sleeps between its tries without looking at the context, so the call runs beside and is left alone when the context ends:
// a page that may wait 3 s for Stripe must not wait for that sleep.
func ask[T any](ctx context.Context, operation string, call func(context.Context) (T, error)) (T, exchange, error) {
	type outcome struct {
		value    T
		exchange exchange
		err      error
	}
	done := make(chan outcome, 1)
	go func() {
		var x exchange
		value, err := call(context.WithValue(ctx, exchangeKey{}, &x))
		done <- outcome{value, x, err}
	}()

	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		o.err = ctx.Err()
	}
	if o.err != nil {
		return o.value, o.exchange, fmt.Errorf("%s: %w", operation, stripeFailure(o.err, o.exchange))
	}
	return o.value, o.exchange, nil
}

// exchange is what was seen of the requests and answers behind one call.
type exchange struct {
	tries     int
	begun     bool // a try before the last may have been carried out: it got no answer, or one that stripe-go took for a reason to repeat
	status    int  // of the last answer; 0 where none came
	requestID string
	replayed  bool      // the last answer was the stored one of an earlier request with the same idempotency key
	undated   bool      // a good answer carried no readable Date
	moment    time.Time // when the oldest of the good answers (the pages of a list) was true at the earliest, by Stripe's clock
}

// snapshotMoment returns the moment a snapshot read in this exchange was true at: zero for a replayed answer, which is old news, and an
// error where Stripe's clock was not to be seen.
func (x exchange) snapshotMoment() (time.Time, error) {
	if x.replayed {
		return time.Time{}, nil
	}
	if x.undated || x.moment.IsZero() {
		return time.Time{}, unusable(x, "the answer has no readable Date header")
	}
	return x.moment, nil
}

type exchangeKey struct{}

// measuring is a transport that writes what it sees to the exchange in the request's context. It sits below stripe-go's retries, so
// that the time of a lost try and of the sleep after it do not count as time the last answer took.
type measuring struct{ next http.RoundTripper }

// RoundTrip measures the time from the last sending to the answer's header with the monotonic clock.
func (m measuring) RoundTrip(r *http.Request) (*http.Response, error) {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return m.next.RoundTrip(r)
	}
	s := &sendings{last: time.Now()}
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { s.note() }}
	response, err := m.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	count, took := s.read()
	x.note(response, err, count, took)
	return response, err
}

// sendings counts how often one round trip sent its request: net/http itself sends one with an Idempotency-Key again where a kept
// connection turns out to be dead.
type sendings struct {
	mutex sync.Mutex // the hooks of a trace may be called from other goroutines
	count int
	last  time.Time
}

func (s *sendings) note() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.count++
	s.last = time.Now()
}

func (s *sendings) read() (count int, sinceLast time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.count, time.Since(s.last)
}

// note takes down one round trip of stripe-go.
func (x *exchange) note(response *http.Response, err error, sendings int, took time.Duration) {
	if x.tries++; sendings > 1 || x.tries > 1 && !limited(x.status) {
		x.begun = true
	}
	x.status, x.requestID, x.replayed = 0, "", false
	if err != nil {
		return
	}
	x.status = response.StatusCode
	x.requestID = response.Header.Get("Request-Id")
	x.replayed = response.Header.Get("Idempotent-Replayed") == "true"
	if response.StatusCode < http.StatusBadRequest {
		x.noteDate(response.Header.Get("Date"), took)
	}
}

func (x *exchange) noteDate(date string, took time.Duration) {
	at, err := http.ParseTime(date)
	if err != nil {
		x.undated = true
		return
	}
	if moment := at.UTC().Add(-took); x.moment.IsZero() || moment.Before(x.moment) {
		x.moment = moment
	}
}
