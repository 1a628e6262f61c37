package stripelocal

import (
	"time"
)

// requestInfo says which request made something happen; empty for what Stripe does
// by itself.
type requestInfo struct {
	RequestID      string
	IdempotencyKey string
}

// act is one thing happening at one moment, under the server's lock. All time
// reads go through it, so that timers that come due late, moved clocks and
// test clocks see the time they were due at. Its events are published
// together by commit.
type request struct {
	*Server
	handlers
	now         int64  // the account's time, unix seconds
	clockID     string // the test clock whose timer came due, if one did
	clockTime   int64  // and the moment it shows
	info        requestInfo
	changed     bool
	unpublished []*Event
	eventOrder  []string
}

// transact runs f under the lock, after everything that was due before it.
func (s *Server) transact(c requestInfo, f func(r *request) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp(accountClock, s.clock())
	r := s.newRequest(s.clock(), c)
	err := f(r)
	r.commit()
	return err
}

func (s *Server) newRequest(at int64, c requestInfo) *request {
	r := &request{Server: s, now: at, info: c}
	r.handlers = handlersOf(r)
	return r
}

// clock is the account's time: the injected clock plus what it was advanced.
func (s *Server) clock() int64 { return s.realNow().Unix() + s.state.ClockOffset }

// timeFor is the time that a customer, and everything that hangs on it, lives
// in, by way of timeOn, the one place that knows of test clocks.
func (r *request) timeFor(c *Customer) int64 {
	if c == nil {
		return r.now
	}
	return r.timeOnClock(c.TestClock)
}

// timeOnClock is the time of a test clock, "" being the account's.
func (r *request) timeOnClock(testClock string) int64 {
	switch {
	case testClock == accountClock:
		return r.now
	case testClock == r.clockID:
		return r.clockTime
	}
	if tc, ok := r.state.TestClocks.get(testClock); ok {
		return tc.Frozen
	}
	return r.now
}

// timeForCustomer is nowFor by the customer's id.
func (r *request) timeForCustomer(customerID string) int64 {
	c, _ := r.state.Customers.get(customerID)
	return r.timeFor(c)
}

// commit publishes the events, in the order asked for, and has the state saved.
func (r *request) commit() {
	r.publish()
	if r.changed {
		r.saver.touch()
	}
}

// AdvanceClock moves the account's clock to a later moment. What becomes due
// on the way happens in order, each at its own time. An earlier moment changes
// nothing.
func (s *Server) AdvanceClock(to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ahead := to.Unix() - s.clock(); ahead > 0 {
		s.catchUp(accountClock, to.Unix())
		s.state.ClockOffset += ahead
		s.saver.touch()
	}
}

// Now is the account's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Unix(s.clock(), 0).UTC()
}
