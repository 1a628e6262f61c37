package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"usher/db"
)

// TestDatabaseCrash crashes PostgreSQL while the webhooks of a payment arrive. Events that were
// answered with 200 are stored, and the local Stripe resends the others.
func TestDatabaseCrash(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir)
	c := server.client(t)
	c.signUpForPro("crash@example.com")
	c.http.CheckRedirect = stopRedirects // webhooks alone activate the plan
	crashPostgreSQL(t, dataDir)
	c.pay("4242424242424242")
	crashPostgreSQL(t, dataDir)
	c.http.CheckRedirect = nil
	s := c.waitForSummary("the active plan", func(s billingSummary) bool {
		return s.Subscription != nil && s.Subscription.Status == "active" && s.Sync.Status == "ok"
	})
	if *s.Seats.LastAppliedSeats != 1 {
		t.Errorf("summary: %+v", s)
	}
	if code := server.stop(); code != exitOK {
		t.Errorf("the server's exit code is %d", code)
	}
}

// crashPostgreSQL kills one backend process, which makes PostgreSQL end all others and recover. It
// waits for the end of the recovery.
func crashPostgreSQL(t *testing.T, dataDir string) {
	t.Helper()
	dsn, err := os.ReadFile(privateDatabaseFile(Config{DataDir: dataDir}))
	if err != nil {
		t.Fatal(err)
	}
	withStore := func(do func(*db.Store) bool) bool {
		store, err := db.Open(t.Context(), strings.TrimSpace(string(dsn)))
		if err != nil {
			return false
		}
		defer store.Close()
		return do(store)
	}
	eventually(t, "a connection to kill", func() bool {
		return withStore(func(store *db.Store) bool {
			var pid int
			err := store.DB().GetContext(t.Context(), &pid, `select pg_backend_pid()`)
			return err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil
		})
	})
	eventually(t, "PostgreSQL's recovery", func() bool {
		return withStore(func(store *db.Store) bool { return store.DB().PingContext(t.Context()) == nil })
	})
}
