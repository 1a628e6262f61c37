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

const countHit = `insert into rate_limits as r (key, window_start, hits) values ($1, $2, 1)
	on conflict (key) do update set
		hits = case when r.window_start = excluded.window_start then r.hits + 1 else 1 end, window_start = excluded.window_start
	returning hits`

// Count implements [account.RateLimitStore].
func (q rateLimitStore) Count(ctx context.Context, key string, window time.Time) (int, error) {
	return get[int](ctx, q.queries, "count hit", countHit, key, window)
}

const pruneHits = `delete from rate_limits where window_start < $1`

// Prune implements [account.RateLimitStore].
func (q rateLimitStore) Prune(ctx context.Context, before time.Time) error {
	return q.exec(ctx, "prune hits", pruneHits, before)
}
