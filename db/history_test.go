package db

import (
	"testing"
	"time"

	"usher/billing"
)

// TestMonthEnds: the last change of each month, in UTC, with all before a time as one.
func TestMonthEnds(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	since := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i, change := range []struct {
		at    time.Time
		seats int
	}{
		{since.AddDate(-1, 0, 0), 1}, {since.Add(-time.Second), 2}, {since, 3}, {since.AddDate(0, 1, 0).Add(-time.Second).In(time.FixedZone("", 3*3600)), 4}, {since.AddDate(0, 3, 4), 5},
		{since.AddDate(0, 3, 4).Add(-time.Second), 6}, // by a replica whose clock is slow
	} {
		must(t, store.SeatLedger().Insert(ctx, billing.SeatChange{OrganizationID: "org_1", At: change.at, Reason: "joined", From: change.seats - 1, To: change.seats, Version: int64(i)}))
	}
	got, err := store.SeatLedger().MonthEnds(ctx, "org_1", since)
	must(t, err)
	want := []billing.MonthSeats{{Month: since.AddDate(0, -1, 0), Seats: 2}, {Month: since, Seats: 4}, {Month: since.AddDate(0, 3, 0), Seats: 6}}
	for i := range got {
		got[i].Month = got[i].Month.UTC()
	}
	wantEqual(t, got, want)
}

// TestInvoicesSince: those finalized since a time, with what became of their charges, and no
// drafts.
func TestInvoicesSince(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	acct := billing.StripeAccount{ID: "acct_test"}
	for id, invoice := range map[string]billing.Invoice{
		"in_old": {Status: "paid", CreatedAt: at(0)}, "in_late": {Status: "paid", CreatedAt: at(0), FinalizedAt: ptr(at(10))}, "in_new": {Status: "open", CreatedAt: at(11)},
		"in_draft": {Status: "draft", CreatedAt: at(12)},
	} {
		invoice.ID, invoice.OrganizationID, invoice.Account, invoice.AsOf = id, "org_1", acct.ID, at(1)
		must(t, store.Invoices().Put(ctx, invoice))
	}
	got, err := store.Invoices().Since(ctx, "org_1", acct, at(10))
	must(t, err)
	if len(got) != 2 || got[0].ID != "in_new" || got[1].ID != "in_late" {
		t.Errorf("%+v", got)
	}
}

// TestCreditLevels: every grant since a time, the last consumption of each day, and where the
// balance was before.
func TestCreditLevels(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	acct := billing.StripeAccount{ID: "acct_test"}
	since := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, entry := range []struct {
		source string
		at     time.Time
		kind   billing.CreditKind
		amount int
	}{
		{"a", since.Add(-2 * time.Hour), billing.CreditGrant, 100}, {"b", since.Add(-time.Hour), billing.CreditConsume, -10},
		{"c", since.Add(time.Hour), billing.CreditConsume, -1}, {"d", since.Add(2 * time.Hour), billing.CreditPack, 500}, {"e", since.Add(3 * time.Hour), billing.CreditConsume, -2},
		{"f", since.Add(30 * time.Hour), billing.CreditConsume, -3},
	} {
		_, err := store.Credits().InsertEntry(ctx, billing.CreditEntry{OrganizationID: "org_1", Account: acct.ID, At: entry.at, Kind: entry.kind, Amount: entry.amount, Source: entry.source})
		must(t, err)
	}
	got, err := store.Credits().Levels(ctx, "org_1", acct, since)
	must(t, err)
	sources := ""
	for _, entry := range got {
		sources += entry.Source
	}
	consumed, err := store.Credits().Consumed(ctx, "org_1", acct, since)
	must(t, err)
	if sources != "bdef" || consumed != 6 {
		t.Errorf("levels %s and %d consumed, want bdef and 6", sources, consumed)
	}
}
