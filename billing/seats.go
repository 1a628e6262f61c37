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
	Failures      int        // in a row, for the back-off
	LeaseUntil    *time.Time // somebody is at it until then
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
}

// Gathering bounds: a burst of changes is told to Stripe once, this long after its last change and no later than that after its first.
const (
	GatherQuiet = 3 * time.Second
	GatherLimit = 30 * time.Second
)
