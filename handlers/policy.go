package handlers

import (
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
)

// policy says who may call a route. The zero value admits no one, and a test fails on it.
type policy int

const (
	undeclared        policy = iota
	public                   // anyone
	signedIn                 // any signed-in user
	member                   // a member of the current organization
	billingAdmin             // a member who may manage billing
	memberAdmin              // a member who may manage members
	organizationAdmin        // an admin
	operator                 // an operator of this installation, member of an organization or not
	installation             // a program with an API key of the installation; nobody signed in
	metricsToken             // holders of METRICS_TOKEN; the handler checks it, there is no session
	webhook                  // Stripe; the handler checks the signature, there is no session
)

// authorize returns an error unless the policy admits the viewer. Without a declared policy it
// admits no one.
func (n policy) authorize(v identity) error {
	switch {
	case n == public:
		return nil
	case n == undeclared || n == webhook || n == metricsToken:
		return errNoPolicy
	case !v.signedIn():
		return errSignedOut
	case n == signedIn:
		return nil
	case n == installation:
		return apperr.Errorf(apperr.CodeForbidden, account.MessageInstallationKey)
	case n == operator:
		if !v.operator {
			return apperr.Errorf(apperr.CodeForbidden, account.MessageOperatorsOnly)
		}
		return nil
	case !v.isMember():
		return errNoOrganization
	case n == billingAdmin && !v.access.CanManageBilling():
		return apperr.Errorf(apperr.CodeForbidden, apperr.MessageBillingAccess)
	case n == memberAdmin && !v.access.CanManageMembers():
		return apperr.Errorf(apperr.CodeForbidden, account.MessageMemberAccess)
	case n == organizationAdmin:
		return v.access.RequireAdmin()
	}
	return nil
}

// authorize returns an error unless the route admits the viewer. Programs need the route's scope.
func (rt route) authorize(v identity) error {
	switch {
	case v.key == nil:
		return rt.policy.authorize(v)
	case rt.scope == "":
		return errNoAPIKeys
	case !v.key.Has(rt.scope):
		return &httpError{status: http.StatusForbidden, code: "missing_scope", message: "This API key lacks the scope " + rt.scope + "."}
	}
	return nil
}

// forOrganization reports whether the policy concerns the current organization.
func (n policy) forOrganization() bool {
	return n == member || n == billingAdmin || n == memberAdmin || n == organizationAdmin
}
