package account

import (
	"context"
	"time"
)

// SecondFactor is the authenticator app of a user.
type SecondFactor struct {
	UserID      string    `db:"user_id"`
	Seed        []byte    `db:"seed"` // sealed for [seedPurpose] and the user
	ConfirmedAt time.Time `db:"confirmed_at"`
	LastStep    int64     `db:"last_step"` // the time step of the last accepted code, see [totpPeriod]
}

// SecondFactorStore stores authenticator apps and recovery codes.
type SecondFactorStore interface {
	// Insert stores the factor and [User.SecondFactorAt]. CodeConflict if the user has an app.
	Insert(ctx context.Context, f SecondFactor) error
	Get(ctx context.Context, userID string) (SecondFactor, error)
	// Lock is Get that makes concurrent callers wait, so that a code is accepted once.
	Lock(ctx context.Context, userID string) (SecondFactor, error)
	// Update writes seed and last step.
	Update(ctx context.Context, f SecondFactor) error
	// Delete removes the factor, and the recovery codes unless there are passkeys; false if there
	// is none.
	Delete(ctx context.Context, userID string) (bool, error)
	// ReplaceCodes replaces all recovery codes by those with these SHA-256 hashes.
	ReplaceCodes(ctx context.Context, userID string, hashes [][]byte) error
	// UseCode marks a recovery code as used; false if it is already, or does not exist.
	UseCode(ctx context.Context, userID string, hash []byte, now time.Time) (bool, error)
	// CountCodes counts the recovery codes that are not used.
	CountCodes(ctx context.Context, userID string) (int, error)
	// CountOutdated counts the factors whose seed does not begin with prefix.
	CountOutdated(ctx context.Context, prefix []byte) (int, error)
	// Outdated lists them by user, from the first one after a user id.
	Outdated(ctx context.Context, prefix []byte, after string, limit int) ([]SecondFactor, error)
}
