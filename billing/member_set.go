package billing

import (
	"context"
	"fmt"

	"usher/billing/account"
)

// MemberSets writes the members of an organization on behalf of a program. The seats follow in the
// same transaction.
type MemberSets struct {
	*core
	provisioning *account.Provisioning
	previews     *SeatPreviews
}

// SeatCounts are billed members and the seats that follow from them.
type SeatCounts struct {
	Billable int // members
	Desired  int // seats
}

// MemberSetResult is what a request changed, or would change.
type MemberSetResult struct {
	account.MemberChanges
	Before, After SeatCounts
	// Preview is what it would cost; only of a request that is tried, with a plan.
	Preview *SeatPreview
}

// Put makes the members of the organization the given ones. Errors: see
// [account.Provisioning.PutTx].
func (ms *MemberSets) Put(ctx context.Context, a account.Access, specs []account.MemberSpec) (MemberSetResult, error) {
	var result MemberSetResult
	err := ms.provisioning.InOrganization(ctx, a, inTx(func(tx Tx, actor account.Access) (err error) {
		result, err = ms.put(ctx, tx, actor, specs)
		return err
	}))
	if err != nil {
		return MemberSetResult{}, fmt.Errorf("put members: %w", err)
	}
	return result, nil
}

// Try is [MemberSets.Put] that changes nothing, and says what it would cost.
func (ms *MemberSets) Try(ctx context.Context, a account.Access, specs []account.MemberSpec) (MemberSetResult, error) {
	var result MemberSetResult
	preview, err := ms.previews.Estimate(ctx, a, SeatRequest{Kind: SeatSet, make: func(tx Tx, actor account.Access) (err error) {
		result, err = ms.put(ctx, tx, actor, specs)
		return err
	}})
	if err != nil {
		return MemberSetResult{}, fmt.Errorf("try members: %w", err)
	}
	if preview.SubscriptionID != "" {
		result.Preview = &preview
	}
	return result, nil
}

func (ms *MemberSets) put(ctx context.Context, tx Tx, actor account.Access, specs []account.MemberSpec) (result MemberSetResult, err error) {
	if result.Before, err = seatCounts(ctx, tx, actor.Organization.ID); err != nil {
		return result, err
	}
	if result.MemberChanges, err = ms.provisioning.PutTx(ctx, tx, actor, specs); err != nil {
		return result, err
	}
	result.After, err = seatCounts(ctx, tx, actor.Organization.ID)
	return result, err
}

func seatCounts(ctx context.Context, tx Tx, organizationID string) (SeatCounts, error) {
	state, billed, err := tx.Seats().LockAndCount(ctx, organizationID)
	if err != nil {
		return SeatCounts{}, fmt.Errorf("count billable members: %w", err)
	}
	return SeatCounts{Billable: billed, Desired: state.DesiredSeats}, nil
}

// Add adds one member and, if invite is set, sends an invitation. A member who is there already as
// described is returned, and added is false. Errors: see [account.Provisioning.AddTx] and
// [account.Provisioning.InviteTx].
func (ms *MemberSets) Add(ctx context.Context, a account.Access, spec account.MemberSpec, invite bool) (member account.Member, added bool, err error) {
	err = ms.provisioning.InOrganization(ctx, a, func(tx account.Tx, actor account.Access) (err error) {
		if member, added, err = ms.provisioning.AddTx(ctx, tx, actor, spec); err != nil || !invite {
			return err
		}
		return ms.provisioning.InviteTx(ctx, tx, actor, member)
	})
	if err != nil {
		return account.Member{}, false, fmt.Errorf("add member: %w", err)
	}
	return member, added, nil
}

// Create adds one member. Errors: see [account.Provisioning.CreateTx].
func (ms *MemberSets) Create(ctx context.Context, a account.Access, spec account.MemberSpec) (member account.Member, err error) {
	err = ms.provisioning.InOrganization(ctx, a, func(tx account.Tx, actor account.Access) (err error) {
		member, err = ms.provisioning.CreateTx(ctx, tx, actor, spec)
		return err
	})
	if err != nil {
		return account.Member{}, fmt.Errorf("create member: %w", err)
	}
	return member, nil
}

// Change changes one member. Errors: see [account.Provisioning.ChangeTx].
func (ms *MemberSets) Change(ctx context.Context, a account.Access, memberID string, u account.MemberUpdate) (member account.Member, err error) {
	err = ms.provisioning.InOrganization(ctx, a, func(tx account.Tx, actor account.Access) (err error) {
		member, err = ms.provisioning.ChangeTx(ctx, tx, actor, memberID, u)
		return err
	})
	if err != nil {
		return account.Member{}, fmt.Errorf("change member: %w", err)
	}
	return member, nil
}

// Remove removes a member. Errors: see [account.Provisioning.RemoveTx].
func (ms *MemberSets) Remove(ctx context.Context, a account.Access, memberID string) error {
	err := ms.provisioning.InOrganization(ctx, a, func(tx account.Tx, actor account.Access) error {
		return ms.provisioning.RemoveTx(ctx, tx, actor, memberID)
	})
	if err != nil {
		return fmt.Errorf("remove member: %w", err)
	}
	return nil
}
