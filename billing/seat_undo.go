package billing

import (
	"context"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
)

// The messages for changes that can't be undone.
const (
	MessageNothingPending = "This change is already on its way to Stripe. Change the members instead."
	MessageAllRemoved     = "People who left or were removed can't be brought back this way. Invite them again."
)

// maxPendingChanges bounds the number of debounced changes, which are collected for at most
// [DebounceLimit].
const maxPendingChanges = 10_000

// UndoPendingChanges reverts who is billed to before the changes that are being debounced, so that
// nothing is sent to Stripe. Members who left are not restored: left counts them. Errors:
// CodeForbidden; CodeConflict if no change is being debounced, if all of them left, or if the
// plan's maximum would be exceeded.
func (sl *SeatLedgers) UndoPendingChanges(ctx context.Context, a account.Access) (left int, err error) {
	err = sl.members.AsMemberManager(ctx, a, inTx(func(tx Tx, actor account.Access) error {
		userIDs, err := sl.pendingChanges(ctx, tx, a.Organization.ID)
		if err != nil {
			return err
		}
		left = 0
		members, err := membersByUser(ctx, tx, a.Organization.ID, userIDs)
		if err != nil {
			return err
		}
		for _, userID := range userIDs {
			member, stays := members[userID]
			if !stays {
				left++
				continue
			}
			if err := sl.revertBilling(ctx, tx, actor, member); err != nil {
				return err
			}
		}
		if left == len(userIDs) {
			return apperr.Errorf(apperr.CodeConflict, MessageAllRemoved)
		}
		return nil
	}))
	if err != nil {
		return 0, fmt.Errorf("undo pending changes: %w", err)
	}
	return left, nil
}

// pendingChanges lists the users whose billing differs from before the debouncing began. The ledger
// has a line each time one of them began or ceased to be billed, so an odd number of lines is a
// difference.
func (sl *SeatLedgers) pendingChanges(ctx context.Context, tx Tx, organizationID string) ([]string, error) {
	state, _, err := apperr.Found(tx.Seats().LockState(ctx, organizationID))
	if err != nil {
		return nil, fmt.Errorf("lock seat state: %w", err)
	}
	if !state.debouncing(sl.Now()) {
		return nil, apperr.Errorf(apperr.CodeConflict, MessageNothingPending)
	}
	changes, err := tx.SeatLedger().List(ctx, organizationID, maxPendingChanges)
	if err != nil {
		return nil, fmt.Errorf("read pending changes: %w", err)
	}
	var userIDs []string
	lines := map[string]int{}
	for _, change := range changes {
		if change.At.Before(*state.FirstChangeAt) {
			break
		}
		if change.SubjectUserID != "" && lines[change.SubjectUserID] == 0 {
			userIDs = append(userIDs, change.SubjectUserID)
		}
		lines[change.SubjectUserID]++
	}
	return changedUsers(userIDs, lines), nil
}

func changedUsers(userIDs []string, lines map[string]int) []string {
	var odd []string
	for _, id := range userIDs {
		if lines[id]%2 == 1 {
			odd = append(odd, id)
		}
	}
	return odd
}

func membersByUser(ctx context.Context, tx Tx, organizationID string, userIDs []string) (map[string]account.Member, error) {
	members, err := tx.Members().ByKeys(ctx, organizationID, account.MemberKeys{UserIDs: userIDs})
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	byUser := make(map[string]account.Member, len(members))
	for _, m := range members {
		byUser[m.UserID] = m
	}
	return byUser, nil
}

// revertBilling inverts whether a member is billed. A member who became billed stays a member. One
// who ceased to be billed is billed again, and active again if they were suspended.
func (sl *SeatLedgers) revertBilling(ctx context.Context, tx Tx, actor account.Access, before account.Member) error {
	if !actor.Covers(before.Role) {
		return apperr.Errorf(apperr.CodeForbidden, account.MessageHoldsMore)
	}
	after := before
	if after.Billable = !before.Billed(); after.Billable {
		after = after.Reactivated()
	}
	return sl.members.UpdateTx(ctx, tx, actor, before, after)
}
