package stripelocal

import (
	"fmt"
	"time"

	"usher/stripelocal/wire"
)

// Limits of test clocks. Two intervals: docs, test clocks. Three customers: public issue threads. A
// lifetime of thirty days: inferred.
const (
	testClockLifetime     = 30 * 24 * 60 * 60
	maxTestClockCustomers = 3
	maxAdvanceIntervals   = 2
)

// TestClock is a separate time for some customers and everything that belongs to them. Times are
// unix seconds.
type TestClock struct {
	Base
	Deleted    bool // kept, because objects refer to it
	Name       string
	FrozenTime int64
	TargetTime int64 // 0 unless advancing
}

// testClocks serves /v1/test_helpers/test_clocks.
type testClocks struct{ *request }

func testClockResource() resource {
	return resource{
		objectType: "test_clock",
		render: renderFrom(func(s *store) *table[*TestClock] { return s.TestClocks },
			func(r *request, c *TestClock) wire.Object { return renderTestClock(c) }),
		scheduleTimers: func(r *request) { r.signalAdvance() },
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
		Base: Base{ID: h.ids.longID("clock_1"), Created: h.now}, Name: in.String("name"), FrozenTime: in.Int("frozen_time"),
	}
	h.store.TestClocks.insert(c)
	h.emit("test_helpers.test_clock.created", renderTestClock(c))
	return renderTestClock(c), nil
}

func (h testClocks) find(in *input) (*TestClock, error) {
	c, ok := h.store.TestClocks.get(in.pathValue("id"))
	if !ok || c.Deleted {
		return nil, wire.NotFound("test_helpers.test_clock", in.pathValue("id"), "id")
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
		resource: "test_helpers.test_clock", table: h.store.TestClocks, rows: h.store.TestClocks.all, render: renderTestClock,
		filter: func(c *TestClock) bool { return !c.Deleted },
	}.page(in)
}

// delete deletes the clock and its customers.
func (h testClocks) delete(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	for _, customer := range h.store.Customers.by("test_clock", c.ID) {
		h.customers.remove(customer)
	}
	h.emit("test_helpers.test_clock.deleted", renderTestClock(c))
	c.Deleted, c.TargetTime = true, 0
	delete(h.timers, c.ID)
	return renderTestClock(c), nil
}

// advance sets the target. The clock advances in the background.
func (h testClocks) advance(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	to := in.Int("frozen_time")
	if err := h.checkAdvance(c, to); err != nil {
		return nil, err
	}
	c.TargetTime = to
	h.emit("test_helpers.test_clock.advancing", renderTestClock(c))
	h.signalAdvance()
	return renderTestClock(c), nil
}

func (h testClocks) checkAdvance(c *TestClock, to int64) error {
	if c.TargetTime != 0 {
		return wire.Invalid("", "", fmt.Sprintf("The test clock %s is still advancing. Wait until its status is ready.", c.ID))
	}
	if to <= c.FrozenTime {
		return wire.Invalid("", "frozen_time", "The frozen_time must be after the test clock's current frozen time.")
	}
	limit, shortest := wire.AddIntervals(c.FrozenTime, "year", 2), ""
	for _, sub := range h.activeSubscriptions(c.ID) {
		price, ok := h.subscriptions.firstPrice(sub)
		if !ok {
			continue
		}
		if end := wire.AddIntervals(c.FrozenTime, price.Interval, maxAdvanceIntervals*price.IntervalCount); end < limit {
			limit, shortest = end, sub.ID
		}
	}
	if to > limit {
		return wire.Invalid("", "frozen_time", fmt.Sprintf("You cannot advance a test clock more than two intervals of its shortest subscription (%s), which is %s.", shortest, time.Unix(limit, 0).UTC().Format(time.RFC3339)))
	}
	return nil
}

// activeSubscriptions are the subscriptions on a test clock that have not ended.
func (h testClocks) activeSubscriptions(testClock string) []*Subscription {
	var out []*Subscription
	for _, c := range h.store.Customers.by("test_clock", testClock) {
		for _, sub := range h.store.Subscriptions.by("customer", c.ID) {
			if !sub.hasEnded() {
				out = append(out, sub)
			}
		}
	}
	return out
}

// checkAssignable checks the test clock of a new customer.
func (h testClocks) checkAssignable(p wire.Params) error {
	id := p.String("test_clock")
	if id == "" {
		return nil
	}
	c, ok := h.store.TestClocks.get(id)
	switch {
	case !ok || c.Deleted:
		return wire.NoSuch("test_helpers.test_clock", id, "test_clock")
	case c.TargetTime != 0:
		return wire.Invalid("", "test_clock", fmt.Sprintf("The test clock %s is still advancing. Wait until its status is ready.", id))
	case len(h.store.Customers.by("test_clock", id)) >= maxTestClockCustomers:
		return wire.Invalid("", "test_clock", fmt.Sprintf("A test clock can have at most %d customers.", maxTestClockCustomers))
	}
	return nil
}

func renderTestClock(c *TestClock) wire.Object {
	if c.Deleted {
		return wire.Object{"id": c.ID, "object": "test_helpers.test_clock", "deleted": true}
	}
	o := wire.Object{
		"id": c.ID, "object": "test_helpers.test_clock", "created": c.Created, "deletes_after": c.Created + testClockLifetime,
		"frozen_time": c.FrozenTime, "livemode": false, "name": wire.StringOrNull(c.Name), "status": "ready", "status_details": wire.Object{},
	}
	if c.TargetTime != 0 {
		o["status"] = "advancing"
		o["status_details"] = wire.Object{"advancing": wire.Object{"target_frozen_time": c.TargetTime}}
	}
	return o
}
