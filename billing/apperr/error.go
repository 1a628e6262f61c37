package apperr

import (
	"errors"
	"fmt"
)

// Code classifies an error by what its receiver can do about it. The HTTP edge turns it into a status.
type Code string

// The codes of [Error]. An error without one is [CodeInternal].
const (
	CodeInvalid         Code = "invalid"         // the request is malformed or names something that cannot be meant: 400
	CodeUnauthenticated Code = "unauthenticated" // nobody is signed in, or the credentials do not match: 401
	CodeForbidden       Code = "forbidden"       // signed in, but the role does not allow it: 403
	CodeNotFound        Code = "not_found"       // no such object in this organization: 404
	CodeConflict        Code = "conflict"        // the state does not allow it now: 409
	CodeUnprocessable   Code = "unprocessable"   // a form field does not hold what it should: 422
	CodeRateLimited     Code = "rate_limited"    // too often: 429
	CodeStripe          Code = "stripe"          // Stripe did not do it or did not answer: 502
	CodeInternal        Code = "internal"        // anything else: 500, details only in the log
)

// Messages that callers outside rely on word for word (the seed documents name them).
const (
	MessageNoCustomer         = "No Stripe customer found"
	MessageInvalidPrice       = "Invalid price ID"
	MessageSignatureFailed    = "Webhook signature failed"
	MessageBillingAccess      = "Only organization admins can manage billing"
	MessageOtherOrganization  = "This form belongs to another organization than the one you are working in. Switch to it and try again."
	MessageAlreadySubscribed  = "This organization already has a subscription. Change it on the billing page."
	MessageStripeUnreachable  = "Stripe did not answer. Nothing was charged. Please try again in a moment."
	MessageCredentialMismatch = "That e-mail address and password do not belong together."
)

// Error is an error with a message for people. Err holds the cause for the log and never reaches a page.
type Error struct {
	Code    Code
	Message string
	Field   string // the form field the message belongs to; empty where it belongs to the whole
	Err     error
}

// Error returns the cause's text where there is one, for logs.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an [Error] whose message is shown to people.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// fieldError is an unprocessable form field.
func FieldError(field, format string, args ...any) *Error {
	return &Error{Code: CodeUnprocessable, Field: field, Message: fmt.Sprintf(format, args...)}
}

// ErrorCode returns the code of the first [Error] in err's chain, [CodeInternal] where there is none, and "" for nil.
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

// ErrorMessage returns what people may read of err: the message of the first [Error] in its chain, or a neutral sentence.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "Something went wrong on our side. Nothing was changed. Please try again."
}

// ErrNotFound is what a [Store] answers where the object does not exist. It carries [CodeNotFound].
var ErrNotFound = &Error{Code: CodeNotFound, Message: "We could not find that here."}

// StripeError is a refusal or a silence of Stripe, as a [Gateway] reports it.
type StripeError struct {
	Status       int    // HTTP status; 0 where no answer came
	Type         string // api_error, card_error, idempotency_error, invalid_request_error
	Code         string // resource_missing, card_declined, rate_limit, …
	DeclineCode  string // with card_declined
	Param        string // the parameter it is about
	RequestID    string // req_…
	Message      string // Stripe's sentence, for the log and for billing admins
	ShouldRetry  bool   // a later call may succeed: no answer, 409, 429, 5xx
	NoResponse   bool   // it may have happened and no answer of its own was read: send the same idempotency key again (Status may be set)
	HostedURL    string // where a payment needs a person: the hosted page
	RequiresAction bool   // the payment wants authentication (3-D Secure)
}

// Error tells operation-independent facts for the log.
func (e *StripeError) Error() string {
	if e.NoResponse {
		return "stripe did not answer: " + e.Message
	}
	return fmt.Sprintf("stripe answered %d %s %s (%s): %s", e.Status, e.Type, e.Code, e.RequestID, e.Message)
}

// stripeFailed wraps a Gateway's error for people: nothing of Stripe's text is shown.
func StripeFailed(operation string, err error) error {
	return &Error{Code: CodeStripe, Message: MessageStripeUnreachable, Err: fmt.Errorf("%s: %w", operation, err)}
}

// isMissing tells whether Stripe says that the object does not exist (any more).
func IsMissing(err error) bool {
	var e *StripeError
	return errors.As(err, &e) && e.Code == "resource_missing"
}

// Found turns ErrNotFound into false.
func Found[T any](value T, err error) (T, bool, error) {
	if errors.Is(err, ErrNotFound) {
		return value, false, nil
	}
	return value, err == nil, err
}
