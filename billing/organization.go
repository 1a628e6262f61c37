package billing

import "time"

// User is a person with a log-in.
type User struct {
	ID           string // usr_…
	Email        string // as typed, compared without case
	Name         string
	PasswordHash string // PHC string of argon2id
	CreatedAt    time.Time

	EmailVerifiedAt *time.Time // when the address was shown to be theirs; nil: not yet
	Operator        bool       // runs this installation; see [Service.IsOperator]
}

// Organization is what has members, a plan and a bill.
type Organization struct {
	ID        string // org_…
	Name      string
	CreatedAt time.Time

	DeletesAt *time.Time // it was asked to be deleted, and is after that; nil: it was not
	DeletedAt *time.Time // nil: it lives. What is left of a deleted one are its invoices, for those who looked after its billing.
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
	ID             string // mem_…
	OrganizationID string
	UserID         string
	Name           string // of the user
	Email          string // of the user
	Role           Role
	Billable       bool
	Status         MemberStatus
	JoinedAt       time.Time
	LastSeenAt     *time.Time
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
	ID               string
	OrganizationID   string // empty for the built-in ones
	Name             string
	CanManageBilling bool
	CanManageMembers bool
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
func (a Access) requireBilling() error {
	if a.CanManageBilling() {
		return nil
	}
	return Errorf(CodeForbidden, MessageBillingAccess)
}
