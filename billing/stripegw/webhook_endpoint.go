package stripegw

import (
	"context"
	"slices"

	"github.com/stripe/stripe-go/v79"
)

// EnsureWebhookEndpoint makes Stripe send the events to the URL, at the API version of this package where the endpoint is new. The
// signing secret is known only then: Stripe tells it once, so for an endpoint found it is empty. One found that is disabled or lacks an
// event is mended and keeps its secret.
func (g *Gateway) EnsureWebhookEndpoint(ctx context.Context, url string, events []string) (id, secret string, created bool, err error) {
	found, err := g.findWebhookEndpoint(ctx, url)
	if err != nil {
		return "", "", false, err
	}
	if found != nil {
		return found.ID, "", false, g.repairWebhookEndpoint(ctx, found, events)
	}
	made, x, err := call(ctx, "create webhook endpoint", func(ctx context.Context) (*stripe.WebhookEndpoint, error) {
		params := &stripe.WebhookEndpointParams{
			URL:           stripe.String(url),
			EnabledEvents: stripe.StringSlice(events),
			APIVersion:    stripe.String(stripe.APIVersion),
		}
		params.Context = ctx
		return g.webhookEndpoints.New(params)
	})
	if err != nil {
		return "", "", false, err
	}
	if made.ID == "" || made.Secret == "" {
		return "", "", false, invalidResponse(x, "the answer is no webhook endpoint with a secret")
	}
	return made.ID, made.Secret, true, nil
}

// WebhookEndpoint is what Stripe knows of an address it sends events to.
type WebhookEndpoint struct {
	ID       string
	Disabled bool
	MissingEvents    []string // of the events asked for
}

// WebhookEndpoint reads the endpoint of a URL, and which of the events it is not sent. known is false where there is none.
func (g *Gateway) WebhookEndpoint(ctx context.Context, url string, events []string) (e WebhookEndpoint, known bool, err error) {
	found, err := g.findWebhookEndpoint(ctx, url)
	if err != nil || found == nil {
		return WebhookEndpoint{}, false, err
	}
	return WebhookEndpoint{ID: found.ID, Disabled: found.Status == "disabled", MissingEvents: missingEvents(found, events)}, true, nil
}

func missingEvents(endpoint *stripe.WebhookEndpoint, events []string) (lacks []string) {
	if slices.Contains(endpoint.EnabledEvents, "*") {
		return nil
	}
	for _, event := range events {
		if !slices.Contains(endpoint.EnabledEvents, event) {
			lacks = append(lacks, event)
		}
	}
	return lacks
}

func (g *Gateway) findWebhookEndpoint(ctx context.Context, url string) (*stripe.WebhookEndpoint, error) {
	found, _, err := call(ctx, "list webhook endpoints", func(ctx context.Context) (*stripe.WebhookEndpoint, error) {
		params := &stripe.WebhookEndpointListParams{}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		list := g.webhookEndpoints.List(params)
		for list.Next() {
			if endpoint := list.WebhookEndpoint(); endpoint.URL == url {
				return endpoint, nil
			}
		}
		return nil, list.Err()
	})
	return found, err
}

func (g *Gateway) repairWebhookEndpoint(ctx context.Context, found *stripe.WebhookEndpoint, events []string) error {
	lacks := missingEvents(found, events)
	if found.Status != "disabled" && len(lacks) == 0 {
		return nil
	}
	_, _, err := call(ctx, "update webhook endpoint", func(ctx context.Context) (*stripe.WebhookEndpoint, error) {
		params := &stripe.WebhookEndpointParams{Disabled: stripe.Bool(false)}
		if len(lacks) > 0 {
			params.EnabledEvents = stripe.StringSlice(append(slices.Clone(found.EnabledEvents), lacks...))
		}
		params.Context = ctx
		return g.webhookEndpoints.Update(found.ID, params)
	})
	return err
}
