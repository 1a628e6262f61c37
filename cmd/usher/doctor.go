package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/billing/mail/smtp"
	"usher/billing/stripegw"
	"usher/db"
)

const (
	checkTimeout = 10 * time.Second // for one check
	// maxClockSkew is the tolerated difference to Stripe's clock. Signatures are refused beyond
	// five minutes (https://docs.stripe.com/webhooks#verify-official-libraries), which includes
	// the delivery.
	maxClockSkew = 2 * time.Minute
)

// finding is the result of one check. A check that could not run is not OK.
type finding struct {
	Check       string `json:"check"`
	OK          bool   `json:"ok"`
	Found       string `json:"found"`
	Remediation string `json:"mend,omitempty"` // empty if OK
}

// runDoctor runs all checks and changes nothing. It fails if any check is not OK.
func runDoctor(ctx context.Context, inv *invocation) error {
	inv.jsonFlag()
	if err := inv.parseFlags(); err != nil {
		return err
	}
	return diagnose(ctx, inv, dotenvFile)
}

// diagnose runs all checks of the configuration with the settings of a file.
func diagnose(ctx context.Context, inv *invocation, dotenv string) error {
	config, plans, err := loadServeConfig(inv.getenv, dotenv)
	d := &doctor{config: config, plans: plans}
	d.checkConfiguration(err)
	d.checkDatabase(ctx)
	if d.store != nil {
		defer d.store.Close()
	}
	if d.openStripe(ctx, inv) && d.checkAccount(ctx) { // otherwise the others fail the same way
		d.checkPrices(ctx)
		d.checkPortal(ctx)
		d.checkWebhook(ctx)
		d.checkDeliveries(ctx)
		d.checkClock(ctx)
	}
	d.checkMail(ctx)
	d.checkIdentityProvider(ctx)
	if err := inv.print(d.findings, formatFindings(d.findings)); err != nil {
		return err
	}
	return d.err()
}

type doctor struct {
	config   Config
	plans    catalog.Catalog
	gateway  *stripegw.Gateway
	local    bool      // uses the local Stripe of a running server
	store    *db.Store // nil: the database can't be read
	findings []finding
}

func (d *doctor) ok(check, format string, args ...any) {
	found := fmt.Sprintf(format, args...)
	d.findings = append(d.findings, finding{Check: check, OK: true, Found: found})
}

func (d *doctor) fail(check, found, remediation string) {
	d.findings = append(d.findings, finding{Check: check, Found: found, Remediation: remediation})
}

func (d *doctor) checkConfiguration(err error) {
	if err != nil {
		d.fail("configuration", err.Error(), "Correct these variables; see docs/configuration.md")
		return
	}
	d.ok("configuration", "complete")
	for _, warning := range d.config.warnings() {
		d.ok("configuration", "%s", warning)
	}
	if d.config.sharesLimits() {
		d.fail("proxy", "TRUSTED_PROXIES is unset: one client can use up the rate limits of all",
			"Set TRUSTED_PROXIES to the address or network of the proxy that ends TLS")
	}
}

func (d *doctor) checkDatabase(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	dsn, err := findDatabase(d.config)
	if err != nil {
		d.fail("database", err.Error(), "Set DATABASE_URL, or start `usher`")
		return
	}
	store, err := db.Open(ctx, dsn)
	if err != nil {
		d.fail("database", err.Error(), "Check that PostgreSQL runs and that DATABASE_URL is correct")
		return
	}
	current, err := store.MigrationsCurrent(ctx)
	switch {
	case err != nil:
		d.fail("database", err.Error(), "Check that the user of DATABASE_URL may read the schema")
		_ = store.Close()
	case !current:
		d.fail("database", "migrations are missing", "Run `usher migrate`")
		_ = store.Close()
	default:
		d.ok("database", "reachable, and every migration is applied")
		d.store = store
		d.checkBacklog(ctx, store)
		d.checkSecrets(ctx, store)
	}
}

// checkBacklog looks for failed work.
func (d *doctor) checkBacklog(ctx context.Context, store *db.Store) {
	backlog, err := store.Operations().Backlog(ctx)
	failed := backlog.FailedEvents > 0 || backlog.FailingSeats > 0 || backlog.FailedDuplicates > 0 ||
		backlog.FailedMails > 0
	switch {
	case err != nil:
		d.fail("work", err.Error(), "Check that the user of DATABASE_URL may read the tables")
	case failed:
		d.fail("work", fmt.Sprintf("failed: %d events, seat syncs of %d organizations, "+
			"%d cancellations of duplicate subscriptions, %d e-mails",
			backlog.FailedEvents, backlog.FailingSeats, backlog.FailedDuplicates, backlog.FailedMails),
			"See /admin/events and /admin/jobs, or `usher events list --outcome failed`")
	case backlog.MissedEvents > 0:
		d.fail("work", fmt.Sprintf("the last comparison found %d events at Stripe that no webhook had delivered", backlog.MissedEvents),
			"See the deliveries below, and docs/runbooks.md")
	default:
		d.ok("work", "%d events and %d e-mails pending, none failed",
			backlog.PendingEvents, backlog.QueuedMails)
	}
}

// checkSecrets checks that stored secrets are sealed with the newest key of SECRETS_KEY. It creates
// no key.
func (d *doctor) checkSecrets(ctx context.Context, store *db.Store) {
	unset := len(d.config.SecretsKeys) == 0
	if unset && d.config.Production {
		return // checkConfiguration has named it
	}
	if _, err := os.Stat(secretsKeyFile(d.config)); unset && err != nil {
		d.ok("secrets", "no key yet; the first start makes one in DATA_DIR")
		return
	}
	keyring, err := d.config.keyring()
	if err != nil {
		d.fail("secrets", err.Error(), remedies["SECRETS_KEY"])
		return
	}
	outdated, err := store.SecondFactors().CountOutdated(ctx, keyring.Prefix())
	if err == nil {
		var webhooks int
		webhooks, err = store.Webhooks().CountOutdated(ctx, keyring.Prefix())
		outdated += webhooks
	}
	switch {
	case err != nil:
		d.fail("secrets", err.Error(), "Check that the user of DATABASE_URL may read the tables")
	case outdated > 0:
		d.fail("secrets", fmt.Sprintf("%d are not sealed with the first key of SECRETS_KEY", outdated),
			"Run `usher secrets reseal` before a former key is removed")
	default:
		d.ok("secrets", "every stored secret is sealed with the newest key")
	}
}

// openStripe connects to the configured Stripe account, or to the local Stripe of a running
// server.
func (d *doctor) openStripe(ctx context.Context, inv *invocation) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var local *localStripe
	if d.local = d.config.StripeKey == ""; d.local {
		var err error
		if local, err = findLocalStripe(ctx, d.config); err != nil {
			d.fail("Stripe", err.Error(), "Set STRIPE_SECRET_KEY, or start `usher`")
			return false
		}
	}
	d.gateway = newGateway(d.config, local, newLogger(inv.stderr, d.config), nil)
	return true
}

func (d *doctor) checkAccount(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	acct, err := d.gateway.Account(ctx)
	switch {
	case err != nil:
		d.fail("Stripe", err.Error(), "Check STRIPE_SECRET_KEY and the connection to Stripe")
	case d.local:
		d.ok("Stripe", "the local Stripe of a running server: no money moves")
	case acct.Livemode:
		d.ok("Stripe", "account %s, live: real money moves", acct.ID)
	default:
		d.ok("Stripe", "account %s, test mode", acct.ID)
	}
	return err == nil
}

// checkPrices checks that every price of the catalog exists at Stripe and is what the file says.
func (d *doctor) checkPrices(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	found, err := d.gateway.Prices(ctx, d.plans.LookupKeys(), d.plans.PriceIDs())
	if err != nil {
		d.fail("prices", err.Error(), "Check that the key may read prices")
		return
	}
	var wrong []string
	for _, mismatch := range d.plans.Mismatches(found) {
		wrong = append(wrong, mismatch.String())
	}
	for _, c := range d.plans.Compare(found) {
		switch {
		case c.Price.LookupKey == "": // its amount and tax behavior are Stripe's
		case !c.Exists:
			wrong = append(wrong, c.Price.LookupKey+" missing")
		case len(c.Differences) > 0:
			wrong = append(wrong, c.Price.LookupKey+" differs: "+strings.Join(c.Differences, ", "))
		}
	}
	for _, id := range d.plans.UnknownFormer(found) {
		wrong = append(wrong, fmt.Sprintf("former_prices: %q does not exist in this account and mode", id))
	}
	if len(wrong) > 0 {
		d.fail("prices", strings.Join(wrong, "\n"),
			"Run `usher plans push`, or correct the price ids in the plan file")
		return
	}
	d.ok("prices", "every plan and pack has its price")
}

// checkPortal names why the customer portal offers fewer plan switches than the catalog has. Plans
// can be changed on the billing tab all the same.
func (d *doctor) checkPortal(ctx context.Context) {
	if d.store == nil {
		return // checkDatabase has named it
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	acct, err := d.gateway.Account(ctx)
	if err != nil {
		return // checkAccount has named it
	}
	d.checkCheckout(ctx, acct)
	problem, err := d.store.Stripe().PortalProblem(ctx, acct)
	switch {
	case err != nil:
		d.fail("portal", err.Error(), "Run `usher migrate`")
	case problem != "":
		d.fail("portal", problem, "Correct the prices, with `usher plans push` for example. "+
			"Plans can be changed on the billing tab meanwhile")
	default:
		d.ok("portal", "no problem with its plan switches is known")
	}
}

// checkCheckout names what Stripe refused of the plan file's Checkout settings: the account lacks
// something that no API shows, such as the URL of its terms.
func (d *doctor) checkCheckout(ctx context.Context, acct billing.StripeAccount) {
	problem, err := d.store.Stripe().CheckoutProblem(ctx, acct)
	switch {
	case err != nil:
		d.fail("checkout", err.Error(), "Run `usher migrate`")
	case strings.HasPrefix(problem, string(billing.CheckoutTerms)):
		d.fail("checkout", problem, "Set the URL of the terms of service at https://dashboard.stripe.com/settings/public. "+
			"Checkout opens without the terms meanwhile")
	case strings.HasPrefix(problem, "tax: "):
		d.fail("checkout", problem, "Complete https://dashboard.stripe.com/settings/tax and add a registration, "+
			"or correct [checkout] in the plan file. Checkout does not open without the tax")
	case problem != "":
		d.fail("checkout", problem, "Correct [checkout] in the plan file. Checkout opens without this part meanwhile")
	default:
		d.checkTax(ctx)
	}
}

// checkTax checks that Stripe Tax can calculate tax, if the plan file asks for it.
func (d *doctor) checkTax(ctx context.Context) {
	if !d.plans.Checkout.AutomaticTax {
		d.ok("checkout", "no problem with its settings is known")
		return
	}
	missing, err := d.gateway.MissingTaxSettings(ctx)
	switch {
	case err != nil:
		d.fail("checkout", err.Error(), "Check that the key may read tax settings")
	case len(missing) > 0:
		d.fail("checkout", "Stripe Tax lacks "+strings.Join(missing, ", "), "Complete https://dashboard.stripe.com/settings/tax and add a registration")
	default:
		d.ok("checkout", "Stripe Tax is active; it adds tax where the account has a registration")
	}
}

// checkClock compares this machine's clock with Stripe's. The local Stripe's clock can be ahead
// intentionally.
func (d *doctor) checkClock(ctx context.Context) {
	if d.local {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	origin := d.config.StripeAPIBase
	if origin == "" {
		origin = "https://api.stripe.com"
	}
	skew, err := clockSkew(ctx, origin)
	switch {
	case err != nil:
		d.fail("clock", err.Error(), "Check the connection to Stripe")
	case skew.Abs() > maxClockSkew:
		d.fail("clock", fmt.Sprintf("differs from Stripe's by %s", skew.Round(time.Second)),
			"Synchronize it by NTP: signatures that differ by more than five minutes are refused")
	default:
		d.ok("clock", "within %s of Stripe's", maxClockSkew)
	}
}

// clockSkew returns how far this machine's clock is ahead of the server's, to the second, by its
// Date header (RFC 9110, section 6.6.1).
func clockSkew(ctx context.Context, origin string) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, origin, http.NoBody)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("%s sends no valid Date header", origin)
	}
	return start.Add(time.Since(start) / 2).Sub(date), nil
}

func (d *doctor) checkMail(ctx context.Context) {
	if d.config.SMTPURL == nil {
		if !d.config.Production {
			d.ok("e-mail", "not sent; /dev/mail shows the outbox")
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	mailer, err := smtp.New(smtp.Options{
		URL: d.config.SMTPURL, From: d.config.MailFrom, Timeout: checkTimeout,
	})
	if err == nil {
		err = mailer.Check(ctx)
	}
	if err != nil {
		d.fail("e-mail", err.Error(), "Check SMTP_URL and the connection to its server")
		return
	}
	d.ok("e-mail", "%s accepts mail", d.config.SMTPURL.Hostname())
}

// checkIdentityProvider reads the provider's metadata. Whether the client is registered there shows
// only when somebody signs in.
func (d *doctor) checkIdentityProvider(ctx context.Context) {
	provider := d.config.identityProvider()
	if provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := provider.Check(ctx); err != nil {
		d.fail("sign-in", err.Error(), "Check OIDC_ISSUER and the connection to the identity provider")
		return
	}
	passwords := "beside passwords"
	if d.config.SignIn.PasswordsOff {
		passwords = "and no passwords"
	}
	d.ok("sign-in", "%s answers, %s; it has to know the redirect URI %s", provider.Host(), passwords, provider.RedirectURL)
}

func (d *doctor) err() error {
	failed := 0
	for _, f := range d.findings {
		if !f.OK {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(d.findings))
	}
	return nil
}

func formatFindings(findings []finding) string {
	var text strings.Builder
	indent := "\n" + strings.Repeat(" ", 22)
	for _, f := range findings {
		state, remediation := "ok", ""
		if !f.OK {
			state, remediation = "FAIL", indent+f.Remediation+"."
		}
		found := strings.ReplaceAll(strings.TrimSuffix(f.Found, "."), "\n", indent)
		fmt.Fprintf(&text, "%-6s %-14s %s.%s\n", state, f.Check, found, remediation)
	}
	return text.String()
}
