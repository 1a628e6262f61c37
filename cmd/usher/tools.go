package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"usher/billing"
	mailviews "usher/views/mail"
)

// openTools wires what a subcommand needs that works on the same database and Stripe as `usher serve`: those that are configured, or those
// that a running development server on the same DATA_DIR has started.
func openTools(ctx context.Context, p program, started *parts) (*billing.Service, error) {
	config, err := loadConfig(p.getenv, dotenvFile)
	if err != nil {
		return nil, err
	}
	catalogue, err := config.catalogue()
	if err != nil {
		return nil, err
	}
	started.log = newLogger(p.stderr, config)
	app := &application{config: config, log: started.log, parts: started}
	dsn, err := toolDatabase(config)
	if err != nil {
		return nil, err
	}
	if app.store, err = openStore(ctx, dsn, started); err != nil {
		return nil, err
	}
	var now func() time.Time
	if config.StripeKey == "" {
		if app.local, now, err = runningLocalStripe(ctx, config); err != nil {
			return nil, err
		}
	}
	service := billing.New(app.serviceOptions(app.gateway(), catalogue, nil, now))
	return service, service.Start(ctx)
}

// errNothingRuns tells what a subcommand of a development server needs.
func errNothingRuns(variable, what string, c Config) error {
	return fmt.Errorf("%s is unset, and no %s of a running `usher` is known on DATA_DIR=%s: set it, or start `usher` first", variable, what, c.DataDir)
}

// announceDatabase notes in DATA_DIR where the private PostgreSQL is, so that subcommands find it while it runs.
func announceDatabase(c Config, dsn string, started *parts) error {
	file := databaseFile(c)
	if err := os.WriteFile(file, []byte(dsn+"\n"), 0o600); err != nil {
		return fmt.Errorf("announce the private PostgreSQL: %w", err)
	}
	started.add("private PostgreSQL's address", func(context.Context) error { return os.Remove(file) })
	return nil
}

func databaseFile(c Config) string { return filepath.Join(c.DataDir, "postgres.dsn") }

func toolDatabase(c Config) (dsn string, err error) {
	if c.DatabaseURL != "" {
		return c.DatabaseURL, nil
	}
	noted, err := os.ReadFile(databaseFile(c))
	if errors.Is(err, os.ErrNotExist) {
		return "", errNothingRuns("DATABASE_URL", "private PostgreSQL", c)
	}
	return strings.TrimSpace(string(noted)), err
}

// runningLocalStripe finds the local Stripe of a running server, and its clock.
func runningLocalStripe(ctx context.Context, c Config) (*localStripe, func() time.Time, error) {
	noted, err := os.ReadFile(addressFile(c))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, errNothingRuns("STRIPE_SECRET_KEY", "local Stripe", c)
	}
	if err != nil {
		return nil, nil, err
	}
	base := strings.TrimSpace(string(noted))
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/_usher/clock", http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("reach the local Stripe: %w", err)
	}
	defer answer.Body.Close()
	var state clockState
	if err := json.NewDecoder(answer.Body).Decode(&state); err != nil {
		return nil, nil, fmt.Errorf("read the local Stripe's clock: %w", err)
	}
	ahead := time.Until(time.Unix(state.Now, 0)).Round(time.Second)
	return &localStripe{apiBase: base}, func() time.Time { return time.Now().Add(ahead) }, nil
}

// serviceOptions are what every Service of this program is made of.
func (a *application) serviceOptions(gateway billing.Gateway, catalogue billing.Catalogue, mailer billing.Mailer, now func() time.Time) billing.Options {
	key := a.config.StripeKey
	if a.local != nil {
		key = localStripeKey + a.config.DataDir
	}
	return billing.Options{
		Store: a.store, Gateway: gateway, Catalogue: catalogue, Log: a.log, Now: now,
		Renderer: mailviews.Renderer{}, Mailer: mailer, BaseURL: a.config.BaseURL.String(),
		SuccessURL: a.config.SuccessURL, CancelURL: a.config.CancelURL, ReturnURL: a.config.ReturnURL,
		AllowedOrigins: a.config.origins(), OperatorEmails: a.config.OperatorEmails,
		KeyFingerprint: fingerprint(key),
	}
}
