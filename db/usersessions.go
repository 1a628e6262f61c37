package db

import (
	"context"
	"time"

	"usher/billing"
)

type userSessionRow struct {
	Expiry  time.Time `db:"expiry"`
	Current bool      `db:"current"`
}

const selectUserSessions = `select expiry, token_hash = $2 as current from sessions where user_id = $1 and expiry > now() and data <> ''
	order by token_hash = $2 desc, expiry desc`

// UserSessions lists where a user is signed in: the session of this token first, then the newest.
func (s *SessionStore) UserSessions(ctx context.Context, userID, token string) ([]billing.OpenSession, error) {
	rows, err := list[userSessionRow](ctx, s.q, "list sessions", selectUserSessions, userID, tokenHash(token))
	return collect(rows, func(r userSessionRow) billing.OpenSession {
		return billing.OpenSession{ExpiresAt: r.Expiry.UTC(), Current: r.Current}
	}), err
}

const deleteOtherSessions = `delete from sessions where user_id = $1 and token_hash <> $2`

// EndOtherSessions signs a user out everywhere but in the session of this token.
func (s *SessionStore) EndOtherSessions(ctx context.Context, userID, token string) error {
	return s.q.exec(ctx, "end other sessions", deleteOtherSessions, userID, tokenHash(token))
}
