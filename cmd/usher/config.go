package main

import (
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
)

// Config is what the environment says, read once at the start. A field whose variable is unset holds the documented default.
type Config struct {
	Addr       string   // listen address, host:port; port 0 means any free one
	BaseURL    *url.URL // public origin: scheme and host only
	Production bool

	DatabaseURL string // a PostgreSQL DSN; empty: a private PostgreSQL
	DataDir     string // where the private PostgreSQL and the local Stripe keep their state

	StripeKey            string   // empty: the local Stripe
	StripeWebhookSecrets []string // any of them verifies; empty with the local Stripe
	StripePriceID        string   // without a plan file the whole catalogue
	StripeAPIBase        string   // empty: Stripe's own

	SuccessURL string // absolute, session_id is not appended yet
	CancelURL  string // absolute
	ReturnURL  string // absolute
	PlansFile  string // empty: the built-in plans

	SMTPURL        *url.URL // nil: the outbox page
	MailFrom       *mail.Address
	OperatorEmails []string // lower-case

	LogLevel       slog.Level
	LogFormat      string // text or json
	MetricsToken   string
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	RateLimits     bool

	given map[string]bool // variables that were set, right or wrong
}

// loadConfig reads the configuration through getenv and, in development, from the file dotenv where the environment is silent (an
// empty variable counts as unset). The error tells everything that is wrong, a line each, and the Config returned with it holds
// the defaults for those. Nothing is asked to be complete here: serve does that with [loadServeConfig], another subcommand
// with [Config.need].
func loadConfig(getenv func(string) string, dotenv string) (Config, error) {
	config, wrong := readConfig(getenv, dotenv)
	return config, wrong.err()
}

func readConfig(getenv func(string) string, dotenv string) (Config, mistakes) {
	s := newSettings(getenv, dotenv)
	c := Config{Production: s.production, given: s.given}
	s.readAddresses(&c)
	s.readStripe(&c)
	s.readBillingURLs(&c)
	s.readMail(&c)
	s.readOperations(&c)
	return c.withReturnURLs(), s.mistakes
}

func (s *settings) readAddresses(c *Config) {
	c.Addr = s.address("ADDR", defaultAddr)
	c.BaseURL = s.origin("BASE_URL")
	if c.BaseURL == nil {
		c.BaseURL = originOf(c.Addr)
	}
	c.DatabaseURL = s.dsn("DATABASE_URL")
	c.DataDir = s.text("DATA_DIR", ".usher")
}

func (s *settings) readMail(c *Config) {
	c.SMTPURL = s.smtp("SMTP_URL")
	c.MailFrom = s.mailbox("MAIL_FROM")
	if c.MailFrom == nil {
		c.MailFrom = &mail.Address{Name: "Usher", Address: "usher@" + c.BaseURL.Hostname()}
	}
	c.OperatorEmails = s.mailboxes("OPERATOR_EMAILS")
}

func (s *settings) readOperations(c *Config) {
	format, limits := "text", "off"
	if c.Production {
		format, limits = "json", "on"
	}
	c.PlansFile = s.text("PLANS_FILE", "")
	c.LogLevel = s.level("LOG_LEVEL")
	c.LogFormat = s.choice("LOG_FORMAT", format, "text", "json")
	c.MetricsToken = s.token("METRICS_TOKEN")
	c.TrustedProxies = s.networks("TRUSTED_PROXIES")
	c.RateLimits = s.choice("RATE_LIMITS", limits, "on", "off") == "on"
}

// listening returns the configuration for a listener at addr: where BASE_URL is unset, it follows the port that was really taken.
func (c Config) listening(addr net.Addr) Config {
	tcp, ok := addr.(*net.TCPAddr)
	if c.given["BASE_URL"] || !ok {
		return c
	}
	base := *c.BaseURL
	base.Host = net.JoinHostPort(c.BaseURL.Hostname(), strconv.Itoa(tcp.Port))
	c.BaseURL = &base
	return c.withReturnURLs()
}

// withReturnURLs fills the URLs that Stripe sends people back to where they are not configured.
func (c Config) withReturnURLs() Config {
	billing := c.BaseURL.String() + "/organization?tab=billing"
	if !c.given["BILLING_SUCCESS_URL"] {
		c.SuccessURL = billing + "&success=true"
	}
	if !c.given["BILLING_CANCEL_URL"] {
		c.CancelURL = billing + "&canceled=true"
	}
	if !c.given["BILLING_RETURN_URL"] {
		c.ReturnURL = billing
	}
	return c
}
