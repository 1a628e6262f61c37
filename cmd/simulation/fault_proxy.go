package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// faultProxy stands between the replicas and Stripe's API. It can drop or delay the responses to
// changes of seats, and counts the errors that the local Stripe injects.
type faultProxy struct {
	results *results
	mutex   sync.Mutex
	drop    bool          // Stripe processes the request, then the connection is cut
	release chan struct{} // responses are delayed until it is closed; nil: no delay
}

func newFaultProxy(results *results) *faultProxy { return &faultProxy{results: results} }

// dropResponses starts or stops dropping responses.
func (p *faultProxy) dropResponses(drop bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.drop = drop
}

// delayResponses delays responses until the returned function is called.
func (p *faultProxy) delayResponses() (release func()) {
	delayed := make(chan struct{})
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.release = delayed
	return func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.release = nil
		close(delayed)
	}
}

// wrap puts the proxy in front of Stripe's handler.
func (p *faultProxy) wrap(stripe http.Handler) http.Handler {
	return p.countErrors(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mutex.Lock()
		drop, release := p.drop, p.release
		p.mutex.Unlock()
		switch {
		case !setsSeats(r) || !drop && release == nil:
			stripe.ServeHTTP(w, r)
		case drop:
			stripe.ServeHTTP(httptest.NewRecorder(), r)
			p.results.countFault("seat responses: lost after processing", 1)
			panic(http.ErrAbortHandler)
		default:
			p.delay(w, r, stripe, release)
		}
	}))
}

// setsSeats reports whether a request sets the number of seats. The prefix of its idempotency key
// says so.
func setsSeats(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Idempotency-Key"), "seats:")
}

func (p *faultProxy) delay(w http.ResponseWriter, r *http.Request, stripe http.Handler, release <-chan struct{}) {
	response := httptest.NewRecorder()
	stripe.ServeHTTP(response, r)
	p.results.countFault("seat responses: delayed past the next change", 1)
	select {
	case <-release:
	case <-r.Context().Done():
	}
	for name, values := range response.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(response.Code)
	_, _ = w.Write(response.Body.Bytes())
}

// countErrors counts error statuses and cut connections.
func (p *faultProxy) countErrors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w}
		defer func() { // deferred, because a cut connection ends in a panic
			switch status := recorder.status; {
			case recorder.hijacked:
				p.results.countFault("Stripe: connection cut before or after processing", 1)
			case status == http.StatusConflict || status == http.StatusTooManyRequests || status >= 500:
				p.results.countFault(fmt.Sprintf("Stripe: status %d", status), 1)
			}
		}()
		next.ServeHTTP(recorder, r)
	})
}

// statusRecorder remembers the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status   int
	hijacked bool
}

// Hijack lets the local Stripe cut the connection without a response.
func (s *statusRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	s.hijacked = true
	return http.NewResponseController(s.ResponseWriter).Hijack()
}

// WriteHeader implements [http.ResponseWriter].
func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap supports [http.ResponseController].
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
