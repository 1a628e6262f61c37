package stripelocal

// clockBatch is how many things happen on an advancing clock before others get
// the lock.
const clockBatch = 50

// wakeClocks has the server's own goroutine see to the advancing clocks.
func (s *Server) wakeClocks() {
	select {
	case s.clockWake <- struct{}{}:
	default:
	}
}

// runClocks brings every advancing test clock to its target. It gives up the
// lock on the way, so that a client sees them advancing.
func (s *Server) runClocks() {
	for {
		select {
		case <-s.stopped:
			return
		default:
		}
		if !s.stepClocks() {
			return
		}
	}
}

// stepClocks does one batch and says whether there is more to do.
func (s *Server) stepClocks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.state.TestClocks.all {
		if c.Target != 0 {
			s.stepClock(c)
			return true
		}
	}
	return false
}

func (s *Server) stepClock(c *TestClock) {
	for range clockBatch {
		due, ok := s.firstDue(c.ID, c.Target)
		if !ok {
			r := s.requestAt(c.ID, c.Target)
			c.Frozen, c.Target = c.Target, 0
			r.emit("test_helpers.test_clock.ready", renderTestClock(c))
			r.commit()
			return
		}
		c.Frozen = max(c.Frozen, due)
		s.fireNext(c.ID, c.Target)
	}
}

// firstDue is when a clock's next timer is due, if that is up to a moment.
func (s *Server) firstDue(clock string, until int64) (int64, bool) {
	q := s.timers[clock]
	if q == nil || len(q.waiting) == 0 || q.waiting[0].at > until {
		return 0, false
	}
	return q.waiting[0].at, true
}
