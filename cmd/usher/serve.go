package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/stripegw"
	"usher/db"
	"usher/handlers"
	"usher/views/ui"
)

// Time limits of the server: what a person or Stripe needs at most, so that nothing hangs.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	startTimeout      = 5 * time.Second  // for asking Stripe at the start; pages do not wait for it
	drainTimeout      = 15 * time.Second // for requests that run when the program is told to end
	sessionSweep      = 10 * time.Minute
)

func serveCommand() command {
	return command{
		name: "serve", summary: "run the web application (the default)", usage: "",
		prepare: func(*flag.FlagSet) func(context.Context, program, []string) error {
			return func(ctx context.Context, p program, args []string) error {
				if err := noArguments(args); err != nil {
					return err
				}
				return serve(ctx, p)
			}
		},
	}
}

// serve runs until ctx ends, then drains what runs and ends what it started.
func serve(ctx context.Context, p program) (err error) {
	config, catalogue, err := loadServeConfig(p.getenv, dotenvFile)
	if err != nil {
		return err
	}
	log := newLogger(p.stderr, config)
	for _, warning := range config.warnings() {
		log.Warn(warning)
	}
	listener, err := listen(config.Addr)
	if err != nil {
		return err
	}
	started := &parts{log: log}
	defer func() { err = errors.Join(err, started.stop()) }()
	started.add("listener", func(context.Context) error { return ignoreClosed(listener.Close()) })
	config = config.listeningOn(listener.Addr())

	app, err := assemble(ctx, config, catalogue, listener.Addr(), started)
	if err != nil {
		return err
	}
	return app.run(ctx, p, listener)
}

// application is what serve has put together.
type application struct {
	config  Config
	log     *slog.Logger
	store   *db.Store
	session *db.SessionStore
	service *billing.Service
	local   *localStripe // nil: a real account
	demo    bool
	parts   *parts
}

// assemble starts what the configuration leaves to stand in by itself and wires everything.
func assemble(ctx context.Context, config Config, catalogue billing.Catalogue, addr net.Addr, started *parts) (*application, error) {
	mailer, err := config.mailer()
	if err != nil {
		return nil, err
	}
	app := &application{config: config, log: started.log, parts: started}
	dsn, private, err := openDatabase(ctx, config, started)
	if err != nil {
		return nil, err
	}
	app.demo = private
	if private {
		if err := announceDatabase(config, dsn, started); err != nil {
			return nil, err
		}
	}
	if app.store, err = openStore(ctx, dsn, started); err != nil {
		return nil, err
	}
	app.session = db.NewSessionStore(app.store.DB())
	if config.StripeKey == "" {
		if app.local, err = startLocalStripe(config, addr, started); err != nil {
			return nil, err
		}
	}
	gateway := app.gateway()
	if app.local != nil {
		if err := pushPlans(ctx, gateway, catalogue, discardPush); err != nil {
			return nil, fmt.Errorf("prepare the local Stripe: %w", err)
		}
	}
	app.service = app.newService(gateway, catalogue, mailer)
	return app, nil
}

func (a *application) gateway() *stripegw.Gateway {
	o := stripegw.Options{
		SecretKey: a.config.StripeKey, APIBase: a.config.StripeAPIBase, WebhookSecrets: a.config.StripeWebhookSecrets, Log: a.log,
	}
	if a.local != nil {
		o.SecretKey, o.APIBase, o.WebhookSecrets = localStripeKey, a.local.apiBase, a.local.secrets
	}
	return stripegw.New(o)
}

func (a *application) newService(gateway billing.Gateway, catalogue billing.Catalogue, mailer billing.Mailer) *billing.Service {
	var now func() time.Time // the real one
	if a.local != nil {
		now = a.local.server.Now // one clock for both, so that putting it ahead brings what is due here too
	}
	return billing.New(a.serviceOptions(gateway, catalogue, mailer, now))
}

// fingerprint stands for a secret key without revealing it.
func fingerprint(key string) string {
	sum := sha256.Sum256([]byte("usher key fingerprint " + key))
	return hex.EncodeToString(sum[:12])
}

// run serves requests and works in the background until ctx ends.
func (a *application) run(ctx context.Context, p program, listener net.Listener) error {
	if err := a.learn(ctx); err != nil {
		return err
	}
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	queue, err := db.NewQueue(a.store, a.log, a.service.Ring)
	if err != nil {
		stopWorking()
		return err
	}
	a.parts.goUntil("queue", stopWorking, func() error { return queue.Run(working) })
	a.parts.goUntil("background work", stopWorking, func() error { return a.service.Work(working) })
	a.parts.goUntil("session sweep", stopWorking, func() error { return a.sweepSessions(working) })

	server := a.httpServer()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	a.parts.add("web server", server.Shutdown)
	a.greet(p)
	select {
	case <-ctx.Done():
		a.log.Info("told to end; finishing what runs")
		return nil
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-a.parts.lost:
		return errors.New("the private PostgreSQL has ended; its log is postgres.log in DATA_DIR")
	}
}

// learn asks Stripe who we are and what the prices are, within a bound, and seeds the demo. Stripe being away stops nothing.
func (a *application) learn(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := a.service.Start(asking); err != nil {
		a.log.Warn("Stripe has not told everything yet; will ask again", "error", err)
	}
	if !a.demo {
		return nil
	}
	return seedDemo(ctx, a.service)
}

func (a *application) httpServer() *http.Server {
	o := handlers.Options{
		Billing: a.service, Sessions: a.session, Ready: a.store.Ready,
		BaseURL: a.config.BaseURL, Development: !a.config.Production, MailPage: a.config.showsMail(), ReturnURL: a.config.ReturnURL,
		RateLimits: a.config.RateLimits, TrustedProxies: a.config.TrustedProxies,
		MetricsToken: a.config.MetricsToken, Log: a.log,
	}
	if base, err := url.Parse(a.config.StripeAPIBase); err == nil && base.Host != "" {
		o.CheckoutOrigins = append(o.CheckoutOrigins, base.Scheme+"://"+base.Host) // a Stripe of one's own has its hosted pages there too
	}
	if a.local != nil {
		o.CheckoutOrigins = append(o.CheckoutOrigins, a.local.origin)
		o.Clock, o.Remark = a.local.server, "Local Stripe: no money moves."
		o.Links = []ui.LinkButtonProps{{Label: "Local Stripe", Href: a.local.origin}, {Label: "Clock", Href: "/dev/clock"}}
	}
	if a.config.showsMail() {
		o.Links = append(o.Links, ui.LinkButtonProps{Label: "E-mail", Href: "/dev/mail"})
	}
	return &http.Server{
		Handler:           handlers.New(o),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// sweepSessions removes expired sessions now and then.
func (a *application) sweepSessions(ctx context.Context) error {
	ticker := time.NewTicker(sessionSweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if _, err := a.session.DeleteExpired(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("remove expired sessions", "error", err)
			}
		}
	}
}

// greet tells the person at the terminal where to look.
func (a *application) greet(p program) {
	if a.config.Production {
		a.log.Info("serving", "url", a.config.BaseURL.String())
		return
	}
	fmt.Fprintf(p.stdout, "\n  Usher is at   %s\n", a.config.BaseURL)
	if a.local != nil {
		fmt.Fprintf(p.stdout, "  Local Stripe  %s (no money moves; pay with 4242 4242 4242 4242)\n", a.local.origin)
	}
	if a.config.showsMail() {
		fmt.Fprintf(p.stdout, "  E-mail        %s/dev/mail (nothing is sent)\n", a.config.BaseURL)
	}
	if a.demo {
		printDemo(p.stdout)
	}
	fmt.Fprintln(p.stdout)
}

// listen takes the address, or says in one sentence why not.
func listen(addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err == nil {
		return listener, nil
	}
	if isInUse(err) {
		return nil, fmt.Errorf("ADDR=%s: another program listens there already. Stop it, or set ADDR to another address, ADDR=127.0.0.1:0 for any free port", addr)
	}
	return nil, fmt.Errorf("ADDR=%s: cannot listen there: %w", addr, err)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func newLogger(w io.Writer, c Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if strings.EqualFold(c.LogFormat, "json") {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
