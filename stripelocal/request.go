package stripelocal

// requestInfo identifies the API request behind a change. It is empty for changes that Stripe makes
// by itself.
type requestInfo struct {
	RequestID      string
	IdempotencyKey string
}

// request is one transaction at one time, under the server's lock. Handlers read all times from it,
// so that timers and test clocks see the time they are due. Its events are published together by
// commit.
type request struct {
	*Server
	handlers
	now         int64  // account time, unix seconds
	clockID     string // test clock of the timer that runs, if any
	clockTime   int64  // the time that clock shows
	info        requestInfo
	changed     bool
	seeding     bool // emits no events, and nothing waits for their deliveries
	unpublished []*Event
	eventOrder  []string
}

// transact runs f under the lock, after everything that is due.
func (s *Server) transact(info requestInfo, f func(r *request) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue(accountClock, s.clock())
	r := s.newRequest(s.clock(), info)
	err := f(r)
	r.commit()
	return err
}

func (s *Server) newRequest(at int64, info requestInfo) *request {
	r := &request{Server: s, now: at, info: info}
	r.handlers = handlersOf(r)
	return r
}

// commit publishes the events in eventOrder and saves the state.
func (r *request) commit() {
	r.publish()
	if r.changed {
		r.stateWriter.markDirty()
	}
}

// scheduleForCustomer schedules fire on the clock of a customer.
func (r *request) scheduleForCustomer(customer string, at int64, fire func(r *request)) {
	clock := accountClock
	if c, ok := r.store.Customers.get(customer); ok {
		clock = c.TestClock
	}
	r.schedule(clock, at, fire)
}
