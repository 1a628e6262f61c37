package stripelocal

import (
	"net/http"
	"time"

	"usher/stripelocal/wire"
)

const codeLockTimeout = "lock_timeout"

// preflightFault returns the error of a fault that occurs before anything is stored under the
// idempotency key.
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
			Status: http.StatusTooManyRequests, Type: "invalid_request_error", Code: codeLockTimeout,
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

// executeWithFaults is execute with faults. The idempotency key is in use meanwhile, so that the
// response is stored like any other.
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

// wait waits for a fault's duration, or until the server closes. It ignores the client's context:
// Stripe finishes a call whose client is gone.
func (c apiCall) wait(f Fault) {
	wait := time.NewTimer(time.Duration(f.Millis) * time.Millisecond)
	defer wait.Stop()
	select {
	case <-c.stopped:
	case <-wait.C:
	}
}

// dropConnection closes a connection without a response. It sends a few bytes first, because Go's
// client silently repeats a request on a connection that returned nothing.
func dropConnection(w http.ResponseWriter) {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = buffer.WriteString("HTTP/1.1 ")
	_ = buffer.Flush()
	_ = conn.Close()
}

// setRetryHeaders sets the headers for locks and rate limits, and for a stored 500 that a retry
// would only replay.
func (a apiResponse) setRetryHeaders(h http.Header, key string) {
	switch {
	case a.locked:
		h.Set("Stripe-Should-Retry", "true")
	case a.status == http.StatusTooManyRequests:
		h.Set("Stripe-Rate-Limited-Reason", "global-rate")
	case a.status == http.StatusInternalServerError && key != "":
		h.Set("Stripe-Should-Retry", "false")
	}
}
