package account

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Limits of a session. OWASP ASVS 5.0.0, 7.1.1, asks to document them: see docs/security.md.
const (
	// SessionLifetime is the time from the log-in to the end of a session, however much it is used.
	SessionLifetime = 30 * 24 * time.Hour
	// SessionIdleTime is the time without use after which a session ends.
	SessionIdleTime = 7 * 24 * time.Hour
	// RecentAuthentication is how long an authentication counts as recent.
	RecentAuthentication = 15 * time.Minute
)

// Lengths in bytes at which the description of a client is cut.
const (
	maxUserAgentLength     = 400
	maxClientAddressLength = 64
)

// Session is a browser session of a user.
type Session struct {
	ID        string    `db:"id"`      // ses_…; another one after the token was renewed
	UserID    string    `db:"user_id"` // empty: of a visitor
	StartedAt time.Time `db:"started_at"`
	// Last use, to the minute; nil: not since it was written by the previous release.
	LastUsedAt *time.Time `db:"last_used_at"`
	ExpiresAt  time.Time  `db:"expiry"`

	// What the client says it is, and its address at the last use; empty: unknown.
	UserAgent     string `db:"user_agent"`
	ClientAddress string `db:"client_address"`

	Current bool `db:"current"` // the session of this request
}

// Client describes who sends requests: what it says it is, and its address.
type Client struct {
	UserAgent, Address string
}

// Cut returns the client as it is stored: valid UTF-8 of a limited length.
func (c Client) Cut() Client {
	return Client{UserAgent: cut(c.UserAgent, maxUserAgentLength), Address: cut(c.Address, maxClientAddressLength)}
}

func cut(text string, length int) string {
	text = text[:min(len(text), length)]
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}

// CountSessions counts the open sessions of a user.
func (us *Users) CountSessions(ctx context.Context, userID string) (int, error) {
	return us.store.Users().CountSessions(ctx, userID)
}

// EndSessions ends all sessions of a user on behalf of an operator and returns their number. Error:
// [apperr.ErrNotFound].
func (us *Users) EndSessions(ctx context.Context, userID string) (ended int64, err error) {
	err = us.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Lock(ctx, userID)
		if err != nil {
			return err
		}
		if ended, err = tx.Users().DeleteSessions(ctx, userID); err != nil {
			return err
		}
		return us.record(ctx, tx, AuditEntry{Act: ActSessionsEnded}.To(user.ID, user.Name))
	})
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return ended, nil
}

// ConfirmPassword checks the password of a signed-in user. Error: CodeUnprocessable with the field
// current if it is another one.
func (us *Users) ConfirmPassword(ctx context.Context, userID, password string) error {
	user, err := us.store.Users().Get(ctx, userID)
	if err != nil {
		return fmt.Errorf("confirm password: %w", err)
	}
	fits, err := us.passwords.matches(ctx, password, user.PasswordHash)
	if err == nil && !fits {
		err = wrongPassword("current", messageNotCurrent)
	}
	if err != nil {
		return fmt.Errorf("confirm password: %w", err)
	}
	return nil
}
