package account

import (
	"context"
	"fmt"
)

// DeletedName replaces the name of deleted users in ledgers and lists.
const DeletedName = "Deleted account"

// Delete removes a user from every organization and erases their personal data. Ledgers keep their
// actions under [DeletedName]. Errors: CodeUnprocessable with the field confirmation for a wrong
// password; CodeConflict for the last admin of an organization.
func (us *Users) Delete(ctx context.Context, userID, password string) error {
	user, err := us.store.Users().Get(ctx, userID)
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	fits, err := us.passwords.authenticates(ctx, user, password)
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	if !fits {
		return wrongPassword("confirmation", "This is not your password.")
	}
	err = us.store.InTx(ctx, func(tx Tx) error { return us.deleteTx(ctx, tx, userID) })
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	return nil
}

func (us *Users) deleteTx(ctx context.Context, tx Tx, userID string) error {
	// Accepting an invitation locks the user too, so no membership is created concurrently.
	user, err := tx.Users().Lock(ctx, userID)
	if err != nil {
		return fmt.Errorf("lock user: %w", err)
	}
	memberships, err := tx.Members().OfUser(ctx, userID)
	if err != nil {
		return err
	}
	// Ordered by organization, so that concurrent deletions lock in the same order.
	for _, member := range memberships {
		if err := us.members.leaveTx(ctx, tx, member.OrganizationID, member.ID); err != nil {
			return err
		}
	}
	if _, err := tx.Users().DeleteSessions(ctx, userID); err != nil {
		return err
	}
	if err := us.record(ctx, tx, user.did(ActAccountDeleted, "").To(user.ID, user.Name)); err != nil {
		return err
	}
	return tx.Users().Erase(ctx, userID, DeletedName)
}
