package handlers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"slices"

	"usher/billing/apperr"
	"usher/billing/phrase"
	"usher/views/locale"
)

// httpError is an error of the HTTP layer that the domain has no code for.
type httpError struct {
	status  int
	code    apperr.Code
	message string
	err     error
}

// Error returns the message with its cause, for the log.
func (e *httpError) Error() string {
	if e.err == nil {
		return e.message
	}
	return fmt.Sprintf("%s: %v", e.message, e.err)
}

// Unwrap returns the cause.
func (e *httpError) Unwrap() error { return e.err }

// withCause returns a copy of the error with a cause.
func (e *httpError) withCause(err error) *httpError {
	caused := *e
	caused.err = err
	return &caused
}

// Errors of the HTTP layer.
var (
	errSignedOut      = &httpError{status: http.StatusUnauthorized, code: apperr.CodeUnauthenticated, message: locale.Mark("Please sign in first.")}
	errNoOrganization = &httpError{status: http.StatusNotFound, code: apperr.CodeNotFound, message: locale.Mark("You're not in an organization. Ask an admin to invite you.")}
	errPageNotFound   = &httpError{status: http.StatusNotFound, code: apperr.CodeNotFound, message: locale.Mark("There is nothing at this address.")}
	errMethod         = &httpError{status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: locale.Mark("This address can't be used in this way.")}
	errCrossOrigin    = &httpError{status: http.StatusForbidden, code: apperr.CodeForbidden, message: locale.Mark("This request came from another site, so nothing was done.")}
	errTooLarge       = &httpError{status: http.StatusRequestEntityTooLarge, code: "too_large", message: locale.Mark("That is more than can be taken at once.")}
	errFormType       = &httpError{status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", message: locale.Mark("Forms are taken as application/x-www-form-urlencoded.")}
	errJSONType       = &httpError{status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", message: "The body has to be JSON, with the header Content-Type: application/json."}
	errBody           = &httpError{status: http.StatusBadRequest, code: apperr.CodeInvalid, message: locale.Mark("The request could not be read.")}
	errText           = &httpError{status: http.StatusBadRequest, code: apperr.CodeInvalid, message: locale.Mark("The request holds characters that can't be stored.")}
	errNoAPIKeys      = &httpError{status: http.StatusForbidden, code: apperr.CodeForbidden, message: "This address can't be used with an API key."}
	errMetricsToken   = &httpError{status: http.StatusUnauthorized, code: apperr.CodeUnauthenticated, message: "Send the METRICS_TOKEN as Authorization: Bearer."}
	errNotRecent      = &httpError{status: http.StatusForbidden, code: "recent_authentication_required", message: locale.Mark("Please confirm that it's you first: open the settings and type your password.")}
	errNotReversible  = &httpError{status: http.StatusConflict, code: apperr.CodeConflict, message: locale.Mark("This change can't be undone in one step. Change the members themselves instead.")}
	errSecondFactor   = &httpError{status: http.StatusForbidden, code: "second_factor_required", message: locale.Mark("Set up two-step verification first, at /settings/security.")}
	errNotReady       = &httpError{status: http.StatusServiceUnavailable, code: "unavailable", message: "Not ready."}
	errNoPolicy       = errors.New("the route has no access policy that fits its response type")
)

// statuses maps error codes to HTTP status codes.
var statuses = map[apperr.Code]int{
	apperr.CodeInvalid:         http.StatusBadRequest,
	apperr.CodeUnauthenticated: http.StatusUnauthorized,
	apperr.CodeForbidden:       http.StatusForbidden,
	apperr.CodeNotFound:        http.StatusNotFound,
	apperr.CodeConflict:        http.StatusConflict,
	apperr.CodeUnprocessable:   http.StatusUnprocessableEntity,
	apperr.CodeRateLimited:     http.StatusTooManyRequests,
	apperr.CodeUnavailable:     http.StatusServiceUnavailable,
	apperr.CodeStripe:          http.StatusBadGateway,
	apperr.CodeInternal:        http.StatusInternalServerError,
}

// unavailableRetryAfter is for a 503 whose error does not say when to try again.
const unavailableRetryAfter = 5 * time.Second

// messageTooLong is for a request that reached its time limit.
var messageTooLong = locale.Mark("This took too long. Please try again in a moment.")

// problem is the public part of an error.
type problem struct {
	status  int
	code    apperr.Code
	message string
}

func problemOf(err error) problem {
	var edge *httpError
	if errors.As(err, &edge) {
		return problem{edge.status, edge.code, edge.message}
	}
	code := apperr.CodeOf(err)
	if code == apperr.CodeInternal && errors.Is(err, context.DeadlineExceeded) {
		return problem{http.StatusServiceUnavailable, apperr.CodeUnavailable, messageTooLong}
	}
	status, known := statuses[code]
	if !known {
		status = http.StatusInternalServerError
	}
	return problem{status, code, apperr.MessageOf(err)}
}

// messageIn returns the message of an error for pages, in the language of the context. JSON
// responses and logs have the English message of [problemOf].
func messageIn(ctx context.Context, err error) string {
	var edge *httpError
	if errors.As(err, &edge) {
		return locale.Lookup(ctx, edge.message)
	}
	var e *apperr.Error
	if errors.As(err, &e) && locale.Of(ctx) != locale.English && len(e.Args) > 0 {
		return locale.T(ctx, e.Format, argsIn(ctx, e.Args)...)
	}
	return locale.Lookup(ctx, problemOf(err).message)
}

// argsIn returns what fills the verbs of a message, in the language of the context.
func argsIn(ctx context.Context, args []any) []any {
	shown := slices.Clone(args)
	for i, arg := range args {
		if arg, is := arg.(phrase.Arg); is {
			shown[i] = locale.Arg(ctx, arg)
		}
	}
	return shown
}

// fail responds to an error in the form of the route and records it for the log.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	state := stateOf(r)
	state.err = err
	problem := problemOf(err)
	w.Header().Set("Cache-Control", "no-store")
	wait := apperr.RetryAfterOf(err)
	if wait == 0 && problem.status == http.StatusServiceUnavailable {
		wait = unavailableRetryAfter
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if problem.status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // do not read the rest of the body
	}
	switch {
	case state.response == scim:
		writeSCIMProblem(w, problem, err)
	case state.response == api || state.response == stateless:
		writeProblem(w, problem)
	case problem.status == http.StatusUnauthorized && !s.isFramed(r):
		redirect(w, r, logInPath(r))
	case isFragment(r):
		http.Error(w, messageIn(r.Context(), err), problem.status)
	default:
		s.showErrorPage(w, r, problem)
	}
}

// logInPath returns the log-in page with the page to return to.
func logInPath(r *http.Request) string { return withNext("/login", requestedPage(r)) }

// requestedPage returns the page to return to: the requested one, or the one that htmx sent the
// request from. It is empty for a POST request of another kind, which is not repeated.
func requestedPage(r *http.Request) string {
	switch {
	case isFragment(r):
		if current, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
			return localPath(current.RequestURI())
		}
	case r.Method == http.MethodGet:
		return localPath(r.URL.RequestURI())
	}
	return ""
}
