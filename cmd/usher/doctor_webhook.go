package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing"
)

// checkWebhook checks that a webhook endpoint at Stripe sends the handled events to this
// installation. The local Stripe needs no endpoint.
func (d *doctor) checkWebhook(ctx context.Context) {
	if d.local {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	url := webhookURL(d.config)
	endpoint, exists, err := d.gateway.WebhookEndpoint(ctx, url, billing.EventTypes())
	const remediation = "Run `usher webhook setup`"
	switch {
	case err != nil:
		d.fail("webhook", err.Error(), "Check that the key may read webhook endpoints")
	case !exists:
		d.fail("webhook", "no endpoint at Stripe for "+url,
			remediation+", unless another process forwards events to this installation")
	case endpoint.Disabled:
		d.fail("webhook", endpoint.ID+" is disabled", remediation)
	case len(endpoint.MissingEvents) > 0:
		d.fail("webhook", endpoint.ID+" lacks "+strings.Join(endpoint.MissingEvents, ", "), remediation)
	default:
		d.ok("webhook", "%s sends every handled event to %s", endpoint.ID, url)
	}
}

// Which events have to have arrived.
const (
	deliveriesSince = 24 * time.Hour
	deliveryTime    = 5 * time.Minute // Stripe delivers within seconds, unless an attempt fails
)

// checkDeliveries checks that the last events at Stripe have arrived here. An endpoint can be right
// and a proxy in front of this installation refuse what it sends.
func (d *doctor) checkDeliveries(ctx context.Context) {
	if d.store == nil {
		return // checkDatabase has named it
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	now := time.Now()
	page, err := d.gateway.Events(ctx, nil, now.Add(-deliveriesSince), "")
	if err != nil {
		d.fail("deliveries", err.Error(), "Check that the key may read events")
		return
	}
	sent := handledBefore(page.Items, now.Add(-deliveryTime))
	missing, err := d.notStored(ctx, sent)
	switch {
	case err != nil:
		d.fail("deliveries", err.Error(), "Check that the user of DATABASE_URL may read the tables")
	case len(missing) > 0:
		oldest := missing[len(missing)-1]
		d.fail("deliveries", fmt.Sprintf("%d of the last %d events have not arrived, the oldest is %s, %s, of %s; Stripe still tries to deliver %d of them",
			len(missing), len(sent), oldest.ID, oldest.Type, oldest.Created.Format(time.RFC3339), countPending(missing)),
			"See why at https://dashboard.stripe.com/webhooks. `usher reconcile` repairs what they changed; this check looks at the last 24 hours")
	default:
		d.ok("deliveries", "the last %d events have arrived", len(sent))
	}
}

// handledBefore returns the events of a handled type that were created before a time.
func handledBefore(events []billing.Event, before time.Time) []billing.Event {
	types := billing.EventTypes()
	return slices.DeleteFunc(slices.Clone(events), func(e billing.Event) bool {
		return !slices.Contains(types, e.Type) || e.Created.After(before)
	})
}

// notStored returns the events that are not in the inbox, in the order given.
func (d *doctor) notStored(ctx context.Context, events []billing.Event) ([]billing.Event, error) {
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	stored, err := d.store.Events().Stored(ctx, ids)
	return slices.DeleteFunc(slices.Clone(events), func(e billing.Event) bool { return slices.Contains(stored, e.ID) }), err
}

func countPending(events []billing.Event) int {
	n := 0
	for _, e := range events {
		if e.PendingWebhooks > 0 {
			n++
		}
	}
	return n
}
