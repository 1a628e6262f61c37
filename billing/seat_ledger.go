package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
)

// SeatLedgers reads the seat ledger, undoes changes that were not sent to Stripe yet, and mails
// summaries.
type SeatLedgers struct {
	*core
	members *account.Members
	notices *Notices
}

// SeatChange is a line of the seat ledger: the desired seats changed, or who is billed.
type SeatChange struct {
	ID             int64     `db:"id,readonly"`
	OrganizationID string    `db:"organization_id"`
	At             time.Time `db:"at"`
	ActorUserID    string    `db:"actor_user_id,null"`     // empty: the system or Stripe
	ActorName      string    `db:"actor_name,joined,null"` // filled when read
	// SubjectUserID is the member whose membership changed; empty: none.
	SubjectUserID string `db:"subject_user_id,null"`
	SubjectName   string `db:"subject_name,joined,null"` // filled when read
	Reason        string `db:"reason"`
	From          int    `db:"from_seats"`
	To            int    `db:"to_seats"`
	Version       int64  `db:"version"`
	// RequestID is of the request with which Stripe accepted it, filled when read; empty until
	// then.
	RequestID string `db:"request_id,joined,null"`
	// The invoice whose lines charge or credit the change, and their sum; filled when read. Of
	// changes that were sent in one update, the last one carries it. Empty while it is on no
	// invoice, as most are until the renewal.
	InvoiceID     string        `db:"invoice_id,joined,null"`
	InvoiceNumber string        `db:"invoice_number,joined,null"`
	Invoiced      catalog.Money `db:"invoiced,joined,null"`
}

// BilledSince finds, for each of the users, the newest line of the seat ledger about them: it says
// since when and why they are billed, or no longer are. A user without one joined before the ledger
// had lines about members.
func (sl *SeatLedgers) BilledSince(ctx context.Context, a account.Access, userIDs []string) (map[string]SeatChange, error) {
	changes, err := sl.store.SeatLedger().Latest(ctx, a.Organization.ID, userIDs)
	if err != nil {
		return nil, fmt.Errorf("read the newest seat changes: %w", err)
	}
	newest := make(map[string]SeatChange, len(changes))
	for _, change := range changes {
		newest[change.SubjectUserID] = change
	}
	return newest, nil
}

// LedgerSearch filters and pages the seat ledger. Empty fields do not filter.
type LedgerSearch struct {
	Text      string // in the subject's or the actor's name, or in the reason; case-insensitive
	Direction SeatDirection
	Offset    int
	Limit     int // at most [SeatLedgerLimit]
}

// SeatDirection filters ledger lines by whether the number rose or fell.
type SeatDirection string

// The directions of [LedgerSearch].
const (
	MoreSeats  SeatDirection = "more"
	FewerSeats SeatDirection = "fewer"
)

// SeatLedgerLimit is the maximum number of lines of one search.
const SeatLedgerLimit = 100_000

// Search lists the matching lines of the seat ledger, newest first, and the number of all matches.
func (sl *SeatLedgers) Search(ctx context.Context, a account.Access, search LedgerSearch) (lines []SeatChange, total int, err error) {
	search.Text = account.NormalizeSearch(search.Text)
	search.Limit = min(search.Limit, SeatLedgerLimit)
	lines, total, err = sl.store.SeatLedger().Search(ctx, a.Organization.ID, search)
	if err != nil {
		return nil, 0, fmt.Errorf("read the seat ledger: %w", err)
	}
	return lines, total, nil
}
