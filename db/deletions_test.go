package db

import (
	"errors"
	"testing"

	"usher/billing"
	"usher/billing/apperr"
)

func TestDeletionCancellations(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	ctx, deletions := t.Context(), store.Deletions()
	must(t, deletions.WakeCancellation(ctx, "org_1", "sub_1", at(0)))
	wantEqual(t, one[int](t, store, `select count(*) from deletion_cancellations`), 0) // no deletion is scheduled
	run(t, store, `update organizations set deletes_at = now()`)
	must(t, deletions.WakeCancellation(ctx, "org_1", "sub_1", at(0)))

	claimed, err := deletions.ClaimCancellation(ctx, "org_1", at(1), at(10))
	must(t, err)
	wantEqual(t, claimed, billing.DeletionCancellation{SubscriptionID: "sub_1", OrganizationID: "org_1", DueAt: ptr(at(0))})
	must(t, deletions.WakeCancellation(ctx, "org_1", "sub_1", at(2)))
	for _, organization := range []string{"", "org_1"} {
		if _, err := deletions.ClaimCancellation(ctx, organization, at(3), at(20)); !errors.Is(err, apperr.ErrNotFound) {
			t.Errorf("claimed during a lease: %v", err)
		}
	}
	claimed, err = deletions.ClaimCancellation(ctx, "", at(10), at(20))
	must(t, err)
	claimed.DueAt, claimed.Failures, claimed.Error = ptr(at(30)), 2, "no answer"
	wantFilled(t, claimed)
	must(t, deletions.PutCancellation(ctx, claimed))
	if _, err := deletions.ClaimCancellation(ctx, "org_2", at(30), at(40)); !errors.Is(err, apperr.ErrNotFound) {
		t.Errorf("claimed another organization's: %v", err)
	}
	again, err := deletions.ClaimCancellation(ctx, "", at(30), at(40)) // the lease is released
	must(t, err)
	wantEqual(t, again, claimed)
	claimed.DueAt = nil
	must(t, deletions.PutCancellation(ctx, claimed))
	if _, err := deletions.ClaimCancellation(ctx, "", at(1000), at(2000)); !errors.Is(err, apperr.ErrNotFound) {
		t.Errorf("claimed one that is done: %v", err)
	}
	n, err := deletions.WakeCancellations(ctx, "org_1", at(50))
	must(t, err)
	wantEqual(t, n, 1)
	must(t, deletions.RemoveCancellation(ctx, "sub_1"))
	must(t, deletions.WakeCancellation(ctx, "org_1", "sub_2", at(0)))
	must(t, deletions.MarkDeleted(ctx, "org_1", at(60)))
	wantEqual(t, one[int](t, store, `select count(*) from deletion_cancellations`), 0)
	must(t, deletions.WakeCancellation(ctx, "org_1", "sub_2", at(0)))
	wantEqual(t, one[int](t, store, `select count(*) from deletion_cancellations`), 0) // deleted
}
