package db

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"usher/billing/account"
	"usher/db/dbtest"
)

// A standby is read while it follows. One that stops replaying is left after StandbyLag, and read
// again once it has caught up. Nothing is written to it.
func TestStandbyIsReadWhileItFollows(t *testing.T) {
	t.Parallel()
	primaryDSN, standbyDSN := dbtest.WithStandby(t, Migrate)
	primary := openStore(t, primaryDSN)
	var log bytes.Buffer
	standby, err := OpenStandby(standbyDSN, 2, primary, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	defer standby.Close()
	if standby.Fresh() {
		t.Error("a standby is read that was never looked at")
	}
	look := func() bool {
		standby.report(t.Context(), standby.look(t.Context()))
		return standby.Fresh()
	}
	awaitTrue(t, "the standby to follow", look)
	must(t, primary.Users().Insert(t.Context(), account.User{ID: "usr_1", Email: "bo@example.com", Name: "Bo"}))
	awaitTrue(t, "the row on the standby", func() bool {
		_, err := standby.Users().Get(t.Context(), "usr_1")
		return err == nil
	})
	if err := standby.Users().Insert(t.Context(), account.User{ID: "usr_2", Email: "di@example.com", Name: "Di"}); err == nil {
		t.Error("the standby was written to")
	}

	must(t, standby.exec(t.Context(), "pause", `select pg_wal_replay_pause()`))
	must(t, primary.exec(t.Context(), "write", `update users set name = 'Bo Li' where id = 'usr_1'`))
	awaitTrue(t, "the paused standby to be left", func() bool { return !look() })
	if lag, known := standby.Lag(); !known || lag < StandbyLag || lag > StandbyLag+30*time.Second {
		t.Errorf("the paused standby is %s behind (%v)", lag, known)
	}
	must(t, standby.exec(t.Context(), "resume", `select pg_wal_replay_resume()`))
	awaitTrue(t, "the resumed standby to be read", look)
	if changes := strings.Count(log.String(), "read database changed"); changes != 3 {
		t.Errorf("%d changes are logged, want 3:\n%s", changes, &log)
	}
}

func openStore(t *testing.T, dsn string) *Store {
	t.Helper()
	store, err := Open(t.Context(), dsn)
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// awaitTrue polls a condition for up to a minute.
func awaitTrue(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// A standby of an idle primary is not late: nothing is written while it is looked at.
func TestStandbyOfAnIdlePrimary(t *testing.T) {
	t.Parallel()
	standby := Standby{}
	past := time.Now().Add(-time.Hour)
	standby.positions = []walPosition{{past, 100}}
	standby.advance(100)
	if standby.Fresh() {
		t.Error("a standby is read that was last looked at an hour ago")
	}
	standby.positions = append(standby.positions, walPosition{time.Now(), 100})
	standby.advance(100)
	if !standby.Fresh() {
		t.Error("the standby of an idle primary is late")
	}
}

// A server that is no standby of the primary is never read, and the log says why.
func TestStandbyMustFollowThePrimary(t *testing.T) {
	t.Parallel()
	ownDSN := dbtest.New(t, Migrate)
	store := openStore(t, ownDSN)
	otherDSN, _ := dbtest.WithStandby(t, Migrate)
	for dsn, want := range map[string]error{ownDSN: errNoStandby, otherDSN: errOtherCluster} {
		standby, err := OpenStandby(dsn, 2, store, slog.New(slog.DiscardHandler))
		must(t, err)
		if err := standby.look(t.Context()); !errors.Is(err, want) || standby.Fresh() {
			t.Errorf("error %v, want %v; read: %v", err, want, standby.Fresh())
		}
		must(t, standby.Close())
	}
	away, err := OpenStandby("postgres://usher@127.0.0.1:1/usher?sslmode=disable&connect_timeout=1", 2, store, slog.New(slog.DiscardHandler))
	must(t, err)
	defer away.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := away.look(ctx); err == nil || away.Fresh() {
		t.Errorf("error %v for a server that is away; read: %v", err, away.Fresh())
	}
}
