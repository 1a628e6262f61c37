package db

import (
	"context"
	"time"

	"usher/billing/account"
)

// handoverStore implements [account.HandoverStore].
type handoverStore struct{ queries }

// Handovers implements [account.Tx].
func (q queries) Handovers() account.HandoverStore { return handoverStore{q} }

const insertHandover = `insert into handover_tokens (id_hash, expires_at) values ($1, $2) on conflict do nothing`

// Use implements [account.HandoverStore].
func (q handoverStore) Use(ctx context.Context, idHash []byte, expiresAt time.Time) (bool, error) {
	inserted, err := q.execCount(ctx, "use hand-over token", insertHandover, idHash, expiresAt)
	return inserted > 0, err
}

const pruneHandovers = `delete from handover_tokens where id_hash in
	(select id_hash from handover_tokens where expires_at < $1 order by expires_at limit 100 for update skip locked)`

// Prune implements [account.HandoverStore].
func (q handoverStore) Prune(ctx context.Context, now time.Time) error {
	return q.exec(ctx, "prune hand-over tokens", pruneHandovers, now)
}
