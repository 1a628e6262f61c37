package db

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/jmoiron/sqlx"

	"usher/billing/account"
	"usher/billing/apperr"
)

// attachedExpiry is the lifetime of a session that was attached to a user and not written yet.
const attachedExpiry = 10 * time.Minute

// SessionStore stores scs sessions in PostgreSQL. It stores the SHA-256 of a token, never the
// token: read access to the table does not allow taking over a session. Expiry is compared with the
// database's clock, which all replicas share.
type SessionStore struct {
	q queries
}

var _ scs.CtxStore = (*SessionStore)(nil)

// NewSessionStore returns a store on the pool of a [Store].
func NewSessionStore(pool *sqlx.DB) *SessionStore {
	return &SessionStore{q: queries{ext: pool}}
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Data is empty between AttachUser and the first write; scs never writes empty data.
const selectSession = `select data from sessions where token_hash = $1 and expiry > now() and data <> ''`

// FindCtx implements [scs.CtxStore].
func (s *SessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	data, err := get[[]byte](ctx, s.q, "find session", selectSession, tokenHash(token))
	if errors.Is(err, apperr.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

const commitSession = `insert into sessions (token_hash, data, expiry) values ($1, $2, $3)
	on conflict (token_hash) do update set data = excluded.data, expiry = excluded.expiry`

// CommitCtx implements [scs.CtxStore].
func (s *SessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return s.q.exec(ctx, "commit session", commitSession, tokenHash(token), data, expiry)
}

const deleteSession = `delete from sessions where token_hash = $1`

// DeleteCtx implements [scs.CtxStore].
func (s *SessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.q.exec(ctx, "delete session", deleteSession, tokenHash(token))
}

// Find implements [scs.Store].
func (s *SessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements [scs.Store].
func (s *SessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete implements [scs.Store].
func (s *SessionStore) Delete(token string) error {
	return s.DeleteCtx(context.Background(), token)
}

const attachUser = `insert into sessions (token_hash, data, expiry, user_id)
	values ($1, '', now() + make_interval(secs => $2), $3)
	on conflict (token_hash) do update set user_id = excluded.user_id`

// AttachUser records the user of a session, so that a user's sessions can be listed and ended. It
// may be called before scs has written the session (right after its token was renewed) and after.
func (s *SessionStore) AttachUser(ctx context.Context, token, userID string) error {
	return s.q.exec(ctx, "attach session", attachUser, tokenHash(token), attachedExpiry.Seconds(), textOrNull(userID))
}

const deleteExpiredSessions = `delete from sessions where expiry <= now()`

// DeleteExpired deletes expired sessions and returns their number. Any replica may call it
// periodically.
func (s *SessionStore) DeleteExpired(ctx context.Context) (int64, error) {
	return s.q.execCount(ctx, "delete expired sessions", deleteExpiredSessions)
}

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
