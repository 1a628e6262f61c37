package db

import (
	"context"
	"time"

	"usher/billing/account"
)

// idempotencyKeyStore implements [account.IdempotencyKeyStore].
type idempotencyKeyStore struct{ queries }

// IdempotencyKeys implements [account.Tx].
func (q queries) IdempotencyKeys() account.IdempotencyKeyStore { return idempotencyKeyStore{q} }

var idempotencyKeyTable = tableOf[account.KeyedRequest]("idempotency_keys")

// One statement decides which of several requests is handled. A row is overwritten if it is too
// old, or if whoever handled the same request has crashed: without an answer, and its lease has
// ended. Otherwise it is updated to itself, so that it is returned as it is.
var beginKeyedRequest = idempotencyKeyTable.insert() + ` on conflict (credential, key) do update set ` + overwrittenIfFree(
	"fingerprint", "created_at", "locked_until", "owner", "status", "body") + ` returning ` + idempotencyKeyTable.list("")

func overwrittenIfFree(columns ...string) string {
	set := ""
	for i, column := range columns {
		if i > 0 {
			set += ", "
		}
		set += column + ` = case when idempotency_keys.created_at < $9
			or idempotency_keys.status = 0 and idempotency_keys.locked_until <= excluded.created_at
				and idempotency_keys.fingerprint = excluded.fingerprint
			then excluded.` + column + ` else idempotency_keys.` + column + ` end`
	}
	return set
}

// Begin implements [account.IdempotencyKeyStore].
func (q idempotencyKeyStore) Begin(ctx context.Context, k account.KeyedRequest, expired time.Time) (account.KeyedRequest, error) {
	return get[account.KeyedRequest](ctx, q.queries, "begin keyed request", beginKeyedRequest, append(idempotencyKeyTable.values(k), expired)...)
}

const finishKeyedRequest = `update idempotency_keys set status = $4, body = $5 where credential = $1 and key = $2 and owner = $3`

// Finish implements [account.IdempotencyKeyStore].
func (q idempotencyKeyStore) Finish(ctx context.Context, k account.KeyedRequest) error {
	return q.exec(ctx, "finish keyed request", finishKeyedRequest, k.Credential, k.Key, k.Owner, k.Status, k.Body)
}

const deleteKeyedRequest = `delete from idempotency_keys where credential = $1 and key = $2 and owner = $3`

// Delete implements [account.IdempotencyKeyStore].
func (q idempotencyKeyStore) Delete(ctx context.Context, k account.KeyedRequest) error {
	return q.exec(ctx, "delete keyed request", deleteKeyedRequest, k.Credential, k.Key, k.Owner)
}

const pruneKeyedRequests = `delete from idempotency_keys where created_at < $1`

// Prune implements [account.IdempotencyKeyStore].
func (q idempotencyKeyStore) Prune(ctx context.Context, before time.Time) error {
	return q.exec(ctx, "prune keyed requests", pruneKeyedRequests, before)
}
