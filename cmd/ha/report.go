package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"usher/db"
)

// report prints what was noticed in each phase.
func (l *load) report(out io.Writer) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tpages\t\t\tcredits\t\t\twebhooks\t\t")
	fmt.Fprint(w, "phase")
	for range kinds {
		fmt.Fprint(w, "\tsent\tfailed\tlongest gap")
	}
	fmt.Fprintln(w)
	for _, p := range l.phases[1:] { // the first has no name
		fmt.Fprint(w, p.name)
		for _, c := range p.kinds {
			fmt.Fprintf(w, "\t%d\t%d\t%.1f s", c.requests, c.failures, c.longestGap.Seconds())
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}

// verify checks that nothing is missing that was acknowledged: events, credits, and the state of
// the subscriptions.
func (l *load) verify(ctx context.Context) error {
	sent, err := l.awaitWebhooks(ctx)
	if err != nil {
		return err
	}
	stored, err := l.storedEvents(ctx)
	if err != nil {
		return err
	}
	acknowledged := l.webhooks.ids()
	missing := 0
	for _, id := range acknowledged {
		if !stored[id] {
			missing++
		}
	}
	balance, err := l.admins[0].balance(ctx, l.site)
	if err != nil {
		return err
	}
	drifts, err := l.drifts(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("\nEvents: %d at Stripe, %d acknowledged, %d of them not stored.\n", sent, len(acknowledged), missing)
	fmt.Printf("Credits: %d taken, %d left of %d.\n", l.consumed, balance, grantedCredits)
	fmt.Printf("Differences from Stripe: %d.\n", len(drifts))
	if missing > 0 || l.consumed+balance != grantedCredits || len(drifts) > 0 {
		return fmt.Errorf("something is missing: %v", drifts)
	}
	return nil
}

// awaitWebhooks waits until every event of Stripe was acknowledged, and returns their number.
func (l *load) awaitWebhooks(ctx context.Context) (int, error) {
	for deadline := time.Now().Add(3 * time.Minute); ; {
		sent, err := l.eventsAtStripe(ctx)
		if err != nil {
			return 0, err
		}
		acknowledged := l.webhooks.ids()
		waiting := slices.DeleteFunc(slices.Clone(sent), func(id string) bool { return slices.Contains(acknowledged, id) })
		if len(waiting) == 0 {
			return len(sent), nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%d events were not acknowledged: %.5q", len(waiting), waiting)
		}
		if !wait(ctx, time.Second) {
			return 0, ctx.Err()
		}
	}
}

// storedEvents returns the ids of the events in the database.
func (l *load) storedEvents(ctx context.Context) (map[string]bool, error) {
	store, err := db.Open(ctx, dsn(l.primary))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	var ids []string
	if err := store.DB().SelectContext(ctx, &ids, `select id from stripe_events`); err != nil {
		return nil, err
	}
	stored := map[string]bool{}
	for _, id := range ids {
		stored[id] = true
	}
	return stored, nil
}

// drifts returns the differences that a comparison with Stripe finds.
func (l *load) drifts(ctx context.Context) ([]json.RawMessage, error) {
	out, err := l.runUsher(ctx, "reconcile", "--dry-run", "--json")
	if err != nil {
		return nil, err
	}
	var report struct {
		Partial bool
		Drifts  []json.RawMessage
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, err
	}
	if report.Partial {
		return nil, errors.New("the comparison with Stripe was not finished")
	}
	return report.Drifts, nil
}
