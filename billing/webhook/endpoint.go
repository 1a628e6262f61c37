package webhook

import (
	"slices"
	"time"

	"usher/billing/apperr"
)

// Endpoint is an address that gets the messages of an organization.
type Endpoint struct {
	ID             string      `db:"id"` // whe_…
	OrganizationID string      `db:"organization_id"`
	URL            string      `db:"url"`
	Events         []EventType `db:"events,json"`
	Secret         []byte      `db:"secret"` // sealed
	// FormerSecret signs beside Secret until FormerUntil; nil: there is none.
	FormerSecret   []byte         `db:"former_secret,null"` // sealed
	FormerUntil    *time.Time     `db:"former_until"`
	CreatedBy      string         `db:"created_by"` // the name at that time
	CreatedAt      time.Time      `db:"created_at"`
	DisabledAt     *time.Time     `db:"disabled_at"`
	DisabledReason DisabledReason `db:"disabled_reason"`
	// DueAt is when the oldest pending delivery is sent; nil: there is none.
	DueAt      *time.Time `db:"due_at"`
	LeaseUntil *time.Time `db:"lease_until"` // of the worker that sends; nil: none does
	// Claims counts the leases and so identifies the current one.
	Claims       int64      `db:"claims"`
	Failures     int        `db:"failures"`      // in a row
	FailingSince *time.Time `db:"failing_since"` // nil: the last attempt was successful, or there was none
	SucceededAt  *time.Time `db:"succeeded_at"`  // the last success
}

// DisabledReason says why an endpoint was disabled.
type DisabledReason string

// The reasons.
const (
	DisabledFailing DisabledReason = "failing" // for disableAfter
	DisabledGone    DisabledReason = "gone"    // it answered 410
)

// Subscribes reports whether the endpoint gets messages of a type.
func (e Endpoint) Subscribes(t EventType) bool { return slices.Contains(e.Events, t) }

// Enabled reports whether messages are sent.
func (e Endpoint) Enabled() bool { return e.DisabledAt == nil }

// enable makes the endpoint as good as new.
func (e *Endpoint) enable() {
	e.DisabledAt, e.DisabledReason, e.Failures, e.FailingSince = nil, "", 0, nil
}

// DeliveryStatus is the state of a delivery.
type DeliveryStatus string

// The states of deliveries.
const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryFailed    DeliveryStatus = "failed" // given up; it can be sent again
)

// Delivery is a message for an endpoint. Those of an endpoint are sent in the order of their ids.
type Delivery struct {
	ID          int64          `db:"id,readonly"`
	EndpointID  string         `db:"endpoint_id"`
	MessageID   string         `db:"message_id"`
	Status      DeliveryStatus `db:"status"`
	Attempts    int            `db:"attempts"`
	CreatedAt   time.Time      `db:"created_at"`
	AttemptedAt *time.Time     `db:"attempted_at"` // the last attempt; nil: none
	StatusCode  int            `db:"status_code"`  // of the last response; 0: there was none
	Failure     Failure        `db:"failure"`      // why the last attempt failed
	Response    string         `db:"response"`     // the beginning of the last response
	TookMS      int64          `db:"took_ms"`

	// Of the message.
	Type   EventType `db:"type,joined"`
	Body   string    `db:"body,joined"`
	SentAt time.Time `db:"message_created_at,joined"` // when the message was made
}

// Draft is the input for an endpoint.
type Draft struct {
	URL    string
	Events []string
}

// maxEndpoints is the maximum number of endpoints of an organization: each gets every message.
const maxEndpoints = 10

// check returns the address and the types as they are stored.
func (d Draft) check(strict bool) (string, []EventType, error) {
	address, err := checkURL(d.URL, strict)
	if err != nil {
		return "", nil, err
	}
	var chosen []EventType
	for _, event := range EventTypes() {
		if slices.Contains(d.Events, string(event)) {
			chosen = append(chosen, event)
		}
	}
	for _, event := range d.Events {
		if !slices.Contains(EventTypes(), EventType(event)) {
			return "", nil, apperr.FieldError("events", "There is no event %s. The events are %s.", event, joinTypes(EventTypes()))
		}
	}
	if len(chosen) == 0 {
		return "", nil, apperr.FieldError("events", "Choose at least one event.")
	}
	return address, chosen, nil
}
