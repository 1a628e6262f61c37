package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"usher/billing"
)

func eventsCommand() command {
	return command{
		name: "events", summary: "look into the inbox of Stripe's events, or have one settled again",
		usage: "list [--outcome O] [--type T] [--org ID] [--object ID] [--limit N] [--json] | show ID [--json] | replay ID",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			var search billing.EventSearch
			set.Func("outcome", "pending, applied, stale, ignored or failed", func(word string) error {
				search.Outcome = billing.Outcome(word)
				return knownOutcome(search.Outcome)
			})
			set.StringVar(&search.Type, "type", "", "a type, or the beginning of one and *: invoice.*")
			set.StringVar(&search.OrganizationID, "org", "", "an organization (org_…)")
			set.StringVar(&search.ObjectID, "object", "", "an object, subscription or customer of Stripe")
			set.IntVar(&search.Limit, "limit", 50, "how many at most")
			asJSON := set.Bool("json", false, "print JSON")
			return func(ctx context.Context, p program, args []string) error {
				return events(ctx, p, args, search, *asJSON)
			}
		},
	}
}

func knownOutcome(o billing.Outcome) error {
	switch o {
	case billing.OutcomePending, billing.OutcomeApplied, billing.OutcomeStale, billing.OutcomeIgnored, billing.OutcomeFailed:
		return nil
	}
	return errors.New("takes pending, applied, stale, ignored or failed")
}

func events(ctx context.Context, p program, args []string, search billing.EventSearch, asJSON bool) (err error) {
	switch {
	case len(args) == 1 && args[0] == "list" && search.Limit > 0:
	case len(args) == 2 && (args[0] == "show" || args[0] == "replay"):
	default:
		return usageError{"takes list, show ID or replay ID"}
	}
	started := &parts{}
	defer func() { err = errors.Join(err, started.stop()) }()
	service, err := openTools(ctx, p, started)
	if err != nil {
		return err
	}
	switch args[0] {
	case "show":
		return showEvent(ctx, p, service, args[1], asJSON)
	case "replay":
		return replayEvent(ctx, p, service, args[1])
	}
	return listEvents(ctx, p, service, search, asJSON)
}

// eventView is an event as --json prints it.
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
	Payload        json.RawMessage `json:"payload,omitempty"` // of show alone
}

func viewEvent(e billing.StoredEvent) eventView {
	return eventView{
		ID: e.ID, Type: e.Type, Outcome: e.Outcome, OrganizationID: e.OrganizationID, ObjectID: e.ObjectID, Created: e.Created,
		ReceivedAt: e.ReceivedAt, Attempts: e.Attempts, NextAttemptAt: e.NextAttemptAt, Error: e.Error,
	}
}

func listEvents(ctx context.Context, p program, service *billing.Service, search billing.EventSearch, asJSON bool) error {
	found, err := service.SearchEvents(ctx, search)
	if err != nil {
		return err
	}
	rows := make([]eventView, 0, len(found))
	for _, e := range found {
		rows = append(rows, viewEvent(e))
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(rows)
	}
	for _, row := range rows {
		printEvent(p, row)
	}
	_, err = fmt.Fprintf(p.stdout, "%d events\n", len(rows))
	return err
}

func printEvent(p program, e eventView) {
	fmt.Fprintf(p.stdout, "%s  %-8s %-42s %-28s %s %s\n", e.ReceivedAt.Format(time.RFC3339), e.Outcome, e.Type, e.ID, e.OrganizationID, e.Error)
}

func showEvent(ctx context.Context, p program, service *billing.Service, id string, asJSON bool) error {
	stored, err := service.StoredEvent(ctx, id)
	if errors.Is(err, billing.ErrNotFound) {
		return fmt.Errorf("there is no event %s in the inbox; `usher events list` shows what there is", id)
	}
	if err != nil {
		return err
	}
	view := viewEvent(stored)
	view.Payload = stored.Payload
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(view)
	}
	printEvent(p, view)
	_, err = fmt.Fprintf(p.stdout, "attempts %d\n\n%s\n", view.Attempts, view.Payload)
	return err
}

func replayEvent(ctx context.Context, p program, service *billing.Service, id string) error {
	err := service.ReplayEvent(ctx, id)
	if errors.Is(err, billing.ErrNotFound) {
		return fmt.Errorf("there is no event %s in the inbox; `usher events list` shows what there is", id)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s is pending again; a running `usher` settles it in a moment.\n", id)
	return err
}
