// Command ha runs Usher on this machine as an installation of several machines would, and shows
// what its users notice when parts of it fail: two PostgreSQL servers under Patroni with etcd,
// HAProxy, PgBouncer in transaction mode, and three replicas of Usher behind HAProxy.
//
//	go run ./cmd/ha -usher .build/usher -former .build/usher-former
//
// Meanwhile people open pages, a product consumes credits, and Stripe changes subscriptions and
// sends webhooks. The replicas are upgraded from a former release, the primary is switched and
// killed, and the replicas are restarted. For each phase it prints the requests, the failures and
// the longest time without a successful answer. The exit status is 1 if anything that was
// acknowledged is missing in the end. `make ha` installs what it needs and builds both releases.
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

// options are the command's flags.
type options struct {
	usher   string        // path of the binary
	former  string        // path of a former release's binary; empty: none
	phase   time.Duration // how long each phase lasts at least
	verbose bool
}

func main() {
	var o options
	flag.StringVar(&o.usher, "usher", ".build/usher", "`path` of Usher's binary")
	flag.StringVar(&o.former, "former", "", "`path` of the former release's binary, from which the replicas are upgraded")
	flag.DurationVar(&o.phase, "phase", 15*time.Second, "how long each phase lasts at least")
	flag.BoolVar(&o.verbose, "v", false, "print each step")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ha:", err)
		os.Exit(1)
	}
}

// run starts the installation, plays the phases, and prints the report.
func run(ctx context.Context, o options) (err error) {
	i, err := newInstallation(o)
	if err != nil {
		return err
	}
	defer i.close()
	fmt.Println("Starting etcd, two Patroni nodes, HAProxy, PgBouncer, Stripe and three replicas.")
	if err := i.start(ctx); err != nil {
		return err
	}
	l, err := startLoad(ctx, i)
	if err != nil {
		return err
	}
	for _, p := range phases(i) {
		l.begin(p.name)
		i.say("%s", p.name)
		ended := time.After(o.phase)
		if err := p.run(ctx); err != nil {
			l.stop()
			return fmt.Errorf("%s: %w", p.name, err)
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.stop()
	l.report(os.Stdout)
	return l.verify(ctx)
}

// phase is a time in which one thing happens.
type phase struct {
	name string
	run  func(context.Context) error
}

func phases(i *installation) []phase {
	all := []phase{{"nothing happens", func(context.Context) error { return nil }}}
	if i.former != "" {
		all = append(all, phase{"rolling upgrade from the former release", i.restartReplicas})
	}
	return append(all,
		phase{"rolling restart of the replicas", i.restartReplicas},
		phase{"a replica is killed", i.killReplica},
		phase{"switchover to the standby", i.switchOver},
		phase{"the primary's machine is lost", i.losePrimary},
		phase{"the lost machine comes back", i.restoreNode},
		phase{"nothing happens", func(context.Context) error { return nil }},
	)
}
