package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/apperr"
)

// reconciledEventTypes are the events whose loss no comparison of objects shows in time: notices,
// cards, names, and sessions made elsewhere. Those of subscriptions are among them so that a change
// is found within the hour. Other events add nothing to the objects that are compared anyway. One
// list call takes 20 types (https://docs.stripe.com/api/events/list#list_events-types).
var reconciledEventTypes = []string{
	"checkout.session.completed",
	"checkout.session.async_payment_succeeded",
	"checkout.session.async_payment_failed",
	"checkout.session.expired",
	"customer.created",
	"customer.updated",
	"customer.deleted",
	"customer.subscription.created",
	"customer.subscription.updated",
	"customer.subscription.deleted",
	"customer.subscription.trial_will_end",
	"customer.subscription.pending_update_expired",
	"invoice.paid",
	"invoice.payment_failed",
	"invoice.payment_action_required",
	"payment_method.attached",
	"payment_method.updated",
	"payment_method.automatically_updated",
	"payment_method.detached",
	"subscription_schedule.updated",
}

// deliveryTime is how long the webhook of an event may take before it counts as missed. The first
// delivery usually takes seconds, on a real clock: the local Stripe's can be advanced by a year.
const deliveryTime = 5 * time.Minute

// compareEvents receives events of our customers that Stripe has created and whose webhooks did not
// arrive. It reads one page, from the newest event to the oldest. If there are more pages than one
// comparison may read, the next one continues there.
func (c *reconcileRun) compareEvents(ctx context.Context, _ string) (string, error) {
	position := &c.state.Progress.Events
	if position.Began.IsZero() {
		*position = c.newEventPosition()
	}
	page, err := fetch(ctx, c, func() (Page[Event], error) {
		return c.gateway.Events(ctx, reconciledEventTypes, position.Since, position.After)
	})
	if apperr.IsMissing(err) && position.After != "" {
		page, err = Page[Event]{}, nil // Stripe has removed the event, and all older ones
	}
	if err != nil {
		return "", err
	}
	if err := c.compareEventPage(ctx, page.Items); err != nil {
		return "", err
	}
	if page.Next == "" {
		c.state.ReadUntil, *position = position.Began, EventPosition{}
		return "", nil
	}
	position.After = page.Next
	if c.state.Progress.Units+1 >= c.eventPageLimit() {
		return "", nil
	}
	return page.Next, nil
}

func (c *reconcileRun) newEventPosition() EventPosition {
	now := c.Now()
	oldest := now.Add(-reconcileWindow)
	position := EventPosition{Since: oldest, Began: now}
	if since := c.state.ReadUntil.Add(-reconcileOverlap); since.After(oldest) {
		position.Since = since
	}
	return position
}

// eventPageLimit is how many pages of events one comparison reads. Stripe lists the events of all
// applications of the account. A run of the background work leaves half of its calls for the rest.
func (c *reconcileRun) eventPageLimit() int {
	if c.resumable {
		return max(1, c.budget/2)
	}
	return max(20, c.ourCustomers)
}

func (c *reconcileRun) compareEventPage(ctx context.Context, events []Event) error {
	c.report.Events += len(events)
	missed, err := c.missedEvents(ctx, events)
	if err != nil || len(missed) == 0 {
		return err
	}
	links, err := c.linksOf(ctx, mapSlice(missed, func(e Event) string { return e.CustomerID }))
	if err != nil {
		return err
	}
	for _, e := range missed {
		link, ours := links[e.CustomerID]
		if !ours {
			if ours, err = c.mayLink(ctx, e.OrgID); err != nil {
				return err
			}
		}
		if !ours {
			continue // another application's, or an unknown organization's: see compareUnlinked
		}
		if c.Wall().Sub(e.Created) > deliveryTime {
			c.state.Progress.Missed++
		}
		drift := Drift{Kind: DriftEvent, ObjectID: e.ID, OrganizationID: link.OrganizationID, Difference: e.Type + " was not received"}
		if err := c.addDrift(ctx, drift, func(ctx context.Context) error { return c.inbox.storeEvent(ctx, e) }); err != nil {
			return err
		}
	}
	return nil
}

// missedEvents returns the events of this account and mode that are not in the inbox.
func (c *reconcileRun) missedEvents(ctx context.Context, events []Event) ([]Event, error) {
	stored, err := c.store.Events().Stored(ctx, mapSlice(events, func(e Event) string { return e.ID }))
	if err != nil {
		return nil, fmt.Errorf("look up events: %w", err)
	}
	known := map[string]bool{}
	for _, id := range stored {
		known[id] = true
	}
	var missed []Event
	for _, e := range events {
		if !known[e.ID] && c.inbox.ownAccount(e) {
			missed = append(missed, e)
		}
	}
	return missed, nil
}

// reprocessFailedEvents processes one dead letter again. Facts count once, and the objects are
// fetched, so it has the effect of an operator's replay.
func (c *reconcileRun) reprocessFailedEvents(ctx context.Context, after string) (string, error) {
	failed, err := c.store.Events().Failed(ctx, c.options.OrganizationID, after, 1)
	if err != nil || len(failed) == 0 {
		return "", err
	}
	e := failed[0]
	if !c.inbox.ownAccount(e.Event) {
		return e.ID, nil
	}
	drift := Drift{
		Kind: DriftEvent, ObjectID: e.ID, OrganizationID: e.OrganizationID, Difference: e.Type + " could not be processed",
		Remediation: "Read its error under /admin/events, fix the cause and replay it.",
	}
	return e.ID, c.addDrift(ctx, drift, func(ctx context.Context) error { return c.inbox.reprocess(ctx, e) })
}

func mapSlice[A, B any](items []A, f func(A) B) []B {
	mapped := make([]B, 0, len(items))
	for _, item := range items {
		mapped = append(mapped, f(item))
	}
	return mapped
}
