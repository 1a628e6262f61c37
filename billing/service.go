package billing

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/env"
	"usher/billing/mail"
	"usher/billing/secrets"
	"usher/billing/webhook"
)

// Options configure a [Service]. Every field is required unless its comment gives a default.
type Options struct {
	Store    Store
	Gateway  Gateway
	Catalog  catalog.Catalog
	Renderer mail.Renderer    // writes the text of e-mails
	Mailer   mail.Sender      // nil: e-mails are stored, not sent
	Now      func() time.Time // nil: time.Now
	// WallClock is for the timestamps of signatures, where Now is a clock that can be advanced;
	// nil: time.Now.
	WallClock func() time.Time
	Rand      io.Reader    // nil: crypto/rand
	Log       *slog.Logger // nil: nothing is logged

	BaseURL                          string // the public origin, for links in e-mails
	Product                          string // its name, in authenticators; empty: Usher
	SuccessURL, CancelURL, ReturnURL string // where Checkout and the portal redirect to; absolute
	// AllowedOrigins are allowed for URLs in requests, as scheme://host[:port].
	AllowedOrigins []string
	OperatorEmails []string // of the operators of this installation
	Livemode       bool     // the key of Gateway is a live one; so are the API keys that are created
	// Secrets seals what is stored and has to be read back; nil: two-step verification and webhooks
	// cannot be set up.
	Secrets *secrets.Keyring
	SignIn  account.SignInPolicy
	// Resolver looks up the DNS records of domains; nil: no domain can be verified.
	Resolver account.DomainResolver
	// WebhookClient sends outgoing webhooks; nil: they are stored, not sent.
	WebhookClient webhook.Client
	// WebhookObserve is called with the outcome of each attempt; nil: it is not called.
	WebhookObserve func(outcome string)
	// PublicWebhooksOnly allows only HTTPS and public addresses for webhooks.
	PublicWebhooksOnly bool
	// HandoverKeys sign hand-over tokens; none: there are no hand-overs.
	HandoverKeys []secrets.Key
	// HashMemory is the memory of one password hash in KiB; zero: 19 MiB. Tests take less.
	HashMemory uint32
	// KeyFingerprint identifies the secret key, so that its account is known while Stripe is
	// unavailable.
	KeyFingerprint string
	// EventCommitters is how many webhooks are stored at a time, each alone or with those that have
	// arrived meanwhile; zero: 2.
	EventCommitters int
	// StripeLimit bounds all calls to Stripe that a person waits for in one request; zero: 2.5 s.
	StripeLimit time.Duration
}

// Service groups the operations that pages, JSON endpoints, webhooks and background work call. It
// is safe for concurrent use.
type Service struct {
	*account.Service
	Outbox          *mail.Outbox
	Prices          *Prices
	Customers       *Customers
	Checkouts       *Checkouts
	Promotions      *PromotionCodes
	Portal          *Portal
	Subscriptions   *Subscriptions
	PlanChanges     *PlanChanges
	Upcoming        *UpcomingInvoices
	Forecasts       *Forecasts
	Histories       *Histories
	Seats           *SeatCounter
	SeatSyncer      *SeatSyncer
	SeatLedger      *SeatLedgers
	SeatPreviews    *SeatPreviews
	MemberSets      *MemberSets
	Invoices        *Invoices
	Payments        *Payments
	Attempts        *PaymentAttempts
	InvoicePayments *InvoicePayments
	Credits         *Credits
	Trials          *Trials
	Duplicates      *Duplicates
	Notices         *Notices
	Contacts        *Contacts
	Deletions       *Deletions
	Cancellations   *Cancellations
	Overviews       *Overviews
	Inbox           *Inbox
	Reconciler      *Reconciler
	Importer        *Importer
	Webhooks        *webhook.Endpoints
	Publisher       *webhook.Publisher
	Deliverer       *webhook.Deliverer
	Operations      *Operations
	Worker          *Worker

	options Options
	env     *env.Env
}

// New returns a Service. It calls neither Stripe nor the store; [Prices.Start] does.
func New(o Options) *Service {
	e := env.New(o.Now, o.WallClock, o.Rand, o.Log)
	prices := &Prices{Env: e, store: o.Store, gateway: o.Gateway, keyFingerprint: o.KeyFingerprint, configured: o.Catalog}
	prices.catalog.Store(&o.Catalog)
	return assemble(o, e, prices)
}

// ReadingFrom returns a service that reads from another store, which may be a few seconds behind
// and refuse writes, and that knows the same account, plans and prices.
func (s *Service) ReadingFrom(store Store) *Service {
	o := s.options
	o.Store = store
	return assemble(o, s.env, s.Prices)
}

// assemble returns a service whose parts share an environment, the prices and a store.
func assemble(o Options, e *env.Env, prices *Prices) *Service {
	baseURL := strings.TrimSuffix(o.BaseURL, "/")
	c := &core{Env: e, Prices: prices, store: o.Store, gateway: o.Gateway, stripeLimit: cmp.Or(o.StripeLimit, stripeLimit)}
	s := &Service{
		options: o, env: e,
		Outbox:    mail.NewOutbox(e, o.Store, o.Renderer, o.Mailer, baseURL),
		Prices:    prices,
		Customers: &Customers{core: c}, Promotions: &PromotionCodes{core: c},
		Credits: &Credits{core: c},
		Seats:   &SeatCounter{core: c},
	}
	s.Service = account.New(account.Options{
		Env: e, Store: accountStorage{o.Store}, Outbox: s.Outbox, Hooks: hooks{s.Seats, s.Customers}, BaseURL: baseURL, Product: o.Product,
		OperatorEmails: o.OperatorEmails, Livemode: o.Livemode, Secrets: o.Secrets, SignIn: o.SignIn, Resolver: o.Resolver, HandoverKeys: o.HandoverKeys, HashMemory: o.HashMemory,
	})
	s.Notices = &Notices{core: c, outbox: s.Outbox}
	s.Subscriptions = &Subscriptions{core: c, customers: s.Customers, seats: s.Seats, credits: s.Credits, notices: s.Notices}
	s.Trials = &Trials{core: c, subscriptions: s.Subscriptions}
	s.PlanChanges = &PlanChanges{core: c, subscriptions: s.Subscriptions}
	s.Upcoming = &UpcomingInvoices{core: c, subscriptions: s.Subscriptions, notices: s.Notices, baseURL: baseURL, limit: upcomingTimeout}
	s.Forecasts = &Forecasts{core: c, upcoming: s.Upcoming, planChanges: s.PlanChanges}
	s.Histories = &Histories{core: c}
	s.Cancellations = &Cancellations{core: c, subscriptions: s.Subscriptions, upcoming: s.Upcoming}
	s.SeatSyncer = &SeatSyncer{core: c, seats: s.Seats, subscriptions: s.Subscriptions}
	s.SeatLedger = &SeatLedgers{core: c, members: s.Members, notices: s.Notices}
	s.SeatPreviews = &SeatPreviews{core: c, members: s.Members, invitations: s.Invitations, provisioning: s.Provisioning, subscriptions: s.Subscriptions, seats: s.Seats}
	s.MemberSets = &MemberSets{core: c, provisioning: s.Provisioning, previews: s.SeatPreviews}
	s.Checkouts = &Checkouts{
		core: c, customers: s.Customers, subscriptions: s.Subscriptions, credits: s.Credits, notices: s.Notices,
		successURL: o.SuccessURL, cancelURL: o.CancelURL, allowedOrigins: o.AllowedOrigins,
	}
	s.Portal = &Portal{core: c, checkouts: s.Checkouts, customers: s.Customers, returnURL: o.ReturnURL}
	s.Invoices = &Invoices{core: c, customers: s.Customers, subscriptions: s.Subscriptions, credits: s.Credits, notices: s.Notices}
	s.Checkouts.invoices = s.Invoices
	s.Payments = &Payments{core: c, customers: s.Customers, credits: s.Credits}
	s.PlanChanges.invoices = s.Invoices
	s.Attempts = &PaymentAttempts{core: c, customers: s.Customers}
	s.InvoicePayments = &InvoicePayments{core: c, invoices: s.Invoices, subscriptions: s.Subscriptions}
	s.Duplicates = &Duplicates{core: c, checkouts: s.Checkouts, subscriptions: s.Subscriptions, notices: s.Notices}
	s.Contacts = &Contacts{core: c, customers: s.Customers, members: s.Members}
	s.Deletions = &Deletions{
		core: c, subscriptions: s.Subscriptions, checkouts: s.Checkouts, invoices: s.Invoices, members: s.Members, outbox: s.Outbox,
		baseURL: baseURL,
	}
	s.Overviews = &Overviews{core: c, credits: s.Credits}
	s.Inbox = newInbox(c, s, o.EventCommitters)
	s.Reconciler = &Reconciler{
		core: c, inbox: s.Inbox, customers: s.Customers, checkouts: s.Checkouts, subscriptions: s.Subscriptions,
		invoices: s.Invoices, payments: s.Payments, credits: s.Credits, seats: s.Seats, rateLimits: s.RateLimits,
	}
	s.Importer = &Importer{core: c, reconciler: s.Reconciler, subscriptions: s.Subscriptions, invoices: s.Invoices, invitations: s.Invitations}
	s.Operations = &Operations{core: c, inbox: s.Inbox, overviews: s.Overviews}
	s.addWebhooks(c, o, baseURL)
	s.Worker = newWorker(c, s)
	return s
}

func (s *Service) addWebhooks(c *core, o Options, baseURL string) {
	storage := webhookStorage{o.Store}
	s.Webhooks = webhook.NewEndpoints(webhook.EndpointsOptions{
		Env: c.Env, Store: storage, Members: s.Members, Secrets: o.Secrets, Strict: o.PublicWebhooksOnly,
	})
	s.Publisher = webhook.NewPublisher(c.Env, storage, webhookObjects{c, s.Overviews, s.Invoices})
	s.Deliverer = webhook.NewDeliverer(webhook.DelivererOptions{
		Env: c.Env, Store: storage, Client: o.WebhookClient, Secrets: o.Secrets, Outbox: s.Outbox, BaseURL: baseURL, Observe: o.WebhookObserve,
	})
}

// core holds the dependencies that every type of this package has.
type core struct {
	*env.Env
	*Prices
	store       Store
	gateway     Gateway
	stripeLimit time.Duration // see [Options]
}

// accountStorage adapts a [Store] to the store of package account.
type accountStorage struct{ Store }

func (s accountStorage) InTx(ctx context.Context, f func(account.Tx) error) error {
	return s.Store.InTx(ctx, func(tx Tx) error { return f(tx) })
}

// webhookStorage adapts a [Store] to the storage of package webhook.
type webhookStorage struct{ Store }

func (s webhookStorage) InTx(ctx context.Context, f func(webhook.Tx) error) error {
	return s.Store.InTx(ctx, func(tx Tx) error { return f(tx) })
}

// inTx adapts f to a transaction that package account has begun.
func inTx(f func(tx Tx, actor account.Access) error) func(account.Tx, account.Access) error {
	return func(tx account.Tx, actor account.Access) error { return f(tx.(Tx), actor) }
}

// hooks implements [account.Hooks].
type hooks struct {
	*SeatCounter
	*Customers
}
