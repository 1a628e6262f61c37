package stripelocal

import (
	"encoding/json"
	"slices"
	"time"
)

// reorderWait is how long a reordered delivery waits for another one.
const reorderWait = 250 * time.Millisecond

// nextFault returns the fault of a delivery. A fault applies to the first attempt only.
func (wd *webhookDispatcher) nextFault(d *Delivery) (Fault, bool) {
	wd.server.mu.Lock()
	e, ok := wd.server.store.Events.get(d.Event)
	fresh := ok && d.Attempts == 0 && !d.faultApplied
	var object []byte
	if fresh {
		object = e.Object.text()
	}
	wd.server.mu.Unlock()
	if !fresh {
		return Fault{}, false
	}
	return wd.server.faults.takeForDelivery(e.Type, customerOf(object))
}

// customerOf returns the id of the customer that an event's object is or belongs to; empty: none.
func customerOf(object []byte) string {
	var about struct{ ID, Object, Customer string }
	if json.Unmarshal(object, &about) != nil { // such as a session whose customer is expanded
		return ""
	}
	if about.Object == "customer" {
		return about.ID
	}
	return about.Customer
}

// applyFault postpones or drops a delivery and releases those waiting for its first attempt.
func (wd *webhookDispatcher) applyFault(queue *endpointQueue, d *Delivery, f Fault) {
	wd.server.mu.Lock()
	defer wd.server.mu.Unlock()
	d.faultApplied = true
	d.signalFirstAttempt()
	wait := time.Duration(f.Millis) * time.Millisecond
	switch {
	case f.Kind == DropDelivery:
		d.Status, d.LastError = "failed", "lost on the way, by a fault"
		wd.finish(d)
		wd.server.stateWriter.markDirty()
		return
	case f.Kind == ReorderDelivery && len(queue.due) > 0:
		queue.due = slices.Insert(queue.due, 1, d)
		return
	case f.Kind == ReorderDelivery && wait == 0:
		wait = reorderWait
	}
	d.NextAttemptAt = time.Now().Add(wait).UnixMilli()
	queue.scheduleRetry(d)
}
