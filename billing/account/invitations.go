package account

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// InvitationLifetime is how long an invitation can be accepted after it was last sent.
const InvitationLifetime = 7 * 24 * time.Hour

// Messages shown when an invitation cannot be created or accepted.
const (
	MessageInvitationGone    = "This invitation is no longer valid. It was used, revoked or replaced by a newer one."
	MessageInvitationExpired = "This invitation has expired. Ask the person who invited you to send it again."
	MessageInvitationVoid    = "This invitation is no longer valid, because its sender can no longer invite people. Ask an admin for a new one."
	MessageInvitationFull    = "This organization has no free seat right now. Ask the person who invited you to free one, then open the link again."
	MessageInvitationOther   = "This invitation is for a different e-mail address from the one you are signed in with."
	MessageInvitationSignIn  = "This e-mail address already has an account. Sign in to accept the invitation."
	MessageInvitedAlready    = "This address is already invited. Resend that invitation instead."
	MessageMemberAlready     = "This person is already a member."
	MessageInvitationAddress = "Enter an e-mail address such as ana@example.com."
	MessageVerifyFirst       = "Confirm your own e-mail address first, because invitations are sent in your name. The link is in the e-mail you got after signing up. You can send it again from Settings."
)

// Invitation invites a person to an organization by e-mail. Only the hash of its token is stored.
// Possession of the token proves access to the address.
type Invitation struct {
	ID             string `db:"id"` // inv_…
	OrganizationID string `db:"organization_id"`
	Email          string `db:"email"`
	// Zero for a closed invitation whose role was deleted.
	Role      Role   `db:"role,null"`
	Billable  bool   `db:"billable"`
	TokenHash []byte `db:"token_hash"` // SHA-256
	// The last sender, in the current state; only UserID and Name after they left; zero: a program
	// or the installation, see [Invitation.OfInstallation].
	Inviter Member `db:"inviter,null"`
	// InvitedByKey names the API key that sent it, which has no inviter; empty: a person did.
	InvitedByKey string     `db:"invited_by_key"`
	Sent         int        `db:"sent"` // number of e-mails sent
	CreatedAt    time.Time  `db:"created_at"`
	ExpiresAt    time.Time  `db:"expires_at"`
	AcceptedAt   *time.Time `db:"accepted_at"`
	RevokedAt    *time.Time `db:"revoked_at"`
}

// Pending reports whether the invitation was neither accepted nor revoked.
func (i Invitation) Pending() bool { return i.AcceptedAt == nil && i.RevokedAt == nil }

// Expired reports whether the invitation can no longer be accepted at now.
func (i Invitation) Expired(now time.Time) bool { return !now.Before(i.ExpiresAt) }

// OfInstallation reports whether neither a person nor a program sent the invitation, but the
// installation, to the owner of an organization that it imported.
func (i Invitation) OfInstallation() bool { return i.Inviter.UserID == "" && i.InvitedByKey == "" }

// InviterAuthorized reports whether the last sender may still grant the role. Invitations of a
// member who lost that right cannot be accepted. Those of a program are revoked with the
// membership.
func (i Invitation) InviterAuthorized() bool {
	if i.InvitedByKey != "" || i.OfInstallation() {
		return true
	}
	sender := Access{Member: i.Inviter}
	return sender.CanManageMembers() && sender.Covers(i.Role)
}

// NewInvitation describes an invitation to create.
type NewInvitation struct {
	Email    string
	RoleID   string // empty: [RoleMember]
	Billable bool
}

// MustVerify reports whether a person has to verify their address before they invite others, so
// that nobody sends e-mails under an address that is not theirs. Without a mail server addresses
// cannot be verified, and nothing is sent.
func (iv *Invitations) MustVerify(u User) bool { return u.EmailVerifiedAt == nil && iv.outbox.Sends() }

// Invite invites a person by e-mail. Errors: CodeForbidden, CodeUnprocessable and CodeConflict with
// the field. Seats of other pending invitations count toward the plan's maximum.
func (iv *Invitations) Invite(ctx context.Context, a Access, n NewInvitation) (Invitation, error) {
	var invitation Invitation
	err := iv.members.AsMemberManager(ctx, a, func(tx Tx, actor Access) (err error) {
		invitation, err = iv.InviteTx(ctx, tx, actor, n)
		return err
	})
	if err != nil {
		return Invitation{}, fmt.Errorf("invite: %w", err)
	}
	return invitation, nil
}

// InviteTx is [Invitations.Invite] in the caller's transaction; see [Members.AsMemberManager].
func (iv *Invitations) InviteTx(ctx context.Context, tx Tx, actor Access, n NewInvitation) (Invitation, error) {
	n, err := n.normalized().ofProvisional(ctx, tx, actor.Organization.ID)
	if err != nil {
		return Invitation{}, err
	}
	role, err := iv.checkInvitation(ctx, tx, actor, n)
	if err != nil {
		return Invitation{}, err
	}
	invitation := Invitation{
		ID: iv.NewID("inv"), OrganizationID: actor.Organization.ID, Email: n.Email, Role: role, Billable: n.Billable, CreatedAt: iv.Now(),
	}
	token := iv.renewToken(&invitation, actor)
	if err := tx.Invitations().Insert(ctx, invitation); err != nil {
		return Invitation{}, err
	}
	sent := actor.Did(ActInvitationSent).To(invitation.ID, invitation.Email).Changed(nil, AuditValues{"role": role.Name, "seat": yesOrNo(n.Billable)})
	if err := iv.record(ctx, tx, sent); err != nil {
		return Invitation{}, err
	}
	return invitation, iv.send(ctx, tx, actor, invitation, token)
}

// normalized returns the input with its defaults.
func (n NewInvitation) normalized() NewInvitation {
	n.Email = strings.TrimSpace(n.Email)
	if n.RoleID == "" {
		n.RoleID = RoleMember
	}
	return n
}

func (iv *Invitations) checkInvitation(ctx context.Context, tx Tx, actor Access, n NewInvitation) (Role, error) {
	if iv.MustVerify(actor.User) {
		return Role{}, apperr.FieldError("email", MessageVerifyFirst)
	}
	if !mail.ValidAddress(n.Email) {
		return Role{}, apperr.FieldError("email", MessageInvitationAddress)
	}
	role, err := grantableRole(ctx, tx, actor, n.RoleID)
	if err != nil {
		return role, err
	}
	if err := requireNotMember(ctx, tx, actor.Organization.ID, n.Email); err != nil {
		return role, err
	}
	if !n.Billable {
		return role, nil
	}
	return role, iv.requirePromisedSeat(ctx, tx, actor.Organization.ID, "")
}

// ofProvisional returns the input for a person whom a program made a member, and who takes that
// membership over: with its role, and without another seat.
func (n NewInvitation) ofProvisional(ctx context.Context, tx Tx, organizationID string) (NewInvitation, error) {
	member, found, err := provisionalMember(ctx, tx, organizationID, n.Email)
	if found {
		n.RoleID, n.Billable = member.Role.ID, false
	}
	return n, err
}

// provisionalMember returns the member with an address who has not joined.
func provisionalMember(ctx context.Context, tx Tx, organizationID, email string) (Member, bool, error) {
	members, err := tx.Members().ProvisionalByEmail(ctx, organizationID, email)
	if err != nil {
		return Member{}, false, fmt.Errorf("find provisional member: %w", err)
	}
	for _, m := range members {
		if mail.SameAddress(m.ManagedEmail, email) {
			return m, true, nil
		}
	}
	return Member{}, false, nil
}

// requireNotMember rejects the address of a member or of a pending invitation.
func requireNotMember(ctx context.Context, tx Tx, organizationID, email string) error {
	user, known, err := apperr.Found(tx.Users().ByEmail(ctx, email))
	if err != nil {
		return err
	}
	if known {
		_, member, err := apperr.Found(tx.Members().ByUser(ctx, organizationID, user.ID))
		if err != nil || member {
			return withField(err, "email", MessageMemberAlready)
		}
	}
	pending, err := tx.Invitations().Pending(ctx, organizationID)
	if err != nil {
		return err
	}
	for _, other := range pending {
		if mail.SameAddress(other.Email, email) {
			return apperr.FieldError("email", MessageInvitedAlready)
		}
	}
	return nil
}

// withField returns err, or an error on the field if err is nil.
func withField(err error, field, message string) error {
	if err != nil {
		return err
	}
	return &apperr.Error{Code: apperr.CodeUnprocessable, Field: field, Message: message}
}

// requirePromisedSeat rejects an invitation for which the plan has no seat. Seats of pending
// invitations are reserved, except that of exceptInvitationID.
func (iv *Invitations) requirePromisedSeat(ctx context.Context, tx Tx, organizationID, exceptInvitationID string) error {
	promised, err := tx.Invitations().CountPromisedSeats(ctx, organizationID, exceptInvitationID, iv.Now())
	if err != nil {
		return fmt.Errorf("count promised seats: %w", err)
	}
	return iv.hooks.RequireFreeSeat(ctx, tx, organizationID, promised)
}

// renewToken replaces the invitation's token, sender and expiry and returns the token. Earlier
// links become invalid.
func (iv *Invitations) renewToken(i *Invitation, actor Access) string {
	token := newToken(iv.Rand)
	i.TokenHash, i.Inviter, i.InvitedByKey = hashToken(token), actor.Member, ""
	if actor.Key != nil {
		i.Inviter, i.InvitedByKey = Member{}, actor.Key.Name
	}
	i.Sent++
	i.ExpiresAt = iv.Now().Add(InvitationLifetime)
	return token
}

// Resend sends a pending invitation again from the actor, with a new token. Errors: CodeForbidden,
// [apperr.ErrNotFound], CodeConflict if the plan has no seat for it.
func (iv *Invitations) Resend(ctx context.Context, a Access, invitationID string) (Invitation, error) {
	var invitation Invitation
	err := iv.withPendingInvitation(ctx, a, invitationID, func(tx Tx, actor Access, pending Invitation) error {
		if iv.MustVerify(actor.User) {
			return apperr.Errorf(apperr.CodeForbidden, MessageVerifyFirst)
		}
		if pending.Billable {
			if err := iv.requirePromisedSeat(ctx, tx, a.Organization.ID, pending.ID); err != nil {
				return err
			}
		}
		token := iv.renewToken(&pending, actor)
		invitation = pending
		if err := tx.Invitations().Update(ctx, pending); err != nil {
			return err
		}
		if err := iv.record(ctx, tx, actor.Did(ActInvitationResent).To(pending.ID, pending.Email)); err != nil {
			return err
		}
		return iv.send(ctx, tx, actor, pending, token)
	})
	if err != nil {
		return Invitation{}, fmt.Errorf("resend invitation: %w", err)
	}
	return invitation, nil
}

// Revoke invalidates a pending invitation. Errors: CodeForbidden, [apperr.ErrNotFound].
func (iv *Invitations) Revoke(ctx context.Context, a Access, invitationID string) error {
	err := iv.withPendingInvitation(ctx, a, invitationID, func(tx Tx, actor Access, pending Invitation) error {
		now := iv.Now()
		pending.RevokedAt = &now
		if err := tx.Invitations().Update(ctx, pending); err != nil {
			return err
		}
		return iv.record(ctx, tx, actor.Did(ActInvitationRevoked).To(pending.ID, pending.Email))
	})
	if err != nil {
		return fmt.Errorf("revoke invitation: %w", err)
	}
	return nil
}

func (iv *Invitations) withPendingInvitation(ctx context.Context, a Access, invitationID string, f func(Tx, Access, Invitation) error) error {
	return iv.members.AsMemberManager(ctx, a, func(tx Tx, actor Access) error {
		invitation, err := tx.Invitations().Get(ctx, a.Organization.ID, invitationID)
		if err != nil {
			return err
		}
		if !invitation.Pending() {
			return apperr.ErrNotFound
		}
		if !actor.Covers(invitation.Role) {
			return apperr.Errorf(apperr.CodeForbidden, MessageHoldsMore)
		}
		return f(tx, actor, invitation)
	})
}

// Pending lists the pending invitations, expired ones included, by address.
func (iv *Invitations) Pending(ctx context.Context, a Access) ([]Invitation, error) {
	return iv.store.Invitations().Pending(ctx, a.Organization.ID)
}

// send queues the e-mail in the transaction that writes the invitation.
func (iv *Invitations) send(ctx context.Context, tx Tx, actor Access, i Invitation, token string) error {
	return iv.outbox.Queue(ctx, tx, mail.Message{
		Kind: mail.KindInvitation, To: i.Email, OrganizationID: i.OrganizationID,
		Key: fmt.Sprintf("invitation:%s:%d", i.ID, i.Sent), StaleAt: i.ExpiresAt,
		Data: mail.Data{
			Organization: actor.Organization.Name, Inviter: i.inviterName(actor), OfImport: i.OfInstallation(), Role: i.Role.Name,
			URL: iv.baseURL + "/invite/" + url.PathEscape(token), ExpiresAt: i.ExpiresAt, SenderLanguage: actor.User.Language,
		},
	})
}

// inviterName returns who invites; empty: a program does.
func (i Invitation) inviterName(actor Access) string {
	if i.InvitedByKey != "" {
		return ""
	}
	return actor.User.Name
}
