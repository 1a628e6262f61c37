package db

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"usher/billing"
	"usher/db/dbtest"
)

// More clients than server connections use the store through PgBouncer in transaction mode.
func TestStoreThroughPgBouncer(t *testing.T) {
	t.Parallel()
	dsn := dbtest.PgBouncer(t, dbtest.New(t, Migrate), 4) + " statement_cache=off"
	stores := make([]*Store, 3)
	for i := range stores {
		store, err := Open(t.Context(), dsn)
		must(t, err)
		t.Cleanup(func() { _ = store.Close() })
		stores[i] = store
	}
	insertUserAndOrganization(t, stores[0], "usr_1", "org_1")
	var clients sync.WaitGroup
	for client := range 24 {
		store := stores[client%len(stores)]
		clients.Go(func() {
			for i := range 25 {
				id := fmt.Sprintf("evt_%d_%d", client, i)
				if err := exchange(t, store, id); err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
			}
		})
	}
	clients.Wait()
	wantEqual(t, one[int](t, stores[0], `select count(*) from stripe_events`), 24*25)
}

// exchange writes and reads an event, in a transaction and outside of it.
func exchange(t *testing.T, store *Store, id string) error {
	ctx, written := t.Context(), pending(id, 1)
	err := store.InTx(ctx, func(tx billing.Tx) error {
		if _, err := tx.Organizations().Lock(ctx, "org_1"); err != nil {
			return err
		}
		_, err := tx.Events().Insert(ctx, written)
		return err
	})
	if err != nil {
		return err
	}
	read, err := store.Events().Get(ctx, id)
	if err == nil && read.ID != id {
		err = fmt.Errorf("read %s", read.ID)
	}
	return err
}

// Transactions have the timeouts, and no transaction of another client keeps them.
func TestPoolerTransactionsHaveTimeouts(t *testing.T) {
	t.Parallel()
	dsn := dbtest.PgBouncer(t, dbtest.New(t, Migrate), 1)
	store, err := Open(t.Context(), dsn+" statement_cache=off lock_timeout=3s")
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	const show = `select concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'))`
	must(t, store.InTx(t.Context(), func(tx billing.Tx) error {
		got, err := get[string](t.Context(), tx.(queries), "show", show)
		wantEqual(t, got, "10s 3s 30s")
		return err
	}))
	wantEqual(t, one[string](t, store, show), "0 0 0")
}

// A DSN that leads through a pooler without saying so is refused: prepared statements would be
// another client's.
func TestPoolerIsDetected(t *testing.T) {
	t.Parallel()
	dsn := dbtest.PgBouncer(t, dbtest.New(t, Migrate), 2)
	store, err := Open(t.Context(), dsn)
	if err == nil {
		_ = store.Close()
	}
	if !errors.Is(err, errPooler) || !strings.Contains(err.Error(), "statement_cache=off") {
		t.Fatalf("open: %v", err)
	}
}

// Replicas that start at once through a pooler migrate an empty database once.
func TestMigrateThroughPgBouncer(t *testing.T) {
	t.Parallel()
	store, direct := newEmptyStore(t)
	dsn := dbtest.PgBouncer(t, direct, 4) + " statement_cache=off"
	var replicas sync.WaitGroup
	for range 3 {
		replicas.Go(func() {
			if err := Migrate(t.Context(), dsn); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	must(t, store.Ready(t.Context()))
}
