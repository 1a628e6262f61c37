package db

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
)

func accountToken(fill byte, userID string, purpose account.TokenPurpose) account.Token {
	return account.Token{Hash: bytes.Repeat([]byte{fill}, 32), Purpose: purpose, UserID: userID, Email: userID + "@example.com",
		CreatedAt: at(int(fill)), ExpiresAt: at(1000)}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	token := accountToken(1, "usr_1", account.TokenReset)
	wantFilled(t, token)
	must(t, store.Tokens().Insert(ctx, token))
	got, err := store.Tokens().Get(ctx, token.Hash, account.TokenReset, at(999))
	must(t, err)
	wantEqual(t, got, token)

	_, err = store.Tokens().Get(ctx, token.Hash, account.TokenReset, at(1000))
	wantNotFound(t, err) // expired
	_, err = store.Tokens().Get(ctx, token.Hash, account.TokenVerify, at(1))
	wantNotFound(t, err) // of another purpose
	_, err = store.Tokens().Get(ctx, bytes.Repeat([]byte{9}, 32), account.TokenReset, at(1))
	wantNotFound(t, err)
}

func TestTokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	token := accountToken(1, "usr_1", account.TokenReset)
	must(t, store.Tokens().Insert(ctx, token))
	var spent atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			first, err := store.Tokens().MarkUsed(ctx, token.Hash, at(1))
			if err != nil {
				t.Error(err)
			}
			if first {
				spent.Add(1)
			}
		})
	}
	group.Wait()
	wantEqual(t, spent.Load(), 1)
	_, err := store.Tokens().Get(ctx, token.Hash, account.TokenReset, at(2))
	wantNotFound(t, err)
}

func TestMarkAllUsedIsPerUserAndPurpose(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	mine, verify, other := accountToken(1, "usr_1", account.TokenReset), accountToken(2, "usr_1", account.TokenVerify), accountToken(3, "usr_2", account.TokenReset)
	for _, token := range []account.Token{mine, verify, other} {
		must(t, store.Tokens().Insert(ctx, token))
	}
	last, err := store.Tokens().LastCreatedAt(ctx, "usr_1", account.TokenReset)
	must(t, err)
	wantEqual(t, last, mine.CreatedAt)
	must(t, store.Tokens().MarkAllUsed(ctx, "usr_1", account.TokenReset, at(5)))
	_, err = store.Tokens().LastCreatedAt(ctx, "usr_1", account.TokenReset)
	wantNotFound(t, err)
	for _, token := range []account.Token{verify, other} {
		_, err := store.Tokens().Get(ctx, token.Hash, token.Purpose, at(6))
		must(t, err)
	}
}

func TestResetRequestsAreUniqueAndPoppedOnce(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	must(t, store.Tokens().PutResetRequest(ctx, "Ana@Example.com", at(0)))
	must(t, store.Tokens().PutResetRequest(ctx, "ana@example.com", at(5)))
	must(t, store.Tokens().PutResetRequest(ctx, "bo@example.com", at(1)))
	// While one transaction has popped the first request and is open, the next one blocks, then
	// gets the second request.
	second := make(chan string, 1)
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		first, err := tx.Tokens().PopResetRequest(ctx)
		must(t, err)
		wantEqual(t, first, "bo@example.com")
		go func() {
			email, _ := store.Tokens().PopResetRequest(ctx)
			second <- email
		}()
		waitUntilBlocked(t, store)
		return nil
	}))
	wantEqual(t, <-second, "ana@example.com")
	_, err := store.Tokens().PopResetRequest(ctx)
	wantNotFound(t, err)
}

// waitUntilBlocked returns when a statement is waiting for a lock.
func waitUntilBlocked(t *testing.T, store *Store) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for one[int](t, store, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no statement waits for a lock")
		}
		time.Sleep(5 * time.Millisecond) // poll interval
	}
}

func TestPasswordVerificationAndSessionsOfAUser(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	sessions := NewSessionStore(store.DB())
	for token, user := range map[string]string{"a": "usr_1", "b": "usr_1", "c": "usr_2"} {
		must(t, sessions.Attach(ctx, token, account.Session{UserID: user}))
	}
	ended, err := store.Users().DeleteSessions(ctx, "usr_1")
	must(t, err)
	wantEqual(t, ended, int64(2))
	wantEqual(t, one[int](t, store, `select count(*) from sessions`), 1)

	must(t, store.Users().SetPassword(ctx, "usr_1", "new hash"))
	user, err := store.Users().Get(ctx, "usr_1")
	must(t, err)
	wantEqual(t, user.PasswordHash, "new hash")
	wantNotFound(t, store.Users().SetPassword(ctx, "usr_x", "new hash"))

	must(t, store.Users().MarkEmailVerified(ctx, "usr_1", at(1)))
	must(t, store.Users().MarkEmailVerified(ctx, "usr_1", at(2)))
	wantEqual(t, one[time.Time](t, store, `select email_verified_at from users where id = 'usr_1'`).UTC(), at(1))
}
