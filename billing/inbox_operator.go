package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/job"
)

// eventRetention is how long settled events stay in the inbox; pending and failed ones stay until they are settled.
const eventRetention = 90 * 24 * time.Hour

// eventPruneBatch bounds how many rows one statement removes, so that none holds locks for long.
const eventPruneBatch = 2000

// EventSearch narrows the inbox. What is empty does not narrow it.
type EventSearch struct {
	Outcome        Outcome
	Type           string // as it is, or a beginning and *: invoice.*
	OrganizationID string
	ObjectID       string // of the object, its subscription or its customer
	Before         string // the id of the last event of the page before; those received before it follow
	Limit          int
}

// SearchEvents lists what came in, for operators.
func (in *Inbox) Search(ctx context.Context, search EventSearch) ([]StoredEvent, error) {
	events, err := in.store.Events().Search(ctx, search)
	if err != nil {
		return nil, fmt.Errorf("search events: %w", err)
	}
	return events, nil
}

// StoredEvent reads one event of the inbox. Error: [ErrNotFound].
func (in *Inbox) Get(ctx context.Context, id string) (StoredEvent, error) {
	return in.store.Events().Get(ctx, id)
}

// ReplayEvent has an event settled once more, whatever became of it before; what it tells of counts once all the same. Error:
// [ErrNotFound].
func (in *Inbox) Replay(ctx context.Context, id string) error {
	now := in.Now()
	err := in.store.InTx(ctx, func(tx Tx) error {
		if err := tx.Events().Requeue(ctx, id, now); err != nil {
			return err
		}
		return in.Enqueue(ctx, tx.Jobs(), job.KindEvent, id, fmt.Sprintf("replay:%d", now.UnixMicro()), now)
	})
	if err != nil {
		return fmt.Errorf("replay event: %w", err)
	}
	return nil
}

// pruneEvents removes what is settled and older than eventsKept, in small bites.
func (in *Inbox) prune(ctx context.Context) error {
	for ctx.Err() == nil {
		removed, err := in.store.Events().Prune(ctx, in.Now().Add(-eventRetention), eventPruneBatch)
		if err != nil || removed < eventPruneBatch {
			return err
		}
	}
	return nil
}
