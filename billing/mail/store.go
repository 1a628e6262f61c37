package mail

import (
	"context"
	"time"

	"usher/billing/job"
)

// MailTx gives the stores that queueing an e-mail needs in one transaction.
type Tx interface {
	// Record adds a line to the log of what the transaction changed, where there is one.
	Record(format string, args ...any)
	Jobs() job.Store
	Mails() Store
}

// MailStore stores the outbox.
type Store interface {
	// Insert writes a mail once; false where the recipient, without case, has one of this key already.
	Insert(ctx context.Context, m QueuedMessage) (bool, error)
	// ClaimDue picks the longest due queued mail, pushes its NextAttemptAt to leaseUntil, counts the attempt and returns it;
	// ErrNotFound where none is due. Two callers never get the same one.
	ClaimDue(ctx context.Context, now, leaseUntil time.Time) (QueuedMessage, error)
	// Finish writes what became of the attempt that m.Attempts counts: status, subject, error, next attempt, and for a sent one
	// that its data is gone. It changes nothing where the mail is finished, or a later attempt is on its way; that a mail was sent is
	// written all the same.
	Finish(ctx context.Context, m QueuedMessage) error
	Unsent(ctx context.Context, limit int) ([]QueuedMessage, error) // newest first
}
