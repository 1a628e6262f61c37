package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"usher/billing/account"
)

// EventType is the type of a message.
type EventType string

// The types of messages.
const (
	EntitlementsChanged  EventType = "entitlements.changed"
	SubscriptionChanged  EventType = "subscription.changed"
	SeatsChanged         EventType = "seats.changed"
	CreditsChanged       EventType = "credits.changed"
	InvoicePaid          EventType = "invoice.paid"
	InvoicePaymentFailed EventType = "invoice.payment_failed"
	MemberChanged        EventType = "member.changed"
	// TestEvent is sent on request, to any endpoint.
	TestEvent EventType = "webhook.test"
)

// EventTypes lists the types that an endpoint can subscribe to.
func EventTypes() []EventType {
	return []EventType{
		EntitlementsChanged, SubscriptionChanged, SeatsChanged, CreditsChanged, InvoicePaid, InvoicePaymentFailed, MemberChanged,
	}
}

// ChangeKind says what a change is about.
type ChangeKind string

// The kinds of changes.
const (
	ChangeState                ChangeKind = "state" // subscription, seats or credits of the organization
	ChangeMember               ChangeKind = "member"
	ChangeMemberRemoved        ChangeKind = "member_removed"
	ChangeInvoicePaid          ChangeKind = "invoice_paid"
	ChangeInvoicePaymentFailed ChangeKind = "invoice_payment_failed"
)

// Change is something that has changed and is not published yet. Package db writes it in the
// transaction of the change.
type Change struct {
	ID             int64      `db:"id,readonly"`
	OrganizationID string     `db:"organization_id"`
	Kind           ChangeKind `db:"kind"`
	ObjectID       string     `db:"object_id"` // of the member or the invoice
	// FactID identifies a fact that is reported once: an unsuccessful attempt to collect an
	// invoice.
	FactID string          `db:"fact_id"`
	Member *account.Member `db:"member,json"` // as they were, of a member who was removed
}

// Object is something that a message can carry.
type Object struct {
	Type EventType
	ID   string // empty: there is one for each organization
	Data any    // as the API shows it
	// Compared are the parts of which a change causes a message; nil: all of Data.
	Compared any
}

// State is what messages say about an organization as a whole.
type State struct {
	Objects []Object
	// ChangesAt is when the state will change without another write; nil: it will not.
	ChangesAt *time.Time
}

func (o Object) digest() ([]byte, error) {
	compared := o.Compared
	if compared == nil {
		compared = o.Data
	}
	text, err := json.Marshal(compared)
	if err != nil {
		return nil, fmt.Errorf("digest of %s: %w", o.Type, err)
	}
	sum := sha256.Sum256(text)
	return sum[:16], nil
}

// Published is the last published state of an object.
type Published struct {
	OrganizationID string    `db:"organization_id"`
	Type           EventType `db:"type"`
	ObjectID       string    `db:"object_id"`
	Digest         []byte    `db:"digest"`
}

// Message is what is sent. It is never changed.
type Message struct {
	ID             string    `db:"id"` // msg_…
	OrganizationID string    `db:"organization_id"`
	Type           EventType `db:"type"`
	Body           string    `db:"body"`
	CreatedAt      time.Time `db:"created_at"`
}

// envelope is the body of a message (Standard Webhooks, payload structure).
type envelope struct {
	Type           EventType `json:"type"`
	Timestamp      string    `json:"timestamp"` // ISO 8601, of the state that data shows
	OrganizationID string    `json:"organizationId"`
	Data           any       `json:"data"`
}

// newMessage encodes a message. Like the API it does not escape HTML, so that both have the same
// text.
func newMessage(id, organizationID string, o Object, now time.Time) (Message, error) {
	now = now.UTC().Truncate(time.Microsecond)
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(envelope{o.Type, now.Format(time.RFC3339Nano), organizationID, o.Data}); err != nil {
		return Message{}, fmt.Errorf("encode message: %w", err)
	}
	text := string(bytes.TrimRight(body.Bytes(), "\n"))
	return Message{ID: id, OrganizationID: organizationID, Type: o.Type, Body: text, CreatedAt: now}, nil
}
