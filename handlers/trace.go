package handlers

import (
	"context"
	"net/http"

	"usher/billing/account"
)

// trace is what is known of a request so far. The outermost step puts it into the context, inner ones fill it in, and the log, the
// error pages and the page frame read it.
type trace struct {
	requestID string
	route     string // the pattern; empty where none matched yet
	form      form
	visit     visit
	failure   error
}

// visit is who asks.
type visit struct {
	userID   string         // empty: nobody is signed in
	access   account.Access // zero: nobody is signed in, or they are in no organization
	operator bool           // runs this installation
}

func (v visit) signedIn() bool { return v.userID != "" }

func (v visit) isMember() bool { return v.access.Organization.ID != "" }

type traceKey struct{}

func withTrace(ctx context.Context, t *trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// traceOf returns the request's trace; an empty one where the handler runs outside the site.
func traceOf(r *http.Request) *trace {
	if t, ok := r.Context().Value(traceKey{}).(*trace); ok {
		return t
	}
	return &trace{}
}

func visitOf(r *http.Request) visit { return traceOf(r).visit }

// accessOf returns who acts on which organization. Only routes that need a member may ask.
func accessOf(r *http.Request) account.Access { return visitOf(r).access }
