package handlers

import (
	"context"
	"net/http"
)

// requestState is what is known of a request so far. The outermost step puts it into the context, inner ones fill it in, and the log, the
// error pages and the page frame read it.
type requestState struct {
	requestID string
	route     string // the pattern; empty where none matched yet
	response  responseType
	identity  identity
	err       error
}

type requestStateKey struct{}

func withRequestState(ctx context.Context, t *requestState) context.Context {
	return context.WithValue(ctx, requestStateKey{}, t)
}

// stateOf returns the request's trace; an empty one where the handler runs outside the site.
func stateOf(r *http.Request) *requestState {
	if t, ok := r.Context().Value(requestStateKey{}).(*requestState); ok {
		return t
	}
	return &requestState{}
}
