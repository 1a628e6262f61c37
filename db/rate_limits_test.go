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
	must(t, store.RateLimits().Uncount(t.Context(), "log-in ana", at(60)))
	must(t, store.RateLimits().Uncount(t.Context(), "log-in ana", at(60))) // not below zero
	must(t, store.RateLimits().Uncount(t.Context(), "log-in bo", at(60)))  // another window
	wantEqual(t, count("log-in ana", at(60)), 1)
	wantEqual(t, count("log-in bo", at(0)), 2)
	count("log-in ana 192.0.2.1", at(60))
	count("log-in an", at(60))
	must(t, store.RateLimits().Clear(t.Context(), "log-in ana"))
	wantEqual(t, one[int](t, store, `select count(*) from rate_limits`), 2)
	count("log-in ana", at(60))
	must(t, store.RateLimits().Prune(t.Context(), at(30)))
	wantEqual(t, one[int](t, store, `select count(*) from rate_limits`), 2)
}
