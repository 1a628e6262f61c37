package account

import "strings"

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

// Of returns the members that match, in their order.
func (f MemberSearch) Of(members []Member) []Member {
	matching := make([]Member, 0, len(members))
	for _, m := range members {
		if f.matches(m) {
			matching = append(matching, m)
		}
	}
	return matching
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
