package db

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
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

// liveSession selects sessions that have not ended. Data is empty between Attach and the first
// write; scs never writes empty data.
var liveSession = `expiry > now() and data <> '' and (last_used_at is null or last_used_at > now() - interval '` +
	strconv.Itoa(int(account.SessionIdleTime.Seconds())) + ` seconds')`

// Sessions of the previous release have no start; they expire 14 days after it.
const sessionColumns = `'ses_' || encode(substring(token_hash for 12), 'hex') as id, coalesce(user_id, '') as user_id,
	coalesce(started_at, expiry - interval '14 days') as started_at, last_used_at, expiry,
	coalesce(user_agent, '') as user_agent, coalesce(client_address, '') as client_address`

var selectSession = `select data, ` + sessionColumns + `, ` + touchDue + ` as touch_due from sessions where token_hash = $1 and ` + liveSession

// storedSession is a session with its data.
type storedSession struct {
	account.Session
	Data     []byte `db:"data"`
	TouchDue bool   `db:"touch_due"` // the last use was recorded a minute ago or earlier
}

// Load reads the session of a token. Error: [apperr.ErrNotFound] if there is none or it has ended.
func (s *SessionStore) Load(ctx context.Context, token string) (session account.Session, data []byte, touchDue bool, err error) {
	row, err := get[storedSession](ctx, s.q, "load session", selectSession, tokenHash(token))
	return row.Session, row.Data, row.TouchDue, err
}

// FindCtx implements [scs.CtxStore].
func (s *SessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	_, data, _, err := s.Load(ctx, token)
	if errors.Is(err, apperr.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

const touchDue = `(last_used_at is null or last_used_at < now() - interval '1 minute')`

const touchSession = `update sessions set last_used_at = now(), user_agent = $2, client_address = $3 where token_hash = $1 and ` + touchDue

// Touch records the use of a session, once a minute at most. It does not bring back a session that
// has ended.
func (s *SessionStore) Touch(ctx context.Context, token string, client account.Client) error {
	client = client.Cut()
	return s.q.exec(ctx, "touch session", touchSession, tokenHash(token), client.UserAgent, client.Address)
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

const attachSession = `insert into sessions (token_hash, data, expiry, user_id, started_at, last_used_at, user_agent, client_address)
	values ($1, '', now() + make_interval(secs => $2), $3, coalesce($4, now()), now(), $5, $6)
	on conflict (token_hash) do update set user_id = excluded.user_id, started_at = excluded.started_at,
	last_used_at = excluded.last_used_at, user_agent = excluded.user_agent, client_address = excluded.client_address`

// Attach records the user and the client of a session, so that a user's sessions can be listed and
// ended. A zero start means now. It may be called before scs has written the session (right after
// its token was renewed) and after.
func (s *SessionStore) Attach(ctx context.Context, token string, session account.Session) error {
	client := account.Client{UserAgent: session.UserAgent, Address: session.ClientAddress}.Cut()
	return s.q.exec(ctx, "attach session", attachSession, tokenHash(token), attachedExpiry.Seconds(),
		textOrNull(session.UserID), timeOrNull(session.StartedAt), client.UserAgent, client.Address)
}

const deleteExpiredSessions = `delete from sessions where expiry <= now()`

// DeleteExpired deletes expired sessions and returns their number. Any replica may call it
// periodically.
func (s *SessionStore) DeleteExpired(ctx context.Context) (int64, error) {
	return s.q.execCount(ctx, "delete expired sessions", deleteExpiredSessions)
}

var selectUserSessions = `select ` + sessionColumns + `, token_hash = $2 as current from sessions where user_id = $1 and ` + liveSession + `
	order by token_hash = $2 desc, sessions.last_used_at desc nulls last, sessions.expiry desc`

// UserSessions lists the sessions of a user: the one of the token first, then the last used.
func (s *SessionStore) UserSessions(ctx context.Context, userID, token string) ([]account.Session, error) {
	return list[account.Session](ctx, s.q, "list sessions", selectUserSessions, userID, tokenHash(token))
}

const deleteUserSession = `delete from sessions where user_id = $1 and 'ses_' || encode(substring(token_hash for 12), 'hex') = $2`

// EndSession deletes one session of a user; it is no error if there is none.
func (s *SessionStore) EndSession(ctx context.Context, userID, id string) error {
	return s.q.exec(ctx, "end session", deleteUserSession, userID, id)
}

const deleteOtherSessions = `delete from sessions where user_id = $1 and token_hash <> $2`

// EndOtherSessions deletes all sessions of a user except the one of the token.
func (s *SessionStore) EndOtherSessions(ctx context.Context, userID, token string) error {
	return s.q.exec(ctx, "end other sessions", deleteOtherSessions, userID, tokenHash(token))
}
