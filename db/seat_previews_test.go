package db

import (
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
)

func TestSeatPreviews(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	line := billing.PreviewLine{Description: "Unused time", Amount: catalog.Money{Minor: -5, Currency: "usd"}, Quantity: 2, PeriodStart: at(2), PeriodEnd: at(30)}
	full := billing.SeatPreview{
		ID: "sp_1", OrganizationID: "org_1", SubscriptionID: "sub_1", ItemID: "si_1", CustomerID: "cus_1", PriceID: "price_1",
		Kind: billing.SeatMembers, Digest: "d", Members: []billing.PreviewedMember{{ID: "mem_1", Name: "Bo", Billable: true, Status: account.MemberActive}},
		Email: "bo@example.com", Billed: 3, FromQuantity: 2, ToQuantity: 3, BaseVersion: 4, Proration: catalog.ProrationCreateProrations,
		ProratedAt: ptr(at(2)), PeriodEnd: at(30), Reason: billing.SeatTrial, Known: true, Currency: "usd", Interval: catalog.Monthly,
		AmountDue: 1, InvoiceTotal: 2, ProrationSum: 3, PeriodChange: 4, Tax: true, NextAmount: 5, NextAt: ptr(at(30)), EndsAt: ptr(at(31)),
		Lines: []billing.PreviewLine{line}, MoreLines: true, RequestedBy: "usr_1", PreviewedAt: at(1), ConfirmedAt: ptr(at(2)), Version: 5,
		AttemptKey: "seats:si_1:5:1", Charged: ptr(int64(2)), InvoiceID: "in_1", DoneAt: ptr(at(3)),
	}
	wantFilled(t, full)
	open, earlier, free := full, full, full
	open.ID, open.ConfirmedAt = "sp_2", nil
	earlier.ID, earlier.ConfirmedAt, earlier.ProratedAt, earlier.Charged = "sp_3", ptr(at(1)), ptr(at(1)), ptr(int64(9))
	free.ID, free.ConfirmedAt, free.Proration, free.ProratedAt = "sp_4", ptr(at(5)), "", nil
	for _, p := range []billing.SeatPreview{full, open, earlier, free} {
		must(t, store.SeatPreviews().Insert(ctx, p))
	}
	got, err := store.SeatPreviews().Get(ctx, "org_1", "sp_1")
	must(t, err)
	wantEqual(t, got, full)
	_, err = store.SeatPreviews().Get(ctx, "org_2", "sp_1")
	wantNotFound(t, err)
	got, err = store.SeatPreviews().Confirmed(ctx, "org_1", "sub_1", 5) // the last one that is sent
	must(t, err)
	wantEqual(t, got, full)
	_, err = store.SeatPreviews().Confirmed(ctx, "org_1", "sub_1", 6)
	wantNotFound(t, err)
	last, err := store.SeatPreviews().LastProratedAt(ctx, "sub_1")
	must(t, err)
	wantEqual(t, last.UTC(), at(2))
	if last, err = store.SeatPreviews().LastProratedAt(ctx, "sub_2"); err != nil || last != nil {
		t.Errorf("%v, %v", last, err)
	}
	differing, err := store.SeatPreviews().Differing(ctx, "org_1", 10)
	must(t, err)
	if len(differing) != 1 || differing[0].ID != "sp_3" {
		t.Errorf("%+v", differing)
	}
	unread := full
	unread.DoneAt = nil
	must(t, store.SeatPreviews().Put(ctx, unread))
	uncharged, err := store.SeatPreviews().Uncharged(ctx, at(3), 10)
	must(t, err)
	wantEqual(t, uncharged, []billing.SeatPreview{unread})
	must(t, store.SeatPreviews().Prune(ctx, at(9)))
	_, err = store.SeatPreviews().Get(ctx, "org_1", "sp_2")
	wantNotFound(t, err)
	full.Charged = nil
	must(t, store.SeatPreviews().Put(ctx, full))
	got, err = store.SeatPreviews().Get(ctx, "org_1", "sp_1")
	must(t, err)
	wantEqual(t, got, full)
}
