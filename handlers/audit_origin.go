package handlers

import (
	"context"
	"net/http"

	"usher/billing/account"
)

// withRequestOrigin returns a context whose acts come from this request. Who acts is known once the
// viewer is identified; a webhook speaks for Stripe.
func withRequestOrigin(ctx context.Context, r *http.Request, rt route) context.Context {
	state := stateOf(r)
	origin := account.Origin{Address: state.clientAddress, RequestID: state.requestID}
	if rt.policy == webhook {
		origin.Kind, origin.Name = account.ActorStripe, "Stripe"
	}
	return account.WithOrigin(ctx, origin)
}

// withViewerOrigin returns the request with the viewer as the actor of its acts: an API key, an
// operator on the operators' pages, and a person elsewhere.
func withViewerOrigin(r *http.Request, rt route, viewer identity) *http.Request {
	state := stateOf(r)
	if viewer.key != nil {
		origin := account.Origin{Kind: account.ActorAPIKey, ID: viewer.key.ID, Name: viewer.key.Name, Address: state.clientAddress, RequestID: state.requestID}
		return r.WithContext(account.WithOrigin(r.Context(), origin))
	}
	if !viewer.signedIn() {
		return r
	}
	origin := account.Origin{
		Kind: account.ActorPerson, ID: viewer.userID, Name: viewer.access.User.Name, Address: state.clientAddress, RequestID: state.requestID,
	}
	if rt.policy == operator {
		origin.Kind = account.ActorOperator
	}
	return r.WithContext(account.WithOrigin(r.Context(), origin))
}
