package account

import (
	"usher/billing/apperr"
)

// Access is a user acting in an organization with a role. It is read for every request, so that
// revoked permissions take effect at once.
type Access struct {
	User         User
	Organization Organization
	Member       Member
	// ReadsBilling means that the actor, a program, may read what billing admins see, and change
	// nothing.
	ReadsBilling bool
	// ManagesWebhooks means that the actor, a program, may manage the organization's webhooks.
	ManagesWebhooks bool
	// Key is the API key of a program that acts; nil: a person does.
	Key *APIKey
}

// ActorID returns the id of the user who acts; empty: a program does.
func (a Access) ActorID() string {
	if a.Key != nil {
		return ""
	}
	return a.User.ID
}

// CanManageBilling reports whether the actor may change plan, payment and seats: active admins,
// billing admins, and holders of custom roles with that permission.
func (a Access) CanManageBilling() bool {
	return a.Member.Status == MemberActive && (a.Member.Role.ID == RoleAdmin || a.Member.Role.CanManageBilling)
}

// CanManageMembers reports whether the actor may invite, change and remove members.
func (a Access) CanManageMembers() bool {
	return a.Member.Status == MemberActive && (a.Member.Role.ID == RoleAdmin || a.Member.Role.CanManageMembers)
}

// RequireBilling returns CodeForbidden unless the actor may manage billing.
func (a Access) RequireBilling() error {
	if a.CanManageBilling() {
		return nil
	}
	return apperr.Errorf(apperr.CodeForbidden, apperr.MessageBillingAccess)
}

// RequireBillingRead returns CodeForbidden unless the actor may see invoices and amounts.
func (a Access) RequireBillingRead() error {
	if a.ReadsBilling {
		return nil
	}
	return a.RequireBilling()
}

// IsAdmin reports whether the actor is an active admin of the organization.
func (a Access) IsAdmin() bool { return a.Member.isAdmin() }

// RequireAdmin returns CodeForbidden unless the actor is an admin.
func (a Access) RequireAdmin() error {
	if !a.IsAdmin() {
		return apperr.Errorf(apperr.CodeForbidden, MessageAdminsOnly)
	}
	return nil
}

// RequireWebhooks returns CodeForbidden unless the actor may manage the organization's webhooks.
func (a Access) RequireWebhooks() error {
	if a.ManagesWebhooks {
		return nil
	}
	return a.RequireAdmin()
}

// Covers reports whether the actor holds every permission of a role. Built-in admins and programs
// that may change members cover every role, and only they cover the built-in admin role.
func (a Access) Covers(r Role) bool {
	switch {
	case a.Member.isAdmin(), a.Key != nil && a.Key.Has(ScopeMembersWrite):
		return true
	case r.ID == RoleAdmin:
		return false
	}
	return (!r.CanManageBilling || a.CanManageBilling()) && (!r.CanManageMembers || a.CanManageMembers())
}

// requireManageMembers returns CodeForbidden unless the actor may manage members.
func (a Access) requireManageMembers() error {
	if a.CanManageMembers() {
		return nil
	}
	return apperr.Errorf(apperr.CodeForbidden, MessageMemberAccess)
}
