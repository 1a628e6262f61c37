package stripelocal

import "container/heap"

// accountClock is the account's own clock. A test clock is named by its id.
const accountClock = ""

// timer runs a function at a time. The function checks whether the step is still due, so timers are
// never canceled.
type timer struct {
	at  int64
	seq int64
	run func(r *request)
}

// timerQueue is the timers of one clock, ordered by time and then by scheduling order.
type timerQueue struct {
	timers  []timer
	lastSeq int64
}

func (q *timerQueue) Len() int { return len(q.timers) }
func (q *timerQueue) Less(i, j int) bool {
	x, y := q.timers[i], q.timers[j]
	return x.at < y.at || x.at == y.at && x.seq < y.seq
}
func (q *timerQueue) Swap(i, j int) { q.timers[i], q.timers[j] = q.timers[j], q.timers[i] }
func (q *timerQueue) Push(x any)    { q.timers = append(q.timers, x.(timer)) }
func (q *timerQueue) Pop() any {
	last := len(q.timers) - 1
	t := q.timers[last]
	q.timers[last] = timer{}
	q.timers = q.timers[:last]
	return t
}

// timerQueues are the queues by clock: accountClock or a test clock's id.
type timerQueues map[string]*timerQueue

// nextDue is the time of a clock's next timer, if it is at or before until.
func (all timerQueues) nextDue(clock string, until int64) (int64, bool) {
	q := all[clock]
	if q == nil || len(q.timers) == 0 || q.timers[0].at > until {
		return 0, false
	}
	return q.timers[0].at, true
}

// schedule runs fire in a transaction when a clock (accountClock or a test clock's id) reaches a
// time.
func (s *Server) schedule(clock string, at int64, fire func(r *request)) {
	q := s.timers[clock]
	if q == nil {
		q = &timerQueue{}
		s.timers[clock] = q
	}
	q.lastSeq++
	heap.Push(q, timer{at: at, seq: q.lastSeq, run: fire})
}

// runDue runs all timers of a clock that are due at or before until, each at its own time.
func (s *Server) runDue(clock string, until int64) {
	for s.runNext(clock, until) {
	}
}

// runNext runs the first timer of a clock that is due at or before until, if any.
func (s *Server) runNext(clock string, until int64) bool {
	if _, due := s.timers.nextDue(clock, until); !due {
		return false
	}
	t := heap.Pop(s.timers[clock]).(timer)
	r := s.requestAt(clock, t.at)
	t.run(r)
	r.commit()
	return true
}

// requestAt is a request at a time of one clock. On a test clock, events and payments still have
// the account's time.
func (s *Server) requestAt(clock string, at int64) *request {
	if clock == accountClock {
		return s.newRequest(at, requestInfo{})
	}
	r := s.newRequest(s.clock(), requestInfo{})
	r.clockID, r.clockTime = clock, at
	return r
}
