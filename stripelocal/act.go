package stripelocal

import (
	"time"
)

// cause says which request made something happen; empty for what Stripe does
// by itself.
type cause struct {
	RequestID      string
	IdempotencyKey string
}

// act is one thing happening at one moment, under the server's lock. All time
// reads go through it, so that timers that come due late, moved clocks and
// test clocks see the time they were due at. Its events are published
// together by commit.
type act struct {
	*Server
	at      int64  // the account's time, unix seconds
	on      string // the test clock whose timer came due, if one did
	onAt    int64  // and the moment it shows
	cause   cause
	changed bool
	pending []*Event
	order   []string
}

// perform runs f under the lock, after everything that was due before it.
func (s *Server) perform(c cause, f func(a *act) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp(accountClock, s.clock())
	a := s.newAct(s.clock(), c)
	err := f(a)
	a.commit()
	return err
}

func (s *Server) newAct(at int64, c cause) *act { return &act{Server: s, at: at, cause: c} }

// clock is the account's time: the injected clock plus what it was advanced.
func (s *Server) clock() int64 { return s.realNow().Unix() + s.state.ClockOffset }

// nowFor is the time that a customer, and everything that hangs on it, lives
// in, by way of timeOn, the one place that knows of test clocks.
func (a *act) nowFor(c *Customer) int64 {
	if c == nil {
		return a.at
	}
	return a.timeOn(c.TestClock)
}

// timeOn is the time of a test clock, "" being the account's.
func (a *act) timeOn(testClock string) int64 {
	switch {
	case testClock == accountClock:
		return a.at
	case testClock == a.on:
		return a.onAt
	}
	if tc, ok := a.state.TestClocks.get(testClock); ok {
		return tc.Frozen
	}
	return a.at
}

// nowOf is nowFor by the customer's id.
func (a *act) nowOf(customerID string) int64 {
	c, _ := a.state.Customers.get(customerID)
	return a.nowFor(c)
}

// commit publishes the events, in the order asked for, and has the state saved.
func (a *act) commit() {
	a.publish()
	if a.changed {
		a.saver.touch()
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
