package stripelocal

import (
	"net/http"
	"time"

	"usher/stripelocal/wire"
)

// preflightFault is what goes wrong with a call before anything is stored under
// its key: a limit is exceeded, or an object is locked.
func (c apiCall) preflightFault() *wire.Error {
	if c.faults.overLimit() {
		return rateLimited()
	}
	f, ok := c.faults.takeForCall(c.req, Fault.precedesIdempotency)
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

// executeWithFaults is run with what is to go wrong. It happens while the call's key
// is in flight, so that its answer is stored as any other.
func (c apiCall) executeWithFaults(in *input) apiResponse {
	if f, ok := c.faults.takeForCall(c.req, func(r Fault) bool { return r.Kind == SlowCall }); ok {
		c.wait(f)
	}
	f, ok := c.faults.takeForCall(c.req, Fault.followsIdempotency)
	if !ok {
		return c.execute(in)
	}
	switch f.Kind {
	case ServerError:
		return c.fail(&wire.Error{Status: http.StatusInternalServerError, Type: "api_error", Message: "An unexpected error occurred. We have been notified of the problem."})
	case TimeoutBefore:
		c.wait(f)
		return apiResponse{drop: true, notStored: true}
	}
	out := c.execute(in)
	out.drop = true
	c.wait(f)
	return out
}

// hang waits as long as a fault says, though not beyond the server's end. Who
// asked may be gone by then: at Stripe, too, the act goes on.
func (c apiCall) wait(f Fault) {
	wait := time.NewTimer(time.Duration(f.Millis) * time.Millisecond)
	defer wait.Stop()
	select {
	case <-c.stopped:
	case <-wait.C:
	}
}

// dropConnection ends a connection without an answer. A few bytes are sent
// first: Go's client would silently repeat a call that got none.
func dropConnection(w http.ResponseWriter) {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = buffer.WriteString("HTTP/1.1 ")
	_ = buffer.Flush()
	_ = conn.Close()
}

// setRetryHeaders says what Stripe says of an answer: that a limit was exceeded,
// and that a 500 stored under a key would only come again.
func (a apiResponse) setRetryHeaders(h http.Header, key string) {
	switch {
	case a.status == http.StatusTooManyRequests:
		h.Set("Stripe-Rate-Limited-Reason", "global-rate")
	case a.status == http.StatusInternalServerError && key != "":
		h.Set("Stripe-Should-Retry", "false")
	}
}
