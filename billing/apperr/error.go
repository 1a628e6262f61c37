package apperr

import (
	"errors"
	"fmt"
	"time"
)

// Code classifies an error by what the caller can do about it. Package handlers maps it to an HTTP
// status.
type Code string

// The codes of [Error]. An error without one is [CodeInternal].
const (
	// The request is malformed or refers to something that cannot exist: 400.
	CodeInvalid         Code = "invalid"
	CodeUnauthenticated Code = "unauthenticated" // not signed in, or invalid credentials: 401
	CodeForbidden       Code = "forbidden"       // signed in, but the role does not permit it: 403
	CodeNotFound        Code = "not_found"       // no such object in this organization: 404
	CodeConflict        Code = "conflict"        // the current state does not permit it: 409
	CodeUnprocessable   Code = "unprocessable"   // a form field is invalid: 422
	CodeRateLimited     Code = "rate_limited"    // too many requests: 429
	CodeUnavailable     Code = "unavailable"     // too much to do right now: 503
	CodeStripe          Code = "stripe"          // Stripe returned an error or no response: 502
	CodeInternal        Code = "internal"        // anything else: 500; details are only logged
)

// Messages that clients compare literally. They are part of the API and must not change.
const (
	MessageNoCustomer         = "No Stripe customer found"
	MessageInvalidPrice       = "Invalid price ID"
	MessageSignatureFailed    = "Webhook signature failed"
	MessageBillingAccess      = "Only organization admins can manage billing"
	MessageOtherOrganization  = "This form belongs to another organization than the one you are working in. Switch to it and try again."
	MessageAlreadySubscribed  = "This organization already has a subscription. Change it on the billing page."
	MessageStripeUnreachable  = "Stripe isn't responding. Nothing was charged. Please try again in a moment."
	MessageCredentialMismatch = "That e-mail address and password do not belong together."
)

// messageInternal is shown for an error without a message.
const messageInternal = "Something went wrong on our side. Nothing was changed. Please try again."

// Error is an error with a message for people. Err is the cause; it is logged and never shown.
// Message is in English, for JSON and logs. Format and Args are what it was made of, for a
// translation; without Format, the message itself is the text to translate.
type Error struct {
	Code    Code
	Message string
	Format  string
	Args    []any
	Field   string // the form field of the message; empty if it is about the whole request
	// RetryAfter is when another try may succeed; zero: not known.
	RetryAfter time.Duration
	Err        error
}

// Error returns the message and the cause, for logs.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an [Error] with a message for people.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Format: format, Args: args}
}

// FieldError returns a CodeUnprocessable error about a form field.
func FieldError(field, format string, args ...any) *Error {
	return &Error{Code: CodeUnprocessable, Field: field, Message: fmt.Sprintf(format, args...), Format: format, Args: args}
}

// RetryAfterOf returns when another try may succeed, by the first [Error] in err's chain; zero: not
// known.
func RetryAfterOf(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// CodeOf returns the code of the first [Error] in err's chain, [CodeInternal] if there is none, and
// "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// MessageOf returns the message of the first [Error] in err's chain, or a generic one.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return messageInternal
}

// ErrNotFound is returned by stores if an object does not exist. It carries [CodeNotFound].
var ErrNotFound = &Error{Code: CodeNotFound, Message: "We could not find that here."}

// StripeError is a failed Stripe call: an error response or no response. Package stripegw returns
// it.
type StripeError struct {
	Status         int    // HTTP status; 0 without a response
	Type           string // api_error, card_error, idempotency_error, invalid_request_error
	Code           string // resource_missing, card_declined, rate_limit, …
	DeclineCode    string // with card_declined
	Param          string // the parameter that the error is about
	RequestID      string // req_…
	Message        string // Stripe's message, for the log and for billing admins
	ShouldRetry    bool   // a later call may succeed: no response, 409, 429, 5xx
	OutcomeUnknown bool   // unknown result: retry with the same idempotency key
	RequiresAction bool   // the payment requires authentication (3-D Secure)
}

// Error returns status, type, code and request id, for logs.
func (e *StripeError) Error() string {
	if e.OutcomeUnknown {
		return "stripe call with unknown outcome: " + e.Message
	}
	return fmt.Sprintf("stripe responded %d %s %s (%s): %s", e.Status, e.Type, e.Code, e.RequestID, e.Message)
}

// StripeFailed wraps an error of a Stripe call for people: none of Stripe's text is shown.
func StripeFailed(operation string, err error) error {
	return &Error{Code: CodeStripe, Message: MessageStripeUnreachable, Err: fmt.Errorf("%s: %w", operation, err)}
}

// IsMissing reports whether Stripe returned resource_missing: the object does not exist or was
// deleted.
func IsMissing(err error) bool {
	var e *StripeError
	return errors.As(err, &e) && e.Code == "resource_missing"
}

// Found converts ErrNotFound to false.
func Found[T any](value T, err error) (T, bool, error) {
	if errors.Is(err, ErrNotFound) {
		return value, false, nil
	}
	return value, err == nil, err
}
