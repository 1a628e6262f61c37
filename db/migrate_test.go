package db

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"usher/db/dbtest"
)

// newEmptyStore opens a database without a schema.
func newEmptyStore(t *testing.T, parameters ...string) (*Store, string) {
	t.Helper()
	dsn := dbtest.New(t, Migrate)
	store, err := Open(t.Context(), withParameters(dsn, parameters...))
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	run(t, store, `drop schema public cascade`)
	run(t, store, `create schema public`)
	return store, dsn
}

func TestReadyNeedsTheMigrations(t *testing.T) {
	t.Parallel()
	store, dsn := newEmptyStore(t)
	ctx := t.Context()
	current, err := store.MigrationsCurrent(ctx)
	must(t, err)
	wantEqual(t, current, false)
	if store.Ready(ctx) == nil {
		t.Fatal("ready without a schema")
	}
	wantEqual(t, one[int](t, store, `select count(*) from information_schema.tables where table_schema = 'public'`), 0)

	must(t, Migrate(ctx, dsn))
	must(t, store.Ready(ctx))
	run(t, store, `delete from goose_db_version where version_id = 1`)
	if store.Ready(ctx) == nil {
		t.Fatal("ready with a migration missing")
	}
	run(t, store, `insert into goose_db_version (version_id, is_applied) values (1, true), (999, true)`)
	must(t, store.Ready(ctx)) // a newer replica has migrated
}

func TestReadyNeedsWrites(t *testing.T) {
	t.Parallel()
	store, err := Open(t.Context(), withParameters(dbtest.New(t, Migrate), "default_transaction_read_only", "on"))
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Fatalf("ready: %v", err)
	}
}

func TestReadyNeedsTheDatabase(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	must(t, store.Close())
	if store.Ready(t.Context()) == nil {
		t.Fatal("ready without a connection")
	}
}

func TestMigrateIsSafeForReplicasStartingAtOnce(t *testing.T) {
	t.Parallel()
	store, dsn := newEmptyStore(t, "statement_cache", "off")
	// Goose's own table exists already, so that only the lock separates the replicas.
	provider, err := newProvider(store.db.DB)
	must(t, err)
	_, err = provider.GetDBVersion(t.Context())
	must(t, err)
	const replicas = 4
	errs := make([]error, replicas)
	var group sync.WaitGroup
	for i := range replicas {
		group.Go(func() { errs[i] = Migrate(t.Context(), dsn) })
	}
	group.Wait()
	must(t, errors.Join(errs...))
	known, err := knownMigrations()
	must(t, err)
	wantEqual(t, one[int](t, store, `select count(*) from goose_db_version where version_id > 0`), len(known))
	must(t, store.Ready(t.Context()))
	must(t, Migrate(t.Context(), dsn))
}

func TestMigrateDownAndUpAgain(t *testing.T) {
	t.Parallel()
	store, _ := newEmptyStore(t, "statement_cache", "off")
	ctx := t.Context()
	provider, err := newProvider(store.db.DB)
	must(t, err)
	_, err = provider.Up(ctx)
	must(t, err)
	before := schema(t, store)
	_, err = provider.DownTo(ctx, 0)
	must(t, err)
	wantEqual(t, schema(t, store), []string{"goose_db_version"})
	_, err = provider.Up(ctx)
	must(t, err)
	wantEqual(t, schema(t, store), before)
}

// From 28 on, no migration builds an index on a table that exists already unless it does so
// concurrently: the build would lock a table that may be large.
func TestIndexesAreBuiltConcurrently(t *testing.T) {
	t.Parallel()
	const first = 28
	created := regexp.MustCompile(`(?i)create table (?:if not exists )?(\w+)`)
	index := regexp.MustCompile(`(?is)create (?:unique )?index (concurrently )?.*?\bon (?:only )?(\w+)`)
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	must(t, err)
	checked := 0
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		must(t, err)
		text, err := migrationFiles.ReadFile(name)
		must(t, err)
		if version < first {
			continue
		}
		own := map[string]bool{}
		for _, match := range created.FindAllStringSubmatch(string(text), -1) {
			own[match[1]] = true
		}
		for _, match := range index.FindAllStringSubmatch(string(text), -1) {
			checked++
			if match[1] == "" && !own[match[2]] {
				t.Errorf("%s builds an index on %s under a lock", name, match[2])
			}
		}
		if strings.Contains(string(text), "concurrently") && !strings.Contains(string(text), "-- +goose NO TRANSACTION") {
			t.Errorf("%s builds an index concurrently in a transaction", name)
		}
	}
	if checked == 0 {
		t.Error("no index was checked")
	}
}

func schema(t *testing.T, store *Store) []string {
	t.Helper()
	var names []string
	must(t, store.db.SelectContext(t.Context(), &names, `select c.relname from pg_class c
		join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r' order by 1`))
	return names
}

func TestMigrateEndsWithCtx(t *testing.T) {
	t.Parallel()
	_, dsn := newEmptyStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Migrate(ctx, dsn); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
