package billing

import "time"

// SeatState is what is wanted and what Stripe was told, for one organization (the seed's billingSeatState).
type SeatState struct {
	OrganizationID   string
	DesiredSeats     int
	LastAppliedSeats *int       // nil until Stripe was told or said a number
	LastSyncAt       *time.Time // when wanted and applied were last seen to agree
	SyncError        string     // why the last attempt failed, in words; empty otherwise
	SyncVersion      int64      // rises with every change of what is wanted
	AppliedVersion   int64      // the version that Stripe was last told successfully

	FirstChangeAt *time.Time // the oldest change not yet told, for the gathering's latest moment
	DueAt         *time.Time // when Stripe is to be told; nil while there is nothing to tell
	Attempt       int64      // counts the idempotency keys used; rises after every definite answer
	Open          bool       // an attempt was sent and no answer read: send the same key again
	OpenItemID    string     // the parameters the open attempt was sent with
	OpenQuantity  int
	OpenVersion   int64
	OpenProration Proration
	ToldAt        *time.Time // the moment of Stripe's last yes: a snapshot from before does not show it
	Failures      int        // in a row, for the back-off
	LeaseUntil    *time.Time // somebody is at it until then

	MinimumSeats int        // adopted from Stripe; 0: none
	PaidSeats    int        // for the running period, where the plan keeps them until it ends
	PaidUntil    *time.Time // the end of that period
	ReleaseAt    *time.Time // when seats are given back that are kept only since they are paid
	SummarySince *time.Time // the oldest change that no summary has told the billing contacts of
	SummaryDueAt *time.Time
	DriftVersion int64      // the version that undoes a change made behind us
	Drifts       int        // such changes in a row
	DriftAt      *time.Time // the last of them
}

// gathering tells that changes are collected and Stripe is not told of them yet.
func (s SeatState) gathering(now time.Time) bool {
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
	ID             int64
	OrganizationID string
	At             time.Time
	ActorUserID    string // empty: the system or Stripe
	ActorName      string // filled when read
	SubjectUserID  string // whose membership changed; empty where it was nobody's
	SubjectName    string // filled when read
	Reason         string
	From, To       int
	Version        int64
	RequestID      string // of the request with which Stripe took it, filled when read; empty while it has not
	// What it came to, filled when read: the invoice whose lines charge for it or give it back, and their sum. Of changes that were told together
	// the last one carries it. Empty while it is on no invoice, as most are until the next renewal.
	InvoiceID, InvoiceNumber string
	Invoiced                 Money
}

// Gathering bounds: a burst of changes is told to Stripe once, this long after its last change and no later than that after its first.
const (
	GatherQuiet = 3 * time.Second
	GatherLimit = 30 * time.Second
)
