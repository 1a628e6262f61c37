package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"usher/billing/mail"
)

// MessageOperatorsOnly is shown to users who are not operators.
const MessageOperatorsOnly = "Only operators of this installation can see this"

// IsOperator reports whether a user operates this installation: by promotion or by a configured
// address. A configured address must be verified, since anybody could sign up with it; without a
// mail server addresses cannot be verified, and it counts at once.
func (us *Users) IsOperator(u User) bool {
	switch {
	case u.Operator:
		return true
	case u.EmailVerifiedAt == nil && us.outbox.Sends():
		return false
	}
	return slices.ContainsFunc(us.operatorEmails, func(email string) bool { return mail.SameAddress(email, u.Email) })
}

// ByEmail returns the user of an address, case-insensitive. Error: [apperr.ErrNotFound].
func (us *Users) ByEmail(ctx context.Context, email string) (User, error) {
	return us.store.Users().ByEmail(ctx, strings.TrimSpace(email))
}

// PromoteOperator makes the user of an address an operator. Error: [apperr.ErrNotFound].
func (us *Users) PromoteOperator(ctx context.Context, email string) (User, error) {
	var user User
	err := us.store.InTx(ctx, func(tx Tx) (err error) {
		if user, err = tx.Users().ByEmail(ctx, strings.TrimSpace(email)); err != nil {
			return err
		}
		user.Operator = true
		if err := tx.Users().SetOperator(ctx, user.ID, true); err != nil {
			return err
		}
		return us.record(ctx, tx, AuditEntry{Act: ActOperatorPromoted}.To(user.ID, user.Name))
	})
	if err != nil {
		return user, fmt.Errorf("promote operator: %w", err)
	}
	return user, nil
}

// PromoteMember gives a member another role on behalf of an operator and reactivates a suspended
// one. Error: [apperr.ErrNotFound] if the user, organization, role or membership does not exist.
func (us *Users) PromoteMember(ctx context.Context, email, organizationID, roleID string) (Member, error) {
	var member Member
	err := us.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return err
		}
		user, err := tx.Users().ByEmail(ctx, strings.TrimSpace(email))
		if err != nil {
			return err
		}
		if member, err = tx.Members().ByUser(ctx, organizationID, user.ID); err != nil {
			return err
		}
		former := member
		if member.Role, err = tx.Roles().Get(ctx, organizationID, roleID); err != nil {
			return err
		}
		before := member
		member.Status = MemberActive
		if err := tx.Members().Update(ctx, member); err != nil {
			return err
		}
		if err := us.members.recordChange(ctx, tx, AuditEntry{OrganizationID: organizationID}, former, member); err != nil {
			return err
		}
		return us.members.hooks.MembershipChanged(ctx, tx, MembershipChange{Before: before, After: member, Reason: ReasonRole + member.Role.Name})
	})
	if err != nil {
		return member, fmt.Errorf("promote member: %w", err)
	}
	return member, nil
}
