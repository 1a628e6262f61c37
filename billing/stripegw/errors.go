package stripegw

import (
	"errors"
	"net/http"

	"github.com/stripe/stripe-go/v79"

	"usher/billing/apperr"
)

// Codes that stripe-go v79 has no constant for (https://docs.stripe.com/error-codes).
const (
	// codeInFlight is the answer while an earlier request with the same idempotency key is still being carried out.
	codeInFlight = "idempotency_key_in_use"
	// codeSubscriptionAction is the answer to a change whose payment needs the customer, under error_if_incomplete.
	codeSubscriptionAction = "subscription_payment_intent_requires_action"
)

// noResponseError is a silence of Stripe together with what stripe-go or the network said of it.
type noResponseError struct {
	failure *apperr.StripeError
	cause   error
}

// Error returns the silence's text, which holds the cause's.
func (u noResponseError) Error() string { return u.failure.Error() }

// Unwrap keeps the cause in the chain, so that errors.Is still finds the context's end in it.
func (u noResponseError) Unwrap() []error { return []error{u.failure, u.cause} }

// toStripeError turns an error of stripe-go into a *billing.StripeError, with the cause beside it where no answer was read.
func toStripeError(err error, x callInfo) error {
	var known *apperr.StripeError
	if errors.As(err, &known) {
		return err
	}
	var answer *stripe.Error
	if errors.As(err, &answer) {
		return mapError(answer, x)
	}
	silence := &apperr.StripeError{Status: x.status, RequestID: x.requestID, Message: err.Error(), ShouldRetry: true, NoResponse: true}
	return noResponseError{silence, err}
}

// invalidResponse reports an answer that cannot be read as what it should be. It was carried out, or may have been: the same idempotency key
// is to be sent again.
func invalidResponse(x callInfo, message string) error {
	return &apperr.StripeError{Status: x.status, RequestID: x.requestID, Message: message, ShouldRetry: true, NoResponse: true}
}

func mapError(e *stripe.Error, x callInfo) *apperr.StripeError {
	return &apperr.StripeError{
		Status:       e.HTTPStatusCode,
		Type:         string(e.Type),
		Code:         string(e.Code),
		DeclineCode:  string(e.DeclineCode),
		Param:        e.Param,
		RequestID:    e.RequestID,
		Message:      e.Msg,
		ShouldRetry:  retryable(e.HTTPStatusCode),
		NoResponse:   outcomeUnknown(e, x),
		HostedURL:    hostedURL(e.PaymentIntent),
		RequiresAction: requiresAction(e),
	}
}

func retryable(status int) bool { return conflictOrLimit(status) || status >= http.StatusInternalServerError }

// conflictOrLimit tells whether an answer was given for a lock, a conflict or a limit, before anything was done: Stripe stores none of these
// under the idempotency key.
func conflictOrLimit(status int) bool {
	return status == http.StatusConflict || status == http.StatusTooManyRequests
}

// outcomeUnknown tells whether the request may have been carried out although an error was read: the same key is in flight elsewhere, or an
// earlier try of this call may have done it and the last one met a limit.
func outcomeUnknown(e *stripe.Error, x callInfo) bool {
	return e.Code == codeInFlight || x.maybeExecuted && conflictOrLimit(e.HTTPStatusCode)
}

// hostedURL is where a person can finish the payment: the invoice's page, else the bank's.
func hostedURL(intent *stripe.PaymentIntent) string {
	switch {
	case intent == nil:
		return ""
	case intent.Invoice != nil && intent.Invoice.HostedInvoiceURL != "":
		return intent.Invoice.HostedInvoiceURL
	case intent.NextAction != nil && intent.NextAction.RedirectToURL != nil:
		return intent.NextAction.RedirectToURL.URL
	}
	return ""
}

func requiresAction(e *stripe.Error) bool {
	switch e.Code {
	case stripe.ErrorCodeAuthenticationRequired, stripe.ErrorCodeInvoicePaymentIntentRequiresAction, codeSubscriptionAction:
		return true
	}
	return e.DeclineCode == stripe.DeclineCodeAuthenticationRequired ||
		e.PaymentIntent != nil && e.PaymentIntent.Status == stripe.PaymentIntentStatusRequiresAction
}

// isMissing tells whether Stripe says that the object does not exist.
func isMissing(err error) bool {
	var e *apperr.StripeError
	return errors.As(err, &e) && e.Code == string(stripe.ErrorCodeResourceMissing)
}
