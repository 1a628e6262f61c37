package billing

import (
	"context"
	"time"
)

// MailQueries are about the outbox.
type MailQueries interface {
	// InsertMail writes a mail once; false where the recipient, without case, has one of this key already.
	InsertMail(ctx context.Context, m QueuedMail) (bool, error)
	// ClaimDueMail picks the longest due queued mail, pushes its NextAttemptAt to leaseUntil, counts the attempt and returns it;
	// ErrNotFound where none is due. Two callers never get the same one.
	ClaimDueMail(ctx context.Context, now, leaseUntil time.Time) (QueuedMail, error)
	// FinishMail writes what became of the attempt that m.Attempts counts: status, subject, error, next attempt, and for a sent one
	// that its data is gone. It changes nothing where the mail is finished, or a later attempt is on its way; that a mail was sent is
	// written all the same.
	FinishMail(ctx context.Context, m QueuedMail) error
	UnsentMail(ctx context.Context, limit int) ([]QueuedMail, error) // newest first
}

// RecoveryQueries are about links that are mailed to people.
type RecoveryQueries interface {
	// PutRecoveryRequest writes that somebody asked for a new password; once while it waits, without case.
	PutRecoveryRequest(ctx context.Context, email string, now time.Time) error
	// TakeRecoveryRequest removes the oldest request and returns its address, lower-case; ErrNotFound where none waits. It waits for
	// whoever is taking that one.
	TakeRecoveryRequest(ctx context.Context) (string, error)
	InsertAccountToken(ctx context.Context, t AccountToken) error
	// AccountToken reads a token that can still be used; ErrNotFound for all others.
	AccountToken(ctx context.Context, hash []byte, purpose TokenPurpose, now time.Time) (AccountToken, error)
	// SpendAccountToken marks a token as used; false where it is already, or there is none.
	SpendAccountToken(ctx context.Context, hash []byte, now time.Time) (bool, error)
	// SpendAccountTokens marks all tokens of a user as used.
	SpendAccountTokens(ctx context.Context, userID string, purpose TokenPurpose, now time.Time) error
	// LastTokenAt tells when the user was last given a token that is not used; ErrNotFound where there is none.
	LastTokenAt(ctx context.Context, userID string, purpose TokenPurpose) (time.Time, error)
	SetPassword(ctx context.Context, userID, hash string) error
	// MarkEmailVerified keeps the first moment it is told.
	MarkEmailVerified(ctx context.Context, userID string, at time.Time) error
	// DeleteSessions ends every session of a user and returns how many there were.
	DeleteSessions(ctx context.Context, userID string) (int64, error)
}
