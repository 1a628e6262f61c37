package account

import (
	"context"
	"time"
)

// Passkey is a WebAuthn credential of a user. Only its public key is stored.
type Passkey struct {
	ID           string `db:"id"` // pky_…
	UserID       string `db:"user_id"`
	CredentialID []byte `db:"credential_id"`
	PublicKey    []byte `db:"public_key"` // COSE
	// SignCount is the counter of the last accepted assertion; synced passkeys have none, and
	// report 0.
	SignCount  int64  `db:"sign_count"`
	AAGUID     []byte `db:"aaguid"`     // the model of the authenticator; zeros: unknown
	Transports string `db:"transports"` // as the browser named them, separated by spaces
	Name       string `db:"name"`
	// BackupEligible: it can be synced to other devices. BackedUp: it is, as of the last use.
	BackupEligible bool `db:"backup_eligible"`
	BackedUp       bool `db:"backed_up"`
	// LastChallenge is the SHA-256 of the challenge that was accepted last; empty: none was.
	LastChallenge []byte     `db:"last_challenge"`
	CreatedAt     time.Time  `db:"created_at"`
	LastUsedAt    *time.Time `db:"last_used_at"` // nil: not used yet
}

// PasskeyStore stores passkeys and the user handles that they carry. Inserting and deleting keep
// [User.SecondFactorAt] right, and delete the recovery codes with the last second factor.
type PasskeyStore interface {
	// Handle returns the user handle of a user; ErrNotFound if there is none yet.
	Handle(ctx context.Context, userID string) ([]byte, error)
	InsertHandle(ctx context.Context, userID string, handle []byte) error
	// Insert stores a passkey; CodeConflict for a known credential.
	Insert(ctx context.Context, p Passkey) error
	// OfUser lists the passkeys of a user, oldest first.
	OfUser(ctx context.Context, userID string) ([]Passkey, error)
	// OfHandle returns the user with this handle; ErrNotFound if there is none.
	OfHandle(ctx context.Context, handle []byte) (User, error)
	// Lock reads a passkey and makes concurrent callers wait, so that an assertion is accepted
	// once.
	Lock(ctx context.Context, id string) (Passkey, error)
	// Update writes sign count, backup state, last challenge and last use.
	Update(ctx context.Context, p Passkey) error
	// Rename returns false if the user has no such passkey.
	Rename(ctx context.Context, userID, id, name string) (bool, error)
	// Delete returns false if the user has no such passkey.
	Delete(ctx context.Context, userID, id string) (bool, error)
	// DeleteAll deletes the passkeys of a user and returns their number.
	DeleteAll(ctx context.Context, userID string) (int64, error)
}
