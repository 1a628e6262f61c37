package db

import (
	"context"
	"database/sql"
	"time"

	"usher/billing"
)

const insertInvitation = `insert into invitations
	(id, organization_id, email, role_id, billable, token_hash, invited_by, sent, created_at, expires_at, accepted_at, revoked_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// InsertInvitation implements [billing.MembershipQueries].
func (q queries) InsertInvitation(ctx context.Context, i billing.Invitation) error {
	return q.exec(ctx, "insert invitation", insertInvitation, i.ID, i.OrganizationID, i.Email, textOrNull(i.Role.ID), i.Billable,
		i.TokenHash, i.Inviter.UserID, i.Sent, i.CreatedAt, i.ExpiresAt, i.AcceptedAt, i.RevokedAt)
}

const updateInvitation = `update invitations set token_hash = $3, invited_by = $4, sent = $5, expires_at = $6, accepted_at = $7, revoked_at = $8
	where organization_id = $1 and id = $2`

// UpdateInvitation implements [billing.MembershipQueries].
func (q queries) UpdateInvitation(ctx context.Context, i billing.Invitation) error {
	return q.execOne(ctx, "update invitation", updateInvitation, i.OrganizationID, i.ID,
		i.TokenHash, i.Inviter.UserID, i.Sent, i.ExpiresAt, i.AcceptedAt, i.RevokedAt)
}

// The sender is read as they are now. One who is no member any more leaves only who they were.
const selectInvitations = `select i.id, i.organization_id, i.email, i.billable, i.token_hash, i.sent, i.created_at, i.expires_at,
		i.accepted_at, i.revoked_at, i.invited_by, inviter.name as inviter_name, m.id as inviter_member_id, m.status as inviter_status,
		r.id as role_id, r.organization_id as role_organization_id, r.name as role_name,
		r.can_manage_billing as role_can_manage_billing, r.can_manage_members as role_can_manage_members,
		held.id as held_id, held.organization_id as held_organization_id, held.name as held_name,
		held.can_manage_billing as held_can_manage_billing, held.can_manage_members as held_can_manage_members
	from invitations i
	join users inviter on inviter.id = i.invited_by
	left join roles r on r.id = i.role_id
	left join organization_members m on m.organization_id = i.organization_id and m.user_id = i.invited_by
	left join roles held on held.id = m.role_id`

type invitationRow struct {
	ID              string         `db:"id"`
	OrganizationID  string         `db:"organization_id"`
	Email           string         `db:"email"`
	Billable        bool           `db:"billable"`
	TokenHash       []byte         `db:"token_hash"`
	Sent            int            `db:"sent"`
	CreatedAt       time.Time      `db:"created_at"`
	ExpiresAt       time.Time      `db:"expires_at"`
	AcceptedAt      *time.Time     `db:"accepted_at"`
	RevokedAt       *time.Time     `db:"revoked_at"`
	InvitedBy       string         `db:"invited_by"`
	InviterName     string         `db:"inviter_name"`
	InviterMemberID sql.NullString `db:"inviter_member_id"`
	InviterStatus   sql.NullString `db:"inviter_status"`

	RoleID               sql.NullString `db:"role_id"`
	RoleOrganizationID   sql.NullString `db:"role_organization_id"`
	RoleName             sql.NullString `db:"role_name"`
	RoleCanManageBilling sql.NullBool   `db:"role_can_manage_billing"`
	RoleCanManageMembers sql.NullBool   `db:"role_can_manage_members"`
	HeldID               sql.NullString `db:"held_id"`
	HeldOrganizationID   sql.NullString `db:"held_organization_id"`
	HeldName             sql.NullString `db:"held_name"`
	HeldCanManageBilling sql.NullBool   `db:"held_can_manage_billing"`
	HeldCanManageMembers sql.NullBool   `db:"held_can_manage_members"`
}

func (r invitationRow) invitation() billing.Invitation {
	i := billing.Invitation{
		ID: r.ID, OrganizationID: r.OrganizationID, Email: r.Email, Billable: r.Billable, TokenHash: r.TokenHash, Sent: r.Sent,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), AcceptedAt: utc(r.AcceptedAt), RevokedAt: utc(r.RevokedAt),
		Role: billing.Role{ID: r.RoleID.String, OrganizationID: r.RoleOrganizationID.String, Name: r.RoleName.String,
			CanManageBilling: r.RoleCanManageBilling.Bool, CanManageMembers: r.RoleCanManageMembers.Bool},
		Inviter: billing.Member{UserID: r.InvitedBy, Name: r.InviterName},
	}
	if r.InviterMemberID.Valid {
		i.Inviter.ID, i.Inviter.OrganizationID = r.InviterMemberID.String, r.OrganizationID
		i.Inviter.Status = billing.MemberStatus(r.InviterStatus.String)
		i.Inviter.Role = billing.Role{ID: r.HeldID.String, OrganizationID: r.HeldOrganizationID.String, Name: r.HeldName.String,
			CanManageBilling: r.HeldCanManageBilling.Bool, CanManageMembers: r.HeldCanManageMembers.Bool}
	}
	return i
}

const selectInvitation = selectInvitations + ` where i.organization_id = $1 and i.id = $2`

// Invitation implements [billing.MembershipQueries].
func (q queries) Invitation(ctx context.Context, organizationID, invitationID string) (billing.Invitation, error) {
	row, err := get[invitationRow](ctx, q, "read invitation", selectInvitation, organizationID, invitationID)
	return row.invitation(), err
}

const selectInvitationByToken = selectInvitations + ` where i.token_hash = $1`

// InvitationByToken implements [billing.MembershipQueries].
func (q queries) InvitationByToken(ctx context.Context, tokenHash []byte) (billing.Invitation, error) {
	row, err := get[invitationRow](ctx, q, "read invitation by token", selectInvitationByToken, tokenHash)
	return row.invitation(), err
}

const selectPendingInvitations = selectInvitations + ` where i.organization_id = $1 and i.accepted_at is null and i.revoked_at is null
	order by lower(i.email)`

// PendingInvitations implements [billing.MembershipQueries].
func (q queries) PendingInvitations(ctx context.Context, organizationID string) ([]billing.Invitation, error) {
	rows, err := list[invitationRow](ctx, q, "list pending invitations", selectPendingInvitations, organizationID)
	return collect(rows, invitationRow.invitation), err
}

const countPromisedSeats = `select count(*) from invitations
	where organization_id = $1 and id <> $2 and billable and accepted_at is null and revoked_at is null and expires_at > $3`

// CountPromisedSeats implements [billing.MembershipQueries].
func (q queries) CountPromisedSeats(ctx context.Context, organizationID, exceptInvitationID string, now time.Time) (int, error) {
	return get[int](ctx, q, "count promised seats", countPromisedSeats, organizationID, exceptInvitationID, now)
}
