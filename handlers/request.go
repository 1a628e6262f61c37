package handlers

import (
	"context"
	"net/http"
)

// requestState collects what is known about a request. The outermost middleware puts it into the
// context, inner ones fill it in. The log, the error pages and the page layout read it.
type requestState struct {
	requestID string
	route     string // the pattern; empty before a match
	response  responseType
	identity  identity
	err       error
	// loginDevice is the browser, see [server.loginDevice]; nil: not read yet.
	loginDevice *string
}

type requestStateKey struct{}

func withRequestState(ctx context.Context, t *requestState) context.Context {
	return context.WithValue(ctx, requestStateKey{}, t)
}

// stateOf returns the request's state. It is empty if the request did not pass the middleware.
func stateOf(r *http.Request) *requestState {
	if t, ok := r.Context().Value(requestStateKey{}).(*requestState); ok {
		return t
	}
	return &requestState{}
}
