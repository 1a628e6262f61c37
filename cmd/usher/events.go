package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/apperr"
)

func runEvents(ctx context.Context, inv *invocation) error {
	var search billing.EventSearch
	inv.flags.Func("outcome", "pending, applied, stale, ignored or failed",
		func(word string) (err error) {
			search.Outcome, err = parseOutcome(word)
			return err
		})
	inv.flags.StringVar(&search.Type, "type", "", "an event type, or a prefix and *: invoice.*")
	inv.flags.StringVar(&search.OrganizationID, "org", "", "an organization (org_…)")
	inv.flags.StringVar(&search.ObjectID, "object", "", "id of an object, subscription or customer")
	inv.flags.IntVar(&search.Limit, "limit", 50, "maximum number of events")
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	isList := len(args) == 1 && args[0] == "list" && search.Limit > 0
	if !isList && (len(args) != 2 || args[0] != "show" && args[0] != "replay") {
		return usageError("takes list, show ID or replay ID")
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		switch args[0] {
		case "show":
			return showEvent(ctx, inv, service, args[1])
		case "replay":
			return replayEvent(ctx, inv, service, args[1])
		}
		return listEvents(ctx, inv, service, search)
	})
}

func parseOutcome(word string) (billing.Outcome, error) {
	known := []billing.Outcome{
		billing.OutcomePending, billing.OutcomeApplied, billing.OutcomeStale, billing.OutcomeIgnored,
		billing.OutcomeFailed,
	}
	if outcome := billing.Outcome(word); slices.Contains(known, outcome) {
		return outcome, nil
	}
	return "", errors.New("use pending, applied, stale, ignored or failed")
}

// eventView is an event in the output of --json.
type eventView struct {
	ID             string          `json:"id"`
	Type           string          `json:"type"`
	Outcome        billing.Outcome `json:"outcome"`
	OrganizationID string          `json:"organizationId,omitempty"`
	ObjectID       string          `json:"objectId,omitempty"`
	Created        time.Time       `json:"created"`
	ReceivedAt     time.Time       `json:"receivedAt"`
	Attempts       int             `json:"attempts"`
	NextAttemptAt  *time.Time      `json:"nextAttemptAt,omitempty"`
	Error          string          `json:"error,omitempty"`
	Payload        json.RawMessage `json:"payload,omitempty"` // show only
}

func newEventView(e billing.StoredEvent) eventView {
	return eventView{
		ID: e.ID, Type: e.Type, Outcome: e.Outcome, OrganizationID: e.OrganizationID,
		ObjectID: e.ObjectID, Created: e.Created, ReceivedAt: e.ReceivedAt, Attempts: e.Attempts,
		NextAttemptAt: e.NextAttemptAt, Error: e.Error,
	}
}

func (e eventView) line() string {
	return fmt.Sprintf("%s  %-8s %-42s %-28s %s %s\n",
		e.ReceivedAt.Format(time.RFC3339), e.Outcome, e.Type, e.ID, e.OrganizationID, e.Error)
}

func listEvents(
	ctx context.Context, inv *invocation, service *billing.Service, search billing.EventSearch,
) error {
	found, err := service.Inbox.Search(ctx, search)
	if err != nil {
		return err
	}
	events := make([]eventView, 0, len(found))
	var text strings.Builder
	for _, e := range found {
		event := newEventView(e)
		events = append(events, event)
		text.WriteString(event.line())
	}
	fmt.Fprintf(&text, "%d events\n", len(events))
	return inv.print(events, text.String())
}

func showEvent(ctx context.Context, inv *invocation, service *billing.Service, id string) error {
	stored, err := service.Inbox.Get(ctx, id)
	if err != nil {
		return explainEventError(err, id)
	}
	event := newEventView(stored)
	event.Payload = stored.Payload
	text := fmt.Sprintf("%sattempts %d\n\n%s\n", event.line(), event.Attempts, event.Payload)
	return inv.print(event, text)
}

func replayEvent(ctx context.Context, inv *invocation, service *billing.Service, id string) error {
	if err := service.Inbox.Replay(ctx, id); err != nil {
		return explainEventError(err, id)
	}
	_, err := fmt.Fprintf(inv.stdout, "%s is pending; a running `usher` processes it shortly.\n", id)
	return err
}

func explainEventError(err error, id string) error {
	if errors.Is(err, apperr.ErrNotFound) {
		return fmt.Errorf("no event %s in the inbox; `usher events list` lists the stored events", id)
	}
	return err
}
