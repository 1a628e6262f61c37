package billing

import (
	"time"

	"usher/billing/catalog"
)

// SeatState is what is wanted and what Stripe was told, for one organization (the seed's billingSeatState).
type SeatState struct {
	OrganizationID   string     `db:"organization_id"`
	DesiredSeats     int        `db:"desired_seats"`
	LastAppliedSeats *int       `db:"last_applied_seats"` // nil until Stripe was told or said a number
	LastSyncAt       *time.Time `db:"last_sync_at"`       // when wanted and applied were last seen to agree
	SyncError        string     `db:"sync_error"`         // why the last attempt failed, in words; empty otherwise
	SyncVersion      int64      `db:"sync_version"`       // rises with every change of what is wanted
	AppliedVersion   int64      `db:"applied_version"`    // the version that Stripe was last told successfully

	FirstChangeAt  *time.Time        `db:"first_change_at"` // the oldest change not yet told, for the gathering's latest moment
	DueAt          *time.Time        `db:"due_at"`          // when Stripe is to be told; nil while there is nothing to tell
	Attempt        int64             `db:"attempt"`         // counts the idempotency keys used; rises after every definite answer
	AttemptOpen    bool              `db:"attempt_open"`    // an attempt was sent and no answer read: send the same key again
	OpenItemID     string            `db:"open_item_id"`    // the parameters the open attempt was sent with
	OpenQuantity   int               `db:"open_quantity"`
	OpenVersion    int64             `db:"open_version"`
	OpenProration  catalog.Proration `db:"open_proration"`
	AcknowledgedAt *time.Time        `db:"acknowledged_at"` // the moment of Stripe's last yes: a snapshot from before does not show it
	Failures       int               `db:"failures"`        // in a row, for the back-off
	LeaseUntil     *time.Time        `db:"lease_until"`     // somebody is at it until then

	AcceptedQuantity int        `db:"minimum_seats"` // adopted from Stripe; 0: none
	PaidSeats        int        `db:"paid_seats"`    // for the running period, where the plan keeps them until it ends
	PaidUntil        *time.Time `db:"paid_until"`    // the end of that period
	ReleaseAt        *time.Time `db:"release_at"`    // when seats are given back that are kept only since they are paid
	SummarySince     *time.Time `db:"summary_since"` // the oldest change that no summary has told the billing contacts of
	SummaryDueAt     *time.Time `db:"summary_due_at"`
	DriftVersion     int64      `db:"drift_version"` // the version that undoes a change made behind us
	Drifts           int        `db:"drift_count"`   // such changes in a row
	DriftAt          *time.Time `db:"drift_at"`      // the last of them
}

// debouncing tells that changes are collected and Stripe is not told of them yet.
func (s SeatState) debouncing(now time.Time) bool {
	return s.FirstChangeAt != nil && s.DueAt != nil && now.Before(*s.DueAt) && s.Failures == 0
}

// SyncStatus is the state of the seats in one word.
type SyncStatus string

// The sync statuses of the summary.
const (
	SyncOK      SyncStatus = "ok"
	SyncPending SyncStatus = "pending"
	SyncError   SyncStatus = "error"
)

// SeatChange is a line of the seat ledger: the wanted number moved.
type SeatChange struct {
	ID             int64     `db:"id,readonly"`
	OrganizationID string    `db:"organization_id"`
	At             time.Time `db:"at"`
	ActorUserID    string    `db:"actor_user_id,null"`       // empty: the system or Stripe
	ActorName      string    `db:"actor_name,joined,null"`   // filled when read
	SubjectUserID  string    `db:"subject_user_id,null"`     // whose membership changed; empty where it was nobody's
	SubjectName    string    `db:"subject_name,joined,null"` // filled when read
	Reason         string    `db:"reason"`
	From           int       `db:"from_seats"`
	To             int       `db:"to_seats"`
	Version        int64     `db:"version"`
	RequestID      string    `db:"request_id,joined,null"` // of the request with which Stripe took it, filled when read; empty while it has not
	// What it came to, filled when read: the invoice whose lines charge for it or give it back, and their sum. Of changes that were told together
	// the last one carries it. Empty while it is on no invoice, as most are until the next renewal.
	InvoiceID     string        `db:"invoice_id,joined,null"`
	InvoiceNumber string        `db:"invoice_number,joined,null"`
	Invoiced      catalog.Money `db:"invoiced,joined,null"`
}

// Debouncing bounds: a burst of changes is told to Stripe once, this long after its last change and no later than that after its first.
const (
	DebounceQuiet = 3 * time.Second
	DebounceLimit = 30 * time.Second
)
