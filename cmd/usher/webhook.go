package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"usher/billing"
	"usher/billing/stripegw"
)

func webhookCommand() command {
	return command{
		name: "webhook", summary: "have Stripe send its events to this installation", usage: "setup [--json]",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			asJSON := set.Bool("json", false, "print JSON")
			return func(ctx context.Context, p program, args []string) error {
				if len(args) != 1 || args[0] != "setup" {
					return usageError{"takes one word, setup"}
				}
				return setUpWebhook(ctx, p, *asJSON)
			}
		},
	}
}

// webhookSetup is what `usher webhook setup --json` prints.
type webhookSetup struct {
	ID      string `json:"id"`
	URL     string `json:"url"`
	Created bool   `json:"created"`
	Secret  string `json:"secret,omitempty"` // Stripe tells it once, when the endpoint is created
}

func setUpWebhook(ctx context.Context, p program, asJSON bool) error {
	config, _, err := loadStripeConfig(p)
	if err != nil {
		return err
	}
	if err := config.require("this subcommand needs it", "BASE_URL"); err != nil {
		return err
	}
	gateway := stripegw.New(stripegw.Options{SecretKey: config.StripeKey, APIBase: config.StripeAPIBase, Log: newLogger(p.stderr, config)})
	setup := webhookSetup{URL: config.BaseURL.String() + "/stripe/webhook"}
	setup.ID, setup.Secret, setup.Created, err = gateway.EnsureWebhookEndpoint(ctx, setup.URL, billing.EventTypes())
	if err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(setup)
	}
	return printWebhook(p, setup)
}

func printWebhook(p program, setup webhookSetup) error {
	if !setup.Created {
		_, err := fmt.Fprintf(p.stdout, "Stripe sends to %s already (%s). Its secret is in Stripe's dashboard.\n", setup.URL, setup.ID)
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "Stripe now sends to %s (%s). Set:\n\nSTRIPE_WEBHOOK_SECRET=%s\n", setup.URL, setup.ID, setup.Secret)
	return err
}
