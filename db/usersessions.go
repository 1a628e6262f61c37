package db

import (
	"context"

	"usher/billing/account"
)

const selectUserSessions = `select expiry, token_hash = $2 as current from sessions where user_id = $1 and expiry > now() and data <> ''
	order by token_hash = $2 desc, expiry desc`

// UserSessions lists the sessions of a user: the one of the token first, then the newest.
func (s *SessionStore) UserSessions(ctx context.Context, userID, token string) ([]account.OpenSession, error) {
	return list[account.OpenSession](ctx, s.q, "list sessions", selectUserSessions, userID, tokenHash(token))
}

const deleteOtherSessions = `delete from sessions where user_id = $1 and token_hash <> $2`

// EndOtherSessions deletes all sessions of a user except the one of the token.
func (s *SessionStore) EndOtherSessions(ctx context.Context, userID, token string) error {
	return s.q.exec(ctx, "end other sessions", deleteOtherSessions, userID, tokenHash(token))
}
