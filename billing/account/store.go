package account

import (
	"context"
	"time"

	"usher/billing/mail"
)

// AccountTx gives the stores of people and organizations in one transaction.
type Tx interface {
	mail.Tx
	Users() UserStore
	Organizations() OrganizationStore
	Members() MemberStore
	Roles() RoleStore
	Invitations() InvitationStore
	Tokens() TokenStore
	RateLimits() RateLimitStore
}

// UserStore stores people and their sessions.
type UserStore interface {
	// Erase replaces name, address and password by what says nothing and opens nothing, and spends every link that was mailed.
	Erase(ctx context.Context, userID, name string) error
	SetPassword(ctx context.Context, userID, hash string) error
	// MarkEmailVerified keeps the first moment it is told.
	MarkEmailVerified(ctx context.Context, userID string, at time.Time) error
	// DeleteSessions ends every session of a user and returns how many there were.
	DeleteSessions(ctx context.Context, userID string) (int64, error)
	SetName(ctx context.Context, userID, name string) error
	// SetOperator makes a user an operator, or takes that back; ErrNotFound where there is no such user.
	SetOperator(ctx context.Context, userID string, operator bool) error
	Insert(ctx context.Context, u User) error // CodeConflict on a known e-mail address
	Get(ctx context.Context, id string) (User, error)
	Lock(ctx context.Context, id string) (User, error)
	ByEmail(ctx context.Context, email string) (User, error) // without case
}

// OrganizationStore stores organizations.
type OrganizationStore interface {
	Update(ctx context.Context, o Organization) error // writes Name and DeletesAt
	Insert(ctx context.Context, o Organization) error
	Get(ctx context.Context, id string) (Organization, error)
	Lock(ctx context.Context, id string) (Organization, error)
	// Access reads user, organization and membership at once; ErrNotFound where the user is no active member.
	Access(ctx context.Context, userID, organizationID string) (Access, error)
	// OfUser lists those the user is an active member of, oldest membership first.
	OfUser(ctx context.Context, userID string) ([]Organization, error)
}

// MemberStore stores memberships.
type MemberStore interface {
	// OfUser lists all of a user, suspended ones and those of deleted organizations included, by organization.
	OfUser(ctx context.Context, userID string) ([]Member, error)
	// BillingManagers lists the active members who may manage billing, the oldest membership first.
	BillingManagers(ctx context.Context, organizationID string) ([]User, error)
	Get(ctx context.Context, organizationID, memberID string) (Member, error)
	ByUser(ctx context.Context, organizationID, userID string) (Member, error) // suspended ones too
	Update(ctx context.Context, m Member) error                                // writes role, billable and status
	Touch(ctx context.Context, memberID string, seenAt time.Time) error
	Delete(ctx context.Context, organizationID, memberID string) error
	// CountOtherAdmins counts the active members but one who hold the built-in admin role.
	CountOtherAdmins(ctx context.Context, organizationID, exceptMemberID string) (int, error)
	Insert(ctx context.Context, m Member) error                        // reads m.Role.ID
	List(ctx context.Context, organizationID string) ([]Member, error) // by name
	CountBillable(ctx context.Context, organizationID string) (int, error)
}

// RoleStore stores built-in and custom roles.
type RoleStore interface {
	Get(ctx context.Context, organizationID, roleID string) (Role, error) // built-in ones too
	Insert(ctx context.Context, r Role) error                             // CodeConflict on a known name
	Update(ctx context.Context, r Role) error                             // writes name and rights; never a built-in one
	Delete(ctx context.Context, organizationID, roleID string) error      // the role must not be held
	// CountHolders counts the members who have the role and the pending invitations that promise it.
	CountHolders(ctx context.Context, organizationID, roleID string) (members, invitations int, err error)
	List(ctx context.Context, organizationID string) ([]Role, error) // built-in first
}

// InvitationStore stores invitations.
type InvitationStore interface {
	Insert(ctx context.Context, i Invitation) error
	// Update writes token, inviter, times and count of sendings, and how it was closed.
	Update(ctx context.Context, i Invitation) error
	Get(ctx context.Context, organizationID, invitationID string) (Invitation, error)
	ByToken(ctx context.Context, tokenHash []byte) (Invitation, error)
	// Pending lists those neither accepted nor revoked, expired ones too, by address.
	Pending(ctx context.Context, organizationID string) ([]Invitation, error)
	// CountPromisedSeats counts the pending billable invitations but one that have not expired at now.
	CountPromisedSeats(ctx context.Context, organizationID, exceptInvitationID string, now time.Time) (int, error)
}

// TokenStore stores mailed links and the requests for them.
type TokenStore interface {
	// PutResetRequest writes that somebody asked for a new password; once while it waits, without case.
	PutResetRequest(ctx context.Context, email string, now time.Time) error
	// PopResetRequest removes the oldest request and returns its address, lower-case; ErrNotFound where none waits. It waits for
	// whoever is taking that one.
	PopResetRequest(ctx context.Context) (string, error)
	Insert(ctx context.Context, t Token) error
	// Get reads a token that can still be used; ErrNotFound for all others.
	Get(ctx context.Context, hash []byte, purpose TokenPurpose, now time.Time) (Token, error)
	// MarkUsed marks a token as used; false where it is already, or there is none.
	MarkUsed(ctx context.Context, hash []byte, now time.Time) (bool, error)
	// MarkAllUsed marks all tokens of a user as used.
	MarkAllUsed(ctx context.Context, userID string, purpose TokenPurpose, now time.Time) error
	// LastCreatedAt tells when the user was last given a token that is not used; ErrNotFound where there is none.
	LastCreatedAt(ctx context.Context, userID string, purpose TokenPurpose) (time.Time, error)
}

// RateLimitStore counts limited actions for all replicas together.
type RateLimitStore interface {
	// Count counts one in the window that began then and returns how many there are in it. An older window of the key is forgotten.
	Count(ctx context.Context, key string, window time.Time) (int, error)
	// Prune forgets windows that began before.
	Prune(ctx context.Context, before time.Time) error
}
