// Command simulation proves that billing state converges.
//
// It plays random histories of organizations against two replicas of Usher, a local Stripe and a
// PostgreSQL: people subscribe, with and without promotion codes, preview and confirm changes of
// the plan and of seats, change members and cancel, and the same happens in Stripe's dashboard and
// portal, where support also adds and removes discounts. Meanwhile webhooks are lost, duplicated,
// delayed and reordered, Stripe returns errors and cuts connections, and replicas and PostgreSQL
// crash. Afterwards every organization is compared with Stripe, with its members, and with an
// oracle: a replica without faults that receives the same events once and in order. Each difference
// is a divergence.
//
// A second oracle checks the money: what should have been charged, refunded and granted. It works
// that out from Stripe's records and events and from what the histories did, by rules of its own,
// and shares no code with the program. The plans are those of plans.toml.
//
// Run it with
//
//	go run ./cmd/simulation -histories 100 -batch 50 -seed 11
//
// The exit status is 0 when there was no divergence. The same -seed plays the same histories. A
// divergence names its history's own seed; play that history alone with
//
//	go run ./cmd/simulation -only 11000042
//
// and print its actions without playing them by adding -plan. The timing of concurrent work is not
// repeated, so a divergence that depends on it may need several runs.
//
// Besides the money oracle, the simulation holds no billing rules. The expected state is read from
// Stripe, from the members and from the replica without faults.
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

// options are the command's flags.
type options struct {
	seed      uint64
	only      uint64 // the seed of the one history to play; 0: play all
	histories int
	batch     int // histories played at the same time in one shard
	kills     int // of replicas, with SIGKILL
	crashes   int // of PostgreSQL
	shards    int
	plan      bool
	verbose   bool
}

func main() {
	if config := os.Getenv(replicaEnv); config != "" {
		os.Exit(runReplica(config))
	}
	o := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, o, os.Stdout)
	stop()
	os.Exit(code)
}

func parseFlags() (o options) {
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().Unix()), "random `seed`; the same seed plays the same histories")
	flag.Uint64Var(&o.only, "only", 0, "play only the history with this `seed`, without kills and crashes")
	flag.IntVar(&o.histories, "histories", 10_000, "number of histories")
	flag.IntVar(&o.batch, "batch", 100, "number of histories played at the same time in each shard")
	flag.IntVar(&o.kills, "kills", 200, "number of times a replica is killed with SIGKILL")
	flag.IntVar(&o.crashes, "crashes", 20, "number of times PostgreSQL crashes and recovers")
	flag.IntVar(&o.shards, "shards", 4, "number of batches played at the same time, each on its own PostgreSQL")
	flag.BoolVar(&o.plan, "plan", false, "print the actions of the histories, as if every step succeeded, and play nothing")
	flag.BoolVar(&o.verbose, "v", false, "print a line for each batch")
	flag.Parse()
	if o.only != 0 {
		o.histories, o.batch, o.kills, o.crashes, o.shards = 1, 1, 0, 0, 1
	}
	return o
}

// run plays the simulation, prints the report and returns the exit status: 0 without divergences.
func run(ctx context.Context, o options, out io.Writer) int {
	if o.plan {
		printPlan(o, out)
		return 0
	}
	start := time.Now()
	s := newSimulation(o, out)
	err := s.play(ctx)
	s.report(time.Since(start))
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulation:", err)
		return 1
	}
	if len(s.results.divergences) > 0 {
		return 1
	}
	return 0
}
