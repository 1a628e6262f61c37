package main

import (
	"context"
	"fmt"

	"usher/billing"
)

// webhookResult is the output of `usher webhook setup --json`.
type webhookResult struct {
	ID      string `json:"id"`
	URL     string `json:"url"`
	Created bool   `json:"created"`
	Secret  string `json:"secret,omitempty"` // Stripe returns it only when it creates the endpoint
}

func runWebhook(ctx context.Context, inv *invocation) error {
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	if len(args) != 1 || args[0] != "setup" {
		return usageError("takes one argument, setup")
	}
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	if err := config.require("this subcommand needs it", "STRIPE_SECRET_KEY", "BASE_URL"); err != nil {
		return err
	}
	gateway := newGateway(config, nil, newLogger(inv.stderr, config), nil)
	result := webhookResult{URL: webhookURL(config)}
	result.ID, result.Secret, result.Created, err =
		gateway.EnsureWebhookEndpoint(ctx, result.URL, billing.EventTypes())
	if err != nil {
		return fmt.Errorf("set up the webhook endpoint: %w", err)
	}
	return inv.print(result, result.text())
}

// webhookURL returns the URL to which Stripe sends events.
func webhookURL(c Config) string { return c.BaseURL.String() + "/stripe/webhook" }

func (r webhookResult) text() string {
	if r.Created {
		return fmt.Sprintf("Created endpoint %s for %s. Set:\n\nSTRIPE_WEBHOOK_SECRET=%s\n",
			r.ID, r.URL, r.Secret)
	}
	return fmt.Sprintf("Endpoint %s for %s exists. Its secret is in Stripe's dashboard.\n", r.ID, r.URL)
}
