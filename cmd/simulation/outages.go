package main

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	"usher/stripelocal"
)

// Hanging calls take their time, so that only every tenth batch has some.
const (
	hangingCalls      = 2
	hangingBatchEvery = 10
	hangDuration      = 17 * time.Second // longer than the replicas' timeout
)

// injectStripeHangs lets some calls hang, before or after they are processed.
func (e *environment) injectStripeHangs() {
	if e.seed%hangingBatchEvery != 0 {
		return
	}
	random := rand.New(rand.NewPCG(e.seed, 21))
	for range hangingCalls {
		kind := []stripelocal.FaultKind{stripelocal.TimeoutBefore, stripelocal.TimeoutAfter}[random.IntN(2)]
		_, _ = e.stripe.Faults().Add(stripelocal.Fault{
			Kind: kind, Path: "/v1/**", Method: "POST", Calls: 1, Millis: int(hangDuration.Milliseconds()),
		})
	}
}

// crashDatabase kills one of PostgreSQL's backends after a delay. The server then stops all others
// at once, like in an immediate shutdown, and recovers from its write-ahead log
// (https://www.postgresql.org/docs/current/server-shutdown.html).
func (e *environment) crashDatabase(ctx context.Context, delay time.Duration) {
	select {
	case <-time.After(delay): // the crash happens during the round
	case <-ctx.Done():
		return
	}
	var pid int
	if err := e.store.DB().GetContext(ctx, &pid, `select pg_backend_pid()`); err != nil {
		return
	}
	if syscall.Kill(pid, syscall.SIGKILL) == nil {
		e.results.countDatabaseCrash()
	}
}

// awaitDatabase waits until PostgreSQL accepts connections again.
func (e *environment) awaitDatabase(ctx context.Context) error {
	return waitUntil(ctx, "the database", func() bool { return e.store.DB().PingContext(ctx) == nil })
}

// exhaustPool occupies all database connections of a replica for up to 2 seconds.
func (e *environment) exhaustPool(ctx context.Context, roll int) {
	duration := time.Duration(200+roll%1800) * time.Millisecond
	if e.replicas[roll%replicaCount].exhaustPool(ctx, duration) == nil {
		e.results.countFault("replicas: connection pool exhausted", 1)
	}
}
