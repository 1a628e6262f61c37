package db

import (
	"sync"
	"testing"
	"time"
)

func TestCountHit(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, err := store.RateLimits().Count(t.Context(), "log-in ana", at(0))
			must(t, err)
		})
	}
	group.Wait()
	count := func(key string, window time.Time) int {
		hits, err := store.RateLimits().Count(t.Context(), key, window)
		must(t, err)
		return hits
	}
	wantEqual(t, count("log-in ana", at(0)), 21)
	wantEqual(t, count("log-in bo", at(0)), 1)
	wantEqual(t, count("log-in ana", at(60)), 1) // the next window
	must(t, store.RateLimits().Prune(t.Context(), at(30)))
	wantEqual(t, one[int](t, store, `select count(*) from rate_limits`), 1)
}
