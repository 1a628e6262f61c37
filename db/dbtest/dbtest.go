// Package dbtest gives tests PostgreSQL databases of their own. It is test
// support: nothing but tests imports it.
//
// A test binary gets a private server, or uses the one that
// USHER_TEST_DATABASE_URL names, whose user must be allowed to create
// databases. The migrations run once per test binary, in a template that each
// test's database is a copy of. Nothing has to be closed: a private server ends
// with the test binary, and databases of a binary that was killed are dropped
// by the next one.
package dbtest

import (
	"context"
	"sync"
	"testing"
	"time"
)

const (
	startTimeout = 2 * time.Minute // a first start on a busy machine
	dropTimeout  = time.Minute
)

// New gives the test a database of its own, a copy of the template, and
// returns its lib/pq DSN. It is dropped when the test has ended, together with
// connections still open to it. New may be called from parallel tests, and by
// one test for several databases.
//
// The first call in a test binary runs migrate on the empty template and keeps
// the outcome: all calls are expected to pass the same function, and where it
// failed they all fail the test.
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
	return withDatabase(s.dsn, name)
}

// binaryServer is kept by the package, since the tests of a binary share the
// server and no one of them outlives the others.
var binaryServer = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	dsn, err := serverDSN(ctx)
	if err != nil {
		return nil, err
	}
	return openServer(ctx, dsn)
})
