package billing

import (
	"context"
	"fmt"

	"usher/billing/account"
)

// SeatLedgers reads the seat ledger, undoes changes that are not yet at Stripe, and mails summaries.
type SeatLedgers struct {
	*core
	members *account.Members
	seats   *SeatCounter
	notices *Notices
}

// BilledSince finds, for each of the people, the newest line of the seat ledger about them: it says since when and why they are billed, or
// no longer are. Who has none was in the organization before there was a ledger about them.
func (sl *SeatLedgers) BilledSince(ctx context.Context, a account.Access, userIDs []string) (map[string]SeatChange, error) {
	changes, err := sl.store.SeatLedger().Latest(ctx, a.Organization.ID, userIDs)
	if err != nil {
		return nil, fmt.Errorf("read why people are billed: %w", err)
	}
	newest := make(map[string]SeatChange, len(changes))
	for _, change := range changes {
		newest[change.SubjectUserID] = change
	}
	return newest, nil
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
func (sl *SeatLedgers) Search(ctx context.Context, a account.Access, search LedgerSearch) (lines []SeatChange, total int, err error) {
	search.Text = account.NormalizeSearch(search.Text)
	search.Limit = min(search.Limit, SeatLedgerLimit)
	lines, total, err = sl.store.SeatLedger().Search(ctx, a.Organization.ID, search)
	if err != nil {
		return nil, 0, fmt.Errorf("read the seat ledger: %w", err)
	}
	return lines, total, nil
}
