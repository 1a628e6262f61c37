package stripelocal

import (
	"fmt"
	"time"

	"usher/stripelocal/wire"
)

// Bounds of test clocks (two intervals: docs, test clocks; three customers:
// public issue threads; a life of thirty days: inferred).
const (
	clockLife      = 30 * 24 * 60 * 60
	clockCustomers = 3
	clockIntervals = 2
)

// TestClock is a time line of its own for some customers and all that hangs on
// them. Frozen is the moment it shows, unix seconds.
type TestClock struct {
	Base
	Deleted bool // it is kept, for what refers to it
	Name    string
	Frozen  int64
	Target  int64 // what it advances to; 0 while it stands
}

// testClocks serves /v1/test_helpers/test_clocks.
type testClocks struct{ *request }

func testClockResource() resource {
	return resource{
		kind: "test_clock",
		render: finder(func(s *state) *table[*TestClock] { return s.TestClocks },
			func(r *request, c *TestClock) wire.Object { return renderTestClock(c) }),
		arm: func(r *request) { r.wakeClocks() },
		routes: []route{
			on("POST /v1/test_helpers/test_clocks", "frozen_time:time! name:300", testClocks.create),
			on("GET /v1/test_helpers/test_clocks", "limit:int starting_after ending_before", testClocks.list),
			on("GET /v1/test_helpers/test_clocks/{id}", "", testClocks.get),
			on("DELETE /v1/test_helpers/test_clocks/{id}", "", testClocks.delete),
			on("POST /v1/test_helpers/test_clocks/{id}/advance", "frozen_time:time!", testClocks.advance),
		},
	}
}

func (h testClocks) create(in *input) (any, error) {
	if at := in.Int("frozen_time"); at <= 0 {
		return nil, wire.Invalid("", "frozen_time", "The frozen_time of a test clock must be after the Unix epoch.")
	}
	c := &TestClock{
		Base: Base{ID: h.ids.long("clock_1"), Created: h.now}, Name: in.String("name"), Frozen: in.Int("frozen_time"),
	}
	h.state.TestClocks.insert(c)
	h.emit("test_helpers.test_clock.created", renderTestClock(c))
	return renderTestClock(c), nil
}

func (h testClocks) find(in *input) (*TestClock, error) {
	c, ok := h.state.TestClocks.get(in.path("id"))
	if !ok || c.Deleted {
		return nil, wire.NotFound("test_helpers.test_clock", in.path("id"), "id")
	}
	return c, nil
}

func (h testClocks) get(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return renderTestClock(c), nil
}

func (h testClocks) list(in *input) (any, error) {
	return listing[*TestClock]{
		what: "test_helpers.test_clock", table: h.state.TestClocks, rows: h.state.TestClocks.all, render: renderTestClock,
		keep: func(c *TestClock) bool { return !c.Deleted },
	}.page(in)
}

// delete deletes its customers with it.
func (h testClocks) delete(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	for _, customer := range h.state.Customers.by("test_clock", c.ID) {
		h.customers.remove(customer)
	}
	h.emit("test_helpers.test_clock.deleted", renderTestClock(c))
	c.Deleted, c.Target = true, 0
	delete(h.timers, c.ID)
	return renderTestClock(c), nil
}

// advance says where to; the clock goes there in the background.
func (h testClocks) advance(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	to := in.Int("frozen_time")
	if err := h.checkAdvance(c, to); err != nil {
		return nil, err
	}
	c.Target = to
	h.emit("test_helpers.test_clock.advancing", renderTestClock(c))
	h.wakeClocks()
	return renderTestClock(c), nil
}

func (h testClocks) checkAdvance(c *TestClock, to int64) error {
	if c.Target != 0 {
		return wire.Invalid("", "", fmt.Sprintf("The test clock %s is still advancing. Wait until its status is ready.", c.ID))
	}
	if to <= c.Frozen {
		return wire.Invalid("", "frozen_time", "The frozen_time must be after the test clock's current frozen time.")
	}
	limit, shortest := wire.AddIntervals(c.Frozen, "year", 2), ""
	for _, sub := range h.activeSubscriptions(c.ID) {
		price, ok := h.subscriptions.firstPrice(sub)
		if !ok {
			continue
		}
		if end := wire.AddIntervals(c.Frozen, price.Interval, clockIntervals*price.IntervalCount); end < limit {
			limit, shortest = end, sub.ID
		}
	}
	if to > limit {
		return wire.Invalid("", "frozen_time", fmt.Sprintf("You cannot advance a test clock more than two intervals of its shortest subscription (%s), which is %s.", shortest, time.Unix(limit, 0).UTC().Format(time.RFC3339)))
	}
	return nil
}

// activeSubscriptions are the living subscriptions of a test clock.
func (h testClocks) activeSubscriptions(testClock string) []*Subscription {
	var out []*Subscription
	for _, c := range h.state.Customers.by("test_clock", testClock) {
		for _, sub := range h.state.Subscriptions.by("customer", c.ID) {
			if !sub.ended() {
				out = append(out, sub)
			}
		}
	}
	return out
}

// checkAssignable holds a new customer's test clock against what there is.
func (h testClocks) checkAssignable(p wire.Params) error {
	id := p.String("test_clock")
	if id == "" {
		return nil
	}
	c, ok := h.state.TestClocks.get(id)
	switch {
	case !ok || c.Deleted:
		return wire.NoSuch("test_helpers.test_clock", id, "test_clock")
	case c.Target != 0:
		return wire.Invalid("", "test_clock", fmt.Sprintf("The test clock %s is still advancing. Wait until its status is ready.", id))
	case len(h.state.Customers.by("test_clock", id)) >= clockCustomers:
		return wire.Invalid("", "test_clock", fmt.Sprintf("A test clock can have at most %d customers.", clockCustomers))
	}
	return nil
}

func renderTestClock(c *TestClock) wire.Object {
	if c.Deleted {
		return wire.Object{"id": c.ID, "object": "test_helpers.test_clock", "deleted": true}
	}
	o := wire.Object{
		"id": c.ID, "object": "test_helpers.test_clock", "created": c.Created, "deletes_after": c.Created + clockLife,
		"frozen_time": c.Frozen, "livemode": false, "name": wire.StringOrNull(c.Name), "status": "ready", "status_details": wire.Object{},
	}
	if c.Target != 0 {
		o["status"] = "advancing"
		o["status_details"] = wire.Object{"advancing": wire.Object{"target_frozen_time": c.Target}}
	}
	return o
}
