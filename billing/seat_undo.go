package billing

import (
	"context"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
)

// What people are told where changes can't be undone.
const (
	MessageNothingPending = "Stripe is being told already. Change the members themselves instead."
	MessageAllRemoved     = "Whoever left or was removed can't be brought back this way. Please invite them again."
)

// maxPendingChanges bounds the changes one gathering can hold, which lasts no longer than [DebounceLimit].
const maxPendingChanges = 10_000

// UndoPendingChanges sets back who is billed to what it was before the changes that are gathered now, so that Stripe is told nothing. People who
// left stay away: left counts them. Errors: CodeForbidden; CodeConflict where nothing is gathered, where all of them left, and for the
// plan's maximum.
func (sl *SeatLedgers) UndoPendingChanges(ctx context.Context, a account.Access) (left int, err error) {
	err = sl.members.AsMemberManager(ctx, a, inTx(func(tx Tx, actor account.Access) error {
		people, err := sl.pendingChanges(ctx, tx, a.Organization.ID)
		if err != nil {
			return err
		}
		left = 0
		members, err := membersByUser(ctx, tx, a.Organization.ID)
		if err != nil {
			return err
		}
		for _, userID := range people {
			member, stays := members[userID]
			if !stays {
				left++
				continue
			}
			if err := sl.revertBilling(ctx, tx, actor, member); err != nil {
				return err
			}
		}
		if left == len(people) {
			return apperr.Errorf(apperr.CodeConflict, MessageAllRemoved)
		}
		return nil
	}))
	if err != nil {
		return 0, fmt.Errorf("undo gathered changes: %w", err)
	}
	return left, nil
}

// pendingChanges lists the people whose billing differs from before the gathering began. The ledger has a line each time one of them began or
// ceased to be billed, so an odd number of lines is a difference.
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
		return nil, fmt.Errorf("read the gathered changes: %w", err)
	}
	var people []string
	lines := map[string]int{}
	for _, change := range changes {
		if change.At.Before(*state.FirstChangeAt) {
			break
		}
		if change.SubjectUserID != "" && lines[change.SubjectUserID] == 0 {
			people = append(people, change.SubjectUserID)
		}
		lines[change.SubjectUserID]++
	}
	return changedPeople(people, lines), nil
}

func changedPeople(people []string, lines map[string]int) []string {
	var odd []string
	for _, id := range people {
		if lines[id]%2 == 1 {
			odd = append(odd, id)
		}
	}
	return odd
}

func membersByUser(ctx context.Context, tx Tx, organizationID string) (map[string]account.Member, error) {
	members, err := tx.Members().List(ctx, organizationID)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	byUser := make(map[string]account.Member, len(members))
	for _, m := range members {
		byUser[m.UserID] = m
	}
	return byUser, nil
}

// revertBilling turns a member's billing round: who became billed stays a member and is billed no more, who ceased to be is again, and let in
// again if they were suspended.
func (sl *SeatLedgers) revertBilling(ctx context.Context, tx Tx, actor account.Access, before account.Member) error {
	if !actor.Covers(before.Role) {
		return apperr.Errorf(apperr.CodeForbidden, account.MessageHoldsMore)
	}
	after := before
	if after.Billable = !before.Billed(); after.Billable {
		after.Status = account.MemberActive
	}
	return sl.members.UpdateTx(ctx, tx, actor, before, after)
}
