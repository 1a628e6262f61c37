package stripegw

import (
	"cmp"
	"encoding/json"

	"usher/billing"
)

// eventObject is where the API's versions keep the ids an event is sorted by. A field of another type than expected stays empty: an event
// that is signed is never refused for its shape.
type eventObject struct {
	ID                  reference           `json:"id"`
	Object              string              `json:"object"`
	Customer            reference           `json:"customer"`
	Subscription        reference           `json:"subscription"` // of invoices up to 2025-02, and of Checkout sessions
	Charge              reference           `json:"charge"`       // of refunds and disputes
	TestClock           reference           `json:"test_clock"`
	ClientReferenceID   string              `json:"client_reference_id"`
	Metadata            map[string]string   `json:"metadata"`
	SubscriptionDetails subscriptionDetails `json:"subscription_details"` // of invoices up to 2025-02
	Parent              struct {
		SubscriptionDetails subscriptionDetails `json:"subscription_details"`
	} `json:"parent"` // of invoices from 2025-03 on
}

type subscriptionDetails struct {
	Subscription reference         `json:"subscription"`
	Metadata     map[string]string `json:"metadata"`
}

// reference is an id, or the object with that id where it was expanded.
type reference string

// UnmarshalJSON takes a string, or an object's id, and leaves everything else empty. It never fails.
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

// readIDs takes the ids from an object of any type and version. encoding/json goes on after a field of the wrong type, so what could be
// read is there even where it reports one.
func readIDs(event *billing.Event, object []byte) {
	var o eventObject
	if len(object) == 0 {
		return
	}
	_ = json.Unmarshal(object, &o)
	event.ObjectID, event.ObjectType = string(o.ID), validID(o.Object)
	event.CustomerID = string(o.Customer)
	event.SubscriptionID = string(cmp.Or(o.Subscription, o.Parent.SubscriptionDetails.Subscription))
	event.TestClock = o.TestClock != ""
	// client_reference_id comes last: whoever makes a session link can set it, metadata only whoever holds the secret key.
	event.OrgID = validID(cmp.Or(o.Metadata["orgId"], o.SubscriptionDetails.Metadata["orgId"],
		o.Parent.SubscriptionDetails.Metadata["orgId"], o.ClientReferenceID))
	switch o.Object {
	case "charge":
		event.ChargeID = string(o.ID)
	case "refund", "dispute":
		event.ChargeID = string(o.Charge)
	case "customer":
		event.CustomerID = string(o.ID)
	case "subscription":
		event.SubscriptionID = string(o.ID)
	}
}

// maxIDLength is more than any id or metadata value of Stripe can have that is looked at here.
const maxIDLength = 500

// validID returns s where it can be an id, else nothing: control characters (PostgreSQL refuses a NUL in text) and endless strings are none.
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
