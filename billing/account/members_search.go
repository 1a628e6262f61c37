package account

import (
	"context"
	"fmt"
	"strings"
)

// MemberSearch filters a list of members. Zero fields do not filter.
type MemberSearch struct {
	Text string // in name, e-mail address or role, without case
	Seat SeatFilter
}

// SeatFilter filters members by whether they occupy a billed seat.
type SeatFilter string

// The seat filters.
const (
	SeatBilled    SeatFilter = "billed"
	SeatNotBilled SeatFilter = "not_billed"
	SeatSuspended SeatFilter = "suspended"
)

// Search lists the organization's members that match, by name.
func (ms *Members) Search(ctx context.Context, a Access, search MemberSearch) ([]Member, error) {
	members, err := ms.store.Members().List(ctx, a.Organization.ID)
	if err != nil {
		return nil, fmt.Errorf("search members: %w", err)
	}
	fitting := members[:0]
	for _, m := range members {
		if search.matches(m) {
			fitting = append(fitting, m)
		}
	}
	return fitting, nil
}

func (f MemberSearch) matches(m Member) bool {
	switch f.Seat {
	case SeatBilled:
		if !m.Billed() {
			return false
		}
	case SeatNotBilled:
		if m.Billed() {
			return false
		}
	case SeatSuspended:
		if m.Status != MemberSuspended {
			return false
		}
	}
	text := strings.ToLower(NormalizeSearch(f.Text))
	for _, in := range []string{m.Name, m.Email, m.Role.Name} {
		if strings.Contains(strings.ToLower(in), text) {
			return true
		}
	}
	return false
}
