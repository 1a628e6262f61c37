package main

import (
	"context"
	"errors"
	"fmt"

	"usher/stripelocal"
)

// runStripe runs the local Stripe alone.
func runStripe(ctx context.Context, inv *invocation) (err error) {
	addr := inv.flags.String("addr", "127.0.0.1:12111", "listen address")
	state := inv.flags.String("state", "", "state file; default: keep it in memory")
	webhook := inv.flags.String("webhook", "", "URL that receives every event")
	secret := inv.flags.String("secret", "", "webhook secret that signs the events, whsec_…")
	if err := inv.parseFlags(); err != nil {
		return err
	}
	if (*webhook == "") != (*secret == "") {
		return usageError("--webhook and --secret require each other")
	}
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	if config.Production {
		return errors.New("the local Stripe does not run with APP_ENV=production: " +
			"it accepts any key, and no money moves")
	}
	log := newLogger(inv.stderr, config)
	listener, err := listen(*addr)
	if err != nil {
		return err
	}
	origin := "http://" + loopbackAddr(listener.Addr())
	server, err := stripelocal.New(stripelocal.Options{Origin: origin, StatePath: *state, Log: log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if *webhook != "" {
		server.EnsureWebhookEndpoint(*webhook, *secret)
	}
	var closers closers
	defer func() { err = errors.Join(err, closers.close()) }()
	failed := serveLocalStripe(server, listener, originOf(listener.Addr().String()), log, &closers)
	fmt.Fprintf(inv.stdout, "The local Stripe is at %s; no money moves. "+
		"It accepts any key sk_test_… of 12 characters or more.\n", origin)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("local Stripe: %w", err)
	}
}
