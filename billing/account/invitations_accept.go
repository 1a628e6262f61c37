package account

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// OpenInvitation is a valid invitation with its organization.
type OpenInvitation struct {
	Invitation
	Organization Organization
	HasAccount   bool // an account with this address exists, so the person signs in
}

// NewAccount is the input of an invited person without an account. The address is that of the
// invitation.
type NewAccount struct {
	Name, Password string
}

// Open returns the invitation of a token. Errors: CodeNotFound for an unknown, used, revoked or
// replaced token; CodeConflict if it expired or its sender may no longer invite.
func (iv *Invitations) Open(ctx context.Context, token string) (OpenInvitation, error) {
	open, err := iv.openTx(ctx, iv.store, token)
	if err != nil {
		return OpenInvitation{}, fmt.Errorf("open invitation: %w", err)
	}
	return open, nil
}

func (iv *Invitations) openTx(ctx context.Context, tx Tx, token string) (OpenInvitation, error) {
	invitation, err := tx.Invitations().ByToken(ctx, hashToken(token))
	if errors.Is(err, apperr.ErrNotFound) || err == nil && !invitation.Pending() {
		return OpenInvitation{}, &apperr.Error{Code: apperr.CodeNotFound, Message: MessageInvitationGone, Err: err}
	}
	if err != nil {
		return OpenInvitation{}, err
	}
	if invitation.Expired(iv.Now()) {
		return OpenInvitation{}, apperr.Errorf(apperr.CodeConflict, MessageInvitationExpired)
	}
	if !invitation.InviterAuthorized() {
		return OpenInvitation{}, apperr.Errorf(apperr.CodeConflict, MessageInvitationVoid)
	}
	open := OpenInvitation{Invitation: invitation}
	if open.Organization, err = tx.Organizations().Get(ctx, invitation.OrganizationID); err != nil {
		return OpenInvitation{}, err
	}
	_, open.HasAccount, err = apperr.Found(tx.Users().ByEmail(ctx, invitation.Email))
	return open, err
}

// Accept makes a signed-in user a member. Errors: as [Invitations.Open]; CodeForbidden if the
// invitation is for another address; CodeConflict if the plan has no free seat.
func (iv *Invitations) Accept(ctx context.Context, token, userID string) (Organization, error) {
	organization, err := iv.accept(ctx, token, func(tx Tx, open OpenInvitation) (User, error) {
		// Locked against a concurrent deletion of the account.
		user, err := tx.Users().Lock(ctx, userID)
		if err == nil && !mail.SameAddress(user.Email, open.Email) {
			err = apperr.Errorf(apperr.CodeForbidden, MessageInvitationOther)
		}
		return user, err
	})
	if err != nil {
		return Organization{}, fmt.Errorf("accept invitation: %w", err)
	}
	return organization, nil
}

// AcceptWithNewAccount creates an account for the invitation's address and makes it a member.
// Errors: as [Invitations.Open]; CodeUnprocessable with each invalid field; CodeUnauthenticated if
// the address has an account, which must sign in; CodeConflict if the plan has no free seat.
func (iv *Invitations) AcceptWithNewAccount(ctx context.Context, token string, n NewAccount) (User, Organization, error) {
	if err := iv.passwords.policy.requirePasswords(); err != nil {
		return User{}, Organization{}, err
	}
	n.Name = CleanName(n.Name)
	// Read first, so that an invalid token does not cost a password hash.
	open, err := iv.Open(ctx, token)
	if err != nil {
		return User{}, Organization{}, err
	}
	if err := iv.check(n, open); err != nil {
		return User{}, Organization{}, err
	}
	hash, err := iv.passwords.hash(ctx, n.Password)
	if err != nil {
		return User{}, Organization{}, fmt.Errorf("accept invitation: %w", err)
	}
	user := User{ID: iv.NewID("usr"), Name: n.Name, PasswordHash: hash, CreatedAt: iv.Now()}
	organization, err := iv.accept(ctx, token, func(tx Tx, open OpenInvitation) (User, error) {
		if open.HasAccount {
			return user, apperr.Errorf(apperr.CodeUnauthenticated, MessageInvitationSignIn)
		}
		user.Email = open.Email
		return user, tx.Users().Insert(ctx, user)
	})
	if err != nil {
		return User{}, Organization{}, fmt.Errorf("accept invitation: %w", err)
	}
	return user, organization, nil
}

// AcceptWithNewIdentity creates an account without a password for the invitation's address, links
// the identity to it and makes it a member. The identity may have another address: the link proves
// the invitation's. Errors: as [Invitations.AcceptWithNewAccount]; CodeConflict if the identity is
// linked by now.
func (iv *Invitations) AcceptWithNewIdentity(ctx context.Context, token, name string, a Assertion) (User, Organization, error) {
	name = CleanName(name)
	if err := checkName(name); err != nil {
		return User{}, Organization{}, err
	}
	user := User{ID: iv.NewID("usr"), Name: name, PasswordHash: noPassword, CreatedAt: iv.Now()}
	organization, err := iv.accept(ctx, token, func(tx Tx, open OpenInvitation) (User, error) {
		if open.HasAccount {
			return user, apperr.Errorf(apperr.CodeUnauthenticated, MessageInvitationSignIn)
		}
		user.Email = open.Email
		if err := tx.Users().Insert(ctx, user); err != nil {
			return user, err
		}
		return user, iv.identities.insert(ctx, tx, user, a)
	})
	if err != nil {
		return User{}, Organization{}, fmt.Errorf("accept invitation: %w", err)
	}
	return user, organization, nil
}

func (iv *Invitations) check(n NewAccount, open OpenInvitation) error {
	var wrong []error
	if n.Name == "" || utf8.RuneCountInString(n.Name) > maxNameLength {
		wrong = append(wrong, apperr.FieldError("name", "Please give your name, in %d characters or fewer.", maxNameLength))
	}
	about := passwordContext{n.Name, open.Email, []string{open.Organization.Name}}
	if mistake := iv.passwords.checkNew(n.Password, about); mistake != nil {
		wrong = append(wrong, mistake)
	}
	return errors.Join(wrong...)
}

// accept redeems an invitation and makes the user returned by find a member, in one transaction.
// The invitation is read twice: first to learn which organization to lock, then under the lock,
// which excludes concurrent acceptance and revocation.
func (iv *Invitations) accept(ctx context.Context, token string, find func(Tx, OpenInvitation) (User, error)) (Organization, error) {
	var organization Organization
	err := iv.store.InTx(ctx, func(tx Tx) error {
		open, err := iv.openTx(ctx, tx, token)
		if err != nil {
			return err
		}
		if _, err := tx.Organizations().Lock(ctx, open.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if open, err = iv.openTx(ctx, tx, token); err != nil {
			return err
		}
		organization = open.Organization
		user, err := find(tx, open)
		if err != nil {
			return err
		}
		return iv.join(ctx, tx, open.Invitation, user)
	})
	return organization, err
}

// join marks the invitation as accepted and makes the user a member. An existing membership stays
// unchanged; one that a program made for the address becomes the user's.
func (iv *Invitations) join(ctx context.Context, tx Tx, i Invitation, user User) error {
	now := iv.Now()
	if err := iv.close(ctx, tx, i, user); err != nil {
		return err
	}
	// The link was sent only to that address.
	if err := tx.Users().MarkEmailVerified(ctx, user.ID, now); err != nil {
		return err
	}
	if _, member, err := apperr.Found(tx.Members().ByUser(ctx, i.OrganizationID, user.ID)); err != nil || member {
		return err
	}
	provisional, found, err := provisionalMember(ctx, tx, i.OrganizationID, i.Email)
	switch {
	case err != nil:
		return err
	case found:
		return tx.Members().Link(ctx, provisional, user.ID, now)
	case i.InvitedByKey != "": // it was for a membership that has ended
		return apperr.Errorf(apperr.CodeNotFound, MessageInvitationGone)
	}
	if i.Billable {
		if err := iv.hooks.RequireFreeSeat(ctx, tx, i.OrganizationID, 0); err != nil {
			return &apperr.Error{Code: apperr.CodeConflict, Message: MessageInvitationFull, Err: err}
		}
	}
	member := Member{
		ID: iv.NewID("mem"), OrganizationID: i.OrganizationID, UserID: user.ID, Role: i.Role, Billable: i.Billable,
		Status: MemberActive, JoinedAt: now,
	}
	if err := tx.Members().Insert(ctx, member); err != nil {
		return err
	}
	stranger := member
	stranger.Billable = false
	return iv.hooks.MembershipChanged(ctx, tx, MembershipChange{
		Before: stranger, After: member, ActorID: i.Inviter.UserID, Reason: ReasonAccepted,
	})
}

// close marks the invitation as accepted by a user.
func (iv *Invitations) close(ctx context.Context, tx Tx, i Invitation, user User) error {
	now := iv.Now()
	i.AcceptedAt = &now
	if err := tx.Invitations().Update(ctx, i); err != nil {
		return err
	}
	accepted := user.did(ActInvitationAccepted, i.OrganizationID).To(i.ID, i.Email).Changed(nil, AuditValues{"role": i.Role.Name})
	return iv.record(ctx, tx, accepted)
}
