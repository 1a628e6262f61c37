package db

import (
	"testing"

	"usher/billing/account"
	"usher/billing/apperr"
)

func TestIdentityRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	want := account.Identity{
		Issuer: "https://a.example", Subject: "1", UserID: "usr_1", Email: "ana@a.example", CreatedAt: at(1), LastUsedAt: at(2),
	}
	wantFilled(t, want)
	must(t, store.Identities().Insert(ctx, want))
	got, err := store.Identities().Get(ctx, want.Issuer, want.Subject)
	must(t, err)
	wantEqual(t, got, want)

	taken := want
	taken.UserID = "usr_2"
	if err := store.Identities().Insert(ctx, taken); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("a linked identity: %v", err)
	}
	for _, other := range [][2]string{{"https://b.example", "1"}, {want.Issuer, "2"}, {want.Issuer, "1 "}} {
		_, err := store.Identities().Get(ctx, other[0], other[1])
		wantNotFound(t, err)
	}
	want.Email, want.LastUsedAt = "lima@a.example", at(3)
	must(t, store.Identities().Touch(ctx, want))
	all, err := store.Identities().OfUser(ctx, "usr_1")
	must(t, err)
	wantEqual(t, all, []account.Identity{want})

	deleted, err := store.Identities().Delete(ctx, "usr_2", want.Issuer, want.Subject) // not theirs
	must(t, err)
	wantEqual(t, deleted, false)
	must(t, store.Users().Erase(ctx, "usr_1", "Gone"))
	_, err = store.Identities().Get(ctx, want.Issuer, want.Subject)
	wantNotFound(t, err)
}
