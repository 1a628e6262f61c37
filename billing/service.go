package billing

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a [Service] is made of. Now, Rand and Log have defaults; everything else is needed.
type Options struct {
	Store     Store
	Gateway   Gateway
	Catalog   Catalog
	Renderer  Renderer         // puts e-mails into words
	Mailer    Mailer           // nil: e-mails are kept and only shown
	Now       func() time.Time // nil: time.Now
	WallClock func() time.Time // the time that signatures are held against, where Now is a clock put ahead; nil: time.Now
	Rand      io.Reader        // nil: crypto/rand
	Log       *slog.Logger     // nil: nothing is logged

	BaseURL                          string   // the public origin, for links in e-mails
	SuccessURL, CancelURL, ReturnURL string   // where Checkout and the portal lead back to; absolute
	AllowedOrigins                   []string // the origins a request's own URLs may have, as scheme://host[:port]
	OperatorEmails                   []string // who runs the installation
	KeyFingerprint                   string   // stands for the secret key, so that its account is known while Stripe is away
}

// Service is Usher's domain: what pages, JSON endpoints, webhooks and background work ask for. It is safe for concurrent use.
type Service struct {
	store   Store
	gateway Gateway
	now     func() time.Time
	wall    func() time.Time
	rand    io.Reader
	log     *slog.Logger

	renderer Renderer
	mailer   Mailer // nil: e-mails are kept
	baseURL  string

	successURL, cancelURL, returnURL string
	allowedOrigins                   []string
	keyFingerprint                   string
	operatorEmails                   []string

	catalog        atomic.Pointer[Catalog]
	account        atomic.Pointer[StripeAccount]
	resolving      sync.Mutex // one look-up of account and prices at a time
	handlers       map[string]eventHandler
	cursor         atomic.Value  // Recounts: whose event was claimed last
	pricesComplete atomic.Bool   // every price of the catalogue was found at Stripe
	hashing        chan struct{} // bounds the memory that password hashing takes
}

// New makes a Service. It does not speak to anything yet; [Service.Start] does.
func New(o Options) *Service {
	s := &Service{
		store: o.Store, gateway: o.Gateway, now: o.Now, wall: o.WallClock, rand: o.Rand, log: o.Log,
		successURL: o.SuccessURL, cancelURL: o.CancelURL, returnURL: o.ReturnURL, allowedOrigins: o.AllowedOrigins,
		keyFingerprint: o.KeyFingerprint, operatorEmails: o.OperatorEmails,
		renderer: o.Renderer, mailer: o.Mailer, baseURL: strings.TrimSuffix(o.BaseURL, "/"),
		hashing: make(chan struct{}, 2),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.wall == nil {
		s.wall = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.handlers = s.eventHandlers()
	s.catalog.Store(&o.Catalog)
	return s
}

// Catalog returns the plans as they were last resolved at Stripe. It never waits.
func (s *Service) Catalog() Catalog { return *s.catalog.Load() }

// Start learns whose Stripe account this is and which prices the catalogue means: first from what was remembered, then from Stripe. Its
// error tells what Stripe did not tell; the Service works on with what it remembers, and [Service.Work] and every checkout try again.
func (s *Service) Start(ctx context.Context) error {
	if err := s.loadStored(ctx); err != nil {
		return err
	}
	if err := s.loadAccount(ctx); err != nil {
		return err
	}
	return s.resolvePrices(ctx)
}

// loadStored takes up what an earlier run learned of the account and the prices.
func (s *Service) loadStored(ctx context.Context) error {
	acct, known, err := Found(s.store.Stripe().Account(ctx, s.keyFingerprint))
	if err != nil || !known {
		return err
	}
	s.account.Store(&acct)
	prices, err := s.store.Stripe().Prices(ctx, acct)
	if err != nil {
		return fmt.Errorf("read remembered prices: %w", err)
	}
	plans, _ := s.Catalog().resolved(prices)
	s.catalog.Store(&plans)
	return nil
}

// loadAccount asks Stripe whose keys these are. What it says replaces what was remembered.
func (s *Service) loadAccount(ctx context.Context) error {
	s.resolving.Lock()
	defer s.resolving.Unlock()
	acct, err := s.gateway.Account(ctx)
	if err != nil {
		return fmt.Errorf("read the Stripe account: %w", err)
	}
	s.account.Store(&acct)
	return s.store.Stripe().PutAccount(ctx, s.keyFingerprint, acct)
}

// resolvePrices reads the catalogue's prices from Stripe.
func (s *Service) resolvePrices(ctx context.Context) error {
	s.resolving.Lock()
	defer s.resolving.Unlock()
	plans, acct := s.Catalog(), s.knownAccount()
	found, err := s.gateway.Prices(ctx, plans.LookupKeys(), plans.PriceIDs())
	if err != nil {
		return fmt.Errorf("read the prices from Stripe: %w", err)
	}
	if err := s.store.Stripe().PutPrices(ctx, acct, found); err != nil {
		return fmt.Errorf("remember the prices: %w", err)
	}
	remembered, err := s.store.Stripe().Prices(ctx, acct)
	if err != nil {
		return fmt.Errorf("read remembered prices: %w", err)
	}
	next, missing := plans.resolved(found)
	next = next.withFormer(remembered)
	s.catalog.Store(&next)
	s.pricesComplete.Store(len(missing) == 0)
	if len(missing) > 0 {
		return fmt.Errorf("no active price at Stripe for %s: `usher plans push` creates what is missing", strings.Join(missing, ", "))
	}
	return nil
}

// requireAccount returns the Stripe account, learning it first where a start without Stripe has left it open.
func (s *Service) requireAccount(ctx context.Context) (StripeAccount, error) {
	if s.account.Load() == nil {
		if err := s.loadAccount(ctx); err != nil {
			return StripeAccount{}, stripeFailed("learn account", err)
		}
	}
	return *s.account.Load(), nil
}

// knownAccount returns the account without waiting for Stripe; the zero account, to which no link belongs, while it is not known.
func (s *Service) knownAccount() StripeAccount {
	if acct := s.account.Load(); acct != nil {
		return *acct
	}
	return StripeAccount{}
}

// retryStart learns what the start could not. Stripe being away is no error here: it is asked again soon.
func (s *Service) retryStart(ctx context.Context) error {
	if s.account.Load() != nil && s.pricesComplete.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := s.Start(ctx); err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "account or prices are not known yet", "error", err)
	}
	return nil
}
