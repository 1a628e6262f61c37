package stripegw

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Events reads the events created at since or later, newest first, page by page
// (https://docs.stripe.com/api/events/list). Stripe returns them in the account's API version, not
// the requested one, so each is parsed like a webhook's body.
func (g *Gateway) Events(ctx context.Context, since time.Time, f func(billing.Event) error) error {
	after := ""
	for {
		page, err := g.eventPage(ctx, since, after)
		if err != nil {
			return err
		}
		for _, raw := range page.Data {
			event, err := g.ParseEvent(raw)
			if err != nil {
				return fmt.Errorf("list events: %w", err)
			}
			after = event.ID
			if err := f(event); err != nil {
				return err
			}
		}
		if !page.HasMore || len(page.Data) == 0 {
			return nil
		}
	}
}

type rawPage struct {
	HasMore bool              `json:"has_more"`
	Data    []json.RawMessage `json:"data"`
}

func (g *Gateway) eventPage(ctx context.Context, since time.Time, after string) (rawPage, error) {
	page, info, err := call(ctx, "list events", func(ctx context.Context) (*stripe.EventList, error) {
		params := &stripe.EventListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}}
		params.Context, params.Limit, params.Single = ctx, stripe.Int64(pageSize), true
		if after != "" {
			params.StartingAfter = stripe.String(after)
		}
		list := g.events.List(params)
		return list.EventList(), list.Err()
	})
	if err != nil {
		return rawPage{}, err
	}
	var raw rawPage
	if page == nil || page.LastResponse == nil || json.Unmarshal(page.LastResponse.RawJSON, &raw) != nil {
		return rawPage{}, invalidResponse(info, "the response is no list of events")
	}
	return raw, nil
}
