package main

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/billing/account"
)

// environment is a set of variables for getenv.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// noFile returns the name of a .env that does not exist.
func noFile(t *testing.T) string { return filepath.Join(t.TempDir(), ".env") }

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// production returns a complete configuration.
func production() environment {
	return environment{
		"APP_ENV": "production", "BASE_URL": "https://billing.example.com",
		"DATABASE_URL": "postgres://u:p@db/usher?sslmode=verify-full", "STRIPE_SECRET_KEY": "sk_live_123456789012",
		"STRIPE_WEBHOOK_SECRET": "whsec_12345678901234567890", "SMTP_URL": "smtp://u:p@mail:587",
		"TRUSTED_PROXIES": "10.0.0.0/8", "SECRETS_KEY": testSecretsKey,
	}
}

// testSecretsKey is a key of 32 bytes.
const testSecretsKey = "Jx3vY0bq1mN7s8KfTzWcLhQp4RaUeXoB2dGiVy6kCt0="

// with returns e with NAME, value pairs set.
func with(e environment, pairs ...string) environment {
	for i := 0; i < len(pairs); i += 2 {
		e[pairs[i]] = pairs[i+1]
	}
	return e
}

func TestDefaults(t *testing.T) {
	c, plans, err := loadServeConfig(environment{}.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		c.Addr, c.BaseURL.String(), c.DataDir, c.SuccessURL, c.CancelURL, c.ReturnURL, c.LogFormat,
		c.MailFrom.Address,
	}
	want := []string{
		"127.0.0.1:4312", "http://localhost:4312", ".usher",
		"http://localhost:4312/organization?tab=billing&success=true",
		"http://localhost:4312/organization?tab=billing&canceled=true",
		"http://localhost:4312/organization?tab=billing", "text", "usher@localhost",
	}
	if !slices.Equal(got, want) {
		t.Errorf("defaults are\n%q\nwant\n%q", got, want)
	}
	if c.Production || c.RateLimits || c.DatabaseURL != "" || c.StripeKey != "" || c.SMTPURL != nil ||
		c.LogLevel != slog.LevelInfo {
		t.Errorf("the other defaults are %+v", c)
	}
	if len(plans.Plans) != 2 || len(c.warnings()) != 0 {
		t.Errorf("%d plans, warnings %q", len(plans.Plans), c.warnings())
	}
}

func TestProductionDefaults(t *testing.T) {
	c, _, err := loadServeConfig(production().get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Production || !c.RateLimits || c.LogFormat != "json" || c.ShutdownDelay != 5*time.Second ||
		c.MailFrom.Address != "usher@billing.example.com" {
		t.Errorf("the defaults in production are %+v", c)
	}
	if c.ReturnURL != "https://billing.example.com/organization?tab=billing" {
		t.Errorf("ReturnURL is %q", c.ReturnURL)
	}
}

func TestEveryVariableIsRead(t *testing.T) {
	c, err := loadConfig(environment{
		"ADDR": ":8080", "BASE_URL": "https://Billing.example.com/",
		"DATABASE_URL": "host=/run dbname=usher", "DATA_DIR": "/var/lib/usher",
		"STRIPE_SECRET_KEY":     "rk_test_123456789012",
		"STRIPE_WEBHOOK_SECRET": " whsec_new ,, whsec_old,",
		"STRIPE_PRICE_ID":       "price_1", "STRIPE_API_BASE": "http://127.0.0.1:9000/",
		"BILLING_SUCCESS_URL": "https://app.example.com/ok?s={CHECKOUT_SESSION_ID}",
		"BILLING_CANCEL_URL":  "https://app.example.com/no",
		"BILLING_RETURN_URL":  "https://app.example.com/back", "PLANS_FILE": "plans.toml",
		"SMTP_URL": "smtps://u:p@mail.example.com:465", "MAIL_FROM": "Box office <box@example.com>",
		"OPERATOR_EMAILS": "Ann@example.com, bob@example.com", "LOG_LEVEL": "DEBUG",
		"LOG_FORMAT": "json", "METRICS_TOKEN": "abc",
		"TRUSTED_PROXIES": "10.1.2.3/8,192.0.2.7,::1", "RATE_LIMITS": "on", "SHUTDOWN_DELAY": "90s",
		"OIDC_ISSUER": "https://accounts.example.com/", "OIDC_CLIENT_ID": "usher", "OIDC_CLIENT_SECRET": "s3cret",
		"SIGNUP": "Invite", "PASSWORD_LOGIN": "off",
		"REQUIRE_2FA": "Billing", "SECRETS_KEY": testSecretsKey + ", " + strings.Replace(testSecretsKey, "J", "K", 1),
	}.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		c.Addr, c.BaseURL.String(), c.DatabaseURL, c.DataDir, c.StripeKey,
		strings.Join(c.StripeWebhookSecrets, "+"), c.StripePriceID, c.StripeAPIBase, c.SuccessURL,
		c.CancelURL, c.ReturnURL, c.PlansFile, c.SMTPURL.Host, c.MailFrom.String(),
		strings.Join(c.OperatorEmails, "+"), c.LogLevel.String(), c.LogFormat, c.MetricsToken,
	}
	want := []string{
		":8080", "https://billing.example.com", "host=/run dbname=usher", "/var/lib/usher",
		"rk_test_123456789012", "whsec_new+whsec_old", "price_1", "http://127.0.0.1:9000",
		"https://app.example.com/ok?s={CHECKOUT_SESSION_ID}", "https://app.example.com/no",
		"https://app.example.com/back", "plans.toml", "mail.example.com:465",
		`"Box office" <box@example.com>`, "ann@example.com+bob@example.com", "DEBUG", "json", "abc",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	networks := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"),
		netip.MustParsePrefix("::1/128"),
	}
	if c.Require2FA != account.SecondFactorBilling || len(c.SecretsKeys) != 2 || c.SecretsKeys[0] == c.SecretsKeys[1] {
		t.Errorf("second factor of %s, %d keys", c.Require2FA, len(c.SecretsKeys))
	}
	if !slices.Equal(c.TrustedProxies, networks) || !c.RateLimits || c.ShutdownDelay != 90*time.Second {
		t.Errorf("proxies %v, rate limits %v, delay %v", c.TrustedProxies, c.RateLimits, c.ShutdownDelay)
	}
}

func TestInvalidValues(t *testing.T) {
	tests := []struct{ variable, value, want string }{
		{"APP_ENV", "staging", "Set it to development or production"},
		{"ADDR", "4312", "Use host:port or :port"},
		{"ADDR", ":99999", "not a listen address"},
		{"ADDR", ":http", "not a listen address"},
		{"ADDR", "http://localhost:4312", "not a listen address"},
		{"BASE_URL", "localhost:4312", "not an absolute http or https URL"},
		{"BASE_URL", "ftp://localhost", "not an absolute http or https URL"},
		{"BASE_URL", "https://example.com/billing", "more than the origin https://example.com"},
		{"BASE_URL", "https://u:p@example.com", "contains a user name"},
		{"DATABASE_URL", "mysql://db/usher", "not a PostgreSQL DSN"},
		{"DATABASE_URL", "usher", "not a PostgreSQL DSN"},
		{"MIGRATE_DATABASE_URL", "mysql://db/usher", "not a PostgreSQL DSN"},
		{"READ_DATABASE_URL", "mysql://db/usher", "not a PostgreSQL DSN"},
		{"DATABASE_POOL", "1", "Set a number from 2 to 500"},
		{"DATABASE_URL", "postgres://u:50%@db/usher", "percent-encoded"},
		{"STRIPE_SECRET_KEY", "pk_test_123456789012", "a publishable key"},
		{"STRIPE_SECRET_KEY", "whsec_123456789012", "belongs in STRIPE_WEBHOOK_SECRET"},
		{"STRIPE_SECRET_KEY", "sk_test_...", "an unchanged example"},
		{"STRIPE_SECRET_KEY", "sk_test_1", "not a Stripe secret key"},
		{"STRIPE_SECRET_KEY", "secret", "not a Stripe secret key"},
		{"STRIPE_WEBHOOK_SECRET", " , ,", "the list is empty"},
		{"STRIPE_WEBHOOK_SECRET", "whsec_good,sk_test_123456789012", "not a Stripe webhook secret"},
		{"STRIPE_WEBHOOK_SECRET", "whsec_...", "an unchanged example"},
		{"STRIPE_PRICE_ID", "prod_1", "a product id, not a price id"},
		{"STRIPE_PRICE_ID", "price_1,price_2", "set PLANS_FILE"},
		{"STRIPE_API_BASE", "127.0.0.1:9000", "not an absolute http or https URL"},
		{"STRIPE_API_BASE", "https://stripe.example.com/?a=b", "contains a query"},
		{"BILLING_SUCCESS_URL", "/organization", "not an absolute http or https URL"},
		{"BILLING_CANCEL_URL", "https://example.com/#billing", "contains a fragment"},
		{"BILLING_RETURN_URL", "javascript:alert(1)", "not an absolute http or https URL"},
		{"SMTP_URL", "mail.example.com:25", "not the URL of an SMTP server"},
		{"SMTP_URL", "http://mail.example.com", "not the URL of an SMTP server"},
		{"MAIL_FROM", "Usher", "not an e-mail address"},
		{"OPERATOR_EMAILS", "ann@example.com;bob@example.com", "Separate the addresses with commas"},
		{"LOG_LEVEL", "loud", "Set it to debug, info, warn or error"},
		{"LOG_FORMAT", "xml", "Set it to text or json"},
		{"METRICS_TOKEN", "two words", "contains spaces"},
		{"TRUSTED_PROXIES", "10.0.0.0/33", "neither an IP address nor a network"},
		{"RATE_LIMITS", "yes", "Set it to on or off"},
		{"SHUTDOWN_DELAY", "-1s", "Set a duration from 0s to 5m"},
		{"SHUTDOWN_DELAY", "10", "Set a duration from 0s to 5m"},
		{"REQUIRE_2FA", "admins", "Set it to operators, billing, all or off"},
		{"SECRETS_KEY", "correct horse battery", "not base64"},
		{"SECRETS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not random"},
		{"SECRETS_KEY", "c2hvcnQ=", "5 bytes, not 32"},
	}
	for _, test := range tests {
		t.Run(test.variable+" "+test.value, func(t *testing.T) {
			_, err := loadConfig(environment{test.variable: test.value}.get, noFile(t))
			if err == nil {
				t.Fatal("no error")
			}
			text := err.Error()
			if !strings.HasPrefix(text, test.variable+"=") || !strings.Contains(text, test.want) {
				t.Errorf("the error is %q, want %s and %q", text, test.variable, test.want)
			}
			remedy := remedies[test.variable]
			if remedy == "" || !strings.HasSuffix(text, ". "+remedy) || strings.Contains(text, "\n") {
				t.Errorf("the error is %q, want one line that ends with the remedy %q", text, remedy)
			}
		})
	}
}

func TestAllErrorsAreReported(t *testing.T) {
	plans := writeFile(t, "[[plan]]\nid = \"a\"\n")
	_, _, err := loadServeConfig(environment{
		"ADDR": "4312", "STRIPE_SECRET_KEY": "sk_test_123456789012", "OPERATOR_EMAILS": "ann,bob",
		"RATE_LIMITS": "maybe", "PLANS_FILE": plans,
	}.get, writeFile(t, "LOG_LEVEL=loud\n"))
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"ADDR=", `OPERATOR_EMAILS="ann"`, `OPERATOR_EMAILS="bob"`, "LOG_LEVEL=", "RATE_LIMITS=",
		"STRIPE_WEBHOOK_SECRET:", "PLANS_FILE=", "name is missing", "it has no price",
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d:\n%v", len(lines), len(want), err)
	}
	for i, part := range want {
		if i < len(lines) && !strings.Contains(lines[i], part) {
			t.Errorf("line %d is %q, want %s", i+1, lines[i], part)
		}
	}
}

func TestWebhookSecretIsRequired(t *testing.T) {
	key := environment{"STRIPE_SECRET_KEY": "sk_test_123456789012"}
	_, _, err := loadServeConfig(key.get, noFile(t))
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range []string{
		"STRIPE_WEBHOOK_SECRET: unset", "usher webhook setup", "stripe listen --print-secret",
	} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %q, want %q", err, text)
		}
	}
	if _, err := loadConfig(key.get, noFile(t)); err != nil {
		t.Errorf("other subcommands require it: %v", err)
	}
}

func TestProductionRequirements(t *testing.T) {
	tests := map[string]struct {
		changes string // NAME=value, separated by spaces
		want    string // prefixes of the error's lines, separated by spaces
	}{
		"no base URL":              {"BASE_URL=", "BASE_URL:"},
		"http":                     {"BASE_URL=http://billing.example.com", "BASE_URL="},
		"no database":              {"DATABASE_URL=", "DATABASE_URL:"},
		"no key":                   {"STRIPE_SECRET_KEY=", "STRIPE_SECRET_KEY:"},
		"no webhook secret":        {"STRIPE_WEBHOOK_SECRET=", "STRIPE_WEBHOOK_SECRET:"},
		"no mail server":           {"SMTP_URL=", "SMTP_URL:"},
		"invalid, but not missing": {"DATABASE_URL=db SMTP_URL=mail", "DATABASE_URL= SMTP_URL="},
		"short webhook secret":     {"STRIPE_WEBHOOK_SECRET=whsec_1", "STRIPE_WEBHOOK_SECRET="},
		"short token":              {"METRICS_TOKEN=abc", "METRICS_TOKEN="},
		"Stripe on localhost":      {"STRIPE_API_BASE=https://localhost:9000", "STRIPE_API_BASE="},
		"Stripe on 127.x":          {"STRIPE_API_BASE=http://127.8.0.1:9000", "STRIPE_API_BASE="},
		"Stripe on ::1":            {"STRIPE_API_BASE=http://[::1]:9000", "STRIPE_API_BASE="},
		"Stripe without TLS":       {"STRIPE_API_BASE=http://stripe.example.com", "STRIPE_API_BASE="},
		"nothing set": {
			"BASE_URL= DATABASE_URL= STRIPE_SECRET_KEY= STRIPE_WEBHOOK_SECRET= SMTP_URL=",
			"BASE_URL: DATABASE_URL: STRIPE_SECRET_KEY: STRIPE_WEBHOOK_SECRET: SMTP_URL:",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := production()
			for _, change := range strings.Fields(test.changes) {
				variable, value, _ := strings.Cut(change, "=")
				env[variable] = value
			}
			_, _, err := loadServeConfig(env.get, noFile(t))
			if err == nil {
				t.Fatal("no error")
			}
			lines := strings.Split(err.Error(), "\n")
			want := strings.Fields(test.want)
			if len(lines) != len(want) {
				t.Fatalf("%d lines, want %d:\n%v", len(lines), len(want), err)
			}
			for i, prefix := range want {
				if !strings.HasPrefix(lines[i], prefix) {
					t.Errorf("line %d is %q, want the prefix %s", i+1, lines[i], prefix)
				}
			}
		})
	}
}

func TestSecretsAreMasked(t *testing.T) {
	tests := []struct{ variable, value, secret string }{
		{"STRIPE_SECRET_KEY", "pk_live_hunter2hunter2", "hunter2"},
		{"STRIPE_SECRET_KEY", "hunter2hunter2", "ter2"},
		{"STRIPE_SECRET_KEY", "hunter2", "hun"},
		{"STRIPE_WEBHOOK_SECRET", "whsec_a,sk_live_hunter2hunter2", "hunter2"},
		{"STRIPE_PRICE_ID", "sk_live_hunter2 hunter2", "hunter2"},
		{"DATABASE_URL", "postgres://usher:hunter2%@db/usher", "hunter2"},
		{"DATABASE_URL", "mysql://usher:hunter2@db/usher", "hunter2"},
		{"SMTP_URL", "smtp://usher:hunter2@mail:25/path", "hunter2"},
		{"SMTP_URL", "http://usher:hunter2@mail", "hunter2"},
		{"BASE_URL", "https://usher:hunter2@example.com", "hunter2"},
		{"BASE_URL", "https://usher:hunter2%@example.com", "hunter2"},
		{"METRICS_TOKEN", "hunter2 hunter2", "ter2"},
	}
	for _, test := range tests {
		_, err := loadConfig(environment{test.variable: test.value}.get, noFile(t))
		if err == nil || strings.Contains(err.Error(), test.secret) {
			t.Errorf("%s=%s: the error is %q, want one without the secret", test.variable, test.value, err)
		}
	}
}

func TestBaseURLFollowsAddr(t *testing.T) {
	tests := []struct{ addr, base, want string }{
		{"", "", "http://localhost:4312"},
		{":8080", "", "http://localhost:8080"},
		{"0.0.0.0:8080", "", "http://localhost:8080"},
		{"[::1]:8080", "", "http://localhost:8080"},
		{"192.0.2.7:8080", "", "http://192.0.2.7:8080"},
		{":8080", "https://billing.example.com", "https://billing.example.com"},
	}
	for _, test := range tests {
		c, err := loadConfig(environment{"ADDR": test.addr, "BASE_URL": test.base}.get, noFile(t))
		if err != nil || c.BaseURL.String() != test.want || c.ReturnURL != test.want+billingTab {
			t.Errorf("ADDR=%q BASE_URL=%q: BaseURL %v, ReturnURL %s, %v",
				test.addr, test.base, c.BaseURL, c.ReturnURL, err)
		}
	}
}

func TestBaseURLFollowsListener(t *testing.T) {
	listener := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 54321}
	cancelURL := "https://app.example.com/no"
	env := environment{"ADDR": "127.0.0.1:0", "BILLING_CANCEL_URL": cancelURL}
	c, err := loadConfig(env.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	before := c.BaseURL.String()
	got := c.listeningOn(listener)
	if got.BaseURL.String() != "http://localhost:54321" || got.CancelURL != cancelURL ||
		got.SuccessURL != "http://localhost:54321"+billingTab+"&success=true" {
		t.Errorf("BaseURL %v, SuccessURL %s, CancelURL %s", got.BaseURL, got.SuccessURL, got.CancelURL)
	}
	if c.BaseURL.String() != before {
		t.Error("listeningOn has changed its receiver")
	}
	env = environment{"ADDR": "127.0.0.1:0", "BASE_URL": "http://usher.test"}
	c, err = loadConfig(env.get, noFile(t))
	if err != nil || c.listeningOn(listener).BaseURL.String() != "http://usher.test" {
		t.Errorf("a configured BASE_URL becomes %v (%v)", c.listeningOn(listener).BaseURL, err)
	}
}

func TestEnvFile(t *testing.T) {
	const dsn = "postgres://u:pa$$word@db/usher"
	file := writeFile(t, "# comment\nexport ADDR=:1111\nDATA_DIR=\"from file\"\nDATABASE_URL='"+dsn+"'\n")
	c, err := loadConfig(environment{"ADDR": ":2222"}.get, file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr != ":2222" || c.DataDir != "from file" || c.DatabaseURL != dsn {
		t.Errorf("Addr %s, DataDir %s, DatabaseURL %s", c.Addr, c.DataDir, c.DatabaseURL)
	}
	c, err = loadConfig(environment{"APP_ENV": "production"}.get, file)
	if err != nil || c.DataDir != ".usher" || c.DatabaseURL != "" {
		t.Errorf("production reads the file: %q, %q (%v)", c.DataDir, c.DatabaseURL, err)
	}
}

func TestInvalidEnvFile(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"no assignment": {"LOG_LEVEL=hunter2\n\nSTRIPE_SECRET_KEY sk_test_hunter2\nDATA_DIR=x\n",
			"line 3: not of the form NAME=value"},
		"open quote": {"ADDR=:1111\nDATA_DIR=\"hunter2\nLOG_LEVEL=info\n",
			"line 2: not of the form NAME=value"},
		"production": {"APP_ENV=production\n", "APP_ENV: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := loadConfig(environment{}.get, writeFile(t, test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) ||
				strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error is %v, want %q and no secret", err, test.want)
			}
		})
	}
	if _, err := loadConfig(environment{}.get, t.TempDir()); err == nil {
		t.Error("a directory named .env causes no error")
	}
}

func TestCatalogueSource(t *testing.T) {
	file := writeFile(t, `[[plan]]
id = "own"
name = "Own"
[[plan.price]]
interval = "month"
amount = 5
lookup_key = "own"
`)
	tests := map[string]struct {
		environment environment
		want        string
	}{
		"nothing":         {environment{}, "starter"},
		"a price":         {environment{"STRIPE_PRICE_ID": "price_1"}, "seats"},
		"a file":          {environment{"PLANS_FILE": file}, "own"},
		"file over price": {environment{"PLANS_FILE": file, "STRIPE_PRICE_ID": "price_1"}, "own"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, plans, err := loadServeConfig(test.environment.get, noFile(t))
			if err != nil || plans.Plans[0].ID != test.want {
				t.Errorf("the plans are %+v (%v), want %s first", plans.Plans, err, test.want)
			}
		})
	}
	_, _, err := loadServeConfig(environment{"PLANS_FILE": file + "x"}.get, noFile(t))
	if err == nil || !strings.HasPrefix(err.Error(), "PLANS_FILE: ") ||
		strings.Count(err.Error(), file) != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("a missing file causes %v", err)
	}
}

func TestWarnings(t *testing.T) {
	tests := map[string]struct {
		environment environment
		want        string
	}{
		"test key in production": {
			with(production(), "STRIPE_SECRET_KEY", "sk_test_123456789012", "STRIPE_PRICE_ID", "price_1"),
			"no money moves",
		},
		"live key in development": {
			environment{"STRIPE_SECRET_KEY": "rk_live_123456789012", "STRIPE_WEBHOOK_SECRET": "whsec_1"},
			"real money moves",
		},
		"example plans in production": {production(), "built-in example plans are for sale"},
		"API base without key": {
			environment{"STRIPE_API_BASE": "http://127.0.0.1:1"}, "STRIPE_API_BASE has no effect",
		},
		"clients that share limits": {
			with(production(), "TRUSTED_PROXIES", "", "STRIPE_PRICE_ID", "price_1"), "share its rate limits",
		},
		"database without verified TLS": {
			with(production(), "DATABASE_URL", "postgres://u:p@db.example.com/usher", "STRIPE_PRICE_ID", "price_1"),
			"DATABASE_URL does not verify the server",
		},
		"development on every address": {environment{"ADDR": ":4312"}, "reachable from other machines"},
		"development on an address":    {environment{"ADDR": "192.0.2.7:4312"}, "reachable from other machines"},
		"price for the local Stripe": {
			environment{"STRIPE_PRICE_ID": "price_1"}, "STRIPE_PRICE_ID is read from the local Stripe",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _, err := loadServeConfig(test.environment.get, noFile(t))
			if err != nil || len(c.warnings()) != 1 || !strings.Contains(c.warnings()[0], test.want) {
				t.Errorf("the warnings are %q (%v), want one with %q", c.warnings(), err, test.want)
			}
		})
	}
}

func TestRequire(t *testing.T) {
	c, err := loadConfig(environment{"STRIPE_SECRET_KEY": "sk_test_123456789012"}.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.require("this subcommand needs it", "STRIPE_SECRET_KEY"); err != nil {
		t.Errorf("a variable that is set: %v", err)
	}
	err = c.require("this subcommand needs it", "DATABASE_URL", "STRIPE_SECRET_KEY", "BASE_URL")
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two variables are unset, but the error is %v", err)
	}
}
