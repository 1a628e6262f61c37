package stripelocal

// advanceBatchSize is the number of timers that an advancing clock runs before it releases the
// lock.
const advanceBatchSize = 50

// signalAdvance wakes the server's goroutine to advance test clocks.
func (s *Server) signalAdvance() {
	select {
	case s.advanceSignal <- struct{}{}:
	default:
	}
}

// advanceTestClocks advances every clock to its target. It releases the lock between batches, so
// that clients see the status advancing.
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

// advanceBatch runs one batch and reports whether more is due.
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
		due, ok := s.timers.nextDue(c.ID, c.TargetTime)
		if !ok {
			r := s.requestAt(c.ID, c.TargetTime)
			c.FrozenTime, c.TargetTime = c.TargetTime, 0
			r.emit("test_helpers.test_clock.ready", renderTestClock(c))
			r.commit()
			return
		}
		c.FrozenTime = max(c.FrozenTime, due)
		s.runNext(c.ID, c.TargetTime)
	}
}
