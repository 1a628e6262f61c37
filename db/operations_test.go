package db

import (
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/job"
)

func TestSetOperator(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Users().SetOperator(ctx, "usr_1", true))
	user, err := store.Users().Get(ctx, "usr_1")
	must(t, err)
	if !user.Operator {
		t.Error("the user is not an operator")
	}
	wantNotFound(t, store.Users().SetOperator(ctx, "usr_2", true))
}

func TestSearchOrganizations(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Organizations().Insert(ctx, account.Organization{ID: "org_2", Name: "50% off", CreatedAt: at(1)}))
	must(t, store.Members().Insert(ctx, account.Member{ID: "mem_1", OrganizationID: "org_1", UserID: "usr_1", Role: account.Role{ID: account.RoleAdmin}, Status: account.MemberActive, JoinedAt: at(0)}))
	must(t, store.Customers().PutLink(ctx, billing.CustomerLink{OrganizationID: "org_1", Generation: 1, StripeCustomerID: "cus_1", Account: stripeAccount.ID, Livemode: stripeAccount.Livemode, CreatedAt: at(0), UpdatedAt: at(0)}))
	storeSubscription(t, store, billing.Subscription{ID: "sub_1", OrganizationID: "org_1", CustomerID: "cus_1", Account: stripeAccount.ID, Livemode: stripeAccount.Livemode, Status: billing.StatusActive, PriceID: "price_1", Quantity: 4, CreatedAt: at(0), AsOf: at(0)})
	must(t, store.Subscriptions().SetCurrent(ctx, "org_1", "sub_1", stripeAccount))
	must(t, store.Seats().PutState(ctx, billing.SeatState{OrganizationID: "org_1", DesiredSeats: 5, SyncError: "declined"}))

	for text, want := range map[string][]string{
		"": {"org_2", "org_1"}, "org_1": {"org_1"}, "cus_1": {"org_1"}, "sub_1": {"org_1"}, "USR_1@example.com": {"org_1"}, "acm": {"org_1"}, "0%": {"org_2"}, "nobody": nil,
	} {
		lines, total, err := store.Operations().SearchOrganizations(ctx, billing.OrganizationSearch{Text: text, Limit: 10}, stripeAccount)
		must(t, err)
		var got []string
		for _, line := range lines {
			got = append(got, line.ID)
		}
		wantEqual(t, got, want)
		wantEqual(t, total, len(want))
	}
	lines, total, err := store.Operations().SearchOrganizations(ctx, billing.OrganizationSearch{Limit: 1, Offset: 1}, stripeAccount)
	must(t, err)
	wantEqual(t, total, 2)
	wantFilled(t, lines[0])
	wantEqual(t, lines, []billing.OrganizationLine{{
		Organization: account.Organization{ID: "org_1", Name: "Acme", CreatedAt: at(0)}, Members: 1, CustomerID: "cus_1", Subscription: "sub_1",
		Status: billing.StatusActive, PriceID: "price_1", Quantity: 4, DesiredSeats: 5, SyncError: "declined",
	}})
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	empty, err := store.Operations().Backlog(ctx)
	must(t, err)
	wantEqual(t, empty, billing.Backlog{Jobs: map[string]int{}, Drifts: map[billing.DriftKind]int{}})

	pending, failed := event("evt_1"), event("evt_2")
	pending.Outcome, pending.NextAttemptAt = billing.OutcomePending, ptr(at(0))
	failed.Outcome = billing.OutcomeFailed
	insertEvents(t, store, pending, failed)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Seats().PutState(ctx, billing.SeatState{OrganizationID: "org_1", DesiredSeats: 5, SyncError: "declined", DueAt: ptr(at(0))}))
	must(t, store.Jobs().Enqueue(ctx, job.Job{Kind: job.KindEvent, ID: "evt_1"}))
	must(t, store.Reconciliation().PutCompared(ctx, testAccount, map[billing.DriftKind]int{billing.DriftCharge: 2}, 3, at(7)))
	got, err := store.Operations().Backlog(ctx)
	must(t, err)
	if got.OldestJob == nil {
		t.Error("no job waits")
	}
	got.OldestJob = nil // the time of this test
	wantEqual(t, got, billing.Backlog{
		PendingEvents: 1, OldestPending: ptr(pending.ReceivedAt.UTC()), FailedEvents: 1, FailedSince: ptr(failed.ReceivedAt.UTC()), PendingSeats: 1, FailingSeats: 1, Jobs: map[string]int{"available": 1},
		Drifts: map[billing.DriftKind]int{billing.DriftCharge: 2}, MissedEvents: 3, ComparedAt: ptr(at(7)), LastReceived: ptr(failed.ReceivedAt.UTC()),
	})
	if _, err := store.DB().ExecContext(ctx, `update river_job set state = 'retryable', attempt = 2, errors = array['{"error":"first"}', '{"error":"second"}']::jsonb[]`); err != nil {
		t.Fatal(err)
	}
	jobs, err := store.Operations().OpenJobs(ctx, 10)
	must(t, err)
	if len(jobs) != 1 || jobs[0].Kind != job.KindEvent || jobs[0].ObjectID != "evt_1" || jobs[0].Error != "second" || jobs[0].Attempt != 2 {
		t.Errorf("jobs %+v", jobs)
	}
	wantFilled(t, jobs[0])
}

func TestEventsByHour(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	before, first, second, next := event("evt_1"), event("evt_2"), event("evt_3"), event("evt_4")
	hour := at(0).Truncate(time.Hour)
	before.ReceivedAt, first.ReceivedAt, second.ReceivedAt, next.ReceivedAt = hour.Add(-time.Microsecond), hour, hour.Add(time.Hour-time.Microsecond), hour.Add(time.Hour)
	second.Outcome = billing.OutcomeFailed
	insertEvents(t, store, before, first, second, next)
	got, err := store.Operations().EventsByHour(ctx, hour)
	must(t, err)
	for i := range got {
		got[i].Hour = got[i].Hour.UTC()
	}
	wantEqual(t, got, []billing.EventHour{{Hour: hour, Events: 2, Failed: 1}, {Hour: hour.Add(time.Hour), Events: 1}})
}
