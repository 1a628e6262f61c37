package db

import (
	"context"
	"strings"
	"time"

	"github.com/lib/pq"

	"usher/billing/account"
)

// invitationStore implements [account.InvitationStore].
type invitationStore struct{ queries }

// Invitations implements [account.Tx].
func (q queries) Invitations() account.InvitationStore { return invitationStore{q} }

// Role and inviter are joined when an invitation is read, and stored by their ids.
var invitationTable = tableOf[account.Invitation]("invitations").
	computed("role_id", func(i account.Invitation) any { return textOrNull(i.Role.ID) }).
	computed("invited_by", func(i account.Invitation) any { return textOrNull(i.Inviter.UserID) })

var insertInvitation = invitationTable.insert()

// Insert implements [account.InvitationStore].
func (q invitationStore) Insert(ctx context.Context, i account.Invitation) error {
	return q.exec(ctx, "insert invitation", insertInvitation, invitationTable.values(i)...)
}

const updateInvitation = `update invitations set token_hash = $3, invited_by = $4, sent = $5, expires_at = $6, accepted_at = $7, revoked_at = $8, invited_by_key = $9
	where organization_id = $1 and id = $2`

// Update implements [account.InvitationStore].
func (q invitationStore) Update(ctx context.Context, i account.Invitation) error {
	return q.execOne(ctx, "update invitation", updateInvitation, i.OrganizationID, i.ID,
		i.TokenHash, textOrNull(i.Inviter.UserID), i.Sent, i.ExpiresAt, i.AcceptedAt, i.RevokedAt, i.InvitedByKey)
}

// The inviter is read in the current state. If no longer a member, only the user's id and name are
// set; nothing is if the installation sent the invitation.
var selectInvitations = `select ` + invitationTable.list("i") + `, ` + roleTable.nested("r", "role") + `,
		i.invited_by as "inviter.user_id", inviter.name as "inviter.name",
		m.id as "inviter.id", m.organization_id as "inviter.organization_id", m.status as "inviter.status", ` + roleTable.nested("inviter_role", "inviter.role") + `
	from invitations i
	left join users inviter on inviter.id = i.invited_by
	left join roles r on r.id = i.role_id
	left join organization_members m on m.organization_id = i.organization_id and m.user_id = i.invited_by
	left join roles inviter_role on inviter_role.id = m.role_id`

var selectInvitation = selectInvitations + ` where i.organization_id = $1 and i.id = $2`

// Get implements [account.InvitationStore].
func (q invitationStore) Get(ctx context.Context, organizationID, invitationID string) (account.Invitation, error) {
	return get[account.Invitation](ctx, q.queries, "read invitation", selectInvitation, organizationID, invitationID)
}

var selectInvitationByToken = selectInvitations + ` where i.token_hash = $1`

// ByToken implements [account.InvitationStore].
func (q invitationStore) ByToken(ctx context.Context, tokenHash []byte) (account.Invitation, error) {
	return get[account.Invitation](ctx, q.queries, "read invitation by token", selectInvitationByToken, tokenHash)
}

var selectPendingInvitations = selectInvitations + ` where i.organization_id = $1 and i.accepted_at is null and i.revoked_at is null
	order by lower(i.email)`

// Pending implements [account.InvitationStore].
func (q invitationStore) Pending(ctx context.Context, organizationID string) ([]account.Invitation, error) {
	return list[account.Invitation](ctx, q.queries, "list pending invitations", selectPendingInvitations, organizationID)
}

const revokeOfKeys = `update invitations set revoked_at = $3
	where organization_id = $1 and lower(email) = any($2) and invited_by_key <> '' and accepted_at is null and revoked_at is null`

// RevokeOfKeys implements [account.InvitationStore].
func (q invitationStore) RevokeOfKeys(ctx context.Context, organizationID string, emails []string, at time.Time) error {
	lower := make([]string, len(emails))
	for i, email := range emails {
		lower[i] = strings.ToLower(email)
	}
	return q.exec(ctx, "revoke invitations of API keys", revokeOfKeys, organizationID, pq.Array(lower), at)
}

const countPromisedSeats = `select count(*) from invitations
	where organization_id = $1 and id <> $2 and billable and accepted_at is null and revoked_at is null and expires_at > $3`

// CountPromisedSeats implements [account.InvitationStore].
func (q invitationStore) CountPromisedSeats(ctx context.Context, organizationID, exceptInvitationID string, now time.Time) (int, error) {
	return get[int](ctx, q.queries, "count promised seats", countPromisedSeats, organizationID, exceptInvitationID, now)
}
