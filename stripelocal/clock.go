package stripelocal

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"usher/stripelocal/wire"
)

// clock is the account's time in unix seconds: the injected clock plus the total of all advances.
func (s *Server) clock() int64 { return s.wallClock().Unix() + s.store.ClockOffset }

// Now returns the account's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Unix(s.clock(), 0).UTC()
}

// AdvanceClock advances the account's clock. Everything that becomes due on the way runs in order,
// each at its own time. An earlier time changes nothing.
func (s *Server) AdvanceClock(to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ahead := to.Unix() - s.clock(); ahead > 0 {
		s.advanceBy(ahead)
	}
}

// advanceBy advances the clock by seconds. The caller has the server's lock.
func (s *Server) advanceBy(seconds int64) {
	s.runDue(accountClock, s.clock()+seconds)
	s.store.ClockOffset += seconds
	s.stateWriter.markDirty()
}

// Advance advances the account's clock by a time span such as "3 days" or "1 month". Everything
// that becomes due on the way runs in order, each at its own time. The error names the part of the
// span that cannot be read.
func (s *Server) Advance(by string) error {
	to, err := s.parseClockTarget("", by)
	if err != nil {
		return fmt.Errorf("advance the clock: %w", err)
	}
	s.AdvanceClock(to)
	return nil
}

func (s *Server) parseClockTarget(to, by string) (time.Time, error) {
	if to != "" {
		at, err := strconv.ParseInt(to, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("to: %q is no unix time", to)
		}
		return time.Unix(at, 0), nil
	}
	return addSpan(s.Now(), by)
}

// addSpan adds a time span, a number and a unit, to a time: 90 minutes, 3 days, 1 month.
func addSpan(from time.Time, by string) (time.Time, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(by), " ")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return time.Time{}, fmt.Errorf("by: %q is no span such as 1 month", by)
	}
	switch name := strings.TrimSuffix(strings.TrimSpace(unit), "s"); name {
	case "second", "minute", "hour":
		length := map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour}[name]
		return from.Add(time.Duration(n) * length), nil
	case "day", "week", "month", "year":
		return time.Unix(wire.AddIntervals(from.Unix(), name, n), 0), nil
	}
	return time.Time{}, fmt.Errorf("by: %q is no unit of time", unit)
}

// timeFor is the time of a customer and of all objects that belong to it: the account's time or
// that of the customer's test clock.
func (r *request) timeFor(c *Customer) int64 {
	if c == nil {
		return r.now
	}
	return r.timeOnClock(c.TestClock)
}

// timeOnClock is the time of a test clock, or the account's time for accountClock.
func (r *request) timeOnClock(testClock string) int64 {
	switch {
	case testClock == accountClock:
		return r.now
	case testClock == r.clockID:
		return r.clockTime
	}
	if tc, ok := r.store.TestClocks.get(testClock); ok {
		return tc.FrozenTime
	}
	return r.now
}

// timeForCustomer is timeFor by customer id.
func (r *request) timeForCustomer(customerID string) int64 {
	c, _ := r.store.Customers.get(customerID)
	return r.timeFor(c)
}
