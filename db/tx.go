package db

import (
	"context"
	"database/sql"

	"usher/billing"
)

// txAttempts is how often a transaction that collided with others is run in all.
const txAttempts = 5

// InTx runs f in one transaction, read committed, and commits it if f returns nil; f's error is returned as it is. After a
// serialization failure or a deadlock f runs again, a few times. A panic in f and the end of ctx roll back. The Queries given to f
// must not be used after it.
func (s *Store) InTx(ctx context.Context, f func(billing.Tx) error) error {
	return s.InTxRecording(ctx, nil, f)
}

// InTxRecording is [Store.InTx] whose Queries record what they write in changes.
func (s *Store) InTxRecording(ctx context.Context, changes *billing.ChangeLog, f func(billing.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := s.runTx(ctx, changes, f)
		if err == nil || attempt == txAttempts || !isCollision(err) {
			return err
		}
		if s.pause(ctx, attempt) != nil {
			return err
		}
	}
}

func (s *Store) runTx(ctx context.Context, changes *billing.ChangeLog, f func(billing.Tx) error) error {
	tx, err := s.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return wrap(ctx, "begin transaction", err)
	}
	// Also where f panics. After the commit it does nothing, and where the connection broke the server has rolled back.
	defer func() { _ = tx.Rollback() }()
	if err := f(queries{ext: tx, alarms: s.alarms, changes: changes}); err != nil {
		return err
	}
	return wrap(ctx, "commit transaction", tx.Commit())
}
