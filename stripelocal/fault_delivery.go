package stripelocal

import (
	"slices"
	"time"
)

// reorderWait is how long a delivery waits for one to change places with.
const reorderWait = 250 * time.Millisecond

// faultOf is what goes wrong with a delivery. It goes wrong once at most, on
// the first attempt.
func (c *courier) faultOf(d *Delivery) (Fault, bool) {
	c.server.mu.Lock()
	e, ok := c.server.state.Events.get(d.Event)
	fresh := ok && d.Attempts == 0 && !d.detained
	c.server.mu.Unlock()
	if !fresh {
		return Fault{}, false
	}
	return c.server.faults.ofDelivery(e.Type)
}

// detain keeps a delivery from arriving now, or at all. Nobody waits for it.
func (c *courier) detain(box *mailbox, d *Delivery, f Fault) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	d.detained = true
	d.release()
	wait := time.Duration(f.Millis) * time.Millisecond
	switch {
	case f.Kind == DropDelivery:
		d.Status, d.LastError = "failed", "lost on the way, by a fault"
		c.finish(d)
		c.server.saver.touch()
		return
	case f.Kind == ReorderDelivery && len(box.ready) > 0:
		box.ready = slices.Insert(box.ready, 1, d)
		return
	case f.Kind == ReorderDelivery && wait == 0:
		wait = reorderWait
	}
	d.NextAt = time.Now().Add(wait).UnixMilli()
	box.again(d)
}
