package db

import (
	"context"
	"time"

	"usher/billing/account"
)

// A pending address is written again, so that known and new addresses take the same time.
const putRecoveryRequest = `insert into recovery_requests (email, requested_at) values (lower($1), $2)
	on conflict (email) do update set requested_at = excluded.requested_at`

// PutResetRequest implements [billing.RecoveryQueries].
func (q tokenStore) PutResetRequest(ctx context.Context, email string, now time.Time) error {
	return q.exec(ctx, "write recovery request", putRecoveryRequest, email, now)
}

const takeRecoveryRequest = `delete from recovery_requests where email =
		(select email from recovery_requests order by requested_at limit 1 for update)
	returning email`

// PopResetRequest implements [billing.RecoveryQueries].
func (q tokenStore) PopResetRequest(ctx context.Context) (string, error) {
	return get[string](ctx, q.queries, "take recovery request", takeRecoveryRequest)
}

var accountTokenTable = tableOf[account.Token]("account_tokens")

var insertAccountToken = accountTokenTable.insert()

// InsertAccountToken implements [billing.RecoveryQueries].
func (q tokenStore) Insert(ctx context.Context, t account.Token) error {
	return q.exec(ctx, "insert account token", insertAccountToken, accountTokenTable.values(t)...)
}

var selectAccountToken = `select ` + accountTokenTable.list("") + ` from account_tokens
	where token_hash = $1 and purpose = $2 and expires_at > $3 and used_at is null`

// AccountToken implements [billing.RecoveryQueries].
func (q tokenStore) Get(ctx context.Context, hash []byte, purpose account.TokenPurpose, now time.Time) (account.Token, error) {
	return get[account.Token](ctx, q.queries, "read account token", selectAccountToken, hash, purpose, now)
}

const spendAccountToken = `update account_tokens set used_at = $2 where token_hash = $1 and used_at is null`

// SpendAccountToken implements [billing.RecoveryQueries].
func (q tokenStore) MarkUsed(ctx context.Context, hash []byte, now time.Time) (bool, error) {
	n, err := q.execCount(ctx, "spend account token", spendAccountToken, hash, now)
	return n == 1, err
}

const spendAccountTokens = `update account_tokens set used_at = $3 where user_id = $1 and purpose = $2 and used_at is null`

// SpendAccountTokens implements [billing.RecoveryQueries].
func (q tokenStore) MarkAllUsed(ctx context.Context, userID string, purpose account.TokenPurpose, now time.Time) error {
	return q.exec(ctx, "spend account tokens", spendAccountTokens, userID, purpose, now)
}

const selectLastTokenAt = `select created_at from account_tokens where user_id = $1 and purpose = $2 and used_at is null
	order by created_at desc limit 1`

// LastTokenAt implements [billing.RecoveryQueries].
func (q tokenStore) LastCreatedAt(ctx context.Context, userID string, purpose account.TokenPurpose) (time.Time, error) {
	at, err := get[time.Time](ctx, q.queries, "read last account token", selectLastTokenAt, userID, purpose)
	return at.UTC(), err
}

const setPassword = `update users set password_hash = $2 where id = $1`

// SetPassword implements [billing.UserStore]; ErrNotFound if there is no such user.
func (q userStore) SetPassword(ctx context.Context, userID, hash string) error {
	return q.execOne(ctx, "set password", setPassword, userID, hash)
}

const markEmailVerified = `update users set email_verified_at = coalesce(email_verified_at, $2) where id = $1`

// MarkEmailVerified implements [billing.UserStore]; ErrNotFound if there is no such user.
func (q userStore) MarkEmailVerified(ctx context.Context, userID string, at time.Time) error {
	return q.execOne(ctx, "mark e-mail verified", markEmailVerified, userID, at)
}

const deleteSessions = `delete from sessions where user_id = $1`

// DeleteSessions implements [billing.RecoveryQueries].
func (q userStore) DeleteSessions(ctx context.Context, userID string) (int64, error) {
	return q.execCount(ctx, "delete sessions of user", deleteSessions, userID)
}
