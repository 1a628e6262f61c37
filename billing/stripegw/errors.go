package stripegw

import (
	"errors"
	"net/http"

	"github.com/stripe/stripe-go/v79"

	"usher/billing/apperr"
)

// Codes without a constant in stripe-go v79 (https://docs.stripe.com/error-codes).
const (
	// codeInFlight: an earlier request with the same idempotency key is still executing.
	codeInFlight = "idempotency_key_in_use"
	// codeSubscriptionAction: with error_if_incomplete, the payment of a change requires the
	// customer's authentication.
	codeSubscriptionAction = "subscription_payment_intent_requires_action"
)

// unknownOutcomeError is a StripeError without a usable response, with the error of stripe-go or
// net/http.
type unknownOutcomeError struct {
	failure *apperr.StripeError
	cause   error
}

// Error returns the StripeError's text, which contains the cause.
func (e unknownOutcomeError) Error() string { return e.failure.Error() }

// Unwrap keeps the cause in the chain, so that errors.Is finds context errors.
func (e unknownOutcomeError) Unwrap() []error { return []error{e.failure, e.cause} }

// toStripeError converts an error of stripe-go to an [apperr.StripeError]. Without a response the
// cause stays in the chain.
func toStripeError(err error, info callInfo) error {
	var stripeErr *apperr.StripeError
	if errors.As(err, &stripeErr) {
		return err
	}
	var response *stripe.Error
	if errors.As(err, &response) {
		return mapError(response, info)
	}
	failure := &apperr.StripeError{Status: info.status, RequestID: info.requestID, Message: err.Error(), ShouldRetry: true, OutcomeUnknown: true}
	return unknownOutcomeError{failure, err}
}

// invalidResponse returns the error for a response that has not the expected form. The request was
// or may have been executed, so it must be repeated with the same idempotency key.
func invalidResponse(info callInfo, message string) error {
	return &apperr.StripeError{Status: info.status, RequestID: info.requestID, Message: message, ShouldRetry: true, OutcomeUnknown: true}
}

func mapError(e *stripe.Error, info callInfo) *apperr.StripeError {
	return &apperr.StripeError{
		Status:         e.HTTPStatusCode,
		Type:           string(e.Type),
		Code:           string(e.Code),
		DeclineCode:    string(e.DeclineCode),
		Param:          e.Param,
		RequestID:      e.RequestID,
		Message:        e.Msg,
		ShouldRetry:    retryable(e.HTTPStatusCode),
		OutcomeUnknown: outcomeUnknown(e, info),
		RequiresAction: requiresAction(e),
	}
}

func retryable(status int) bool {
	return conflictOrLimit(status) || status >= http.StatusInternalServerError
}

// conflictOrLimit reports whether a response was given for a lock, a conflict or a rate limit,
// before the request was executed. Stripe does not store such a response under the idempotency key.
func conflictOrLimit(status int) bool {
	return status == http.StatusConflict || status == http.StatusTooManyRequests
}

// outcomeUnknown reports whether the request may have been executed despite the error response: the
// same idempotency key is in flight, or an earlier attempt may have been executed before the last
// one was rejected.
func outcomeUnknown(e *stripe.Error, info callInfo) bool {
	return e.Code == codeInFlight || info.maybeExecuted && conflictOrLimit(e.HTTPStatusCode)
}

func requiresAction(e *stripe.Error) bool {
	switch e.Code {
	case stripe.ErrorCodeAuthenticationRequired, stripe.ErrorCodeInvoicePaymentIntentRequiresAction, codeSubscriptionAction:
		return true
	}
	return e.DeclineCode == stripe.DeclineCodeAuthenticationRequired ||
		e.PaymentIntent != nil && e.PaymentIntent.Status == stripe.PaymentIntentStatusRequiresAction
}

// isMissing reports whether Stripe returned resource_missing.
func isMissing(err error) bool {
	var e *apperr.StripeError
	return errors.As(err, &e) && e.Code == string(stripe.ErrorCodeResourceMissing)
}

// hasCode reports whether Stripe returned an error with the code.
func hasCode(err error, code stripe.ErrorCode) bool {
	var e *apperr.StripeError
	return errors.As(err, &e) && e.Code == string(code)
}

// isOutcomeUnknown reports whether the request may have been executed despite the error.
func isOutcomeUnknown(err error) bool {
	var e *apperr.StripeError
	return !errors.As(err, &e) || e.OutcomeUnknown || retryable(e.Status)
}
