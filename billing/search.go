package billing

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MemberSearch narrows a list of members. What is empty does not narrow it.
type MemberSearch struct {
	Text string // in name, e-mail address or role, without case
	Seat MemberSeat
}

// MemberSeat tells members apart by whether they take a seat.
type MemberSeat string

// The kinds of members a list can be narrowed to.
const (
	SeatBilled    MemberSeat = "billed"
	SeatNotBilled MemberSeat = "not_billed"
	SeatSuspended MemberSeat = "suspended"
)

// SearchMembers lists the organization's members that fit, by name.
func (s *Service) SearchMembers(ctx context.Context, a Access, search MemberSearch) ([]Member, error) {
	members, err := s.store.Members().List(ctx, a.Organization.ID)
	if err != nil {
		return nil, fmt.Errorf("search members: %w", err)
	}
	fitting := members[:0]
	for _, m := range members {
		if search.fits(m) {
			fitting = append(fitting, m)
		}
	}
	return fitting, nil
}

func (f MemberSearch) fits(m Member) bool {
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
	text := strings.ToLower(searchText(f.Text))
	for _, in := range []string{m.Name, m.Email, m.Role.Name} {
		if strings.Contains(strings.ToLower(in), text) {
			return true
		}
	}
	return false
}

// LedgerSearch narrows and cuts the seat ledger. What is empty does not narrow it.
type LedgerSearch struct {
	Text      string // in the name of whom it is about or who did it, or in what happened; without case
	Direction SeatDirection
	Offset    int
	Limit     int // at most [SeatLedgerLimit]
}

// SeatDirection tells lines of the ledger apart by what became of the number.
type SeatDirection string

// The directions a ledger can be narrowed to.
const (
	MoreSeats  SeatDirection = "more"
	FewerSeats SeatDirection = "fewer"
)

// SeatLedgerLimit bounds a ledger that is asked for whole, in lines.
const SeatLedgerLimit = 100_000

// SeatLedger lists the lines of the seat ledger that fit, the newest first, and how many fit altogether.
func (s *Service) SeatLedger(ctx context.Context, a Access, search LedgerSearch) (lines []SeatChange, total int, err error) {
	search.Text = searchText(search.Text)
	search.Limit = min(search.Limit, SeatLedgerLimit)
	lines, total, err = s.store.SeatLedger().Search(ctx, a.Organization.ID, search)
	if err != nil {
		return nil, 0, fmt.Errorf("read the seat ledger: %w", err)
	}
	return lines, total, nil
}

// maxSearchLength bounds what is looked for, in characters.
const maxSearchLength = 100

// searchText tidies what was typed; what is too long is cut.
func searchText(typed string) string {
	typed = strings.TrimSpace(typed)
	if utf8.RuneCountInString(typed) > maxSearchLength {
		typed = string([]rune(typed)[:maxSearchLength])
	}
	return strings.ToValidUTF8(typed, "")
}
