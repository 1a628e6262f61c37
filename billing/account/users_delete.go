package account

import (
	"context"
	"fmt"

	"usher/billing/apperr"
)

// DeletedName stands in ledgers and lists for who has deleted their account.
const DeletedName = "Deleted account"

// Delete takes a user out of every organization, and forgets who they were. What they did stays in the ledgers, under [DeletedName].
// Errors: CodeUnprocessable with the field confirmation for a wrong password; CodeConflict where they are the last admin of an organization.
func (us *Users) Delete(ctx context.Context, userID, password string) error {
	user, err := us.store.Users().Get(ctx, userID)
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	fits, err := us.passwords.matches(ctx, password, user.PasswordHash)
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	if !fits {
		return apperr.FieldError("confirmation", "This is not your password.")
	}
	err = us.store.InTx(ctx, func(tx Tx) error { return us.deleteTx(ctx, tx, userID) })
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	return nil
}

func (us *Users) deleteTx(ctx context.Context, tx Tx, userID string) error {
	// Whoever accepts an invitation locks the user too, so that nobody joins whom this does not see.
	if _, err := tx.Users().Lock(ctx, userID); err != nil {
		return fmt.Errorf("lock user: %w", err)
	}
	memberships, err := tx.Members().OfUser(ctx, userID)
	if err != nil {
		return err
	}
	for _, member := range memberships { // by organization: two who do this at once lock in the same order
		if err := us.members.leaveTx(ctx, tx, member.OrganizationID, member.ID); err != nil {
			return err
		}
	}
	if _, err := tx.Users().DeleteSessions(ctx, userID); err != nil {
		return err
	}
	return tx.Users().Erase(ctx, userID, DeletedName)
}
