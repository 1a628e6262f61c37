package stripelocal

import (
	"net/http"
	"time"

	"usher/stripelocal/wire"
)

// refuseEarly is what goes wrong with a call before anything is stored under
// its key: a limit is exceeded, or an object is locked.
func (c call) refuseEarly() *wire.Error {
	if c.faults.overLimit() {
		return rateLimited()
	}
	f, ok := c.faults.ofCall(c.req, Fault.early)
	switch {
	case !ok:
		return nil
	case f.Kind == LockTimeout:
		return &wire.Error{
			Status: http.StatusConflict, Type: "invalid_request_error", Code: "lock_timeout",
			Message: "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. If you see this error intermittently, retry the request. If you see this error frequently and are making multiple concurrent requests to a single object, make your requests serially or at a lower rate.",
		}
	}
	return rateLimited()
}

func rateLimited() *wire.Error {
	return &wire.Error{
		Status: http.StatusTooManyRequests, Type: "invalid_request_error", Code: "rate_limit",
		Message: "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
	}
}

// runFaulty is run with what is to go wrong. It happens while the call's key
// is in flight, so that its answer is stored as any other.
func (c call) runFaulty(in *input) answer {
	if f, ok := c.faults.ofCall(c.req, func(r Fault) bool { return r.Kind == SlowCall }); ok {
		c.hang(f)
	}
	f, ok := c.faults.ofCall(c.req, Fault.late)
	if !ok {
		return c.run(in)
	}
	switch f.Kind {
	case ServerError:
		return c.refuse(&wire.Error{Status: http.StatusInternalServerError, Type: "api_error", Message: "An unexpected error occurred. We have been notified of the problem."})
	case TimeoutBefore:
		c.hang(f)
		return answer{cut: true, unstored: true}
	}
	out := c.run(in)
	out.cut = true
	c.hang(f)
	return out
}

// hang waits as long as a fault says, though not beyond the server's end. Who
// asked may be gone by then: at Stripe, too, the act goes on.
func (c call) hang(f Fault) {
	wait := time.NewTimer(time.Duration(f.Millis) * time.Millisecond)
	defer wait.Stop()
	select {
	case <-c.stopped:
	case <-wait.C:
	}
}

// cutConnection ends a connection without an answer. A few bytes are sent
// first: Go's client would silently repeat a call that got none.
func cutConnection(w http.ResponseWriter) {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = buffer.WriteString("HTTP/1.1 ")
	_ = buffer.Flush()
	_ = conn.Close()
}

// adviseRetry says what Stripe says of an answer: that a limit was exceeded,
// and that a 500 stored under a key would only come again.
func (a answer) adviseRetry(h http.Header, key string) {
	switch {
	case a.status == http.StatusTooManyRequests:
		h.Set("Stripe-Rate-Limited-Reason", "global-rate")
	case a.status == http.StatusInternalServerError && key != "":
		h.Set("Stripe-Should-Retry", "false")
	}
}
