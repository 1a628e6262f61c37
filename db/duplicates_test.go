package db

import (
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

func TestDuplicateSubscriptionRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	want := billing.DuplicateSubscription{
		SubscriptionID: "sub_2", OrganizationID: "org_1", KeptSubscriptionID: "sub_1", Status: billing.DuplicateCanceling, FoundAt: testTime, CancelingAt: ptr(at(1)),
		Attempts: 2, Error: "not yet", NextAttemptAt: ptr(at(2)), Refunded: catalog.Money{Minor: 2700, Currency: "usd"}, DoneAt: ptr(at(3)),
	}
	wantFilled(t, want)
	insert := func(s billing.DuplicateSubscription) bool {
		t.Helper()
		fresh, err := store.Duplicates().Insert(ctx, s)
		must(t, err)
		return fresh
	}
	wantEqual(t, insert(want), true)
	wantEqual(t, insert(want), false)
	want.FoundAt = at(0)
	found, err := store.Duplicates().List(ctx, "org_1", at(0))
	must(t, err)
	wantEqual(t, found, []billing.DuplicateSubscription{want})
	found, err = store.Duplicates().List(ctx, "org_1", at(1))
	must(t, err)
	wantEqual(t, len(found), 0)

	_, err = store.Duplicates().ClaimDue(ctx, at(1), at(9))
	wantNotFound(t, err)
	claimed, err := store.Duplicates().ClaimDue(ctx, at(2), at(9))
	must(t, err)
	want.Attempts, want.NextAttemptAt = 3, ptr(at(9))
	wantEqual(t, claimed, want)

	want.Status, want.NextAttemptAt = billing.DuplicateKept, nil
	must(t, store.Duplicates().Put(ctx, want))
	// A duplicate again: it starts over.
	want.Status, want.NextAttemptAt, want.KeptSubscriptionID = billing.DuplicateCanceling, ptr(at(5)), "sub_3"
	wantEqual(t, insert(want), true)
	claimed, err = store.Duplicates().ClaimDue(ctx, at(6), at(9))
	must(t, err)
	wantEqual(t, []any{claimed.KeptSubscriptionID, claimed.Attempts, claimed.Error}, []any{"sub_3", 1, ""})
	wantNotFound(t, store.Duplicates().Put(ctx, billing.DuplicateSubscription{SubscriptionID: "sub_9", Status: billing.DuplicateFailed}))
}
