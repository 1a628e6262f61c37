package main

import (
	"errors"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"time"

	"usher/billing/account"
	"usher/billing/secrets"
	"usher/db"
	"usher/views/brand"
)

const (
	dotenvFile  = ".env" // read in development only
	defaultAddr = "127.0.0.1:4312"
)

// Config is the configuration, read once at startup. A field whose variable is unset holds the
// documented default.
type Config struct {
	Addr       string   // listen address, host:port; port 0 is any free port
	BaseURL    *url.URL // public origin: scheme and host only
	Production bool

	DatabaseURL string // PostgreSQL DSN; empty: a private PostgreSQL
	MigrateURL  string // PostgreSQL DSN for migrations; empty: DatabaseURL
	ReadURL     string // PostgreSQL DSN of a standby for lists, statements and exports; empty: none
	Connections int    // of this process to the database, at most
	DataDir     string // state of the private PostgreSQL and the local Stripe

	StripeKey            string   // empty: the local Stripe
	StripeWebhookSecrets []string // a signature by any of them is valid
	StripePriceID        string   // the only price of the catalog, if PlansFile is empty
	StripeAPIBase        string   // empty: https://api.stripe.com

	SuccessURL string // absolute, without session_id
	CancelURL  string // absolute
	ReturnURL  string // absolute
	PlansFile  string // empty: the built-in plans

	SMTPURL        *url.URL // nil: e-mails are stored and not sent
	MailFrom       *mail.Address
	OperatorEmails []string // lower case

	LogLevel       slog.Level
	LogFormat      string // text or json
	MetricsToken   string
	TrustedProxies []netip.Prefix // peers whose X-Forwarded-For is used
	RateLimits     bool
	ShutdownDelay  time.Duration // /readyz answers 503 this long before the listener closes
	DemoHistory    bool          // the demo has an organization with a year of history
	Require2FA     account.SecondFactorPolicy
	SecretsKeys    []secrets.Key // the first seals, all of them open
	HandoverKeys   []secrets.Key // a token by any of them is valid
	EmbedOrigins   []string      // whose pages may show Usher in a frame
	SignIn         account.SignInPolicy
	OIDCClientID   string
	OIDCSecret     string
	Brand          brand.Brand
	BrandLogo      string // a file, or an https URL; empty: none
	Tracing        tracingConfig

	set map[string]bool // variables that are set, including invalid ones
}

// loadConfig reads the configuration from getenv and, in development, from the file dotenv. The
// error has one line for each invalid value, and the Config returned with it holds the defaults for
// those. Nothing is required to be set: see [loadServeConfig] and [Config.require].
func loadConfig(getenv func(string) string, dotenv string) (Config, error) {
	c, errs := readConfig(getenv, dotenv)
	return c, errors.Join(errs...)
}

func readConfig(getenv func(string) string, dotenv string) (Config, []error) {
	r := newEnvReader(getenv, dotenv)
	logFormat, rateLimits, require2FA, shutdownDelay := "text", "off", account.SecondFactorOptional, time.Duration(0)
	if r.production {
		logFormat, rateLimits, require2FA, shutdownDelay = "json", "on", account.SecondFactorOperators, productionShutdownDelay
	}
	c := Config{
		Production:           r.production,
		Addr:                 readVar(r, "ADDR", defaultAddr, parseAddr),
		BaseURL:              readVar(r, "BASE_URL", nil, r.parseOrigin),
		DatabaseURL:          readVar(r, "DATABASE_URL", "", parseDSN),
		MigrateURL:           readVar(r, "MIGRATE_DATABASE_URL", "", parseDSN),
		ReadURL:              readVar(r, "READ_DATABASE_URL", "", parseDSN),
		Connections:          readVar(r, "DATABASE_POOL", db.DefaultConnections, parseConnections),
		DataDir:              readVar(r, "DATA_DIR", ".usher", parseString),
		StripeKey:            readVar(r, "STRIPE_SECRET_KEY", "", parseSecretKey),
		StripeWebhookSecrets: readList(r, "STRIPE_WEBHOOK_SECRET", r.parseWebhookSecret),
		StripePriceID:        readVar(r, "STRIPE_PRICE_ID", "", parsePriceID),
		StripeAPIBase:        readVar(r, "STRIPE_API_BASE", "", r.parseAPIBase),
		SuccessURL:           readVar(r, "BILLING_SUCCESS_URL", "", parseReturnURL),
		CancelURL:            readVar(r, "BILLING_CANCEL_URL", "", parseReturnURL),
		ReturnURL:            readVar(r, "BILLING_RETURN_URL", "", parseReturnURL),
		PlansFile:            readVar(r, "PLANS_FILE", "", parseString),
		SMTPURL:              readVar(r, "SMTP_URL", nil, parseSMTP),
		MailFrom:             readVar(r, "MAIL_FROM", nil, parseMailFrom),
		OperatorEmails:       readList(r, "OPERATOR_EMAILS", parseEmail),
		LogLevel:             readVar(r, "LOG_LEVEL", slog.LevelInfo, parseLogLevel),
		LogFormat:            readVar(r, "LOG_FORMAT", logFormat, oneOf("text", "json")),
		MetricsToken:         readVar(r, "METRICS_TOKEN", "", r.parseToken),
		TrustedProxies:       readList(r, "TRUSTED_PROXIES", parsePrefix),
		RateLimits:           readVar(r, "RATE_LIMITS", rateLimits, oneOf("on", "off")) == "on",
		ShutdownDelay:        readVar(r, "SHUTDOWN_DELAY", shutdownDelay, parseShutdownDelay),
		DemoHistory:          readVar(r, "DEMO_HISTORY", "on", oneOf("on", "off")) == "on",
		Require2FA:           readVar(r, "REQUIRE_2FA", require2FA, parseRequire2FA),
		SecretsKeys:          readList(r, "SECRETS_KEY", parseSecretsKey),
		HandoverKeys:         readList(r, "HANDOVER_KEY", parseSecretsKey),
		EmbedOrigins:         readList(r, "EMBED_ORIGINS", r.parseEmbedOrigin),
		OIDCClientID:         readVar(r, "OIDC_CLIENT_ID", "", parseString),
		OIDCSecret:           readVar(r, "OIDC_CLIENT_SECRET", "", parseClientSecret),
		SignIn: account.SignInPolicy{
			Issuer:       readVar(r, "OIDC_ISSUER", "", r.parseIssuer),
			InviteOnly:   readVar(r, "SIGNUP", "open", oneOf("open", "invite")) == "invite",
			PasswordsOff: readVar(r, "PASSWORD_LOGIN", "on", oneOf("on", "off")) == "off",
		},
		Brand:     r.readBrand(),
		BrandLogo: readVar(r, "BRAND_LOGO", "", parseLogo),
		Tracing: tracingConfig{
			Endpoint: readVar(r, "OTEL_EXPORTER_OTLP_ENDPOINT", "", parseTraceEndpoint),
			Headers:  readVar(r, "OTEL_EXPORTER_OTLP_HEADERS", nil, parseHeaders),
			Share:    readVar(r, "OTEL_TRACES_SAMPLER_ARG", 1, parseShare),
		},

		set: r.set,
	}
	return c.withDerivedDefaults(), r.errs
}

// withDerivedDefaults sets the fields whose default depends on another variable.
func (c Config) withDerivedDefaults() Config {
	if c.BaseURL == nil || !c.set["BASE_URL"] {
		c.BaseURL = originOf(c.Addr)
	}
	if c.MailFrom == nil {
		c.MailFrom = &mail.Address{Name: c.Brand.DisplayName(), Address: "usher@" + c.BaseURL.Hostname()}
	}
	billing := c.BaseURL.String() + "/organization?tab=billing"
	if !c.set["BILLING_SUCCESS_URL"] {
		c.SuccessURL = billing + "&success=true"
	}
	if !c.set["BILLING_CANCEL_URL"] {
		c.CancelURL = billing + "&canceled=true"
	}
	if !c.set["BILLING_RETURN_URL"] {
		c.ReturnURL = billing
	}
	return c
}

// listeningOn returns the configuration with the port of a listener, which differs from that of
// ADDR if that is 0. The defaults of BASE_URL and of the billing URLs follow it.
func (c Config) listeningOn(listener net.Addr) Config {
	host, _, _ := net.SplitHostPort(c.Addr)
	_, port, _ := net.SplitHostPort(listener.String())
	c.Addr = net.JoinHostPort(host, port)
	return c.withDerivedDefaults()
}

// originOf returns the origin of a listen address as seen from this machine.
func originOf(addr string) *url.URL {
	host, port, _ := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	if host == "" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
}

// origins returns the origins that a request may name in its own return URLs.
func (c Config) origins() []string {
	var origins []string
	for _, address := range []string{c.BaseURL.String(), c.SuccessURL, c.CancelURL, c.ReturnURL} {
		if u, err := url.Parse(address); err == nil {
			origins = append(origins, u.Scheme+"://"+u.Host)
		}
	}
	return origins
}
