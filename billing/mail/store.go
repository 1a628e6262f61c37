package mail

import (
	"context"
	"time"

	"usher/billing/job"
)

// Tx gives access to the stores that queue e-mails in one transaction.
type Tx interface {
	// Record adds a line to the transaction's change log, if it has one.
	Record(format string, args ...any)
	Jobs() job.Store
	Mails() Store
}

// Store stores the outbox.
type Store interface {
	// Insert writes an e-mail once; false if the recipient, case-insensitive, has one with this
	// key.
	Insert(ctx context.Context, m QueuedMessage) (bool, error)
	// ClaimDue returns the e-mail that has been due longest, sets its NextAttemptAt to leaseUntil
	// and increments Attempts; ErrNotFound if none is due. Concurrent callers get different
	// e-mails.
	ClaimDue(ctx context.Context, now, leaseUntil time.Time) (QueuedMessage, error)
	// Finish stores the result of the attempt with the number m.Attempts: status, subject, error
	// and next attempt. It deletes the data of a sent e-mail. It changes nothing if the e-mail is
	// finished or a later attempt has started, except that a sent e-mail is always recorded as
	// sent.
	Finish(ctx context.Context, m QueuedMessage) error
	Unsent(ctx context.Context, limit int) ([]QueuedMessage, error) // newest first
	// Discard removes the e-mails of a kind and key that are queued or only listed, and returns
	// their number.
	Discard(ctx context.Context, kind Kind, key string) (int, error)
}
