package handlers

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"usher/billing/account"
)

// requestState collects what is known about a request. The outermost middleware puts it into the
// context, inner ones fill it in. The log, the error pages and the page layout read it.
type requestState struct {
	requestID string
	// clientAddress is where the request came from, see [server.clientIP].
	clientAddress string
	userAgent     string // what the client says it is
	maskedEmail   string // of a log-in, for the security log
	route         string // the pattern; empty before a match
	response      responseType
	session       account.Session // as stored; zero: there is none
	touchDue      bool            // the session's use is to be recorded
	identity      identity
	err           error
	span          trace.Span // nil: the route is not traced
	// loginDevice is the browser, see [server.loginDevice]; nil: not read yet.
	loginDevice *string
}

type requestStateKey struct{}

func withRequestState(ctx context.Context, t *requestState) context.Context {
	return context.WithValue(ctx, requestStateKey{}, t)
}

// stateOf returns the request's state. It is empty if the request did not pass the middleware.
func stateOf(r *http.Request) *requestState { return stateFrom(r.Context()) }

func stateFrom(ctx context.Context) *requestState {
	if t, ok := ctx.Value(requestStateKey{}).(*requestState); ok {
		return t
	}
	return &requestState{}
}
