package main

import "encoding/json"

// event holds the fields of a Stripe event that the simulation reads.
type event struct {
	ID   string
	Type string
	Data struct {
		Object struct {
			ID       string
			Object   string
			Customer string
		}
	}
}

// parseEvent reads an event. An expanded customer leaves the rest of the object empty.
func parseEvent(payload []byte) event {
	var e event
	_ = json.Unmarshal(payload, &e)
	return e
}

// customerID returns the id of the customer that the event is about, or "".
func (e event) customerID() string {
	if e.Data.Object.Object == "customer" {
		return e.Data.Object.ID
	}
	return e.Data.Object.Customer
}
