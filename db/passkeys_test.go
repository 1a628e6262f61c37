package db

import (
	"bytes"
	"testing"

	"usher/billing/account"
)

func passkey(id, userID string, fill byte) account.Passkey {
	return account.Passkey{
		ID: id, UserID: userID, CredentialID: bytes.Repeat([]byte{fill}, 32), PublicKey: []byte{0xa5}, SignCount: 1<<32 - 1, AAGUID: make([]byte, 16),
		Transports: "hybrid internal", Name: "Key ring", BackupEligible: true, BackedUp: true, LastChallenge: []byte{1}, CreatedAt: at(int(fill)), LastUsedAt: ptr(at(90)),
	}
}

func TestPasskeyRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	want := passkey("pky_1", "usr_1", 1)
	wantFilled(t, want)
	_, err := store.Passkeys().Handle(ctx, "usr_1")
	wantNotFound(t, err)
	handle := bytes.Repeat([]byte{9}, 64)
	must(t, store.Passkeys().InsertHandle(ctx, "usr_1", handle))
	must(t, store.Passkeys().Insert(ctx, want))
	must(t, store.Passkeys().Insert(ctx, passkey("pky_2", "usr_1", 2)))
	got, err := store.Passkeys().Handle(ctx, "usr_1")
	must(t, err)
	wantEqual(t, got, handle)
	user, err := store.Passkeys().OfHandle(ctx, handle)
	must(t, err)
	wantEqual(t, user.ID, "usr_1")
	wantEqual(t, *user.SecondFactorAt, want.CreatedAt)
	_, err = store.Passkeys().OfHandle(ctx, handle[1:])
	wantNotFound(t, err)
	wantConflict(t, store.Passkeys().Insert(ctx, passkey("pky_3", "usr_2", 1)), "passkeys_credential_id_key", "")

	want.SignCount, want.BackedUp, want.LastChallenge, want.LastUsedAt = 7, false, []byte{2}, ptr(at(91))
	must(t, store.Passkeys().Update(ctx, want))
	for userID, renamed := range map[string]bool{"usr_2": false, "usr_1": true} {
		done, err := store.Passkeys().Rename(ctx, userID, "pky_1", "Door")
		must(t, err)
		wantEqual(t, done, renamed)
	}
	want.Name = "Door"
	locked, err := store.Passkeys().Lock(ctx, "pky_1")
	must(t, err)
	wantEqual(t, locked, want)
	all, err := store.Passkeys().OfUser(ctx, "usr_1")
	must(t, err)
	wantEqual(t, all[0], want)
	wantEqual(t, len(all), 2)
	deleted, err := store.Passkeys().Delete(ctx, "usr_2", "pky_1")
	must(t, err)
	wantEqual(t, deleted, false)
	n, err := store.Passkeys().DeleteAll(ctx, "usr_1")
	must(t, err)
	wantEqual(t, n, 2)
}

// Since when a person has a second factor, and whether they have recovery codes, follows from app
// and passkeys, also if a program of the release before removes the app.
func TestSecondFactorAtFollowsBothFactors(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	check := func(what string, since any, codes int) {
		t.Helper()
		user, err := store.Users().Get(ctx, "usr_1")
		must(t, err)
		left, err := store.SecondFactors().CountCodes(ctx, "usr_1")
		must(t, err)
		if (user.SecondFactorAt == nil) != (since == nil) || since != nil && !user.SecondFactorAt.Equal(at(since.(int))) || left != codes {
			t.Errorf("%s: since %v with %d codes, want %v and %d", what, user.SecondFactorAt, left, since, codes)
		}
	}
	must(t, store.SecondFactors().Insert(ctx, secondFactor("usr_1", 1))) // at 1
	must(t, store.SecondFactors().ReplaceCodes(ctx, "usr_1", [][]byte{codeHash(1)}))
	must(t, store.Passkeys().Insert(ctx, passkey("pky_1", "usr_1", 5)))
	check("both", 1, 1)
	must(t, store.exec(ctx, "remove the app as the release before", `with factor as (delete from second_factors where user_id = $1 returning user_id)
		update users u set second_factor_at = null from factor where u.id = factor.user_id`, "usr_1"))
	check("passkey", 5, 1)
	must(t, store.SecondFactors().Insert(ctx, secondFactor("usr_1", 1)))
	_, err := store.Passkeys().Delete(ctx, "usr_1", "pky_1")
	must(t, err)
	check("app", 1, 1)
	_, err = store.SecondFactors().Delete(ctx, "usr_1")
	must(t, err)
	check("none", nil, 0)
}
