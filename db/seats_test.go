package db

import (
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
)

func TestSeatStateRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	_, err := store.Seats().State(ctx, "org_1")
	wantNotFound(t, err)
	_, err = store.Seats().LockState(ctx, "org_1")
	wantNotFound(t, err)

	bare := billing.SeatState{OrganizationID: "org_1", DesiredSeats: 1}
	full := billing.SeatState{
		OrganizationID: "org_1", DesiredSeats: 7, LastAppliedSeats: ptr(0), LastSyncAt: ptr(at(1)), SyncError: "declined",
		SyncVersion: 5, AppliedVersion: 4, FirstChangeAt: ptr(at(2)), DueAt: ptr(at(3)), Attempt: 6, AttemptOpen: true, OpenItemID: "si_1",
		OpenQuantity: 8, OpenVersion: 3, Failures: 2, LeaseUntil: ptr(at(4)), OpenProration: catalog.ProrationAlwaysInvoice, OpenInterval: "month",
		OpenKey: "seats:si_1:3:6:1", UnconfirmedSubscriptionID: "sub_1",
		AcceptedQuantity: 9, PaidSeats: 10, PaidUntil: ptr(at(5)), ReleaseAt: ptr(at(6)), DriftVersion: 2, Drifts: 1, DriftAt: ptr(at(7)), AcknowledgedAt: ptr(at(8)),
		SummarySince: ptr(at(9)), SummaryDueAt: ptr(at(10)),
	}
	wantFilled(t, full)
	for _, want := range []billing.SeatState{bare, full, bare} {
		must(t, store.Seats().PutState(ctx, want))
		got, err := store.Seats().State(ctx, "org_1")
		must(t, err)
		wantEqual(t, got, want)
		got, err = store.Seats().LockState(ctx, "org_1")
		must(t, err)
		wantEqual(t, got, want)
	}
}

func TestSeatChanges(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	full := billing.SeatChange{
		OrganizationID: "org_1", At: testTime, ActorUserID: "usr_1", SubjectUserID: "usr_2", Reason: "joined", From: 3, To: 4, Version: 10,
		ActorName: "Name of usr_1", SubjectName: "Name of usr_2", RequestID: "req_9",
		InvoiceID: "in_1", InvoiceNumber: "N-1", Invoiced: catalog.Money{Minor: 900, Currency: "usd"},
	}
	wantFilled(t, full, "ID")
	for version, key := range map[int64]string{8: "early", 10: "right", 11: "late"} {
		must(t, store.SeatAttempts().Insert(ctx, billing.SeatAttempt{Key: key, OrganizationID: "org_1", SubscriptionID: "sub_1", Version: version, Quantity: 4, At: testTime}))
	}
	for key, request := range map[string]string{"early": "req_8", "right": "req_9", "late": "req_11"} {
		must(t, store.SeatAttempts().RecordAnswer(ctx, billing.SeatAttempt{Key: key, RequestID: request, Accepted: ptr(true), AcknowledgedAt: ptr(at(5))}))
	}
	must(t, store.Invoices().Put(ctx, billing.Invoice{ID: "in_1", OrganizationID: "org_1", SubscriptionID: "sub_1", Number: "N-1", Status: "paid", Currency: "usd",
		CreatedAt: at(5), AsOf: at(6)}))
	for id, line := range map[string]billing.InvoiceLine{
		"il_back": {Amount: -900, PeriodStart: at(5)}, "il_charged": {Amount: 1800, PeriodStart: at(6)}, "il_later": {Amount: 7, PeriodStart: at(9)},
	} {
		line.ID = id
		for range 2 {
			must(t, store.Invoices().PutProration(ctx, "in_1", "sub_1", line))
		}
	}
	debounced := billing.SeatChange{OrganizationID: "org_1", At: at(0), Reason: "joined before", Version: 9, RequestID: "req_9"}
	bare := billing.SeatChange{OrganizationID: "org_1", At: at(1), Reason: "counted again", Version: 12}
	foreign := billing.SeatChange{OrganizationID: "org_2", At: at(2)}
	for _, c := range []billing.SeatChange{debounced, full, bare, foreign} {
		must(t, store.SeatLedger().Insert(ctx, c))
	}
	full.At = at(0)

	got, err := store.SeatLedger().List(ctx, "org_1", 10)
	must(t, err)
	if len(got) != 3 || got[0].ID <= got[1].ID {
		t.Fatalf("want three changes, the newest first: %+v", got)
	}
	bare.ID, full.ID, debounced.ID = got[0].ID, got[1].ID, got[2].ID
	wantEqual(t, got, []billing.SeatChange{bare, full, debounced})
	got, err = store.SeatLedger().List(ctx, "org_1", 1)
	must(t, err)
	wantEqual(t, got, []billing.SeatChange{bare})
}

func TestDueSeatSyncs(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	for id, state := range map[string]billing.SeatState{
		"org_due":         {DueAt: ptr(at(-1))},
		"org_longer_due":  {DueAt: ptr(at(-9))},
		"org_due_now":     {DueAt: ptr(at(0))},
		"org_later":       {DueAt: ptr(at(1))},
		"org_nothing":     {},
		"org_leased":      {DueAt: ptr(at(-5)), LeaseUntil: ptr(at(1))},
		"org_lease_ended": {DueAt: ptr(at(-3)), LeaseUntil: ptr(at(0))},
	} {
		must(t, store.Organizations().Insert(ctx, account.Organization{ID: id, CreatedAt: at(0)}))
		state.OrganizationID, state.DesiredSeats = id, 1
		must(t, store.Seats().PutState(ctx, state))
	}
	got, err := store.Seats().DueSyncs(ctx, testTime, 10)
	must(t, err)
	wantEqual(t, got, []string{"org_longer_due", "org_lease_ended", "org_due", "org_due_now"})
	got, err = store.Seats().DueSyncs(ctx, testTime, 2)
	must(t, err)
	wantEqual(t, got, []string{"org_longer_due", "org_lease_ended"})
}

func TestSearchSeatChanges(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	for _, c := range []billing.SeatChange{
		{At: at(1), SubjectUserID: "usr_1", Reason: "joined", From: 1, To: 2},
		{At: at(2), ActorUserID: "usr_2", SubjectUserID: "usr_1", Reason: "was removed", From: 2, To: 1},
		{At: at(3), Reason: "100% counted_again", From: 1, To: 1},
	} {
		c.OrganizationID = "org_1"
		must(t, store.SeatLedger().Insert(ctx, c))
	}
	for _, c := range []struct {
		search billing.LedgerSearch
		want   []string // the reasons, newest first
		total  int
	}{
		{billing.LedgerSearch{}, []string{"100% counted_again", "was removed", "joined"}, 3},
		{billing.LedgerSearch{Limit: 1, Offset: 1}, []string{"was removed"}, 3},
		{billing.LedgerSearch{Direction: billing.MoreSeats}, []string{"joined"}, 1},
		{billing.LedgerSearch{Direction: billing.FewerSeats}, []string{"was removed"}, 1},
		{billing.LedgerSearch{Text: "name of USR_1 joined"}, []string{"joined"}, 1},
		{billing.LedgerSearch{Text: "of usr_2"}, []string{"was removed"}, 1},
		{billing.LedgerSearch{Text: "0% c"}, []string{"100% counted_again"}, 1},
		{billing.LedgerSearch{Text: "_a"}, []string{"100% counted_again"}, 1},
		{billing.LedgerSearch{Text: "%"}, []string{"100% counted_again"}, 1},
		{billing.LedgerSearch{Text: "nobody"}, nil, 0},
	} {
		if c.search.Limit == 0 {
			c.search.Limit = 10
		}
		changes, total, err := store.SeatLedger().Search(ctx, "org_1", c.search)
		must(t, err)
		var got []string
		for _, change := range changes {
			got = append(got, change.Reason)
		}
		wantEqual(t, got, c.want)
		wantEqual(t, total, c.total)
	}
}

func TestLockAndCountSeats(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Members().Insert(ctx, account.Member{ID: "mem_1", OrganizationID: "org_1", UserID: "usr_1", Role: account.Role{ID: account.RoleAdmin},
		Billable: true, Status: account.MemberActive, JoinedAt: at(0)}))
	state, billed, err := store.Seats().LockAndCount(ctx, "org_1")
	must(t, err)
	wantEqual(t, state, billing.SeatState{})
	wantEqual(t, billed, 1)
	must(t, store.Seats().PutState(ctx, billing.SeatState{OrganizationID: "org_1", DesiredSeats: 4, SyncVersion: 2}))
	state, billed, err = store.Seats().LockAndCount(ctx, "org_1")
	must(t, err)
	wantEqual(t, []int{state.DesiredSeats, billed}, []int{4, 1})
}
