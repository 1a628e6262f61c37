package billing

import (
	"context"
	"time"
)

// MembershipQueries are about who is in an organization, who is asked in, and what they may do there. What is looked for by an id is
// looked for in the organization: another one's is [ErrNotFound].
type MembershipQueries interface {
	Member(ctx context.Context, organizationID, memberID string) (Member, error)
	MemberByUser(ctx context.Context, organizationID, userID string) (Member, error) // suspended ones too
	UpdateMember(ctx context.Context, m Member) error                                // writes role, billable and status
	TouchMember(ctx context.Context, memberID string, seenAt time.Time) error
	DeleteMember(ctx context.Context, organizationID, memberID string) error
	// CountOtherAdmins counts the active members but one who hold the built-in admin role.
	CountOtherAdmins(ctx context.Context, organizationID, exceptMemberID string) (int, error)
	// LastSeatChanges reads the newest line of the seat ledger about each of the people who have one.
	LastSeatChanges(ctx context.Context, organizationID string, userIDs []string) ([]SeatChange, error)

	UpdateOrganization(ctx context.Context, o Organization) error // writes Name and DeletesAt
	UpdateUserName(ctx context.Context, userID, name string) error

	Role(ctx context.Context, organizationID, roleID string) (Role, error) // built-in ones too
	InsertRole(ctx context.Context, r Role) error                          // CodeConflict on a known name
	UpdateRole(ctx context.Context, r Role) error                          // writes name and rights; never a built-in one
	DeleteRole(ctx context.Context, organizationID, roleID string) error   // the role must not be held
	// RoleHolders counts the members who have the role and the pending invitations that promise it.
	RoleHolders(ctx context.Context, organizationID, roleID string) (members, invitations int, err error)

	InsertInvitation(ctx context.Context, i Invitation) error
	// UpdateInvitation writes token, inviter, times and count of sendings, and how it was closed.
	UpdateInvitation(ctx context.Context, i Invitation) error
	Invitation(ctx context.Context, organizationID, invitationID string) (Invitation, error)
	InvitationByToken(ctx context.Context, tokenHash []byte) (Invitation, error)
	// PendingInvitations lists those neither accepted nor revoked, expired ones too, by address.
	PendingInvitations(ctx context.Context, organizationID string) ([]Invitation, error)
	// CountPromisedSeats counts the pending billable invitations but one that have not expired at now.
	CountPromisedSeats(ctx context.Context, organizationID, exceptInvitationID string, now time.Time) (int, error)
}
