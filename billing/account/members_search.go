package account

import (
	"context"
	"slices"

	"usher/billing/apperr"
)

// MemberSearch filters members. Zero fields do not filter.
type MemberSearch struct {
	Text string // in name, e-mail address or role, without case
	Seat SeatFilter
}

// SeatFilter filters members by whether they occupy a billed seat.
type SeatFilter string

// The seat filters. Any other value does not filter.
const (
	SeatBilled    SeatFilter = "billed"
	SeatNotBilled SeatFilter = "not_billed"
	SeatSuspended SeatFilter = "suspended"
)

func (s MemberSearch) normalized() MemberSearch {
	s.Text = NormalizeSearch(s.Text)
	return s
}

// MemberKeys name members of an organization by what is theirs alone, or by their role.
type MemberKeys struct {
	IDs         []string
	UserIDs     []string
	ExternalIDs []string
	Addresses   []string // compared by [mail.SameAddress]
	RoleIDs     []string
}

// List lists the organization's members by name. Pages use [Members.Search].
func (ms *Members) List(ctx context.Context, a Access) ([]Member, error) {
	return ms.store.Members().List(ctx, a.Organization.ID)
}

// Search lists the matching members from an offset on, by name, and at most limit of them.
func (ms *Members) Search(ctx context.Context, a Access, search MemberSearch, offset, limit int) ([]Member, error) {
	return ms.store.Members().Search(ctx, a.Organization.ID, search.normalized(), offset, limit)
}

// Count counts the matching members.
func (ms *Members) Count(ctx context.Context, a Access, search MemberSearch) (int, error) {
	return ms.store.Members().Count(ctx, a.Organization.ID, search.normalized())
}

// CountByRole counts the members of each role, by the role's id.
func (ms *Members) CountByRole(ctx context.Context, a Access) (map[string]int, error) {
	return ms.store.Members().CountByRole(ctx, a.Organization.ID)
}

// ByKeys lists the members who have one of the keys, by name.
func (ms *Members) ByKeys(ctx context.Context, a Access, keys MemberKeys) ([]Member, error) {
	return ms.store.Members().ByKeys(ctx, a.Organization.ID, keys)
}

// ByAddress returns the member with an e-mail address; of two, the one who has joined. Error:
// [apperr.ErrNotFound].
func (ms *Members) ByAddress(ctx context.Context, a Access, address string) (Member, error) {
	found, err := ms.ByKeys(ctx, a, MemberKeys{Addresses: []string{address}})
	if err != nil {
		return Member{}, err
	}
	if len(found) == 0 {
		return Member{}, apperr.ErrNotFound
	}
	if joined := slices.IndexFunc(found, func(m Member) bool { return !m.Provisional }); joined > 0 {
		return found[joined], nil
	}
	return found[0], nil
}

// BillingManagers lists the members who may manage billing, by name, those who have not joined
// included.
func (ms *Members) BillingManagers(ctx context.Context, a Access) ([]Member, error) {
	return billingManagers(ctx, ms.store, a.Organization.ID)
}

func billingManagers(ctx context.Context, store Tx, organizationID string) ([]Member, error) {
	roles, err := store.Roles().List(ctx, organizationID)
	if err != nil {
		return nil, err
	}
	var keys MemberKeys
	for _, role := range roles {
		if role.ID == RoleAdmin || role.CanManageBilling {
			keys.RoleIDs = append(keys.RoleIDs, role.ID)
		}
	}
	members, err := store.Members().ByKeys(ctx, organizationID, keys)
	return slices.DeleteFunc(members, func(m Member) bool { return !(Access{Member: m}).CanManageBilling() }), err
}
