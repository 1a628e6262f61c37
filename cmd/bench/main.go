// Command bench measures what the design's bars say, on this machine, beside a reference on the same PostgreSQL: not how fast something is,
// but how far it is from what the database itself can do.
//
// Kept out: the program's inside. The program runs as its own process and is spoken to over HTTP.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options say how much is measured.
type options struct {
	usher         string // the program's binary
	pgbench       string
	organizations int
	length        time.Duration // of one measurement
	rounds        int           // how often each is repeated, in turn with its reference
}

func main() {
	if told := os.Getenv(bareEnv); told != "" {
		fmt.Fprintln(os.Stderr, "bare handler:", runBare(told))
		os.Exit(1)
	}
	var o options
	pages := flag.Bool("pages", false, "measure the billing tab; else webhooks")
	flag.StringVar(&o.usher, "usher", ".build/usher", "the program's binary")
	flag.StringVar(&o.pgbench, "pgbench", "", "pgbench's path; empty: it is looked for")
	flag.IntVar(&o.organizations, "organizations", 10_000, "how many there are")
	flag.DurationVar(&o.length, "length", 5*time.Second, "of one measurement")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is repeated, in turn with its reference")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	measure := benchWebhook
	if *pages {
		measure = benchPages
	}
	err := measure(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
