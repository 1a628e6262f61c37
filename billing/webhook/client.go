package webhook

import (
	"context"
	"errors"
	"time"
)

// Client sends messages. Package sender implements it.
type Client interface {
	// Post sends one request and reads the beginning of the response. Redirects are not followed.
	// Errors without a response wrap one of the errors below where the cause is known.
	Post(ctx context.Context, r Request) (Response, error)
}

// Request is one attempt at a message.
type Request struct {
	URL       string
	MessageID string
	Timestamp time.Time
	Signature string
	Body      string
}

// Response is what the receiver answered.
type Response struct {
	Status     int
	RetryAfter time.Duration // 0: not given
	Text       string        // the beginning of the body; valid UTF-8 without control characters
}

// Errors of [Client].
var (
	ErrAddress = errors.New("the address is not public")
	ErrName    = errors.New("the name does not resolve")
	ErrTimeout = errors.New("no complete response in time")
	ErrTLS     = errors.New("no valid certificate")
)

// Failure says why an attempt or a delivery failed.
type Failure string

// The failures.
const (
	FailureNone       Failure = ""
	FailureStatus     Failure = "status"     // a response that is neither 2xx nor a redirect
	FailureRedirect   Failure = "redirect"   // 3xx
	FailureAddress    Failure = "address"    // see [ErrAddress]
	FailureName       Failure = "name"       // see [ErrName]
	FailureTimeout    Failure = "timeout"    // see [ErrTimeout]
	FailureTLS        Failure = "tls"        // see [ErrTLS]
	FailureConnection Failure = "connection" // no connection, or it broke
	FailureSecret     Failure = "secret"     // the signing secret can't be read, see SECRETS_KEY
	FailureDisabled   Failure = "disabled"   // the endpoint was disabled before
)

func failureOf(err error) Failure {
	switch {
	case errors.Is(err, ErrAddress):
		return FailureAddress
	case errors.Is(err, ErrName):
		return FailureName
	case errors.Is(err, ErrTLS):
		return FailureTLS
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return FailureTimeout
	}
	return FailureConnection
}

// failure classifies a response.
func (r Response) failure() Failure {
	switch {
	case r.Status >= 200 && r.Status < 300:
		return FailureNone
	case r.Status >= 300 && r.Status < 400:
		return FailureRedirect
	}
	return FailureStatus
}
