package stripelocal

// advanceBatchSize is how many things happen on an advancing clock before others get
// the lock.
const advanceBatchSize = 50

// signalAdvance has the server's own goroutine see to the advancing clocks.
func (s *Server) signalAdvance() {
	select {
	case s.advanceSignal <- struct{}{}:
	default:
	}
}

// advanceTestClocks brings every advancing test clock to its target. It gives up the
// lock on the way, so that a client sees them advancing.
func (s *Server) advanceTestClocks() {
	for {
		select {
		case <-s.stopped:
			return
		default:
		}
		if !s.advanceBatch() {
			return
		}
	}
}

// advanceBatch does one batch and says whether there is more to do.
func (s *Server) advanceBatch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.store.TestClocks.all {
		if c.TargetTime != 0 {
			s.advanceStep(c)
			return true
		}
	}
	return false
}

func (s *Server) advanceStep(c *TestClock) {
	for range advanceBatchSize {
		due, ok := s.nextDue(c.ID, c.TargetTime)
		if !ok {
			r := s.requestAt(c.ID, c.TargetTime)
			c.FrozenTime, c.TargetTime = c.TargetTime, 0
			r.emit("test_helpers.test_clock.ready", renderTestClock(c))
			r.commit()
			return
		}
		c.FrozenTime = max(c.FrozenTime, due)
		s.fireNext(c.ID, c.TargetTime)
	}
}

// nextDue is when a clock's next timer is due, if that is up to a moment.
func (s *Server) nextDue(clock string, until int64) (int64, bool) {
	q := s.timers[clock]
	if q == nil || len(q.timers) == 0 || q.timers[0].at > until {
		return 0, false
	}
	return q.timers[0].at, true
}
