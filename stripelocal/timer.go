package stripelocal

import "container/heap"

// accountClock names the account's own time line; a test clock's is its id.
const accountClock = ""

// timer says that something is due. Whether it still is, the object itself
// knows: a timer that has been overtaken finds nothing to do, so that nobody
// has to cancel one.
type timer struct {
	at   int64
	seq  int64
	fire func(r *request)
}

// timerQueue is the time line of one clock: due first, then set first.
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

// schedule has fire called when the clock (accountClock or a test clock's id)
// reaches at, inside an act of that moment.
func (s *Server) schedule(clock string, at int64, fire func(r *request)) {
	q := s.timers[clock]
	if q == nil {
		q = &timerQueue{}
		s.timers[clock] = q
	}
	q.lastSeq++
	heap.Push(q, timer{at: at, seq: q.lastSeq, fire: fire})
}

// runDue fires what a clock has due up to and including a moment, each at its
// own time.
func (s *Server) runDue(clock string, until int64) {
	for s.fireNext(clock, until) {
	}
}

// fireNext fires the first thing that a clock has due up to a moment, if any.
func (s *Server) fireNext(clock string, until int64) bool {
	q := s.timers[clock]
	if q == nil || len(q.timers) == 0 || q.timers[0].at > until {
		return false
	}
	t := heap.Pop(q).(timer)
	r := s.requestAt(clock, t.at)
	t.fire(r)
	r.commit()
	return true
}

// requestAt is an act at a moment of one clock. What happens on a test clock still
// happens at the account's time: events and payments are dated by that.
func (s *Server) requestAt(clock string, at int64) *request {
	if clock == accountClock {
		return s.newRequest(at, requestInfo{})
	}
	r := s.newRequest(s.clock(), requestInfo{})
	r.clockID, r.clockTime = clock, at
	return r
}
