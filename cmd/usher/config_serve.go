package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"usher/billing"
)

// loadServeConfig reads the configuration and the plan file, and asks that together they are complete: serve alone refuses to start
// with less. The error tells everything at once, a line each.
func loadServeConfig(getenv func(string) string, dotenv string) (Config, billing.Catalogue, error) {
	config, wrong := readConfig(getenv, dotenv)
	wrong = append(wrong, config.incomplete()...)
	catalogue, err := config.catalogue()
	return config, catalogue, errors.Join(wrong.err(), err)
}

// incomplete tells what serve misses. A variable that was set but is wrong is not told a second time as missing.
func (c Config) incomplete() mistakes {
	var m mistakes
	if c.Production {
		c.productionNeeds(&m)
	}
	if c.given["STRIPE_SECRET_KEY"] && !c.given["STRIPE_WEBHOOK_SECRET"] {
		m.missing("STRIPE_WEBHOOK_SECRET", "it is unset, but with STRIPE_SECRET_KEY nothing that Stripe tells could be believed without it", secretMend)
	}
	return m
}

// productionNeeds asks for everything that stands in by itself in development.
func (c Config) productionNeeds(m *mistakes) {
	if !c.given["BASE_URL"] {
		m.missing("BASE_URL", "it is unset, and production has no default", "Set the public origin, for example https://billing.example.com")
	}
	if !c.given["DATABASE_URL"] {
		m.missing("DATABASE_URL", "it is unset, and no private PostgreSQL stands in in production", "Set a PostgreSQL DSN, postgres://user:password@host:5432/database")
	}
	if !c.given["STRIPE_SECRET_KEY"] {
		m.missing("STRIPE_SECRET_KEY", "it is unset, and no local Stripe stands in in production", keyMend)
		if !c.given["STRIPE_WEBHOOK_SECRET"] {
			m.missing("STRIPE_WEBHOOK_SECRET", "it is unset, and no local Stripe stands in in production", secretMend)
		}
	}
	if !c.given["SMTP_URL"] {
		m.missing("SMTP_URL", "it is unset, and no outbox page stands in in production", "Set smtp://user:password@host:port")
	}
}

// catalogue reads the plan file, or takes what stands for it: one price, or the built-in plans.
func (c Config) catalogue() (billing.Catalogue, error) {
	if c.PlansFile == "" && c.StripePriceID != "" {
		return billing.SinglePrice(c.StripePriceID), nil
	}
	if c.PlansFile == "" {
		return billing.BuiltInPlans(), nil
	}
	data, err := os.ReadFile(c.PlansFile)
	if err != nil {
		return billing.Catalogue{}, fmt.Errorf("PLANS_FILE=%q: it cannot be read: %w. Set it to a file that exists, or leave it out", c.PlansFile, reason(err))
	}
	catalogue, err := billing.ParsePlans(c.PlansFile, data)
	if err != nil {
		return billing.Catalogue{}, fmt.Errorf("PLANS_FILE=%q: the plan file is wrong:\n%w", c.PlansFile, err)
	}
	return catalogue, nil
}

// reason is what the operating system says, without the path that stands in the message already.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// need returns an error naming each of the variables that is unset: what a subcommand asks for before it begins.
func (c Config) need(variables ...string) error {
	var m mistakes
	for _, variable := range variables {
		if !c.given[variable] {
			m.missing(variable, "it is unset", "This subcommand needs it")
		}
	}
	return m.err()
}

// warnings are sentences about what is allowed but hardly meant.
func (c Config) warnings() []string {
	test, live := strings.Contains(c.StripeKey, "_test_"), strings.Contains(c.StripeKey, "_live_")
	candidates := []struct {
		holds    bool
		sentence string
	}{
		{c.Production && test, "STRIPE_SECRET_KEY is a test key in production: no money moves."},
		{!c.Production && live, "STRIPE_SECRET_KEY is a live key in development: real money moves."},
		{c.Production && c.PlansFile == "" && c.StripePriceID == "", "PLANS_FILE is unset: the built-in example plans are on sale."},
		{c.PlansFile != "" && c.StripePriceID != "", "STRIPE_PRICE_ID has no effect: PLANS_FILE is the catalogue."},
		{c.StripeKey == "" && c.PlansFile == "" && c.StripePriceID != "", "STRIPE_PRICE_ID without STRIPE_SECRET_KEY: the local Stripe is asked for that price."},
		{c.StripeKey == "" && c.StripeAPIBase != "", "STRIPE_API_BASE has no effect without STRIPE_SECRET_KEY: the local Stripe is used."},
	}
	var sentences []string
	for _, candidate := range candidates {
		if candidate.holds {
			sentences = append(sentences, candidate.sentence)
		}
	}
	return sentences
}
