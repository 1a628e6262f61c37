package main

import (
	"errors"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/secrets"
	"usher/db"
)

// The formats of Stripe's credentials (https://docs.stripe.com/keys,
// https://docs.stripe.com/webhooks/signature).
var (
	secretKeyFormat     = regexp.MustCompile(`^(sk|rk)_(test|live)_[A-Za-z0-9_]{4,}$`)
	webhookSecretFormat = regexp.MustCompile(`^whsec_[A-Za-z0-9+/=_-]+$`)
)

// remedies lists what to do about an invalid or missing value, by variable.
var remedies = map[string]string{
	"APP_ENV":  "Set it to development or production, or unset it",
	"ADDR":     "Use host:port or :port, for example 127.0.0.1:4312",
	"BASE_URL": "Set scheme and host only, for example https://billing.example.com",
	"DATABASE_URL": "Set postgres://user:password@host:5432/database, " +
		"with special characters percent-encoded",
	"MIGRATE_DATABASE_URL": "Set postgres://user:password@host:5432/database, with special characters percent-encoded",
	"READ_DATABASE_URL":    "Set postgres://user:password@host:5432/database, with special characters percent-encoded",
	"DATABASE_POOL":        "Set a number from 2 to 500, or unset it",
	"STRIPE_SECRET_KEY": "Copy the secret key (sk_…) or a restricted key (rk_…) " +
		"from Stripe's dashboard, Developers, API keys",
	"STRIPE_WEBHOOK_SECRET": "Get one with `usher webhook setup`, " +
		"or on a development machine with `stripe listen --print-secret`",
	"STRIPE_PRICE_ID": "Copy the price id (price_…) from Stripe's dashboard; " +
		"for several plans set PLANS_FILE",
	"STRIPE_API_BASE":     "Set a full URL such as https://api.stripe.com, or unset it",
	"BILLING_SUCCESS_URL": "Set a full URL such as https://app.example.com/billing, or unset it",
	"BILLING_CANCEL_URL":  "Set a full URL such as https://app.example.com/billing, or unset it",
	"BILLING_RETURN_URL":  "Set a full URL such as https://app.example.com/billing, or unset it",
	"PLANS_FILE":          "Set it to a valid plan file, or unset it",
	"SMTP_URL": "Set smtp://user:password@host:port, " +
		"with special characters percent-encoded",
	"MAIL_FROM":       "Use billing@example.com or Billing <billing@example.com>",
	"OPERATOR_EMAILS": "Separate the addresses with commas: a@example.com,b@example.com",
	"LOG_LEVEL":       "Set it to debug, info, warn or error, or unset it",
	"LOG_FORMAT":      "Set it to text or json, or unset it",
	"METRICS_TOKEN":   "Generate one with `openssl rand -hex 24`",
	"TRUSTED_PROXIES": "Separate addresses and networks with commas: 10.0.0.0/8,192.0.2.7",
	"RATE_LIMITS":     "Set it to on or off, or unset it",
	"SHUTDOWN_DELAY":  "Set a duration from 0s to 5m, such as 10s, or unset it",
	"DEMO_HISTORY":    "Set it to on or off, or unset it",
	"REQUIRE_2FA":     "Set it to operators, billing, all or off, or unset it",
	"SIGNUP":          "Set it to open or invite, or unset it",
	"PASSWORD_LOGIN":  "Set it to on or off, or unset it",
	"OIDC_ISSUER": "Set the issuer exactly as in the provider's /.well-known/openid-configuration, " +
		"for example https://accounts.example.com",
	"OIDC_CLIENT_ID":              "Copy the client id from the identity provider, where Usher is registered as a web application",
	"OIDC_CLIENT_SECRET":          "Copy the client secret from the identity provider, where Usher is registered as a web application",
	"BRAND_NAME":                  "Set the name of your product, or unset it",
	"BRAND_LOGO":                  "Set the path of an SVG or PNG file, or an https URL, or unset it",
	"BRAND_COLOR":                 "Set a color such as #0b5fff, or one for the light and one for the dark theme: #0b5fff,#9bbcff",
	"SUPPORT_URL":                 "Set a full https URL or mailto:help@example.com, or unset it",
	"TERMS_URL":                   "Set a full https URL, or unset it",
	"PRIVACY_URL":                 "Set a full https URL, or unset it",
	"HANDOVER_KEY":                "Generate one with `usher handover-key`, or unset it",
	"EMBED_ORIGINS":               "Set the origins of your product, separated by commas, such as https://app.example.com, or unset it",
	"OTEL_EXPORTER_OTLP_ENDPOINT": "Set the collector's base URL for OTLP over HTTP, for example http://localhost:4318, or unset it",
	"OTEL_EXPORTER_OTLP_HEADERS":  "Set name=value, separated by commas, or unset it",
	"OTEL_TRACES_SAMPLER_ARG":     "Set a number from 0 to 1, or unset it",
	"SECRETS_KEY":                 "Generate one with `openssl rand -base64 32`, and keep a copy of it apart from the database's backups",
}

// check is a message that applies under a condition.
type check struct {
	applies bool
	message string
}

// validate returns the first message that applies as an error.
func validate(checks ...check) error {
	for _, c := range checks {
		if c.applies {
			return errors.New(c.message)
		}
	}
	return nil
}

// isExample reports whether a value still has the dots of an example such as sk_test_….
func isExample(value string) check {
	return check{strings.Contains(value, "..") || strings.Contains(value, "…"), "an unchanged example"}
}

func parseString(value string) (string, error) { return value, nil }

// oneOf returns a parser that accepts the words in any case.
func oneOf(words ...string) func(string) (string, error) {
	return func(value string) (string, error) {
		value = strings.ToLower(value)
		return value, validate(check{!slices.Contains(words, value), "unknown value"})
	}
}

// productionShutdownDelay is longer than the interval in which balancers probe by default.
const productionShutdownDelay = 5 * time.Second

func parseShutdownDelay(value string) (time.Duration, error) {
	delay, err := time.ParseDuration(value)
	return delay, validate(check{err != nil || delay < 0 || delay > 5*time.Minute, "not a duration within the limits"})
}

func parseLogLevel(value string) (level slog.Level, err error) {
	word, err := oneOf("debug", "info", "warn", "error")(value)
	if err == nil {
		err = level.UnmarshalText([]byte(word))
	}
	return level, err
}

func parseAddr(value string) (string, error) {
	_, port, err := net.SplitHostPort(value)
	_, portErr := strconv.ParseUint(port, 10, 16)
	invalid := err != nil || portErr != nil || strings.ContainsAny(value, "/ ")
	return value, validate(check{invalid, "not a listen address"})
}

// parseWebURL accepts an absolute http or https URL without user and fragment.
func parseWebURL(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("not an absolute http or https URL")
	}
	return u, validate(
		check{u.User != nil, "contains a user name"},
		check{strings.Contains(value, "#"), "contains a fragment, which servers never receive"},
	)
}

// parseOrigin accepts a URL of scheme and host only, which must be https in production.
func (r *envReader) parseOrigin(value string) (*url.URL, error) {
	u, err := parseWebURL(value)
	if err != nil {
		return nil, err
	}
	more := strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, validate(
		check{more, "contains more than the origin " + u.Scheme + "://" + u.Host},
		check{r.production && u.Scheme != "https", "not https, which production requires"},
	)
}

// parseEmbedOrigin accepts an origin that a Content-Security-Policy can name.
func (r *envReader) parseEmbedOrigin(value string) (string, error) {
	u, err := r.parseOrigin(value)
	if err != nil {
		return "", err
	}
	return u.String(), validate(
		check{strings.ContainsAny(u.Host, " ;,'\"*"), "contains a character that no origin has"},
		check{u.Scheme != "https" && !isLoopback(u), "not https"},
	)
}

// parseReturnURL returns the value as written, because Stripe replaces {CHECKOUT_SESSION_ID} only
// if its braces are unescaped.
func parseReturnURL(value string) (string, error) {
	_, err := parseWebURL(value)
	return value, err
}

// parseAPIBase accepts the base URL of Stripe's API. In production the secret key must be sent over
// TLS and to another machine, because a Stripe on loopback moves no money.
func (r *envReader) parseAPIBase(value string) (string, error) {
	u, err := parseWebURL(value)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(value, "/"), validate(
		check{u.RawQuery != "", "contains a query"},
		check{r.production && isLoopback(u), "a local Stripe, which production refuses"},
		check{r.production && u.Scheme != "https", "not https: the secret key would be readable"},
	)
}

func isLoopback(u *url.URL) bool {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// parseDSN accepts both forms of a PostgreSQL DSN and does not connect.
func parseDSN(value string) (string, error) {
	scheme, _, isURL := strings.Cut(value, "://")
	valid := !isURL && strings.Contains(value, "=") ||
		isURL && db.CheckDSN(value) == nil && (scheme == "postgres" || scheme == "postgresql")
	return value, validate(check{!valid, "not a PostgreSQL DSN"})
}

// parseConnections reads the size of the pool. A job and a request must be able to run beside each
// other.
func parseConnections(value string) (int, error) {
	n, err := strconv.Atoi(value)
	return n, validate(check{err != nil || n < 2 || n > 500, "not a number within the limits"})
}

func parseSMTP(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	valid := err == nil && (u.Scheme == "smtp" || u.Scheme == "smtps") && u.Hostname() != "" &&
		strings.Trim(u.Path, "/") == ""
	return u, validate(check{!valid, "not the URL of an SMTP server"})
}

func parseMailFrom(value string) (*mail.Address, error) {
	address, err := mail.ParseAddress(value)
	return address, validate(check{err != nil, "not an e-mail address"})
}

func parseEmail(value string) (string, error) {
	address, err := mail.ParseAddress(value)
	invalid := err != nil || address.Address != value
	return strings.ToLower(value), validate(check{invalid, "not a plain e-mail address"})
}

// parsePrefix accepts a network or a single address.
func parsePrefix(value string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(value); err == nil {
		return address.Unmap().Prefix(address.Unmap().BitLen())
	}
	network, err := netip.ParsePrefix(value)
	return network.Masked(), validate(check{err != nil, "neither an IP address nor a network"})
}

// parseToken accepts a secret that is sent in an HTTP header.
func (r *envReader) parseToken(value string) (string, error) {
	isForeign := func(c rune) bool { return c <= ' ' || c > '~' }
	return value, validate(
		check{strings.ContainsFunc(value, isForeign), "contains spaces or non-ASCII characters"},
		check{r.production && len(value) < 16, "shorter than 16 characters"},
	)
}

func parseSecretKey(value string) (string, error) {
	return value, validate(
		check{strings.HasPrefix(value, "pk_"), "a publishable key, which cannot call the API"},
		check{strings.HasPrefix(value, "whsec_"),
			"a webhook secret, which belongs in STRIPE_WEBHOOK_SECRET"},
		isExample(value),
		check{!secretKeyFormat.MatchString(value), "not a Stripe secret key"},
	)
}

func (r *envReader) parseWebhookSecret(value string) (string, error) {
	return value, validate(
		isExample(value),
		check{!webhookSecretFormat.MatchString(value), "not a Stripe webhook secret (whsec_…)"},
		check{r.production && len(value) < 24, "too short for a Stripe webhook secret"},
	)
}

func parseRequire2FA(value string) (account.SecondFactorPolicy, error) {
	word, err := oneOf("off", "operators", "billing", "all")(value)
	return account.SecondFactorPolicy(word), err
}

// parseSecretsKey accepts 32 random bytes in base64.
func parseSecretsKey(value string) (secrets.Key, error) {
	if err := validate(isExample(value)); err != nil {
		return secrets.Key{}, err
	}
	return secrets.ParseKey(value)
}

// parseIssuer returns the issuer as written, because it is compared exactly. Over http anybody on
// the way could sign in as anybody.
func (r *envReader) parseIssuer(value string) (string, error) {
	u, err := parseWebURL(value)
	if err != nil {
		return "", err
	}
	return value, validate(
		check{u.RawQuery != "" || u.ForceQuery, "contains a query"},
		check{strings.HasSuffix(value, "/.well-known/openid-configuration"), "the address of the metadata, not the issuer"},
		check{u.Scheme != "https" && (r.production || !isLoopback(u)), "not https: anybody on the way could sign in as anybody"},
	)
}

func parseClientSecret(value string) (string, error) { return value, validate(isExample(value)) }

func parsePriceID(value string) (string, error) {
	return value, validate(
		check{strings.HasPrefix(value, "prod_"), "a product id, not a price id"},
		isExample(value),
		check{strings.ContainsAny(value, ", \t"), "not a single price id"},
	)
}
