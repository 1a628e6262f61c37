package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"

	"usher/stripelocal"
)

func stripeCommand() command {
	return command{
		name: "stripe", summary: "run the local Stripe alone, for any Stripe SDK", usage: "[--addr ADDRESS] [--state FILE] [--webhook URL --secret SECRET]",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			var s standaloneStripe
			set.StringVar(&s.addr, "addr", "127.0.0.1:12111", "listen address")
			set.StringVar(&s.state, "state", "", "file that keeps its state between runs; none: memory only")
			set.StringVar(&s.webhook, "webhook", "", "URL that is sent every event")
			set.StringVar(&s.secret, "secret", "", "what those events are signed with, whsec_…")
			return func(ctx context.Context, p program, args []string) error {
				if err := noArguments(args); err != nil {
					return err
				}
				return s.run(ctx, p)
			}
		},
	}
}

// standaloneStripe is the local Stripe without Usher.
type standaloneStripe struct{ addr, state, webhook, secret string }

func (s standaloneStripe) run(ctx context.Context, p program) (err error) {
	if (s.webhook == "") != (s.secret == "") {
		return usageError{"--webhook and --secret go together"}
	}
	config, err := loadConfig(p.getenv, dotenvFile)
	if err != nil {
		return err
	}
	if config.Production {
		return errors.New("the local Stripe does not run with APP_ENV=production: it takes any key and no money moves")
	}
	listener, err := listen(s.addr)
	if err != nil {
		return err
	}
	log := newLogger(p.stderr, config)
	started := &parts{log: log}
	defer func() { err = errors.Join(err, started.stop()) }()
	origin := "http://" + reachable(listener.Addr())
	server, err := stripelocal.New(stripelocal.Options{Origin: origin, StatePath: s.state, Log: log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if s.webhook != "" {
		server.EnsureWebhookEndpoint(s.webhook, s.secret)
	}
	return s.serve(ctx, p, server, listener, origin, started)
}

func (s standaloneStripe) serve(
	ctx context.Context, p program, server *stripelocal.Server, listener net.Listener, origin string, started *parts,
) error {
	web := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	started.add("local Stripe", server.Close)
	started.add("listener", web.Shutdown)
	fmt.Fprintf(p.stdout, "The local Stripe is at %s; no money moves. Any key sk_test_… of 12 characters or more opens it.\n", origin)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("local Stripe: %w", err)
	}
}
