package stripelocal

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
	s.runDue(accountClock, s.clock())
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

// commit publishes the events, in the order asked for, and has the state saved.
func (r *request) commit() {
	r.publish()
	if r.changed {
		r.stateWriter.markDirty()
	}
}

// scheduleForCustomer sets a timer on the clock that a customer lives on.
func (r *request) scheduleForCustomer(customer string, at int64, fire func(r *request)) {
	clock := accountClock
	if c, ok := r.store.Customers.get(customer); ok {
		clock = c.TestClock
	}
	r.schedule(clock, at, fire)
}
