package account

import (
	"time"

	"usher/billing/apperr"
)

// User is a person with a log-in.
type User struct {
	ID           string    `db:"id"`    // usr_…
	Email        string    `db:"email"` // as typed, compared without case
	Name         string    `db:"name"`
	PasswordHash string    `db:"password_hash"` // PHC string of argon2id
	CreatedAt    time.Time `db:"created_at"`

	EmailVerifiedAt *time.Time `db:"email_verified_at"` // when the address was shown to be theirs; nil: not yet
	Operator        bool       `db:"operator"`          // runs this installation; see [Service.IsOperator]
}

// Organization is what has members, a plan and a bill.
type Organization struct {
	ID        string    `db:"id"` // org_…
	Name      string    `db:"name"`
	CreatedAt time.Time `db:"created_at"`

	DeletesAt *time.Time `db:"deletes_at"` // it was asked to be deleted, and is after that; nil: it was not
	DeletedAt *time.Time `db:"deleted_at"` // nil: it lives. What is left of a deleted one are its invoices, for those who looked after its billing.
}

// MemberStatus tells whether a member may enter the organization.
type MemberStatus string

// The member statuses. Only active members can be billed.
const (
	MemberActive    MemberStatus = "active"
	MemberSuspended MemberStatus = "suspended"
)

// Member is a user in an organization.
type Member struct {
	ID             string       `db:"id"` // mem_…
	OrganizationID string       `db:"organization_id"`
	UserID         string       `db:"user_id"`
	Name           string       `db:"name,joined"`  // of the user
	Email          string       `db:"email,joined"` // of the user
	Role           Role         `db:"role,joined"`
	Billable       bool         `db:"billable"`
	Status         MemberStatus `db:"status"`
	JoinedAt       time.Time    `db:"joined_at"`
	LastSeenAt     *time.Time   `db:"last_seen_at"`
}

// Billed tells whether the member takes a paid seat: billable and active, as the seat count has it.
func (m Member) Billed() bool { return m.Billable && m.Status == MemberActive }

// The ids of the built-in roles. Custom roles have ids of their own (role_…).
const (
	RoleAdmin        = "admin"
	RoleBillingAdmin = "billing_admin"
	RoleMember       = "member"
)

// Role says what its holders may do.
type Role struct {
	ID               string `db:"id"`
	OrganizationID   string `db:"organization_id,null"` // empty for the built-in ones
	Name             string `db:"name"`
	CanManageBilling bool   `db:"can_manage_billing"`
	CanManageMembers bool   `db:"can_manage_members"`
}

// Access is who acts on which organization with what role. It is read anew for every request, so that a revoked role counts at once.
type Access struct {
	User         User
	Organization Organization
	Member       Member
}

// CanManageBilling tells whether the actor may change plan, payment and seats: admins, billing admins, and custom roles that say so.
func (a Access) CanManageBilling() bool {
	return a.Member.Status == MemberActive && (a.Member.Role.ID == RoleAdmin || a.Member.Role.CanManageBilling)
}

// CanManageMembers tells whether the actor may invite, change and remove members.
func (a Access) CanManageMembers() bool {
	return a.Member.Status == MemberActive && (a.Member.Role.ID == RoleAdmin || a.Member.Role.CanManageMembers)
}

// requireBilling refuses whoever may not manage billing, in the seed's words.
func (a Access) RequireBilling() error {
	if a.CanManageBilling() {
		return nil
	}
	return apperr.Errorf(apperr.CodeForbidden, apperr.MessageBillingAccess)
}

// RequireNotDeleting keeps new money out of an organization that is about to be deleted.
func (o Organization) RequireNotDeleting() error {
	switch {
	case o.DeletedAt != nil:
		return apperr.Errorf(apperr.CodeConflict, MessageDeleted)
	case o.DeletesAt != nil:
		return apperr.Errorf(apperr.CodeConflict, MessageDeleting)
	}
	return nil
}

// IsAdmin tells whether the actor is one of the organization's admins: no custom role comes up to them.
func (a Access) IsAdmin() bool { return a.Member.isAdmin() }

func (a Access) RequireAdmin() error {
	if !a.IsAdmin() {
		return apperr.Errorf(apperr.CodeForbidden, MessageAdminsOnly)
	}
	return nil
}

// What is said about deletions.
const (
	MessageDeleting    = "This organization is about to be deleted. Take that back first."
	MessageDeleted     = "This organization was deleted. Its invoices can still be read."
	MessageNotDeleting = "This organization is not about to be deleted."
	MessageAdminsOnly  = "Only an admin can do this"
	MessageNameAsIs    = "Please type the organization's name exactly as it stands here."
)
