package stripegw

import (
	"cmp"
	"encoding/json"

	"usher/billing"
)

// eventObject holds the fields with the ids that assign an event, of all API versions. A field with
// an unexpected type stays empty: a signed event is never rejected for its shape.
type eventObject struct {
	ID       reference `json:"id"`
	Object   string    `json:"object"`
	Customer reference `json:"customer"`
	// Invoices up to 2025-02, and Checkout sessions.
	Subscription reference `json:"subscription"`
	// Subscription schedules that were released.
	ReleasedSubscription reference           `json:"released_subscription"`
	Charge               reference           `json:"charge"`  // refunds and disputes
	Invoice              reference           `json:"invoice"` // credit notes
	TestClock            reference           `json:"test_clock"`
	ClientReferenceID    string              `json:"client_reference_id"`
	Metadata             map[string]string   `json:"metadata"`
	SubscriptionDetails  subscriptionDetails `json:"subscription_details"` // invoices up to 2025-02
	Parent               struct {
		SubscriptionDetails subscriptionDetails `json:"subscription_details"`
	} `json:"parent"` // invoices from 2025-03
}

type subscriptionDetails struct {
	Subscription reference         `json:"subscription"`
	Metadata     map[string]string `json:"metadata"`
}

// reference is an id, or the id of an expanded object.
type reference string

// UnmarshalJSON accepts a string or an object with an id, and ignores everything else without an
// error.
func (r *reference) UnmarshalJSON(data []byte) error {
	*r = ""
	switch data[0] {
	case '"':
		var id string
		if json.Unmarshal(data, &id) == nil {
			*r = reference(validID(id))
		}
	case '{':
		var object struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(data, &object) == nil {
			*r = reference(validID(object.ID))
		}
	}
	return nil
}

// readIDs reads the ids from an object of any type and version. encoding/json continues after a
// field with the wrong type, so its error is ignored.
func readIDs(event *billing.Event, object []byte) {
	var o eventObject
	if len(object) == 0 {
		return
	}
	_ = json.Unmarshal(object, &o)
	event.ObjectID, event.ObjectType = string(o.ID), validID(o.Object)
	event.CustomerID = string(o.Customer)
	event.SubscriptionID = string(cmp.Or(o.Subscription, o.Parent.SubscriptionDetails.Subscription, o.ReleasedSubscription))
	event.TestClock = o.TestClock != ""
	// client_reference_id is last: a payment link's URL can set it, metadata only the secret key.
	event.OrgID = validID(cmp.Or(o.Metadata["orgId"], o.SubscriptionDetails.Metadata["orgId"],
		o.Parent.SubscriptionDetails.Metadata["orgId"], o.ClientReferenceID))
	switch o.Object {
	case "charge":
		event.ChargeID = string(o.ID)
	case "refund", "dispute":
		event.ChargeID = string(o.Charge)
	case "credit_note":
		event.InvoiceID = string(o.Invoice)
	case "customer":
		event.CustomerID = string(o.ID)
	case "subscription":
		event.SubscriptionID = string(o.ID)
	}
}

// maxIDLength exceeds the length of every id and metadata value read here.
const maxIDLength = 500

// validID returns s if it can be an id, else "": control characters (PostgreSQL rejects NUL in
// text) and very long strings cannot.
func validID(s string) string {
	if len(s) > maxIDLength {
		return ""
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return ""
		}
	}
	return s
}
