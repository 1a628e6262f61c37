// Package handlers is Usher's edge to the web: it turns requests into questions to package billing, and the answers into pages,
// fragments for htmx, and JSON. Every route stands in routes.go with what it needs of whoever asks.
//
// Kept out: rules (package billing), SQL (package db), stripe-go (package stripegw), HTML (package views).
package handlers

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"

	"usher/billing"
	"usher/billing/account"
	"usher/views/ui"
)

// Options are what the edge is made of. Now, Rand and Log have defaults; everything else is needed.
type Options struct {
	Billing  *billing.Service
	Sessions SessionStore
	// Ready tells whether requests can be served: the database answers and its migrations are current.
	Ready func(context.Context) error

	BaseURL     *url.URL // the public origin; https turns on Secure, __Host- cookies and HSTS
	Development bool     // the component gallery, and one loopback name for all
	MailPage    bool     // in development: e-mails are not sent but shown
	// Clock is the local Stripe's, which /dev/clock puts ahead; nil where there is none.
	Clock Clock
	// ReturnURL is where the customer portal leads back to; absolute.
	ReturnURL string
	// CheckoutOrigins are where the hosted pages live besides Stripe's own: the local Stripe, another API base, a custom domain.
	CheckoutOrigins []string
	// RateLimits turns on the limits of the routes that are guessed at; TrustedProxies are whose X-Forwarded-For is believed.
	RateLimits     bool
	TrustedProxies []netip.Prefix
	// MetricsToken opens /metrics; empty: it is open in development, and not there in production.
	MetricsToken string
	// Remark and Links stand in the footer of every page: that this is a local Stripe, and where to look into it.
	Remark string
	Links  []ui.LinkButtonProps

	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // nil: crypto/rand
	Log  *slog.Logger     // nil: nothing is logged
}

// Clock is time that can be put ahead, to try out what it brings.
type Clock interface {
	Now() time.Time
	Advance(by string) error // a span such as 1 month
}

// SessionStore keeps sessions; package db has one.
type SessionStore interface {
	scs.CtxStore
	// AttachUser notes whose session a token is, before the session is first written too.
	AttachUser(ctx context.Context, token, userID string) error
	// UserSessions lists a user's sessions; the one of this token is the current one.
	UserSessions(ctx context.Context, userID, token string) ([]account.OpenSession, error)
	// EndOtherSessions ends all sessions of a user but the one of this token.
	EndOtherSessions(ctx context.Context, userID, token string) error
}

// server holds what the handlers share. Nothing in it changes after New.
type server struct {
	billing        *billing.Service
	sessions       *scs.SessionManager
	store          SessionStore
	ready          func(context.Context) error
	baseURL        *url.URL
	development    bool
	mailPage       bool
	clock          Clock // nil: there is none to be put ahead
	rateLimits     bool
	returnURL      string
	remark         string
	links          []ui.LinkButtonProps
	now            func() time.Time
	rand           io.Reader
	log            *slog.Logger
	trustedProxies []netip.Prefix
	metrics        *metrics
	metricsToken   string
	// How long a body may take to arrive, and Stripe to answer after a return.
	bodyTimeout, returnTimeout time.Duration
	crossOrigin                *http.CrossOriginProtection
	headers                    map[string]string // sent with every answer
}

// New makes the handler of the whole site.
func New(o Options) http.Handler { return newServer(o).handler() }

func newServer(o Options) *server {
	s := &server{
		billing: o.Billing, ready: o.Ready, baseURL: o.BaseURL, development: o.Development, returnURL: o.ReturnURL,
		remark: o.Remark, links: o.Links, now: o.Now, rand: o.Rand, log: o.Log,
		bodyTimeout: bodyTimeout, returnTimeout: returnTimeout,
		mailPage:   o.Development && o.MailPage,
		clock:      o.Clock,
		rateLimits: o.RateLimits, trustedProxies: o.TrustedProxies,
		metrics: newMetrics(o.Billing), metricsToken: o.MetricsToken,
		store:       o.Sessions,
		sessions:    newSessions(o.Sessions, o.BaseURL),
		crossOrigin: newCrossOriginProtection(o.BaseURL),
		headers:     securityHeaders(o.BaseURL, o.CheckoutOrigins),
	}
	s.fillDefaults()
	return s
}

func (s *server) handler() http.Handler {
	return s.observe(s.recoverPanics(s.addSecurityHeaders(s.mux())))
}

func (s *server) fillDefaults() {
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
}
