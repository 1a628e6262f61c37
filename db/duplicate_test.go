package db

import (
	"testing"

	"usher/billing"
)

func TestDuplicateSubscriptionRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	want := billing.Surplus{
		SubscriptionID: "sub_2", OrganizationID: "org_1", KeptID: "sub_1", Status: billing.SurplusEnding, FoundAt: testTime, CancelingAt: ptr(at(1)),
		Attempts: 2, Error: "not yet", NextAttemptAt: ptr(at(2)), Refunded: billing.Money{Minor: 2700, Currency: "usd"}, DoneAt: ptr(at(3)),
	}
	wantFilled(t, want)
	insert := func(s billing.Surplus) bool {
		t.Helper()
		fresh, err := store.InsertSurplus(ctx, s)
		must(t, err)
		return fresh
	}
	wantEqual(t, insert(want), true)
	wantEqual(t, insert(want), false)
	want.FoundAt = at(0)
	found, err := store.Surpluses(ctx, "org_1", at(0))
	must(t, err)
	wantEqual(t, found, []billing.Surplus{want})
	found, err = store.Surpluses(ctx, "org_1", at(1))
	must(t, err)
	wantEqual(t, len(found), 0)

	_, err = store.ClaimDueSurplus(ctx, at(1), at(9))
	wantNotFound(t, err)
	claimed, err := store.ClaimDueSurplus(ctx, at(2), at(9))
	must(t, err)
	want.Attempts, want.NextAttemptAt = 3, ptr(at(9))
	wantEqual(t, claimed, want)

	want.Status, want.NextAttemptAt = billing.SurplusSpared, nil
	must(t, store.PutSurplus(ctx, want))
	// A duplicate again: it starts over.
	want.Status, want.NextAttemptAt, want.KeptID = billing.SurplusEnding, ptr(at(5)), "sub_3"
	wantEqual(t, insert(want), true)
	claimed, err = store.ClaimDueSurplus(ctx, at(6), at(9))
	must(t, err)
	wantEqual(t, []any{claimed.KeptID, claimed.Attempts, claimed.Error}, []any{"sub_3", 1, ""})
	wantNotFound(t, store.PutSurplus(ctx, billing.Surplus{SubscriptionID: "sub_9", Status: billing.SurplusFailed}))
}
