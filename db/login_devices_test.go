package db

import (
	"crypto/sha256"
	"testing"

	"usher/billing/account"
	"usher/billing/apperr"
)

func TestLoginDevices(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	user, err := store.Users().Get(ctx, "usr_1")
	must(t, err)
	hash := func(n byte) []byte {
		sum := sha256.Sum256([]byte{n})
		return sum[:]
	}
	for n := range byte(5) {
		must(t, store.LoginDevices().Insert(ctx, account.LoginDevice{Hash: hash(n), UserID: "usr_1", ExpiresAt: at(100 + int(n))}))
	}
	known := func(n byte, email string, now int) bool {
		_, found, err := apperr.Found(store.LoginDevices().ByEmail(ctx, [][]byte{hash(99), hash(n)}, email, at(now)))
		must(t, err)
		return found
	}
	wantEqual(t, known(0, user.Email, 99), true)
	wantEqual(t, known(0, user.Email, 100), false) // expired
	wantEqual(t, known(0, "other@example.com", 0), false)
	wantEqual(t, known(98, user.Email, 0), false)
	must(t, store.LoginDevices().Extend(ctx, hash(0), at(200)))
	must(t, store.LoginDevices().Keep(ctx, "usr_1", 3))
	wantEqual(t, []bool{known(0, user.Email, 0), known(1, user.Email, 0), known(2, user.Email, 0), known(3, user.Email, 0)}, []bool{true, false, false, true})
	must(t, store.LoginDevices().Prune(ctx, at(104)))
	wantEqual(t, one[int](t, store, `select count(*) from login_devices`), 1)
	must(t, store.Users().DeleteLoginDevices(ctx, "usr_1"))
	wantEqual(t, one[int](t, store, `select count(*) from login_devices`), 0)
}
