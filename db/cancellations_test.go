package db

import (
	"testing"

	"usher/billing"
)

func TestCancellations(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := billing.Cancellation{
		ID: "can_1", OrganizationID: "org_1", SubscriptionID: "sub_1", RequestedBy: "usr_1", RequestedAt: at(1), EndsAt: at(30),
		Reason: "too_expensive", Comment: "We shrink.", Status: billing.CancellationOpen, DueAt: ptr(at(2)), Attempts: 3, Error: "timeout",
		DoneAt: ptr(at(4)), ResumedBy: "usr_2", ResumedAt: ptr(at(5)),
	}
	wantFilled(t, full)
	later := full
	later.ID, later.RequestedAt, later.DueAt = "can_2", at(2), ptr(at(9))
	for _, c := range []billing.Cancellation{full, later} {
		must(t, store.Cancellations().Insert(ctx, c))
	}
	got, err := store.Cancellations().Get(ctx, "org_1", "can_1")
	must(t, err)
	wantEqual(t, got, full)
	got, err = store.Cancellations().Open(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, later)
	list, err := store.Cancellations().List(ctx, "org_1")
	must(t, err)
	wantEqual(t, list, []billing.Cancellation{later, full})
	_, err = store.Cancellations().Get(ctx, "org_2", "can_1")
	wantNotFound(t, err)

	got, err = store.Cancellations().ClaimDue(ctx, at(3), at(20))
	must(t, err)
	wantEqual(t, got.ID, "can_1")
	_, err = store.Cancellations().ClaimDue(ctx, at(3), at(20))
	wantNotFound(t, err)

	full.Status, full.DueAt = billing.CancellationFailed, nil
	must(t, store.Cancellations().Put(ctx, full))
	must(t, store.Cancellations().MarkResumed(ctx, "org_1", "sub_1", "usr_9", at(10)))
	list, err = store.Cancellations().List(ctx, "org_1")
	must(t, err)
	later.Status, later.DueAt, later.ResumedBy, later.ResumedAt = billing.CancellationResumed, nil, "usr_9", ptr(at(10))
	wantEqual(t, list, []billing.Cancellation{later, full})
}
