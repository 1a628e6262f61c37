package dbtest

import (
	"context"
	"sync"
	"testing"
	"time"
)

const (
	startTimeout = 2 * time.Minute // covers initdb on a busy machine
	dropTimeout  = time.Minute
)

// New creates a database for the test, a copy of the migrated template, and returns its lib/pq DSN.
// The database is dropped after the test, together with connections still open to it. New may be
// called by parallel tests, and several times by one test.
//
// The first call in a test binary runs migrate on the empty template, and all calls share the
// result: they must pass the same function, and if it failed, every call fails its test.
func New(t testing.TB, migrate func(ctx context.Context, dsn string) error) string {
	t.Helper()
	s, err := binaryServer()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	name, err := s.clone(t.Context(), migrate)
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
		defer cancel()
		if err := s.drop(ctx, name); err != nil {
			t.Errorf("dbtest: %v", err)
		}
	})
	return withConnectTimeout(withDatabase(s.dsn, name))
}

// binaryServer opens the server once per test binary: its tests share the server and none outlives
// the others.
var binaryServer = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	dsn, err := serverDSN(ctx)
	if err != nil {
		return nil, err
	}
	return openServer(ctx, dsn)
})
