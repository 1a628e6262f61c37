package db

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"usher/billing/account"
)

func TestSessionRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := NewSessionStore(newTestStore(t).DB()), t.Context()
	_, found, err := store.FindCtx(ctx, "token")
	must(t, err)
	wantEqual(t, found, false)

	soon := time.Now().Add(time.Hour)
	for _, data := range [][]byte{{0, 1, 0xff, '\\', '\''}, []byte("changed")} {
		must(t, store.CommitCtx(ctx, "token", data, soon))
		got, found, err := store.FindCtx(ctx, "token")
		must(t, err)
		wantEqual(t, found, true)
		wantEqual(t, got, data)
	}
	must(t, store.DeleteCtx(ctx, "token"))
	must(t, store.DeleteCtx(ctx, "token"))
	_, found, err = store.FindCtx(ctx, "token")
	must(t, err)
	wantEqual(t, found, false)
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	store, ctx := NewSessionStore(newTestStore(t).DB()), t.Context()
	must(t, store.CommitCtx(ctx, "old", []byte("x"), time.Now().Add(-time.Second)))
	must(t, store.CommitCtx(ctx, "new", []byte("x"), time.Now().Add(time.Hour)))
	_, found, err := store.FindCtx(ctx, "old")
	must(t, err)
	wantEqual(t, found, false)
	n, err := store.DeleteExpired(ctx)
	must(t, err)
	wantEqual(t, n, 1)
	_, found, err = store.FindCtx(ctx, "new")
	must(t, err)
	wantEqual(t, found, true)
}

func TestSessionTokenIsNotStored(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	sessions := NewSessionStore(store.DB())
	const token = "fzXGBcQ6GAMzJyEjIVBZvBhQhyzoTdWwVQIkSTLuyAI"
	must(t, sessions.CommitCtx(t.Context(), token, []byte("x"), time.Now().Add(time.Hour)))
	row := one[string](t, store, `select sessions::text || encode(token_hash, 'escape') from sessions`)
	if bytes.Contains([]byte(row), []byte(token)) {
		t.Fatalf("the row contains the token: %s", row)
	}
	wantEqual(t, one[string](t, store, `select encode(token_hash, 'hex') from sessions`),
		one[string](t, store, `select encode(sha256('fzXGBcQ6GAMzJyEjIVBZvBhQhyzoTdWwVQIkSTLuyAI'), 'hex')`))
}

func TestAttachUser(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	sessions := NewSessionStore(store.DB())
	must(t, store.Users().Insert(ctx, account.User{ID: "usr_1", Email: "a@example.com", CreatedAt: at(0)}))

	// Before the first write the session is not found.
	must(t, sessions.Attach(ctx, "token", account.Session{UserID: "usr_1"}))
	_, found, err := sessions.FindCtx(ctx, "token")
	must(t, err)
	wantEqual(t, found, false)
	for range 2 {
		must(t, sessions.CommitCtx(ctx, "token", []byte("x"), time.Now().Add(time.Hour)))
		wantEqual(t, one[string](t, store, `select user_id from sessions`), "usr_1")
		must(t, sessions.Attach(ctx, "token", account.Session{UserID: "usr_1"}))
	}
	data, found, err := sessions.FindCtx(ctx, "token")
	must(t, err)
	wantEqual(t, found, true)
	wantEqual(t, data, []byte("x"))

	must(t, sessions.Attach(ctx, "token", account.Session{UserID: ""}))
	wantEqual(t, one[bool](t, store, `select user_id is null from sessions`), true)
}

// Two requests through scs: the second reads what the first has written.
func TestSessionManager(t *testing.T) {
	t.Parallel()
	manager := scs.New()
	manager.Store = NewSessionStore(newTestStore(t).DB())
	var seen string
	handler := manager.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = manager.GetString(r.Context(), "user")
		manager.Put(r.Context(), "user", "usr_1")
	}))
	first := httptest.NewRecorder()
	handler.ServeHTTP(first, httptest.NewRequest(http.MethodGet, "/", nil))
	second := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, cookie := range first.Result().Cookies() {
		second.AddCookie(cookie)
	}
	handler.ServeHTTP(httptest.NewRecorder(), second)
	wantEqual(t, seen, "usr_1")
}
