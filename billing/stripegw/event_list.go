package stripegw

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Events reads a page of the events of some types, or (empty) of all, created at since or later,
// newest first (https://docs.stripe.com/api/events/list). Stripe returns them in the account's API
// version, not the requested one, so each is parsed like a webhook's body.
func (g *Gateway) Events(ctx context.Context, types []string, since time.Time, after string) (billing.Page[billing.Event], error) {
	list, info, err := call(ctx, "list events", func(ctx context.Context) (*stripe.EventList, error) {
		params := &stripe.EventListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}}
		if len(types) > 0 {
			params.Types = stripe.StringSlice(types)
		}
		setPage(&params.ListParams, ctx, after)
		list := g.events.List(params)
		return list.EventList(), list.Err()
	})
	if err != nil {
		return billing.Page[billing.Event]{}, err
	}
	var raw rawPage
	if list == nil || list.LastResponse == nil || json.Unmarshal(list.LastResponse.RawJSON, &raw) != nil {
		return billing.Page[billing.Event]{}, invalidResponse(info, "the response is no list of events")
	}
	var page billing.Page[billing.Event]
	for _, data := range raw.Data {
		event, err := g.ParseEvent(data)
		if err != nil {
			return page, fmt.Errorf("list events: %w", err)
		}
		page.Items = append(page.Items, event)
	}
	if raw.HasMore && len(page.Items) > 0 {
		page.Next = page.Items[len(page.Items)-1].ID
	}
	return page, nil
}

type rawPage struct {
	HasMore bool              `json:"has_more"`
	Data    []json.RawMessage `json:"data"`
}
