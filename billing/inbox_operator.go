package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/job"
)

// eventRetention is how long processed events stay in the inbox. Pending and failed events are not
// pruned.
const eventRetention = 90 * 24 * time.Hour

// eventPruneBatch is the maximum number of rows that one statement removes, to keep its locks
// short.
const eventPruneBatch = 2000

// EventSearch filters the inbox. Empty fields do not filter.
type EventSearch struct {
	Outcome        Outcome
	Type           string // exact, or a prefix followed by *: invoice.*
	OrganizationID string
	ObjectID       string // of the object, its subscription or its customer
	Before         string // the id of the last event of the previous page
	Limit          int
}

// Search lists received events, for operators.
func (in *Inbox) Search(ctx context.Context, search EventSearch) ([]StoredEvent, error) {
	events, err := in.store.Events().Search(ctx, search)
	if err != nil {
		return nil, fmt.Errorf("search events: %w", err)
	}
	return events, nil
}

// Get reads one event of the inbox. Error: [apperr.ErrNotFound].
func (in *Inbox) Get(ctx context.Context, id string) (StoredEvent, error) {
	return in.store.Events().Get(ctx, id)
}

// Replay makes an event pending again, whatever its outcome was. Facts of the event still count
// once. Error: [apperr.ErrNotFound].
func (in *Inbox) Replay(ctx context.Context, id string) error {
	now := in.Now()
	err := in.store.InTx(ctx, func(tx Tx) error {
		event, err := tx.Events().Get(ctx, id)
		if err != nil {
			return err
		}
		if err := tx.Events().Requeue(ctx, id, now); err != nil {
			return err
		}
		replayed := account.AuditEntry{Act: account.ActEventReplayed, OrganizationID: event.OrganizationID}.To(id, event.Type)
		if err := in.audit(ctx, tx, replayed); err != nil {
			return err
		}
		return in.Enqueue(ctx, tx.Jobs(), job.KindEvent, id, fmt.Sprintf("replay:%d", now.UnixMicro()), now)
	})
	if err != nil {
		return fmt.Errorf("replay event: %w", err)
	}
	return nil
}

// prune removes processed events older than eventRetention, in batches.
func (in *Inbox) prune(ctx context.Context) error {
	for ctx.Err() == nil {
		removed, err := in.store.Events().Prune(ctx, in.Now().Add(-eventRetention), eventPruneBatch)
		if err != nil || removed < eventPruneBatch {
			return err
		}
	}
	return nil
}
