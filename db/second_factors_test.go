package db

import (
	"bytes"
	"testing"

	"usher/billing/account"
)

func secondFactor(userID string, fill byte) account.SecondFactor {
	return account.SecondFactor{UserID: userID, Seed: bytes.Repeat([]byte{fill}, 60), ConfirmedAt: at(1), LastStep: 59}
}

// codeHash returns the hash of a recovery code.
func codeHash(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func TestSecondFactorRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	want := secondFactor("usr_1", 1)
	wantFilled(t, want)
	must(t, store.SecondFactors().Insert(ctx, want))
	got, err := store.SecondFactors().Lock(ctx, "usr_1")
	must(t, err)
	wantEqual(t, got, want)
	user, err := store.Users().Get(ctx, "usr_1")
	must(t, err)
	wantEqual(t, *user.SecondFactorAt, want.ConfirmedAt)
	if err := store.SecondFactors().Insert(ctx, want); err == nil {
		t.Error("a second one was stored")
	}

	want.Seed, want.LastStep = []byte("other"), 60
	must(t, store.SecondFactors().Update(ctx, want))
	got, err = store.SecondFactors().Get(ctx, "usr_1")
	must(t, err)
	wantEqual(t, got, want)

	for _, want := range []bool{true, false} {
		deleted, err := store.SecondFactors().Delete(ctx, "usr_1")
		must(t, err)
		wantEqual(t, deleted, want)
	}
	user, err = store.Users().Get(ctx, "usr_1")
	must(t, err)
	if user.SecondFactorAt != nil {
		t.Error("the user still has a second factor")
	}
	_, err = store.SecondFactors().Get(ctx, "usr_1")
	wantNotFound(t, err)
}

func TestRecoveryCodesAreUsedOnce(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	for _, id := range []string{"1", "2"} {
		insertUserAndOrganization(t, store, "usr_"+id, "org_"+id)
		must(t, store.SecondFactors().Insert(ctx, secondFactor("usr_"+id, 1)))
	}
	must(t, store.SecondFactors().ReplaceCodes(ctx, "usr_1", [][]byte{codeHash(1), codeHash(2), codeHash(3)}))
	use := func(userID string, hash []byte, want bool) {
		t.Helper()
		used, err := store.SecondFactors().UseCode(ctx, userID, hash, at(2))
		must(t, err)
		wantEqual(t, used, want)
	}
	use("usr_2", codeHash(1), false)
	use("usr_1", codeHash(1), true)
	use("usr_1", codeHash(1), false)
	left, err := store.SecondFactors().CountCodes(ctx, "usr_1")
	must(t, err)
	wantEqual(t, left, 2)
	must(t, store.SecondFactors().ReplaceCodes(ctx, "usr_1", [][]byte{codeHash(4)}))
	use("usr_1", codeHash(2), false)
	use("usr_1", codeHash(4), true)
	_, err = store.SecondFactors().Delete(ctx, "usr_1")
	must(t, err)
	rows, err := get[int](ctx, store.queries, "count", `select count(*) from recovery_codes`)
	must(t, err)
	wantEqual(t, rows, 0)
}

func TestOutdatedSeeds(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	for i, id := range []string{"1", "2", "3"} {
		insertUserAndOrganization(t, store, "usr_"+id, "org_"+id)
		must(t, store.SecondFactors().Insert(ctx, secondFactor("usr_"+id, byte(i))))
	}
	prefix := []byte{1, 1, 1}
	count, err := store.SecondFactors().CountOutdated(ctx, prefix)
	must(t, err)
	wantEqual(t, count, 2)
	for after, want := range map[string]string{"": "usr_1", "usr_1": "usr_3"} {
		outdated, err := store.SecondFactors().Outdated(ctx, prefix, after, 1)
		must(t, err)
		if len(outdated) != 1 || outdated[0].UserID != want {
			t.Errorf("after %q: %+v, want %s", after, outdated, want)
		}
	}
}
