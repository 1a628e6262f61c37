package stripegw

import (
	"context"
	"slices"

	"github.com/stripe/stripe-go/v79"
)

// EnsureWebhookEndpoint creates the webhook endpoint of a URL with this package's API version, or
// enables an existing one and adds missing events. secret is empty for an existing endpoint: Stripe
// returns it only at creation.
func (c *endpointCalls) EnsureWebhookEndpoint(ctx context.Context, url string, events []string) (id, secret string, created bool, err error) {
	found, err := c.findWebhookEndpoint(ctx, url)
	if err != nil {
		return "", "", false, err
	}
	if found != nil {
		return found.ID, "", false, c.repairWebhookEndpoint(ctx, found, events)
	}
	made, info, err := call(ctx, "create webhook endpoint", func(ctx context.Context) (*stripe.WebhookEndpoint, error) {
		params := &stripe.WebhookEndpointParams{
			URL:           stripe.String(url),
			EnabledEvents: stripe.StringSlice(events),
			APIVersion:    stripe.String(stripe.APIVersion),
		}
		params.Context = ctx
		return c.webhookEndpoints.New(params)
	})
	if err != nil {
		return "", "", false, err
	}
	if made.ID == "" || made.Secret == "" {
		return "", "", false, invalidResponse(info, "the response is no webhook endpoint with a secret")
	}
	return made.ID, made.Secret, true, nil
}

// WebhookEndpoint is the state of a webhook endpoint at Stripe.
type WebhookEndpoint struct {
	ID            string
	Disabled      bool
	MissingEvents []string // required events that are not enabled
}

// WebhookEndpoint reads the endpoint of a URL and compares its events. known is false if there is
// none.
func (c *endpointCalls) WebhookEndpoint(ctx context.Context, url string, events []string) (e WebhookEndpoint, known bool, err error) {
	found, err := c.findWebhookEndpoint(ctx, url)
	if err != nil || found == nil {
		return WebhookEndpoint{}, false, err
	}
	return WebhookEndpoint{ID: found.ID, Disabled: found.Status == "disabled", MissingEvents: missingEvents(found, events)}, true, nil
}

func missingEvents(endpoint *stripe.WebhookEndpoint, events []string) (missing []string) {
	if slices.Contains(endpoint.EnabledEvents, "*") {
		return nil
	}
	for _, event := range events {
		if !slices.Contains(endpoint.EnabledEvents, event) {
			missing = append(missing, event)
		}
	}
	return missing
}

func (c *endpointCalls) findWebhookEndpoint(ctx context.Context, url string) (*stripe.WebhookEndpoint, error) {
	found, _, err := call(ctx, "list webhook endpoints", func(ctx context.Context) (*stripe.WebhookEndpoint, error) {
		params := &stripe.WebhookEndpointListParams{}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		list := c.webhookEndpoints.List(params)
		for list.Next() {
			if endpoint := list.WebhookEndpoint(); endpoint.URL == url {
				return endpoint, nil
			}
		}
		return nil, list.Err()
	})
	return found, err
}

func (c *endpointCalls) repairWebhookEndpoint(ctx context.Context, found *stripe.WebhookEndpoint, events []string) error {
	missing := missingEvents(found, events)
	if found.Status != "disabled" && len(missing) == 0 {
		return nil
	}
	_, _, err := call(ctx, "update webhook endpoint", func(ctx context.Context) (*stripe.WebhookEndpoint, error) {
		params := &stripe.WebhookEndpointParams{Disabled: stripe.Bool(false)}
		if len(missing) > 0 {
			params.EnabledEvents = stripe.StringSlice(append(slices.Clone(found.EnabledEvents), missing...))
		}
		params.Context = ctx
		return c.webhookEndpoints.Update(found.ID, params)
	})
	return err
}
