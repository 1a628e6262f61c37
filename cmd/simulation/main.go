// Command storm proves that state always ends up right: random histories at Stripe and among members, their webhooks mistreated, Stripe failing,
// replicas killed in the midst of it; and afterwards everything is as Stripe has it, and as it would be had all been
// told in order.
//
// It is a proof, not a part of the program. Kept out: rules. What is right is read from Stripe, from the members, and from a calm replica.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options say how much of a storm it is.
type options struct {
	seed      uint64
	only      uint64 // 0: all histories; else the one with this seed
	histories int
	batch     int
	kills     int // real ones, of replicas
	crashes   int // real ones, of PostgreSQL
	lanes     int // batches at the same time
	verbose   bool
}

func main() {
	if os.Getenv(replicaEnv) != "" {
		os.Exit(runReplica())
	}
	var o options
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().Unix()), "of all randomness: the same seed is the same storm")
	flag.Uint64Var(&o.only, "only", 0, "play the one history with this seed alone")
	flag.IntVar(&o.histories, "histories", 10_000, "how many histories")
	flag.IntVar(&o.batch, "batch", 100, "how many of them at a time")
	flag.IntVar(&o.kills, "kills", 200, "how many times a replica is killed with SIGKILL")
	flag.IntVar(&o.crashes, "crashes", 20, "how many times PostgreSQL crashes and starts again from its log")
	flag.IntVar(&o.lanes, "lanes", 4, "how many batches at the same time, each on a PostgreSQL of its own")
	flag.BoolVar(&o.verbose, "v", false, "tell of every batch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, o, os.Stdout)
	stop()
	os.Exit(code)
}

// run plays the storm and prints what came of it. 0: nothing diverged.
func run(ctx context.Context, o options, out io.Writer) int {
	if o.only != 0 {
		o.histories, o.batch, o.kills, o.crashes = 1, 1, 0, 0
		o.lanes = 1
	}
	began := time.Now()
	s := newStorm(o, out)
	err := s.play(ctx)
	s.report(time.Since(began))
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		return 1
	}
	if len(s.divergences) > 0 {
		return 1
	}
	return 0
}
