// Command peers runs the Stripe code of public projects, as they publish it, against the local
// Stripe.
//
//	go run ./cmd/peers -folder .build/peers
//
// Each project has a script in stripelocal/testdata/peers that uses it as its own documentation
// says. For each it prints the calls that the project made, with API versions and statuses, and the
// webhooks that it took. The exit status is 1 if a script failed, a call was refused that Stripe
// would not refuse, or a webhook was not taken at the first attempt. `make peers` installs the
// projects' packages first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	folder := flag.String("folder", ".build/peers", "`path` of the scripts and the installed packages")
	only := flag.String("only", "", "run only the projects whose `name` contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *folder, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// run runs every project, and returns an error for those that did not work.
func run(ctx context.Context, folder, only string) error {
	postgres, err := startPostgres(ctx)
	if err != nil {
		return err
	}
	defer postgres.close()
	var failed []error
	for _, p := range peers() {
		if !strings.Contains(p.name, only) {
			continue
		}
		result, err := p.run(ctx, folder, postgres)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		}
		if err := result.print(os.Stdout); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}
