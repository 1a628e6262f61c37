package stripelocal

import (
	"slices"
	"time"
)

// reorderWait is how long a reordered delivery waits for another one.
const reorderWait = 250 * time.Millisecond

// nextFault returns the fault of a delivery. A fault applies to the first attempt only.
func (c *webhookDispatcher) nextFault(d *Delivery) (Fault, bool) {
	c.server.mu.Lock()
	e, ok := c.server.store.Events.get(d.Event)
	fresh := ok && d.Attempts == 0 && !d.faultApplied
	c.server.mu.Unlock()
	if !fresh {
		return Fault{}, false
	}
	return c.server.faults.takeForDelivery(e.Type)
}

// applyFault postpones or drops a delivery and releases those waiting for its first attempt.
func (c *webhookDispatcher) applyFault(queue *endpointQueue, d *Delivery, f Fault) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	d.faultApplied = true
	d.signalFirstAttempt()
	wait := time.Duration(f.Millis) * time.Millisecond
	switch {
	case f.Kind == DropDelivery:
		d.Status, d.LastError = "failed", "lost on the way, by a fault"
		c.finish(d)
		c.server.stateWriter.markDirty()
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
