package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/stripegw"
	"usher/db"
)

// setupVariable is one of the values that init asks for.
type setupVariable struct {
	name   string // of the variable
	flag   string
	prompt string
	empty  string // what an empty answer means
	hidden bool   // the answer is not shown while it is typed
}

var initQuestions = []setupVariable{
	{"STRIPE_SECRET_KEY", "", "Stripe secret key (sk_… or rk_…)", "the local Stripe, no money moves", true},
	{"DATABASE_URL", "database", "PostgreSQL (postgres://user:password@host:5432/database)", "a private PostgreSQL in DATA_DIR", false},
	{"BASE_URL", "address", "Public address (https://billing.example.com)", "this machine", false},
	{"SMTP_URL", "mail", "Mail server (smtp://user:password@host:587)", "e-mails are shown at /dev/mail", false},
}

// initOptions are the flags of init.
type initOptions struct {
	yes     bool
	file    string // that is written
	keyFile string
	plans   string // push, pull, keep or empty: what fits the account
	values  map[string]*string
}

// runInit sets an installation up: it asks, writes the answers to a file, migrates the database,
// brings plans and prices together, sets the webhook endpoint up, and checks everything. Each step
// is safe to repeat.
func runInit(ctx context.Context, inv *invocation) (err error) {
	o, err := initFlags(inv)
	if err != nil {
		return err
	}
	s := &setup{invocation: inv, options: o, answers: bufio.NewReader(inv.stdin), environment: inv.getenv}
	if s.file, err = readEnvFile(o.file); err != nil {
		return err
	}
	if err := s.readValues(); err != nil {
		return err
	}
	if err := s.save(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.closers.close()) }()
	for _, step := range []func(context.Context) error{s.checkKey, s.keepSecretsKey, s.migrate, s.alignPlans, s.setUpWebhook} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.say("Checking everything, as `usher doctor` does:")
	inv.getenv = s.withFile // production does not read the file itself
	return diagnose(ctx, inv, o.file)
}

func initFlags(inv *invocation) (initOptions, error) {
	o := initOptions{values: map[string]*string{}}
	inv.flags.BoolVar(&o.yes, "yes", false, "ask nothing: take flags, the environment and the file, and the defaults for the rest")
	inv.flags.StringVar(&o.file, "env", dotenvFile, "the file to write")
	inv.flags.StringVar(&o.keyFile, "key-file", "", "file with the Stripe secret key; - is standard input")
	inv.flags.StringVar(&o.plans, "plans", "", "push creates the prices of the plan file at Stripe, pull writes the plan file from Stripe, keep does neither (default what fits the account)")
	for _, q := range initQuestions {
		if q.flag != "" {
			o.values[q.name] = inv.flags.String(q.flag, "", q.prompt+"; also "+q.name)
		}
	}
	if err := inv.parseFlags(); err != nil {
		return o, err
	}
	if !slices.Contains([]string{"", "push", "pull", "keep"}, o.plans) {
		return o, usageError("--plans is push, pull or keep")
	}
	return o, nil
}

// setup is one run of init.
type setup struct {
	*invocation
	options  initOptions
	answers  *bufio.Reader
	file     *envFile
	config   Config
	gateway  *stripegw.Gateway // nil: the local Stripe
	closers  closers
	database database
	// environment is getenv as the command got it.
	environment func(string) string
}

func (s *setup) say(format string, args ...any) {
	fmt.Fprintf(s.stdout, format+"\n", args...)
}

// readValues collects the values. Whatever is wrong is asked for again or, with --yes, reported
// together.
func (s *setup) readValues() error {
	var wrong []error
	for _, q := range initQuestions {
		if err := s.readValue(q); err != nil {
			wrong = append(wrong, err)
		}
	}
	// The steps need these too, if they are set.
	for _, name := range []string{"STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET", "PLANS_FILE"} {
		if value := strings.TrimSpace(s.getenv(name)); value != "" {
			wrong = append(wrong, s.set(name, value))
		}
	}
	return errors.Join(wrong...)
}

func (s *setup) readValue(q setupVariable) error {
	given, err := s.given(q)
	if err != nil {
		return err
	}
	if s.options.yes {
		return s.setChecked(q, given)
	}
	for {
		s.prompt(q, given)
		line, err := s.answer(q)
		if err != nil && line == "" {
			return fmt.Errorf("%s: the input ended. Answer the questions, or use --yes with flags", q.name)
		}
		wrong := s.setChecked(q, cmp.Or(strings.TrimSpace(line), given))
		if wrong == nil {
			return nil
		}
		s.say("%v", wrong)
		if errors.Is(err, io.EOF) {
			return wrong
		}
	}
}

// answer reads a line. A terminal does not show a hidden one while it is typed.
func (s *setup) answer(q setupVariable) (string, error) {
	file, isFile := s.stdin.(*os.File)
	if !q.hidden || !isFile || !term.IsTerminal(int(file.Fd())) {
		return s.answers.ReadString('\n')
	}
	line, err := term.ReadPassword(int(file.Fd()))
	s.say("")
	return string(line), err
}

// given returns the value that is known: by flag, environment or file, in this order.
func (s *setup) given(q setupVariable) (string, error) {
	if q.name == "STRIPE_SECRET_KEY" && s.options.keyFile != "" {
		return s.readKey()
	}
	flagged := ""
	if value := s.options.values[q.name]; value != nil {
		flagged = *value
	}
	return cmp.Or(strings.TrimSpace(flagged), strings.TrimSpace(s.getenv(q.name)), s.file.values[q.name]), nil
}

func (s *setup) readKey() (string, error) {
	source := io.Reader(s.answers)
	if s.options.keyFile != "-" {
		file, err := os.Open(s.options.keyFile)
		if err != nil {
			return "", fmt.Errorf("read the key: %w", err)
		}
		defer file.Close()
		source = file
	}
	text, err := io.ReadAll(io.LimitReader(source, 1000))
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func (s *setup) prompt(q setupVariable, given string) {
	present := "empty: " + q.empty
	if given != "" {
		present = "Enter keeps " + maskValue(q.name, given)
	}
	fmt.Fprintf(s.stdout, "%s [%s]: ", q.prompt, present)
}

// setChecked sets a value that the program would accept at its start.
func (s *setup) setChecked(q setupVariable, value string) error {
	if value == "" {
		return nil
	}
	only := func(name string) string {
		if name == q.name {
			return value
		}
		return ""
	}
	if _, err := loadConfig(only, ""); err != nil {
		return err
	}
	return s.set(q.name, value)
}

// set puts a value into the file, and says so if that changes a line.
func (s *setup) set(name, value string) error {
	said, err := s.file.set(name, value)
	if said != "" {
		s.say("%s: %s", s.options.file, said)
	}
	return err
}

// save writes the file and reads the configuration from it.
func (s *setup) save() error {
	if err := s.file.write(); err != nil {
		return err
	}
	config, err := loadConfig(s.withFile, s.options.file)
	if err != nil {
		return err
	}
	s.config = config
	return nil
}

// withFile is getenv in which the answers precede the environment.
func (s *setup) withFile(name string) string { return cmp.Or(s.file.values[name], s.environment(name)) }

// checkKey reads the account of the key, before anything is created.
func (s *setup) checkKey(ctx context.Context) error {
	if s.config.StripeKey == "" {
		s.say("Stripe: the local one, which starts with `usher`. It needs no plans and no webhook endpoint.")
		return nil
	}
	s.gateway = newGateway(s.config, nil, newLogger(s.stderr, s.config), nil)
	acct, err := s.gateway.Account(ctx)
	var refused *apperr.StripeError
	switch {
	case errors.As(err, &refused) && refused.Status == 401:
		return errors.New("Stripe does not know this key. " + remedies["STRIPE_SECRET_KEY"] + ", and run this again")
	case err != nil:
		return fmt.Errorf("ask Stripe for the account: %w. Check the connection and the permissions of the key, and run this again", err)
	}
	mode := "test mode"
	if acct.Livemode {
		mode = "live: real money moves"
	}
	s.say("Stripe: account %s, %s.", acct.ID, mode)
	return nil
}

// keepSecretsKey writes the key that seals stored secrets, which production requires: that of the
// development machine if it has sealed something already, and otherwise a new one.
func (s *setup) keepSecretsKey(context.Context) error {
	if len(s.config.SecretsKeys) > 0 {
		return nil
	}
	key, err := os.ReadFile(secretsKeyFile(s.config))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key = []byte(newSecretsKey())
	case err != nil:
		return fmt.Errorf("read the key of this machine: %w. Set SECRETS_KEY, or make DATA_DIR readable", err)
	}
	if err := s.set("SECRETS_KEY", strings.TrimSpace(string(key))); err != nil {
		return err
	}
	return s.save()
}

// migrate brings the schema of the database up to date. A private PostgreSQL runs until the end,
// for the checks.
func (s *setup) migrate(ctx context.Context) (err error) {
	if s.database, err = openDatabase(ctx, s.config, newLogger(s.stderr, s.config), &s.closers); err != nil {
		return err
	}
	if s.database.private {
		if err := publishPrivateDatabase(s.config, s.database.dsn, &s.closers); err != nil {
			return err
		}
	}
	if err := db.Migrate(ctx, cmp.Or(s.config.MigrateURL, s.database.dsn)); err != nil {
		return fmt.Errorf("migrate the database: %w. Check DATABASE_URL and that its user may create tables, and run this again", err)
	}
	s.say("Database: the schema is up to date.")
	return nil
}

// alignPlans brings the plan file and the prices at Stripe together.
func (s *setup) alignPlans(ctx context.Context) error {
	if s.gateway == nil || s.options.plans == "keep" {
		return nil
	}
	way := s.options.plans
	if way == "" {
		var err error
		if way, err = s.chooseWay(ctx); err != nil {
			return err
		}
	}
	if way == "pull" {
		return s.pullPlans(ctx)
	}
	plans, err := s.config.catalog()
	if err != nil {
		return err
	}
	results, err := pushPlans(ctx, s.gateway, plans)
	if err != nil {
		return fmt.Errorf("%w. Check that the key may write products and prices, and run this again", err)
	}
	s.say("Plans: every price of the plan file exists at Stripe.\n%s", strings.TrimSuffix(formatPrices(results), "\n"))
	return nil
}

// chooseWay returns pull if the account sells something and this installation has no plans of its
// own yet, and otherwise push.
func (s *setup) chooseWay(ctx context.Context) (string, error) {
	if s.config.PlansFile != "" || s.config.StripePriceID != "" {
		return "push", nil
	}
	plans, err := s.config.catalog()
	if err != nil {
		return "", err
	}
	pushed, err := s.gateway.Prices(ctx, plans.LookupKeys(), nil)
	if err != nil || len(pushed) > 0 {
		return "push", err
	}
	sold, err := s.gateway.SoldPrices(ctx)
	if err != nil || !strings.Contains(catalog.DraftPlans(sold).Text, "[[plan]]") {
		return "push", err
	}
	return "pull", nil
}

// pullPlans writes the plan file beside the settings. One that exists is left alone.
func (s *setup) pullPlans(ctx context.Context) error {
	path := cmp.Or(s.config.PlansFile, filepath.Join(filepath.Dir(s.options.file), "plans.toml"))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists and is not overwritten. Remove it, or use --plans push or keep", path)
	}
	sold, err := s.gateway.SoldPrices(ctx)
	if err != nil {
		return fmt.Errorf("read the prices from Stripe: %w", err)
	}
	draft := catalog.DraftPlans(sold)
	for _, left := range draft.LeftOut {
		s.say("Left out: %s of %s: %s.", left.PriceID, left.Product, left.Reason)
	}
	if err := os.WriteFile(path, []byte(draft.Text), 0o644); err != nil { // #nosec G306 -- no secret
		return fmt.Errorf("write the plan file: %w", err)
	}
	s.say("Plans: %s sells what the account sells. Look at per_seat, and add credits and limits.", path)
	if err := s.set("PLANS_FILE", path); err != nil {
		return err
	}
	return s.save()
}

// setUpWebhook makes Stripe send its events here, and keeps the secret, which Stripe shows once.
func (s *setup) setUpWebhook(ctx context.Context) error {
	if s.gateway == nil {
		return nil
	}
	if isLoopback(s.config.BaseURL) && !s.localAPI() {
		s.say("Webhook: Stripe can't reach %s. Run `stripe listen --all-snapshot --forward-to %s`, and put the secret that it prints into STRIPE_WEBHOOK_SECRET.",
			s.config.BaseURL, webhookURL(s.config))
		return nil
	}
	id, secret, created, err := s.gateway.EnsureWebhookEndpoint(ctx, webhookURL(s.config), billing.EventTypes())
	switch {
	case err != nil:
		return fmt.Errorf("set up the webhook endpoint: %w. Check that the key may write webhook endpoints, and run this again", err)
	case created:
		s.say("Webhook: created %s for %s.", id, webhookURL(s.config))
		if err := s.set("STRIPE_WEBHOOK_SECRET", secret); err != nil {
			return err
		}
		return s.save()
	case len(s.config.StripeWebhookSecrets) == 0:
		return fmt.Errorf("the webhook endpoint %s exists, and its secret is not known here. Copy it from Stripe's dashboard to STRIPE_WEBHOOK_SECRET in %s, "+
			"or delete the endpoint there, and run this again", id, s.options.file)
	}
	s.say("Webhook: %s for %s exists.", id, webhookURL(s.config))
	return nil
}

// localAPI reports whether Stripe is a local one that can reach this machine.
func (s *setup) localAPI() bool {
	base, err := url.Parse(s.config.StripeAPIBase)
	return err == nil && s.config.StripeAPIBase != "" && isLoopback(base)
}
