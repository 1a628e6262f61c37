package db

import (
	"context"

	"usher/billing/account"
)

// passkeyStore implements [account.PasskeyStore].
type passkeyStore struct{ queries }

// Passkeys implements [account.Tx].
func (q queries) Passkeys() account.PasskeyStore { return passkeyStore{q} }

const selectPasskeyHandle = `select handle from passkey_handles where user_id = $1`

// Handle implements [account.PasskeyStore].
func (q passkeyStore) Handle(ctx context.Context, userID string) ([]byte, error) {
	return get[[]byte](ctx, q.queries, "read passkey handle", selectPasskeyHandle, userID)
}

const insertPasskeyHandle = `insert into passkey_handles (user_id, handle) values ($1, $2)`

// InsertHandle implements [account.PasskeyStore].
func (q passkeyStore) InsertHandle(ctx context.Context, userID string, handle []byte) error {
	return q.exec(ctx, "insert passkey handle", insertPasskeyHandle, userID, handle)
}

var passkeyTable = tableOf[account.Passkey]("passkeys")

var insertPasskey = passkeyTable.insert()

// Insert implements [account.PasskeyStore].
func (q passkeyStore) Insert(ctx context.Context, p account.Passkey) error {
	return q.exec(ctx, "insert passkey", insertPasskey, passkeyTable.values(p)...)
}

var selectPasskeysOfUser = `select ` + passkeyTable.list("") + ` from passkeys where user_id = $1 order by created_at, id`

// OfUser implements [account.PasskeyStore].
func (q passkeyStore) OfUser(ctx context.Context, userID string) ([]account.Passkey, error) {
	return list[account.Passkey](ctx, q.queries, "list passkeys", selectPasskeysOfUser, userID)
}

var selectUserOfHandle = `select ` + userTable.list("u") + ` from passkey_handles h join users u on u.id = h.user_id where h.handle = $1`

// OfHandle implements [account.PasskeyStore].
func (q passkeyStore) OfHandle(ctx context.Context, handle []byte) (account.User, error) {
	return get[account.User](ctx, q.queries, "read user of passkey handle", selectUserOfHandle, handle)
}

var lockPasskey = `select ` + passkeyTable.list("") + ` from passkeys where id = $1 for update`

// Lock implements [account.PasskeyStore].
func (q passkeyStore) Lock(ctx context.Context, id string) (account.Passkey, error) {
	return get[account.Passkey](ctx, q.queries, "lock passkey", lockPasskey, id)
}

const updatePasskey = `update passkeys set sign_count = $2, backed_up = $3, last_challenge = $4, last_used_at = $5 where id = $1`

// Update implements [account.PasskeyStore].
func (q passkeyStore) Update(ctx context.Context, p account.Passkey) error {
	return q.execOne(ctx, "update passkey", updatePasskey, p.ID, p.SignCount, p.BackedUp, p.LastChallenge, p.LastUsedAt)
}

const renamePasskey = `update passkeys set name = $3 where user_id = $1 and id = $2`

// Rename implements [account.PasskeyStore].
func (q passkeyStore) Rename(ctx context.Context, userID, id, name string) (bool, error) {
	n, err := q.execCount(ctx, "rename passkey", renamePasskey, userID, id, name)
	return n == 1, err
}

const deletePasskey = `delete from passkeys where user_id = $1 and id = $2`

// Delete implements [account.PasskeyStore].
func (q passkeyStore) Delete(ctx context.Context, userID, id string) (bool, error) {
	n, err := q.execCount(ctx, "delete passkey", deletePasskey, userID, id)
	return n == 1, err
}

const deletePasskeysOfUser = `delete from passkeys where user_id = $1`

// DeleteAll implements [account.PasskeyStore].
func (q passkeyStore) DeleteAll(ctx context.Context, userID string) (int64, error) {
	return q.execCount(ctx, "delete passkeys", deletePasskeysOfUser, userID)
}
