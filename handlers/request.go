package handlers

import (
	"context"
	"net/http"

	"usher/billing/account"
)

// requestState is what is known of a request so far. The outermost step puts it into the context, inner ones fill it in, and the log, the
// error pages and the page frame read it.
type requestState struct {
	requestID string
	route     string // the pattern; empty where none matched yet
	response      responseType
	identity     identity
	err   error
}

// identity is who asks.
type identity struct {
	userID   string         // empty: nobody is signed in
	access   account.Access // zero: nobody is signed in, or they are in no organization
	operator bool           // runs this installation
}

func (v identity) signedIn() bool { return v.userID != "" }

func (v identity) isMember() bool { return v.access.Organization.ID != "" }

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

func identityOf(r *http.Request) identity { return stateOf(r).identity }

// accessOf returns who acts on which organization. Only routes that need a member may ask.
func accessOf(r *http.Request) account.Access { return identityOf(r).access }
