package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// MessageOperatorsOnly is what others are told.
const MessageOperatorsOnly = "Only operators of this installation can see this"

// IsOperator tells whether a user runs this installation: one who was promoted, or whose address is configured. A configured address has to be
// shown to be theirs, or anybody could sign up with it first; where e-mail is only shown on a page, it can't be.
func (us *Users) IsOperator(u User) bool {
	switch {
	case u.Operator:
		return true
	case u.EmailVerifiedAt == nil && us.outbox.Sends():
		return false
	}
	return slices.ContainsFunc(us.operatorEmails, func(email string) bool { return strings.EqualFold(email, u.Email) })
}

// UserByEmail reads a user by their address, without case. Error: [ErrNotFound].
func (us *Users) ByEmail(ctx context.Context, email string) (User, error) {
	return us.store.Users().ByEmail(ctx, strings.TrimSpace(email))
}

// PromoteOperator makes the user of an address an operator. Error: [ErrNotFound].
func (us *Users) PromoteOperator(ctx context.Context, email string) (User, error) {
	user, err := us.ByEmail(ctx, email)
	if err != nil {
		return user, fmt.Errorf("promote operator: %w", err)
	}
	user.Operator = true
	return user, us.store.Users().SetOperator(ctx, user.ID, true)
}

// PromoteMember gives a member of an organization another role, as whoever runs the installation may. Errors: [ErrNotFound] where the user, the
// organization, the role or the membership is not there.
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
		if member.Role, err = tx.Roles().Get(ctx, organizationID, roleID); err != nil {
			return err
		}
		before := member
		member.Status = MemberActive
		if err := tx.Members().Update(ctx, member); err != nil {
			return err
		}
		return us.members.hooks.MembershipChanged(ctx, tx, MembershipChange{Before: before, After: member, Reason: "was made " + member.Role.Name})
	})
	if err != nil {
		return member, fmt.Errorf("promote member: %w", err)
	}
	return member, nil
}
