package handlers

import (
	"usher/billing/account"
	"usher/billing/apperr"
)

// policy is what a route asks of whoever calls it. The zero value is no answer: such a route lets nobody in, and a test fails.
type policy int

const (
	undeclared   policy = iota
	public              // anybody
	signedIn            // somebody
	member              // somebody in the organization they work in
	billingAdmin        // a member who may manage billing
	memberAdmin         // a member who may manage members
	operator            // somebody who runs this installation, whatever organization they are in
	metricsToken        // who has METRICS_TOKEN, which the handler has checked; no session
	webhook             // Stripe, by its signature, which the handler has checked; no session
)

// check refuses a viewer that has not what the route needs, and everybody where a route has not said what it needs.
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
	}
	return nil
}

// forOrganization tells that the need is about the organization one works in.
func (n policy) forOrganization() bool { return n == member || n == billingAdmin || n == memberAdmin }
