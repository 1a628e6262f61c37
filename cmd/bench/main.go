// Command bench measures Usher beside a reference on the same machine and PostgreSQL, so that the
// result is a ratio and not only a rate.
//
//	go run ./cmd/bench          webhooks, beside a pgbench transaction that does the same writes
//	go run ./cmd/bench -engine .build/peers   the same, in turn with a sync engine
//	go run ./cmd/bench -pages   the billing tab, beside a bare handler with the same queries
//	go run ./cmd/bench -attack -duration 1m   log-ins and pages during an attack on the log-in
//	go run ./cmd/bench -scale   a large database, beside a small one
//
// Usher runs as its own process and is measured over HTTP; the make targets bench-webhook,
// bench-engine, bench-pages, bench-attack and bench-scale build it first.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the command's flags.
type options struct {
	pages         bool
	attack        bool
	scale         bool
	memory        bool
	usher         string // path of Usher's binary
	pgbench       string // path; "" searches for it
	engine        string // folder of a sync engine; "": webhooks are compared with no other
	organizations int
	events        int           // stored before a measurement of scale
	duration      time.Duration // of one measurement
	rounds        int           // measurements of each
	clients       []int         // concurrent ones, of the webhooks
	variables     []string      // of Usher, besides those of every measurement
	settings      []string      // of PostgreSQL, besides those of a private one
}

func main() {
	if config := os.Getenv(bareHandlerEnv); config != "" {
		fmt.Fprintln(os.Stderr, "bare handler:", runBareHandler(config))
		os.Exit(1)
	}
	o := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	measure := benchWebhook
	switch {
	case o.pages:
		measure = benchPages
	case o.attack:
		measure = benchAttack
	case o.scale:
		measure = benchScale
	case o.memory:
		measure = benchMemory
	}
	err := measure(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseFlags() (o options) {
	flag.BoolVar(&o.pages, "pages", false, "measure the billing tab instead of webhooks")
	flag.BoolVar(&o.attack, "attack", false, "measure log-ins and pages during an attack instead of webhooks")
	flag.BoolVar(&o.scale, "scale", false, "measure a large database beside a small one instead of webhooks")
	flag.BoolVar(&o.memory, "memory", false, "measure the memory with 1,000 clients instead of webhooks")
	flag.IntVar(&o.events, "events", 10_000, "number of events in the database, with -scale")
	flag.StringVar(&o.usher, "usher", ".build/usher", "`path` of Usher's binary")
	flag.StringVar(&o.pgbench, "pgbench", "", "`path` of pgbench (default: searched in PATH and below /usr/lib/postgresql)")
	flag.StringVar(&o.engine, "engine", "", "`folder` with serve_sync_engine.mjs and its packages, to compare webhooks with")
	flag.IntVar(&o.organizations, "organizations", 10_000, "number of organizations in the database")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "duration of one measurement")
	flag.IntVar(&o.rounds, "rounds", 3, "number of measurements, alternating with the reference")
	clients := flag.String("clients", "1,16,32", "numbers of concurrent clients that send webhooks")
	flag.Parse()
	for _, n := range strings.Split(*clients, ",") {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 {
			fmt.Fprintf(os.Stderr, "bench: -clients: %q is no number of clients\n", n)
			os.Exit(2)
		}
		o.clients = append(o.clients, count)
	}
	return o
}
