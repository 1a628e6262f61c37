package main

import "encoding/json"

// event is what the storm needs to know of an event.
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

func readEvent(payload []byte) event {
	var e event
	_ = json.Unmarshal(payload, &e) // of what Stripe sent; an expanded customer would leave it empty
	return e
}

// customer tells whose it is; empty where it says none.
func (e event) customer() string {
	if e.Data.Object.Object == "customer" {
		return e.Data.Object.ID
	}
	return e.Data.Object.Customer
}
