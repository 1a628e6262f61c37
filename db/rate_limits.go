package db

import (
	"context"
	"time"

	"usher/billing/account"
)

// rateLimitStore implements [account.RateLimitStore].
type rateLimitStore struct{ queries }

// RateLimits implements [account.Tx].
func (q queries) RateLimits() account.RateLimitStore { return rateLimitStore{q} }

// Counting does not wait for the disk, and must not be part of a transaction that does: all guesses
// of one password count in one row, and each would hold it, and a connection, for the time of a
// flush. A crash loses the counts of less than a second
// (https://www.postgresql.org/docs/current/wal-async-commit.html).
const withoutFlush = `set_config('synchronous_commit', 'off', true) is not null`

const countHit = `insert into rate_limits as r (key, window_start, hits) select $1::text, $2::timestamptz, 1 where ` + withoutFlush + `
	on conflict (key) do update set
		hits = case when r.window_start = excluded.window_start then r.hits + 1 else 1 end, window_start = excluded.window_start
	returning hits`

// Count implements [account.RateLimitStore].
func (q rateLimitStore) Count(ctx context.Context, key string, window time.Time) (int, error) {
	return get[int](ctx, q.queries, "count hit", countHit, key, window)
}

const uncountHit = `update rate_limits set hits = hits - 1 where key = $1 and window_start = $2 and hits > 0 and ` + withoutFlush

// Uncount implements [account.RateLimitStore].
func (q rateLimitStore) Uncount(ctx context.Context, key string, window time.Time) error {
	return q.exec(ctx, "take back hit", uncountHit, key, window)
}

// The keys are compared by bytes, and a tilde is the last of the printable characters.
const clearHits = `delete from rate_limits where key >= $1 and key < $1 || '~'`

// Clear implements [account.RateLimitStore].
func (q rateLimitStore) Clear(ctx context.Context, prefix string) error {
	return q.exec(ctx, "clear hits", clearHits, prefix)
}

const pruneHits = `delete from rate_limits where window_start < $1`

// Prune implements [account.RateLimitStore].
func (q rateLimitStore) Prune(ctx context.Context, before time.Time) error {
	return q.exec(ctx, "prune hits", pruneHits, before)
}
