package db

import (
	"context"
	"database/sql"

	"usher/billing"
)

// txAttempts is the maximum number of runs of a transaction that collides with others.
const txAttempts = 5

// InTx runs f in one read committed transaction and commits it if f returns nil; f's error is
// returned unchanged. After a serialization failure or a deadlock f runs again, up to [txAttempts]
// times in all. A panic in f and the end of ctx roll back. f's Tx must not be used after f returns.
func (s *Store) InTx(ctx context.Context, f func(billing.Tx) error) error {
	return s.InTxRecording(ctx, nil, f)
}

// InTxRecording is [Store.InTx] with a Tx that records its writes in changes. A run that is rolled
// back leaves no line there.
func (s *Store) InTxRecording(ctx context.Context, changes *billing.ChangeLog, f func(billing.Tx) error) error {
	recorded := changes.Len()
	for attempt := 1; ; attempt++ {
		err := s.runTx(ctx, changes, f)
		if err == nil {
			return nil
		}
		changes.Truncate(recorded)
		if attempt == txAttempts || !isCollision(err) {
			return err
		}
		if s.pause(ctx, attempt) != nil {
			return err
		}
	}
}

func (s *Store) runTx(ctx context.Context, changes *billing.ChangeLog, f func(billing.Tx) error) (err error) {
	ctx, end := startSpan(ctx, "transaction")
	defer func() { end(err) }()
	tx, err := s.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return wrap(ctx, "begin transaction", err)
	}
	// Also after a panic in f. After a commit it does nothing; after a broken connection the server
	// has rolled back.
	defer func() { _ = tx.Rollback() }()
	q := queries{ext: tx, jobs: s.jobs, changes: changes, webhooks: &webhookRecorder{recorded: map[[4]string]bool{}}}
	if err := f(q); err != nil {
		return err
	}
	if err := q.flushChanges(ctx); err != nil {
		return err
	}
	return wrap(ctx, "commit transaction", tx.Commit())
}
