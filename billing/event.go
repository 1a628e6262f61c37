package billing

import "time"

// Event is a verified event of Stripe as far as it is understood here.
type Event struct {
	ID         string    `db:"id"`
	Type       string    `db:"type"`
	APIVersion string    `db:"api_version"`
	Livemode   bool      `db:"livemode"`
	Account    string    `db:"account"` // of Connect events; empty for one's own account
	Created    time.Time `db:"created"`
	Payload    []byte    `db:"payload"` // the raw body, for the inbox

	ObjectID       string `db:"object_id"`       // of data.object
	ObjectType     string `db:"object_type"`     // its object field
	CustomerID     string `db:"customer_id"`     // whose it is, where it says
	SubscriptionID string `db:"subscription_id"` // which it is about, where it says
	ChargeID       string // of a charge, a refund or a dispute; not stored, since the payload says it
	OrgID          string `db:"org_id"` // metadata orgId, on the object or on the subscription it carries
	TestClock      bool   `db:"test_clock"`

	Subscription *Subscription          // where data.object is one in a shape of our API version; Moment is Created
	Invoice      *Invoice               // where data.object is one in a shape of our API version, with all lines; Moment is Created
	Checkout     *StripeCheckoutSession // where data.object is a Checkout session in a shape of our API version
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
	OrganizationID string     `db:"organization_id,null"` // empty where it is nobody's here
	Outcome        Outcome    `db:"outcome"`
	Attempts       int        `db:"attempts"`
	Error          string     `db:"error"`
	ReceivedAt     time.Time  `db:"received_at"`
	NextAttemptAt  *time.Time `db:"next_attempt_at"` // while pending
	Changes        []string   `db:"changes,lines"`   // what it changed here, in words for operators
}

// mergeOutcomes returns the outcome that leaves more to do.
func mergeOutcomes(a, b Outcome) Outcome {
	for _, outcome := range []Outcome{OutcomePending, OutcomeApplied, OutcomeStale} {
		if a == outcome || b == outcome {
			return outcome
		}
	}
	return OutcomeIgnored
}

func outcomeOf(v Verdict) Outcome {
	return map[Verdict]Outcome{Apply: OutcomeApplied, Fetch: OutcomePending, Ignore: OutcomeStale}[v]
}
