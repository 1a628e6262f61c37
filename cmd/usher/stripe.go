package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"

	"usher/stripelocal"
)

// stripeFlags are the flags of usher stripe.
type stripeFlags struct {
	addr, origin, state, seed    string
	webhook, secret, allowOrigin string
	speed                        float64
}

func (f *stripeFlags) declare(flags *flag.FlagSet) {
	flags.StringVar(&f.addr, "addr", "127.0.0.1:12111", "listen address")
	flags.StringVar(&f.origin, "origin", "", "URL by which browsers and programs reach it; default: that of addr")
	flags.StringVar(&f.state, "state", "", "state file; default: keep it in memory")
	flags.StringVar(&f.seed, "seed", "", "JSON file with what every new account begins with")
	flags.Float64Var(&f.speed, "speed", 0, "how many times as fast as real time the clock runs, 1 to 604800")
	flags.StringVar(&f.allowOrigin, "allow-origin", "",
		"origins of pages whose scripts may call the API, comma-separated, besides those on localhost")
	flags.StringVar(&f.webhook, "webhook", "", "URL that receives every event")
	flags.StringVar(&f.secret, "secret", "", "webhook secret that signs the events, whsec_…")
}

func (f *stripeFlags) check() error {
	if (f.webhook == "") != (f.secret == "") {
		return usageError("--webhook and --secret require each other")
	}
	if f.origin != "" && !isOrigin(f.origin) {
		return usageError("--origin is a scheme and a host only, such as http://stripe:12111")
	}
	for _, origin := range f.allowedOrigins() {
		if origin != "*" && !isOrigin(origin) {
			return usageError("--allow-origin has schemes and hosts only, such as http://app.test:3000")
		}
	}
	return nil
}

func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.String() == u.Scheme+"://"+u.Host
}

func (f *stripeFlags) allowedOrigins() []string {
	return strings.FieldsFunc(f.allowOrigin, func(r rune) bool { return r == ',' || r == ' ' })
}

// options are the server's options, with the seed.
func (f *stripeFlags) options(origin string, log *slog.Logger) (stripelocal.Options, error) {
	o := stripelocal.Options{
		Origin: origin, StatePath: f.state, Speed: f.speed, AllowedOrigins: f.allowedOrigins(), Log: log,
	}
	if f.seed == "" {
		return o, nil
	}
	raw, err := os.ReadFile(f.seed)
	if err == nil {
		o.Seed, err = stripelocal.ParseSeed(f.seed, raw)
	}
	return o, err
}

// runStripe runs the local Stripe alone.
func runStripe(ctx context.Context, inv *invocation) (err error) {
	var flags stripeFlags
	flags.declare(inv.flags)
	if err := inv.parseFlags(); err != nil {
		return err
	}
	if err := flags.check(); err != nil {
		return err
	}
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	if config.Production {
		return errors.New("the local Stripe does not run with APP_ENV=production: " +
			"it accepts any key, and no money moves")
	}
	listener, err := listen(flags.addr)
	if err != nil {
		return err
	}
	var closers closers
	defer func() { err = errors.Join(err, closers.close()) }()
	origin, failed, err := serveStripeAlone(flags, listener, newLogger(inv.stderr, config), &closers)
	if err != nil {
		return err
	}
	fmt.Fprintf(inv.stdout, "The local Stripe is at %s; no money moves. "+
		"It accepts any key sk_test_… of 12 characters or more.\n", origin)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("local Stripe: %w", err)
	}
}

// serveStripeAlone serves the local Stripe until closers are called. It closes the listener if it
// fails.
func serveStripeAlone(
	f stripeFlags, listener net.Listener, log *slog.Logger, closers *closers,
) (origin string, failed <-chan error, err error) {
	origin, base := f.origin, originOf(listener.Addr().String())
	if origin == "" {
		origin = "http://" + loopbackAddr(listener.Addr())
	} else if base, err = url.Parse(origin); err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	options, err := f.options(origin, log)
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	server, err := stripelocal.New(options)
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	if f.webhook != "" {
		server.EnsureWebhookEndpoint(f.webhook, f.secret)
	}
	return origin, serveLocalStripe(server, listener, base, log, closers), nil
}
