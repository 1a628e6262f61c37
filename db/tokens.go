package db

import (
	"context"
	"time"

	"usher/billing/account"
)

// tokenStore implements [account.TokenStore].
type tokenStore struct{ queries }

// Tokens implements [account.Tx].
func (q queries) Tokens() account.TokenStore { return tokenStore{q} }

// A pending address is written again, so that known and new addresses take the same time.
const putResetRequest = `insert into recovery_requests (email, requested_at) values (lower($1), $2)
	on conflict (email) do update set requested_at = excluded.requested_at`

// PutResetRequest implements [account.TokenStore].
func (q tokenStore) PutResetRequest(ctx context.Context, email string, now time.Time) error {
	return q.exec(ctx, "put reset request", putResetRequest, email, now)
}

const popResetRequest = `delete from recovery_requests where email =
		(select email from recovery_requests order by requested_at limit 1 for update)
	returning email`

// PopResetRequest implements [account.TokenStore].
func (q tokenStore) PopResetRequest(ctx context.Context) (string, error) {
	return get[string](ctx, q.queries, "pop reset request", popResetRequest)
}

var tokenTable = tableOf[account.Token]("account_tokens")

var insertToken = tokenTable.insert()

// Insert implements [account.TokenStore].
func (q tokenStore) Insert(ctx context.Context, t account.Token) error {
	return q.exec(ctx, "insert token", insertToken, tokenTable.values(t)...)
}

var selectToken = `select ` + tokenTable.list("") + ` from account_tokens
	where token_hash = $1 and purpose = $2 and expires_at > $3 and used_at is null`

// Get implements [account.TokenStore].
func (q tokenStore) Get(ctx context.Context, hash []byte, purpose account.TokenPurpose, now time.Time) (account.Token, error) {
	return get[account.Token](ctx, q.queries, "read token", selectToken, hash, purpose, now)
}

const markTokenUsed = `update account_tokens set used_at = $2 where token_hash = $1 and used_at is null`

// MarkUsed implements [account.TokenStore].
func (q tokenStore) MarkUsed(ctx context.Context, hash []byte, now time.Time) (bool, error) {
	n, err := q.execCount(ctx, "mark token used", markTokenUsed, hash, now)
	return n == 1, err
}

const markAllTokensUsed = `update account_tokens set used_at = $3 where user_id = $1 and purpose = $2 and used_at is null`

// MarkAllUsed implements [account.TokenStore].
func (q tokenStore) MarkAllUsed(ctx context.Context, userID string, purpose account.TokenPurpose, now time.Time) error {
	return q.exec(ctx, "mark all tokens used", markAllTokensUsed, userID, purpose, now)
}

const selectLastTokenCreatedAt = `select created_at from account_tokens where user_id = $1 and purpose = $2 and used_at is null
	order by created_at desc limit 1`

// LastCreatedAt implements [account.TokenStore].
func (q tokenStore) LastCreatedAt(ctx context.Context, userID string, purpose account.TokenPurpose) (time.Time, error) {
	at, err := get[time.Time](ctx, q.queries, "read last token", selectLastTokenCreatedAt, userID, purpose)
	return at.UTC(), err
}
