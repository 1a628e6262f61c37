package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/mail/smtp"
	"usher/billing/stripegw"
	"usher/db"
)

func doctorCommand() command {
	return command{
		name: "doctor", summary: "look whether everything Usher needs is there and fits together", usage: "[--json]",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			asJSON := set.Bool("json", false, "print JSON")
			return func(ctx context.Context, p program, args []string) error {
				if err := noArguments(args); err != nil {
					return err
				}
				return doctor(ctx, p, *asJSON)
			}
		},
	}
}

// finding is what one look came to. What could not be looked at is not OK either.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`
	Mend  string `json:"mend,omitempty"` // what to do where it is not OK
}

const (
	checkTimeout = 10 * time.Second // for one look
	// longestSkew is how far off this machine's clock may be: signatures are refused beyond five minutes
	// (https://docs.stripe.com/webhooks#verify-official-libraries), and deliveries take their time too.
	longestSkew = 2 * time.Minute
)

// doctor looks at one thing after the other and changes nothing. Its error says how many are not as they should be.
func doctor(ctx context.Context, p program, asJSON bool) error {
	config, catalogue, err := loadServeConfig(p.getenv, dotenvFile)
	d := &diagnosis{config: config, catalogue: catalogue}
	d.configuration(err)
	d.database(ctx)
	if d.openStripe(ctx, p) && d.account(ctx) { // else the others would say the same once more
		d.prices(ctx)
		d.webhook(ctx)
		d.clock(ctx)
	}
	d.mail(ctx)
	return d.print(p, asJSON)
}

type diagnosis struct {
	config    Config
	catalogue billing.Catalogue
	gateway   *stripegw.Gateway
	local     bool // the local Stripe of a running server
	findings  []finding
}

func (d *diagnosis) well(check, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, OK: true, Found: fmt.Sprintf(format, args...)})
}

func (d *diagnosis) ill(check, found, mend string) {
	d.findings = append(d.findings, finding{Check: check, Found: found, Mend: mend})
}

func (d *diagnosis) configuration(err error) {
	if err != nil {
		d.ill("configuration", err.Error(), "Set what is named; the README lists every variable")
		return
	}
	d.well("configuration", "complete")
	for _, warning := range d.config.warnings() {
		d.well("configuration", "%s", warning)
	}
}

func (d *diagnosis) database(ctx context.Context) {
	dsn, err := toolDatabase(d.config)
	if err != nil {
		d.ill("database", err.Error(), "Set DATABASE_URL, or start `usher`")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	store, err := db.Open(ctx, dsn)
	if err != nil {
		d.ill("database", err.Error(), "Look whether PostgreSQL runs and DATABASE_URL is right")
		return
	}
	defer store.Close()
	current, err := store.MigrationsCurrent(ctx)
	switch {
	case err != nil:
		d.ill("database", err.Error(), "Look whether the user of DATABASE_URL may read the schema")
		return
	case !current:
		d.ill("database", "migrations are missing", "Run `usher migrate`")
		return
	}
	d.well("database", "it answers, and every migration is applied")
	d.work(ctx, store)
}

// work looks for what was given up.
func (d *diagnosis) work(ctx context.Context, store *db.Store) {
	waiting, err := store.Backlog(ctx)
	switch {
	case err != nil:
		d.ill("work", err.Error(), "Look whether the user of DATABASE_URL may read the tables")
	case waiting.FailedEvents > 0 || waiting.FailingSeats > 0 || waiting.FailedEnds > 0 || waiting.FailedMails > 0:
		d.ill("work", fmt.Sprintf("given up or failing: %d events, seats of %d organizations, %d ends of second plans, %d e-mails",
			waiting.FailedEvents, waiting.FailingSeats, waiting.FailedEnds, waiting.FailedMails), "See /admin/events and /admin/jobs, or `usher events list --outcome failed`")
	default:
		d.well("work", "%d events and %d e-mails wait, nothing was given up", waiting.PendingEvents, waiting.QueuedMails)
	}
}

// openStripe finds the Stripe that is configured, or the local one of a running server.
func (d *diagnosis) openStripe(ctx context.Context, p program) bool {
	app := &application{config: d.config, log: newLogger(p.stderr, d.config)}
	if d.config.StripeKey == "" {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		local, _, err := runningLocalStripe(ctx, d.config)
		if err != nil {
			d.ill("Stripe", err.Error(), "Set STRIPE_SECRET_KEY, or start `usher`")
			return false
		}
		app.local, d.local = local, true
	}
	d.gateway = app.gateway()
	return true
}

func (d *diagnosis) account(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	account, err := d.gateway.Account(ctx)
	switch {
	case err != nil:
		d.ill("Stripe", err.Error(), "Look whether STRIPE_SECRET_KEY is right and Stripe can be reached from here")
	case d.local:
		d.well("Stripe", "the local one of a running server: no money moves")
	case account.Livemode:
		d.well("Stripe", "account %s, live: real money moves", account.ID)
	default:
		d.well("Stripe", "account %s, test mode", account.ID)
	}
	return err == nil
}

// prices looks whether everything on sale has a price at Stripe.
func (d *diagnosis) prices(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var wrong []string
	err := diffPlans(ctx, d.gateway, d.catalogue, func(p pricePush) {
		if p.Result != "unchanged" {
			wrong = append(wrong, p.LookupKey+" "+p.Result)
		}
	})
	found, err2 := d.gateway.Prices(ctx, nil, d.catalogue.PriceIDs())
	if missing := len(d.catalogue.PriceIDs()) - len(found); err2 == nil && missing > 0 {
		wrong = append(wrong, fmt.Sprintf("%d of the prices named by id do not exist", missing))
	}
	switch {
	case errors.Join(err, err2) != nil:
		d.ill("prices", errors.Join(err, err2).Error(), "Look whether the key may read prices")
	case len(wrong) > 0:
		d.ill("prices", strings.Join(wrong, ", "), "Run `usher plans push`, or mend the ids in the plan file")
	default:
		d.well("prices", "every plan and pack has its price")
	}
}

// webhook looks whether Stripe sends here what is acted on. The local Stripe sends by itself.
func (d *diagnosis) webhook(ctx context.Context) {
	if d.local {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	url := d.config.BaseURL.String() + "/stripe/webhook"
	endpoint, known, err := d.gateway.WebhookEndpoint(ctx, url, billing.EventTypes())
	switch {
	case err != nil:
		d.ill("webhook", err.Error(), "Look whether the key may read webhook endpoints")
	case !known:
		d.ill("webhook", "Stripe does not send to "+url, "Run `usher webhook setup`; where another process forwards events here, nothing is wrong")
	case endpoint.Disabled || len(endpoint.Lacks) > 0:
		found := fmt.Sprintf("%s lacks %s", endpoint.ID, strings.Join(endpoint.Lacks, ", "))
		if endpoint.Disabled {
			found = endpoint.ID + " is disabled"
		}
		d.ill("webhook", found, "Run `usher webhook setup`")
	default:
		d.well("webhook", "%s sends every event that is acted on to %s", endpoint.ID, url)
	}
}

// clock compares this machine's time with Stripe's. The local Stripe's may be ahead with purpose.
func (d *diagnosis) clock(ctx context.Context) {
	if d.local {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	skew, err := skewOf(ctx, stripeOrigin(d.config))
	switch {
	case err != nil:
		d.ill("clock", err.Error(), "Look whether Stripe can be reached from here")
	case skew.Abs() > longestSkew:
		d.ill("clock", fmt.Sprintf("this machine's is %s off Stripe's", skew.Round(time.Second)), "Set it by NTP: signatures more than five minutes off are refused")
	default:
		d.well("clock", "within %s of Stripe's", longestSkew)
	}
}

func stripeOrigin(c Config) string {
	if c.StripeAPIBase != "" {
		return c.StripeAPIBase
	}
	return "https://api.stripe.com"
}

// skewOf reads the Date that whoever serves the origin says it is (RFC 9110, section 6.6.1), to the second.
func skewOf(ctx context.Context, origin string) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, origin, http.NoBody)
	if err != nil {
		return 0, err
	}
	asked := time.Now()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	theirs, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("%s does not say what time it is", origin)
	}
	return asked.Add(time.Since(asked) / 2).Sub(theirs), nil
}

func (d *diagnosis) mail(ctx context.Context) {
	if d.config.SMTPURL == nil {
		if !d.config.Production {
			d.well("e-mail", "nothing is sent, /dev/mail shows it")
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	mailer, err := smtp.New(smtp.Options{URL: d.config.SMTPURL, From: d.config.MailFrom, Timeout: checkTimeout})
	if err == nil {
		err = mailer.Check(ctx)
	}
	if err != nil {
		d.ill("e-mail", err.Error(), "Look whether SMTP_URL is right and its server can be reached from here")
		return
	}
	d.well("e-mail", "%s takes mail from here", d.config.SMTPURL.Hostname())
}

func (d *diagnosis) print(p program, asJSON bool) error {
	ill := 0
	for _, f := range d.findings {
		if !f.OK {
			ill++
		}
	}
	if asJSON {
		if err := json.NewEncoder(p.stdout).Encode(d.findings); err != nil {
			return err
		}
	} else if err := printFindings(p, d.findings); err != nil {
		return err
	}
	if ill > 0 {
		return fmt.Errorf("%d of %d checks are not as they should be", ill, len(d.findings))
	}
	return nil
}

func printFindings(p program, findings []finding) error {
	for _, f := range findings {
		state, mend := "ok", ""
		if !f.OK {
			state, mend = "WRONG", "\n       "+strings.Repeat(" ", 15)+f.Mend+"."
		}
		found := strings.ReplaceAll(strings.TrimSuffix(f.Found, "."), "\n", "\n       "+strings.Repeat(" ", 15))
		if _, err := fmt.Fprintf(p.stdout, "%-6s %-14s %s.%s\n", state, f.Check, found, mend); err != nil {
			return err
		}
	}
	return nil
}
