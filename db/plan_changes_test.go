package db

import (
	"testing"
	"time"

	"usher/billing"
)

func TestPlanChanges(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := billing.PlanChange{
		ID: "chg_1", OrganizationID: "org_1", SubscriptionID: "sub_1", ItemID: "si_1", Kind: billing.PlanUpgrade,
		Status: billing.PlanChangeScheduled, FromPriceID: "price_1", PriceID: "price_2", Quantity: 3, PeriodEnd: at(30),
		ProratedAt: ptr(at(2)), TrialEnd: ptr(at(9)), AmountDue: 1500, Currency: "usd", Digest: "d1", Charged: ptr(int64(1499)), InvoiceID: "in_1",
		ScheduleID: "sub_sched_1", RequestedBy: "usr_1", PreviewedAt: at(1), ConfirmedAt: ptr(at(2)), DoneAt: ptr(at(3)),
		SeatVersion: 4, Attempts: 5, Error: "declined", RequestID: "req_1", NextAttemptAt: ptr(at(20)),
	}
	wantFilled(t, full)
	preview := full
	preview.ID, preview.Status, preview.ScheduleID, preview.ConfirmedAt, preview.NextAttemptAt = "chg_2", billing.PlanChangePreviewed, "", nil, nil
	for _, c := range []billing.PlanChange{full, preview} {
		must(t, store.PlanChanges().Insert(ctx, c))
	}
	got, err := store.PlanChanges().Get(ctx, "org_1", "chg_1")
	must(t, err)
	wantEqual(t, got, full)
	got, err = store.PlanChanges().BySchedule(ctx, "org_1", "sub_sched_1")
	must(t, err)
	wantEqual(t, got, full)
	got, err = store.PlanChanges().Running(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, full)
	for _, wrong := range [][2]string{{"org_2", "chg_1"}, {"org_1", "chg_9"}} {
		_, err = store.PlanChanges().Get(ctx, wrong[0], wrong[1])
		wantNotFound(t, err)
	}
	_, err = store.PlanChanges().BySchedule(ctx, "org_1", "")
	wantNotFound(t, err)

	// An invoice belongs to a confirmed upgrade that has it, or that has none yet.
	for invoice, want := range map[string]int{"in_1": 0, "in_9": 0} {
		list, err := store.PlanChanges().OfInvoice(ctx, "org_1", "sub_1", invoice)
		must(t, err)
		wantEqual(t, len(list), want) // it is scheduled
	}
	applied := full
	applied.Status = billing.PlanChangeApplied
	must(t, store.PlanChanges().Put(ctx, applied))
	list, err := store.PlanChanges().OfInvoice(ctx, "org_1", "sub_1", "in_1")
	must(t, err)
	wantEqual(t, list, []billing.PlanChange{applied})
	list, err = store.PlanChanges().OfInvoice(ctx, "org_1", "sub_1", "in_9")
	must(t, err)
	wantEqual(t, len(list), 0)
	backlog, err := store.Operations().Backlog(ctx)
	must(t, err)
	wantEqual(t, backlog.MischargedChanges, 0) // long ago
	must(t, store.PlanChanges().Put(ctx, full))

	_, err = store.PlanChanges().ClaimDue(ctx, at(19), at(40))
	wantNotFound(t, err)
	must(t, store.PlanChanges().MarkDue(ctx, "sub_1", "price_9", at(5)))
	_, err = store.PlanChanges().ClaimDue(ctx, at(19), at(40))
	wantNotFound(t, err)
	must(t, store.PlanChanges().MarkDue(ctx, "sub_1", "price_2", at(5)))
	must(t, store.PlanChanges().MarkDue(ctx, "sub_1", "", at(7))) // later: no effect
	claimed, err := store.PlanChanges().ClaimDue(ctx, at(5), at(40))
	must(t, err)
	full.NextAttemptAt = ptr(at(40))
	wantEqual(t, claimed, full)

	full.Status, full.NextAttemptAt = billing.PlanChangeApplied, nil
	must(t, store.PlanChanges().Put(ctx, full))
	_, err = store.PlanChanges().Running(ctx, "org_1")
	wantNotFound(t, err)
	must(t, store.PlanChanges().Prune(ctx, at(1).Add(time.Second)))
	_, err = store.PlanChanges().Get(ctx, "org_1", "chg_2")
	wantNotFound(t, err)
	got, err = store.PlanChanges().Get(ctx, "org_1", "chg_1")
	must(t, err)
	wantEqual(t, got, full)
}
