package db

import (
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

func TestSeatAttempts(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := billing.SeatAttempt{
		Key: "seats:si_1:2:1", OrganizationID: "org_1", SubscriptionID: "sub_1", Version: 2, Quantity: 5, Proration: catalog.ProrationNone,
		At: at(2), RequestID: "req_1", Accepted: ptr(true), Error: "declined", AcknowledgedAt: ptr(at(4)),
		ProratedAt: ptr(at(3)), PreviewID: "sp_1",
	}
	wantFilled(t, full)
	early, foreign := full, full
	early.Key, early.At, early.RequestID, early.Accepted, early.Error, early.AcknowledgedAt = "seats:si_1:1:1", at(1), "", nil, "", nil
	foreign.Key, foreign.SubscriptionID = "seats:si_2:2:1", "sub_2"
	for _, a := range []billing.SeatAttempt{full, early, foreign} {
		must(t, store.SeatAttempts().Insert(ctx, a))
	}
	must(t, store.SeatAttempts().RecordAnswer(ctx, full))
	again := full
	again.Quantity, again.At = 9, at(3)
	must(t, store.SeatAttempts().Insert(ctx, again)) // the same key again: the first attempt stays

	got, err := store.SeatAttempts().List(ctx, "sub_1", at(1))
	must(t, err)
	wantEqual(t, got, []billing.SeatAttempt{early, full})
	got, err = store.SeatAttempts().List(ctx, "sub_1", at(2))
	must(t, err)
	wantEqual(t, got, []billing.SeatAttempt{full})
}

func TestDueSeatReleases(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	for i, id := range []string{"org_1", "org_2", "org_3", "org_4"} {
		insertUserAndOrganization(t, store, "usr_"+id, id)
		state := billing.SeatState{OrganizationID: id, DesiredSeats: 1}
		if i > 0 {
			state.ReleaseAt = ptr(at(5 - i))
		}
		must(t, store.Seats().PutState(ctx, state))
	}
	got, err := store.Seats().DueReleases(ctx, at(3), 10)
	must(t, err)
	wantEqual(t, got, []string{"org_4", "org_3"})
}
