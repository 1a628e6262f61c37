package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"usher/db"
)

// TestDatabaseCrashLosesNothing: PostgreSQL crashes while a payment's webhooks come in. Whatever was answered with 200 is there afterwards, and
// the rest comes again.
func TestDatabaseCrashLosesNothing(t *testing.T) {
	folder := newDataDir(t)
	u := startUsher(t, "DATA_DIR="+folder)
	v := u.visitor(t)
	v.signUpForPro("crash@example.com")
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the webhooks alone have to do it
	crashPostgreSQL(t, folder)
	v.send(payForm, card("4242424242424242")...)
	crashPostgreSQL(t, folder)
	v.client.CheckRedirect = nil
	s := v.waitFor("the plan to be active", func(s summaryAnswer) bool {
		return s.Subscription != nil && s.Subscription.Status == "active" && s.Sync.Status == "ok"
	})
	if *s.Seats.LastAppliedSeats != 1 {
		t.Errorf("summary: %+v", s)
	}
	if code := u.stop(); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
}

// crashPostgreSQL kills one of PostgreSQL's own processes, upon which it ends all others at once and starts again from its log. It waits until it
// answers again.
func crashPostgreSQL(t *testing.T, folder string) {
	t.Helper()
	dsn, err := os.ReadFile(filepath.Join(folder, "postgres.dsn"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	eventually(t, "PostgreSQL to answer", func() bool {
		store, err := db.Open(t.Context(), strings.TrimSpace(string(dsn)))
		if err != nil {
			return false
		}
		defer store.Close()
		return store.DB().GetContext(t.Context(), &pid, `select pg_backend_pid()`) == nil && syscall.Kill(pid, syscall.SIGKILL) == nil
	})
	eventually(t, "PostgreSQL to be back", func() bool {
		store, err := db.Open(t.Context(), strings.TrimSpace(string(dsn)))
		if err != nil {
			return false
		}
		defer store.Close()
		return store.DB().PingContext(t.Context()) == nil
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) { // between two looks at it
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}
