package account

import (
	"context"
	"time"
)

// Identity is a person's account at an identity provider, which signs them in here. It is known by
// issuer and subject alone: addresses are changed and given to other people.
type Identity struct {
	Issuer     string    `db:"issuer"`
	Subject    string    `db:"subject"` // the provider's id of the person, compared exactly
	UserID     string    `db:"user_id"`
	Email      string    `db:"email"` // as the provider last gave it, to recognize it; may be empty
	CreatedAt  time.Time `db:"created_at"`
	LastUsedAt time.Time `db:"last_used_at"`
}

// IdentityStore stores the identities of users.
type IdentityStore interface {
	Insert(ctx context.Context, i Identity) error // CodeConflict for a linked one
	Get(ctx context.Context, issuer, subject string) (Identity, error)
	// OfUser lists the identities of a user, the oldest first.
	OfUser(ctx context.Context, userID string) ([]Identity, error)
	// Touch writes the address and the time of the last use.
	Touch(ctx context.Context, i Identity) error
	// Delete removes an identity of a user; false if there is none.
	Delete(ctx context.Context, userID, issuer, subject string) (bool, error)
	// DeleteOfUser removes all identities of a user and returns their number.
	DeleteOfUser(ctx context.Context, userID string) (int64, error)
}
