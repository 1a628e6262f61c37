package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/trace"

	"usher/billing"
	"usher/billing/catalog"
	"usher/billing/stripegw"
	"usher/cmd/usher/scenario"
	"usher/db"
	"usher/handlers"
	"usher/static"
	"usher/views/brand"
	"usher/views/ui"
)

// Timeouts of the servers.
const (
	readHeaderTimeout    = 5 * time.Second
	readTimeout          = 30 * time.Second
	writeTimeout         = 30 * time.Second
	idleTimeout          = 2 * time.Minute
	startTimeout         = 5 * time.Second  // for reading account and prices from Stripe at startup
	drainTimeout         = 15 * time.Second // for requests that run at shutdown
	sessionSweepInterval = 10 * time.Minute
)

// runServe runs the web application until ctx ends, and then drains it.
func runServe(ctx context.Context, inv *invocation) (err error) {
	if err := inv.parseFlags(); err != nil {
		return err
	}
	config, plans, err := loadServeConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	log := newLogger(inv.stderr, config)
	for _, warning := range config.warnings() {
		log.Warn(warning) // #nosec G706 -- a constant text
	}
	listener, err := listen(config.Addr)
	if err != nil {
		return err
	}
	app := &app{config: config.listeningOn(listener.Addr()), log: log, stripeCalls: handlers.NewStripeMetrics(), webhookAttempts: handlers.NewWebhookMetrics()}
	defer func() { err = errors.Join(err, app.closers.close()) }()
	app.closers.add("listener", func(context.Context) error { return ignoreClosed(listener.Close()) })
	if app.traces, err = startTracing(ctx, app.config.Tracing, readVersion().Version, log, &app.closers); err != nil {
		return err
	}
	if err := app.open(ctx, plans, listener.Addr()); err != nil {
		return err
	}
	return app.serve(ctx, listener, inv.stdout)
}

// app is the running web application.
type app struct {
	config   Config
	log      *slog.Logger
	database database
	store    *db.Store
	standby  *db.Standby // nil without READ_DATABASE_URL
	sessions *db.SessionStore
	local    *localStripe // nil with a Stripe account
	service  *billing.Service
	reads    *billing.Service // service on the standby
	// stripeCalls counts the requests of the service to Stripe.
	stripeCalls *handlers.StripeMetrics
	// webhookAttempts counts the attempts to deliver outgoing webhooks.
	webhookAttempts *handlers.WebhookMetrics
	// serviceAt returns a service like the running one with another clock.
	serviceAt func(ctx context.Context, now func() time.Time) (*billing.Service, error)
	board     *scenario.Board // nil in production and with a Stripe account
	brand     brand.Brand
	assets    []static.Asset // of the brand
	traces    trace.TracerProvider
	closers   closers
	draining  atomic.Bool // /readyz answers 503
}

// open opens the database and Stripe, starting private ones where none is configured, and wires the
// service. Closers stop what it started, also after an error.
func (a *app) open(ctx context.Context, plans catalog.Catalog, addr net.Addr) error {
	mailer, err := a.config.mailer()
	if err != nil {
		return err
	}
	if a.brand, a.assets, err = a.config.brandWithFiles(); err != nil {
		return err
	}
	if err := a.openDatabase(ctx); err != nil {
		return err
	}
	keyring, err := a.config.keyring()
	if err != nil {
		return err
	}
	if a.config.StripeKey == "" {
		if a.local, err = startLocalStripe(a.config, addr, a.log, &a.closers); err != nil {
			return err
		}
	}
	gateway := newGateway(a.config, a.local, a.log, func(at stripegw.Attempt) { a.stripeCalls.Observe(at.Operation, at.Status, at.Took) })
	if a.local != nil {
		if _, err := pushPlans(ctx, gateway, plans); err != nil {
			return fmt.Errorf("create the local Stripe's prices: %w", err)
		}
	}
	a.service = newService(a.config, a.local, a.store, gateway, plans, mailer, keyring, a.log, a.webhookAttempts.Observe)
	if a.standby != nil {
		a.reads = a.service.ReadingFrom(a.standby)
	}
	a.serviceAt = func(ctx context.Context, now func() time.Time) (*billing.Service, error) {
		local := *a.local
		local.now = now
		service := newService(a.config, &local, a.store, gateway, plans, mailer, keyring, a.log, nil)
		return service, service.Prices.Start(ctx)
	}
	return nil
}

func (a *app) openDatabase(ctx context.Context) (err error) {
	a.database, err = openDatabase(ctx, a.config, a.log, &a.closers)
	if err != nil {
		return err
	}
	if a.database.private {
		if err := publishPrivateDatabase(a.config, a.database.dsn, &a.closers); err != nil {
			return err
		}
	}
	a.store, err = openStore(ctx, a.config, a.database.dsn, &a.closers)
	if err != nil {
		return err
	}
	a.sessions = db.NewSessionStore(a.store.DB())
	return a.openStandby()
}

func (a *app) openStandby() (err error) {
	if a.config.ReadURL == "" {
		return nil
	}
	a.standby, err = db.OpenStandby(a.config.ReadURL, a.config.Connections, a.store, a.log)
	if err != nil {
		return err
	}
	a.closers.add("standby pool", func(context.Context) error { return a.standby.Close() })
	return nil
}

// readService returns the service for what may be a few seconds old.
func (a *app) readService() *billing.Service {
	if a.standby != nil && a.standby.Fresh() {
		return a.reads
	}
	return a.service
}

// serve serves requests and does background work until ctx ends or a server fails.
func (a *app) serve(ctx context.Context, listener net.Listener, stdout io.Writer) error {
	if err := a.load(ctx); err != nil {
		return err
	}
	if err := a.startWorkers(ctx); err != nil {
		return err
	}
	a.openScenarios()
	server := a.httpServer()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	a.closers.add("web server", server.Shutdown)
	a.printAddresses(stdout)
	if err := a.addDemoHistory(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return a.drain(failed)
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-a.database.done:
		return errors.New("the private PostgreSQL has ended; see postgres.log in DATA_DIR")
	}
}

// drain keeps serving for the shutdown delay, so that a balancer learns from /readyz that new
// requests belong elsewhere.
func (a *app) drain(failed <-chan error) error {
	a.draining.Store(true)
	a.log.Info("shutting down", "delay", a.config.ShutdownDelay.String())
	timer := time.NewTimer(a.config.ShutdownDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	}
}

// ready returns nil if requests can be served.
func (a *app) ready(ctx context.Context) error {
	if a.draining.Load() {
		return errors.New("shutting down")
	}
	return a.store.Ready(ctx)
}

// load reads account and prices from Stripe and creates the demo organization. It continues without
// Stripe, which the service retries. A price id of the plan file that can't be sold as the file
// says is an error: only a change of the file helps.
func (a *app) load(ctx context.Context) error {
	startCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := a.service.Prices.Start(startCtx)
	var mismatch *billing.MismatchError
	if errors.As(err, &mismatch) && mismatch.Explicit() != nil {
		return fmt.Errorf("the plan file does not fit the prices at Stripe:\n%w", mismatch.Explicit())
	}
	if err != nil {
		a.log.Warn("Stripe account or prices not loaded; retrying", "err", err)
	}
	if !a.database.private {
		return nil
	}
	return seedDemo(ctx, a.service)
}

func (a *app) startWorkers(ctx context.Context) error {
	queue, err := db.NewQueue(a.store, a.log, traceJobs(a.traces, a.service.Worker.RunJob))
	if err != nil {
		return err
	}
	workCtx, stop := context.WithCancel(context.WithoutCancel(ctx)) // closers end it after ctx
	a.closers.start("queue", stop, func() error { return queue.Run(workCtx) })
	a.closers.start("background work", stop, func() error { return a.service.Worker.Run(workCtx) })
	if a.standby != nil {
		a.closers.start("standby", stop, func() error { return a.standby.Run(workCtx) })
	}
	a.closers.start("session sweep", stop, func() error { return a.sweepSessions(workCtx) })
	return nil
}

// sweepSessions deletes expired sessions periodically.
func (a *app) sweepSessions(ctx context.Context) error {
	ticker := time.NewTicker(sessionSweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if _, err := a.sessions.DeleteExpired(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("expired sessions not deleted", "err", err)
			}
		}
	}
}

func (a *app) httpServer() *http.Server {
	handler := handlers.New(a.handlerOptions())
	if !a.config.Production {
		handler = refuseForeignHosts(a.config.BaseURL, handler)
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

func (a *app) handlerOptions() handlers.Options {
	o := handlers.Options{
		Billing: a.service, Reads: a.readService, Sessions: a.sessions, Ready: a.ready, BaseURL: a.config.BaseURL,
		Development: !a.config.Production, MailPage: a.config.hasOutboxPage(),
		ReturnURL: a.config.ReturnURL, EmbedOrigins: a.config.EmbedOrigins, RateLimits: a.config.RateLimits,
		TrustedProxies: a.config.TrustedProxies, SecondFactor: a.config.Require2FA, Provider: a.config.identityProvider(), MetricsToken: a.config.MetricsToken, Log: a.log,
		Version: readVersion().Version, Stripe: a.stripeCalls, Webhooks: a.webhookAttempts, Pool: a.store.Pool, Brand: a.brand, Assets: a.assets, Traces: a.traces,
	}
	if a.standby != nil {
		o.ReadLag = a.standby.Lag
	}
	// Another Stripe API serves its hosted pages under the same origin.
	if base, err := url.Parse(a.config.StripeAPIBase); err == nil && base.Host != "" {
		o.CheckoutOrigins = append(o.CheckoutOrigins, base.Scheme+"://"+base.Host)
	}
	if a.local != nil {
		o.CheckoutOrigins = append(o.CheckoutOrigins, a.local.origin)
		o.Clock, o.Remark = a.local.server, "Local Stripe: no money moves."
		o.Links = []ui.LinkButtonProps{
			{Label: "Local Stripe", Href: a.local.origin}, {Label: "Clock", Href: "/dev/clock"},
		}
	}
	if a.board != nil {
		o.Scenarios = a.board
		o.Links = append(o.Links, ui.LinkButtonProps{Label: "Scenarios", Href: "/dev/scenarios"})
	}
	if a.config.hasOutboxPage() {
		o.Links = append(o.Links, ui.LinkButtonProps{Label: "E-mail", Href: "/dev/mail"})
	}
	return o
}

// printAddresses prints the addresses and the demo accounts for a developer.
func (a *app) printAddresses(w io.Writer) {
	if a.config.Production {
		a.log.Info("serving", "url", a.config.BaseURL.String())
		return
	}
	fmt.Fprintf(w, "\n  Usher is at   %s\n", a.config.BaseURL)
	if a.local != nil {
		fmt.Fprintf(w, "  Local Stripe  %s (no money moves; pay with 4242 4242 4242 4242)\n",
			a.local.origin)
	}
	if a.config.hasOutboxPage() {
		fmt.Fprintf(w, "  E-mail        %s/dev/mail (nothing is sent)\n", a.config.BaseURL)
	}
	if a.database.private && !a.config.SignIn.PasswordsOff {
		printDemo(w)
		if a.hasDemoHistory() {
			printDemoHistory(w)
		}
	}
	fmt.Fprintln(w)
}

// listen opens a TCP listener. Its error names the address and a fix.
func listen(addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("ADDR=%s: the address is in use by another program. Stop it, or set "+
			"ADDR to another address; ADDR=127.0.0.1:0 uses any free port", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("ADDR=%s: cannot listen: %w", addr, err)
	}
	return listener, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func newLogger(w io.Writer, c Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
