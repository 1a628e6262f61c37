package db

import (
	"testing"

	"github.com/lib/pq/pqerror"

	"usher/billing"
)

// prepared returns the number of prepared statements of the test's one connection. Its own query
// has no parameters and is not prepared.
func prepared(t *testing.T, store *Store) int {
	t.Helper()
	return one[int](t, store, `select count(*) from pg_prepared_statements`)
}

func TestStatementsArePreparedOnce(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	store.db.SetMaxOpenConns(1)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	wantEqual(t, prepared(t, store), 2)
	for range 3 {
		_, err := store.Organizations().Get(ctx, "org_1")
		must(t, err)
		must(t, store.InTx(ctx, func(tx billing.Tx) error {
			_, err := tx.Organizations().Get(ctx, "org_1")
			return err
		}))
	}
	wantEqual(t, prepared(t, store), 3)
}

func TestStatementCacheCanBeOff(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t, "statement_cache", "off"), t.Context()
	store.db.SetMaxOpenConns(1)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := pending("evt_1", 1)
	insertEvents(t, store, full)
	got, err := store.Events().Get(ctx, "evt_1")
	must(t, err)
	wantEqual(t, got, full)
	must(t, NewSessionStore(store.db).CommitCtx(ctx, "token", []byte{0xff}, at(0)))
	wantEqual(t, prepared(t, store), 0)
}

// A migration that changes the result type of a prepared statement costs one error per connection.
func TestStaleStatementIsPreparedAgain(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	store.db.SetMaxOpenConns(1)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	_, err := store.Organizations().Get(ctx, "org_1")
	must(t, err)
	for change, code := range map[string]pqerror.Code{
		`alter table organizations alter column name type varchar(100)`: pqerror.FeatureNotSupported,
		`deallocate all`: pqerror.InvalidSQLStatementName,
	} {
		run(t, store, change)
		_, err = store.Organizations().Get(ctx, "org_1")
		wantEqual(t, hasCode(err, code), true)
		_, err = store.Organizations().Get(ctx, "org_1")
		must(t, err)
	}
}

func TestPreparedStatementsAreLimited(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	store.db.SetMaxOpenConns(1)
	query := `select $1::int`
	for range maxPrepared + 5 {
		wantEqual(t, one[int](t, store, query, 7), 7)
		query += " "
	}
	wantEqual(t, prepared(t, store), maxPrepared)
}
