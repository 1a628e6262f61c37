package db

import (
	"context"
	"time"

	"usher/billing/account"
)

// emailChangeStore implements [account.EmailChangeStore].
type emailChangeStore struct{ queries }

// EmailChanges implements [account.Tx].
func (q queries) EmailChanges() account.EmailChangeStore { return emailChangeStore{q} }

var emailChangeTable = tableOf[account.EmailChange]("email_changes")

var putEmailChange = emailChangeTable.insert() + ` on conflict (user_id) do update set
	new_email = excluded.new_email, old_token_hash = excluded.old_token_hash, new_token_hash = excluded.new_token_hash,
	old_confirmed_at = excluded.old_confirmed_at, new_confirmed_at = excluded.new_confirmed_at,
	created_at = excluded.created_at, expires_at = excluded.expires_at`

// Put implements [account.EmailChangeStore].
func (q emailChangeStore) Put(ctx context.Context, c account.EmailChange) error {
	return q.exec(ctx, "put e-mail change", putEmailChange, emailChangeTable.values(c)...)
}

var selectEmailChangeOfUser = `select ` + emailChangeTable.list("") + ` from email_changes where user_id = $1 and expires_at > $2`

// OfUser implements [account.EmailChangeStore].
func (q emailChangeStore) OfUser(ctx context.Context, userID string, now time.Time) (account.EmailChange, error) {
	return get[account.EmailChange](ctx, q.queries, "read e-mail change", selectEmailChangeOfUser, userID, now)
}

var selectEmailChangeByToken = `select ` + emailChangeTable.list("") + ` from email_changes
	where (old_token_hash = $1 or new_token_hash = $1) and expires_at > $2`

// ByToken implements [account.EmailChangeStore].
func (q emailChangeStore) ByToken(ctx context.Context, hash []byte, now time.Time) (account.EmailChange, error) {
	return get[account.EmailChange](ctx, q.queries, "read e-mail change by token", selectEmailChangeByToken, hash, now)
}

const deleteEmailChange = `delete from email_changes where user_id = $1`

// Delete implements [account.EmailChangeStore].
func (q emailChangeStore) Delete(ctx context.Context, userID string) error {
	return q.exec(ctx, "delete e-mail change", deleteEmailChange, userID)
}
