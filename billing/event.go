package billing

import "time"

// Event is a verified event of Stripe, with the parts of it that the handlers use.
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
	CustomerID     string `db:"customer_id"`     // of the object; empty if it names none
	SubscriptionID string `db:"subscription_id"` // of the object; empty if it names none
	// ChargeID is set for a charge, a refund or a dispute. It is not stored, since the payload has
	// it.
	ChargeID string
	// InvoiceID is set for a credit note. It is not stored, since the payload has it.
	InvoiceID string
	// PendingWebhooks is how many endpoints have not accepted it yet, when it was listed. It is not
	// stored.
	PendingWebhooks int64
	// OrgID is the metadata orgId of the object or of its subscription.
	OrgID     string `db:"org_id"`
	TestClock bool   `db:"test_clock"`

	// Subscription is set if data.object is one in a shape of our API version. Its AsOf is Created.
	Subscription *Subscription
	// Invoice is set if data.object is one in a shape of our API version, with all lines. Its AsOf
	// is Created.
	Invoice *Invoice
	// Checkout is set if data.object is a Checkout session in a shape of our API version.
	Checkout *StripeCheckoutSession
}

// Outcome is the result of an event.
type Outcome string

// The outcomes in the inbox.
const (
	OutcomePending Outcome = "pending" // the object has to be fetched from Stripe
	OutcomeApplied Outcome = "applied"
	OutcomeStale   Outcome = "stale"   // the stored snapshot is newer
	OutcomeIgnored Outcome = "ignored" // no handler for its type, or another application's object
	OutcomeFailed  Outcome = "failed"  // a dead letter; an operator may replay it
)

// StoredEvent is an event in the inbox.
type StoredEvent struct {
	Event
	// OrganizationID is empty if the event belongs to no organization here.
	OrganizationID string     `db:"organization_id,null"`
	Outcome        Outcome    `db:"outcome"`
	Attempts       int        `db:"attempts"`
	Error          string     `db:"error"`
	ReceivedAt     time.Time  `db:"received_at"`
	NextAttemptAt  *time.Time `db:"next_attempt_at"` // while pending
	Changes        []string   `db:"changes,lines"`   // what it changed here, as text for operators
}

// eventResult is the result of handling an event in its transaction.
type eventResult struct {
	outcome        Outcome
	organizationID string
}

// mergeOutcomes returns the outcome that leaves more work.
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
