package billing

import "time"

// Event is a verified event of Stripe as far as it is understood here.
type Event struct {
	ID         string
	Type       string
	APIVersion string
	Livemode   bool
	Account    string // of Connect events; empty for one's own account
	Created    time.Time
	Payload    []byte // the raw body, for the inbox

	ObjectID       string // of data.object
	ObjectType     string // its object field
	CustomerID     string // whose it is, where it says
	SubscriptionID string // which it is about, where it says
	ChargeID       string // of a charge, a refund or a dispute; not stored, since the payload says it
	OrgID          string // metadata orgId, on the object or on the subscription it carries
	TestClock      bool

	Subscription *Subscription   // where data.object is one in a shape of our API version; Moment is Created
	Invoice      *Invoice        // where data.object is one in a shape of our API version, with all lines; Moment is Created
	Checkout     *StripeCheckout // where data.object is a Checkout session in a shape of our API version
}

// Outcome is what became of an event.
type Outcome string

// The outcomes in the inbox.
const (
	OutcomePending Outcome = "pending" // Stripe has to be asked
	OutcomeApplied Outcome = "applied"
	OutcomeStale   Outcome = "stale"   // what is held is newer
	OutcomeIgnored Outcome = "ignored" // of a type or of an application that does not matter here
	OutcomeFailed  Outcome = "failed"  // given up; an operator may replay it
)

// StoredEvent is an event in the inbox.
type StoredEvent struct {
	Event
	OrganizationID string // empty where it is nobody's here
	Outcome        Outcome
	Attempts       int
	Error          string
	ReceivedAt     time.Time
	NextAttemptAt  *time.Time // while pending
	Changes        []string   // what it changed here, in words for operators
}
