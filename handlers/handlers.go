package handlers

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/account/oidc"
	"usher/static"
	"usher/views/brand"
	"usher/views/ui"
)

// Options configure the handler that [New] returns. Now, Rand and Log have defaults; Billing,
// Sessions, Ready and BaseURL are required.
type Options struct {
	Billing *billing.Service
	// Reads returns the service for lists, statements and exports, whose answers may be a few
	// seconds old; nil: Billing.
	Reads    func() *billing.Service
	Sessions SessionStore
	// Ready returns an error unless requests can be served: the database is reachable and its
	// migrations are current.
	Ready func(context.Context) error

	BaseURL     *url.URL // the public origin; https enables Secure, __Host- cookies and HSTS
	Development bool     // enables the component gallery and the redirect to one loopback name
	MailPage    bool     // in development: shows the e-mails that are not sent
	// Clock is the local Stripe's clock, which /dev/clock advances; nil: no such page.
	Clock Clock
	// Scenarios is the scenario board, in development; nil: no such page.
	Scenarios Scenarios
	// ReturnURL is the absolute URL that the customer portal returns to.
	ReturnURL string
	// CheckoutOrigins are the origins of hosted pages besides Stripe's own: the local Stripe,
	// another API base, a custom domain.
	CheckoutOrigins []string
	// EmbedOrigins are the origins of the adopter's product that may show Usher in a frame.
	EmbedOrigins []string
	// RateLimits enables the rate limits of the routes. X-Forwarded-For is read from TrustedProxies
	// only.
	RateLimits     bool
	TrustedProxies []netip.Prefix
	// SecondFactor says of whom two-step verification is required.
	SecondFactor account.SecondFactorPolicy
	// Provider signs people in besides passwords, or instead of them; nil: there is none.
	Provider *oidc.Provider
	Version  string                   // of the program, for /metrics
	Stripe   *StripeMetrics           // for /metrics; nil: requests to Stripe are not counted
	Webhooks *WebhookMetrics          // for /metrics; nil: deliveries are not counted
	Pool     func() billing.PoolStats // the database connections, for /metrics; nil: they are not shown
	// ReadLag returns how far a standby is behind and whether that is known, for /metrics; nil:
	// there is none.
	ReadLag func() (time.Duration, bool)
	// MetricsToken protects /metrics. If it is empty, /metrics is public in development and not
	// found in production.
	MetricsToken string
	// Remark and Links appear in the footer of every page: a note about the local Stripe, and links
	// into it.
	Remark string
	Links  []ui.LinkButtonProps
	// Brand is the adopter's; the zero value is Usher's own. Assets are files of it.
	Brand  brand.Brand
	Assets []static.Asset

	Traces trace.TracerProvider // makes the spans of requests; nil: none

	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // nil: crypto/rand
	Log  *slog.Logger     // nil: logs are discarded
}

// Clock is a test clock.
type Clock interface {
	Now() time.Time
	Advance(by string) error // by a span such as "1 month"
}

// SessionStore stores sessions; package db implements it.
type SessionStore interface {
	scs.CtxStore
	// Load reads the session of a token, and whether its use is to be recorded; ErrNotFound if
	// there is none or it has ended.
	Load(ctx context.Context, token string) (session account.Session, data []byte, touchDue bool, err error)
	// Touch records the use of a session, once a minute at most.
	Touch(ctx context.Context, token string, client account.Client) error
	// Attach links a token to its user, even before the session is first written.
	Attach(ctx context.Context, token string, session account.Session) error
	// UserSessions returns a user's sessions. The one with this token is marked as current.
	UserSessions(ctx context.Context, userID, token string) ([]account.Session, error)
	// EndSession deletes one session of a user; it is no error if there is none.
	EndSession(ctx context.Context, userID, id string) error
	// EndOtherSessions deletes all sessions of a user except the one with this token.
	EndOtherSessions(ctx context.Context, userID, token string) error
}

// server routes requests to the areas of the site through the middleware. Only proxyWarnedAt
// changes after New.
type server struct {
	*site
	areas
	apiKeys         *account.APIKeys
	idempotencyKeys *account.IdempotencyKeys
	rateLimits      *account.RateLimits // nil: rate limits are disabled
	trustedProxies  []netip.Prefix
	proxyWarnedAt   atomic.Int64 // when an untrusted proxy was last logged, in Unix seconds
	metrics         *metrics
	tracer          trace.Tracer
	rand            io.Reader
	bodyTimeout     time.Duration // for a request body to arrive
	crossOrigin     *http.CrossOriginProtection
	headers         map[string]string // security headers, sent with every response
	framePolicy     string            // Content-Security-Policy of a response that EmbedOrigins may frame
	compress        func(http.Handler) http.HandlerFunc
}

// areas are the parts of the site, each with its handlers.
type areas struct {
	pricing       *pricingPages
	auth          *authPages
	settings      *settingsPages
	emailChanges  *emailChangePages
	recent        *recentPages
	secondStep    *secondStepPages
	oidc          *oidcPages
	handovers     *handoverPages
	twoStep       *securityPages
	invitations   *invitationPages
	organization  *organizationPages
	members       *memberPages
	roles         *rolePages
	people        *peoplePages
	contacts      *contactPages
	keys          *apiKeyPages
	domains       *domainPages
	webhooks      *webhookPages
	seats         *seatPages
	seatChanges   *seatChanges
	checkout      *checkoutPages
	billing       *billingPages
	plans         *planPages
	cancellations *cancellationPages
	forecasts     *forecastPages
	audit         *auditPages
	admin         *adminPages
	adminPeople   *adminPeoplePages
	api           *jsonAPI
	scim          *scimAPI
	webhook       *webhookEndpoint
	system        *systemEndpoints
	dev           *devPages
	themes        *themePages
	languages     *languagePages
}

// New returns the handler of the whole site.
func New(o Options) http.Handler { return newServer(o).handler() }

func newServer(o Options) *server {
	setDefaults(&o)
	base := newSite(o)
	metrics := newMetrics(o, base.security)
	s := &server{
		site: base, areas: newAreas(o, base), apiKeys: o.Billing.APIKeys, idempotencyKeys: o.Billing.Idempotency, trustedProxies: o.TrustedProxies, metrics: metrics, tracer: o.Traces.Tracer("usher/handlers"), rand: o.Rand,
		bodyTimeout: bodyTimeout, crossOrigin: newCrossOriginProtection(o.BaseURL),
		headers: securityHeaders(o.BaseURL, o.CheckoutOrigins, o.Brand.Logo), compress: newCompressor(),
	}
	s.framePolicy = framePolicy(s.headers["Content-Security-Policy"], o.EmbedOrigins)
	s.system = &systemEndpoints{site: base, ready: o.Ready, metrics: metrics, metricsToken: o.MetricsToken, assets: static.Handler(o.Assets...)}
	if o.RateLimits {
		s.rateLimits = o.Billing.RateLimits
	}
	s.recent.allowCode = s.allowCode
	s.api.allowInvitation = s.allowInvitation
	return s
}

func (s *server) handler() http.Handler {
	return s.observe(s.recoverPanics(s.addSecurityHeaders(s.mux())))
}

func setDefaults(o *Options) {
	if o.Reads == nil {
		o.Reads = func() *billing.Service { return o.Billing }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Traces == nil {
		o.Traces = noop.NewTracerProvider()
	}
}

// newAreas wires every area to the domain types that it calls.
func newAreas(o Options, base *site) areas {
	b := o.Billing
	portalReturn := portalReturnURL(o.ReturnURL, o.BaseURL.Host)
	var a areas
	a.checkout = &checkoutPages{
		site: base, checkouts: b.Checkouts, subscriptions: b.Subscriptions, prices: b.Prices, promotions: b.Promotions, returnTimeout: returnTimeout,
	}
	a.billing = &billingPages{
		site: base, checkout: a.checkout, overviews: b.Overviews, subscriptions: b.Subscriptions, upcoming: b.Upcoming, histories: b.Histories, invoices: b.Invoices, payments: b.InvoicePayments,
		duplicates: b.Duplicates, trials: b.Trials, credits: b.Credits, prices: b.Prices, portal: b.Portal, reconciler: b.Reconciler,
		members: b.Members, planChanges: b.PlanChanges, cancellations: b.Cancellations, portalReturnURL: portalReturn,
	}
	a.seatChanges = &seatChanges{site: base, previews: b.SeatPreviews, members: b.Members}
	a.plans = &planPages{site: base, planChanges: b.PlanChanges, seatChanges: a.seatChanges}
	a.cancellations = &cancellationPages{site: base, cancellations: b.Cancellations, planChanges: b.PlanChanges, overviews: b.Overviews, prices: b.Prices}
	a.forecasts = &forecastPages{site: base, forecasts: b.Forecasts, overviews: b.Overviews, prices: b.Prices}
	a.seats = &seatPages{
		site: base, overviews: b.Overviews, seatSyncer: b.SeatSyncer, seatLedger: b.SeatLedger, histories: b.Histories, changes: a.seatChanges,
	}
	a.keys = &apiKeyPages{site: base, keys: b.APIKeys}
	a.webhooks = &webhookPages{site: base, webhooks: b.Webhooks}
	a.contacts = &contactPages{site: base, contacts: b.Contacts}
	a.pricing = &pricingPages{site: base, prices: b.Prices, overviews: b.Overviews, promotions: b.Promotions, lookupTimeout: returnTimeout}
	a.api = &jsonAPI{
		organizations: b.Organizations, overviews: b.Overviews, checkouts: b.Checkouts, portal: b.Portal,
		seatSyncer: b.SeatSyncer, members: b.Members, memberSets: b.MemberSets, provisioning: b.Provisioning, invoices: b.Invoices, credits: b.Credits,
		webhooks: b.Webhooks, portalReturnURL: portalReturn, brand: o.Brand,
	}
	a.scim = &scimAPI{members: b.Members, memberSets: b.MemberSets, provisioning: b.Provisioning, baseURL: o.BaseURL}
	a.admin = &adminPages{site: base, audit: b.Audit, inbox: b.Inbox, operations: b.Operations, reconciler: b.Reconciler, prices: b.Prices}
	a.webhook = &webhookEndpoint{inbox: b.Inbox}
	a.dev = &devPages{site: base, clock: o.Clock, scenarios: o.Scenarios, worker: b.Worker, mailPage: o.Development && o.MailPage}
	a.themes = &themePages{site: base}
	a.languages = &languagePages{site: base, users: b.Users}
	a.addAccountPages(b, base)
	a.auth.mailHref = a.dev.mailHref()
	return a
}

// addAccountPages wires the pages about people and their organizations.
func (a *areas) addAccountPages(b *billing.Service, base *site) {
	a.auth = &authPages{site: base, checkout: a.checkout, users: b.Users, factors: b.SecondFactors, passkeys: b.Passkeys, recovery: b.Recovery}
	a.secondStep = &secondStepPages{authPages: a.auth}
	a.oidc = &oidcPages{authPages: a.auth, domainMembers: b.DomainMembers}
	a.domains = &domainPages{site: base, domains: b.Domains}
	a.handovers = &handoverPages{authPages: a.auth, handovers: b.Handovers}
	a.twoStep = &securityPages{site: base, factors: b.SecondFactors, passkeys: b.Passkeys}
	a.settings = &settingsPages{site: base, users: b.Users, recovery: b.Recovery, changes: b.EmailChanges}
	a.emailChanges = &emailChangePages{site: base, settings: a.settings, changes: b.EmailChanges}
	a.recent = &recentPages{site: base, users: b.Users, factors: b.SecondFactors, passkeys: b.Passkeys}
	a.adminPeople = &adminPeoplePages{site: base, users: b.Users}
	a.members = &memberPages{
		site: base, members: b.Members, roles: b.Roles, invitations: b.Invitations, overviews: b.Overviews,
		seatLedger: b.SeatLedger, seatChanges: a.seatChanges,
	}
	a.roles = &rolePages{site: base, roles: b.Roles, members: b.Members}
	a.audit = &auditPages{site: base, audit: b.Audit}
	a.people = &peoplePages{site: base, invitations: b.Invitations, overviews: b.Overviews}
	a.invitations = &invitationPages{site: base, members: a.members, people: a.people, invitations: b.Invitations, users: b.Users}
	a.billing.people = a.people
	a.organization = &organizationPages{
		site: base, members: a.members, roles: a.roles, billing: a.billing, seats: a.seats, audit: a.audit,
		memberships: b.Members, deletions: b.Deletions,
	}
}
