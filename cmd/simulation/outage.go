package main

import (
	"math/rand/v2"
	"os/exec"
	"syscall"
	"time"

	"usher/stripelocal"
)

// hangs is how many calls of Stripe in a batch give no answer for longer than anybody waits; only one batch in so many has them, since they
// take their time.
const (
	hangs      = 2
	hangsEvery = 10
	hangLength = 17 * time.Second
)

// crashDatabase has PostgreSQL lose everything that is not on its disk: one of its processes is killed, upon which it ends all others at once,
// as an immediate shutdown does, and starts again from its log (https://www.postgresql.org/docs/current/server-shutdown.html).
func (w *world) crashDatabase(after time.Duration) {
	select {
	case <-time.After(after): // it is the fault itself: a crash in the midst of a round
	case <-w.ctx.Done():
		return
	}
	var pid int
	if err := w.store.DB().GetContext(w.ctx, &pid, `select pg_backend_pid()`); err != nil {
		return
	}
	if syscall.Kill(pid, syscall.SIGKILL) != nil {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.databaseCrashes++
}

// awaitDatabase waits until PostgreSQL answers again.
func (w *world) awaitDatabase() error {
	return w.until("the database", func() bool { return w.store.DB().PingContext(w.ctx) == nil })
}

// hangSometimes has Stripe hang before and after the act.
func (w *world) hangSometimes() {
	if w.seed%hangsEvery != 0 {
		return
	}
	random := rand.New(rand.NewPCG(w.seed, 21))
	for range hangs {
		kind := []stripelocal.FaultKind{stripelocal.TimeoutBefore, stripelocal.TimeoutAfter}[random.IntN(2)]
		_, _ = w.stripe.Faults().Add(stripelocal.Fault{Kind: kind, Path: "/v1/**", Method: "POST", Calls: 1, Millis: int(hangLength.Milliseconds())})
	}
}

// exhaustPool has queries that hang take all connections of a replica, for up to two seconds.
func (w *world) exhaustPool(random int) {
	length := time.Duration(200+random%1800) * time.Millisecond
	if w.post(w.replicas[random%2].url+"/hog", length) == nil {
		w.count("connections of a replica all taken", 1)
	}
}

// ended tells whether a replica was killed, or gave up by itself.
func ended(command *exec.Cmd) (killed bool) {
	status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
