package db

import (
	"context"
	"fmt"
	"testing"
	"time"

	"usher/billing"
)

func subscription(id, organizationID string) billing.Subscription {
	return billing.Subscription{ID: id, OrganizationID: organizationID, Account: stripeAccount.ID, Livemode: stripeAccount.Livemode,
		Status: billing.StatusActive, Quantity: 1, CreatedAt: at(0), AsOf: at(0)}
}

func fullSubscription() billing.Subscription {
	return billing.Subscription{
		ID: "sub_1", OrganizationID: "org_1", CustomerID: "cus_1", Account: stripeAccount.ID, Livemode: true, TestClock: true,
		Status: "a_word_of_tomorrow", PriceID: "price_1", ItemID: "si_1", Quantity: 7, Foreign: true,
		Items: []billing.SubscriptionItem{
			{ID: "si_1", PriceID: "price_1", ProductID: "prod_1", Name: "Support", Quantity: 7, CreatedAt: at(3), Metered: true, Seats: true},
		},
		CurrentPeriodStart: testTime, CurrentPeriodEnd: testTime.Add(time.Hour), CancelAtPeriodEnd: true,
		CancelAt: ptr(testTime.Add(2 * time.Hour)), CanceledAt: ptr(testTime.Add(3 * time.Hour)), EndedAt: ptr(testTime.Add(4 * time.Hour)),
		TrialStart: ptr(testTime.Add(8 * time.Hour)), TrialEnd: ptr(testTime.Add(5 * time.Hour)), BillingCycleAnchor: ptr(testTime.Add(9 * time.Hour)),
		PendingInvoiceInterval: "month", CardBrand: "visa", CardLast4: "4242", PaymentMethodID: "pm_1", SendsInvoices: true, CardExpiresAt: ptr(testTime.Add(10 * time.Hour)), CreatedAt: testTime.Add(6 * time.Hour),
		LatestInvoiceID: "in_1", PendingPriceID: "price_2", PendingQuantity: 8, PendingUntil: ptr(testTime.Add(8 * time.Hour)),
		ScheduleID: "sub_sched_1", ScheduledPriceID: "price_3", ScheduledQuantity: 9, ScheduledAt: ptr(testTime.Add(9 * time.Hour)),
		MetadataOrgID: "org_meta", IsCurrent: true, AsOf: testTime.Add(7 * time.Hour), Revision: 99,
	}
}

// stored returns a written subscription as the database returns it: times in UTC, is_current and
// revision set.
func stored(s billing.Subscription, isCurrent bool, revision int64) billing.Subscription {
	for _, p := range []*time.Time{&s.CurrentPeriodStart, &s.CurrentPeriodEnd, &s.CreatedAt, &s.AsOf} {
		*p = p.UTC()
	}
	for _, p := range []**time.Time{&s.CancelAt, &s.CanceledAt, &s.EndedAt, &s.TrialStart, &s.TrialEnd, &s.BillingCycleAnchor, &s.PendingUntil, &s.ScheduledAt, &s.CardExpiresAt} {
		*p = utc(*p)
	}
	s.IsCurrent, s.Revision = isCurrent, revision
	return s
}

func TestSubscriptionRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	_, err := store.Subscriptions().Get(ctx, "sub_1")
	wantNotFound(t, err)
	_, err = store.Subscriptions().Lock(ctx, "sub_1")
	wantNotFound(t, err)

	bare := subscription("sub_1", "org_2")
	full := fullSubscription()
	wantFilled(t, full, "PendingItems", "CurrentPhase", "NextPhase", "CardFingerprint")
	for i, put := range []billing.Subscription{bare, full, bare, full} {
		storeSubscription(t, store, put)
		got, err := store.Subscriptions().Get(ctx, "sub_1")
		must(t, err)
		wantEqual(t, got, stored(put, false, int64(i+1)))
		got, err = store.Subscriptions().Lock(ctx, "sub_1")
		must(t, err)
		wantEqual(t, got, stored(put, false, int64(i+1)))
	}
}

func TestPutSubscriptionLeavesCurrentAsItIs(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	storeSubscription(t, store, subscription("sub_1", "org_1"))
	must(t, store.Subscriptions().SetCurrent(ctx, "org_1", "sub_1", stripeAccount))
	storeSubscription(t, store, subscription("sub_1", "org_1"))
	got, err := store.Subscriptions().Current(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, got, stored(subscription("sub_1", "org_1"), true, 2))
}

func TestSubscriptionsOfAnOrganization(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	young, old, test, other, foreign := subscription("sub_1", "org_1"), subscription("sub_2", "org_1"),
		subscription("sub_3", "org_1"), subscription("sub_4", "org_1"), subscription("sub_5", "org_2")
	old.CreatedAt = at(-1)
	test.Livemode = false
	other.Account = "acct_2"
	for _, s := range []billing.Subscription{young, old, test, other, foreign} {
		storeSubscription(t, store, s)
	}
	got, err := store.Subscriptions().List(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, got, []billing.Subscription{stored(old, false, 1), stored(young, false, 1)})
}

// A foreign subscription is listed by Foreign only, and is never current, whoever marked it so.
func TestForeignSubscriptionsAreApart(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	ours, foreign := subscription("sub_1", "org_1"), subscription("sub_2", "org_1")
	storeSubscription(t, store, foreign)
	must(t, store.Subscriptions().SetCurrent(ctx, "org_1", "sub_2", stripeAccount))
	foreign.Foreign = true
	wantEqual(t, storeSubscription(t, store, foreign), []string(nil))
	_, err := store.Subscriptions().Current(ctx, "org_1", stripeAccount)
	wantNotFound(t, err)
	wantEqual(t, storeSubscription(t, store, ours), []string{"sub_1"})
	for name, list := range map[string]func() ([]billing.Subscription, error){
		"list": func() ([]billing.Subscription, error) { return store.Subscriptions().List(ctx, "org_1", stripeAccount) },
		"live": func() ([]billing.Subscription, error) { return store.Subscriptions().Live(ctx, stripeAccount, "org_1") },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := list()
			must(t, err)
			wantEqual(t, got, []billing.Subscription{stored(ours, false, 1)})
		})
	}
	got, err := store.Subscriptions().Foreign(ctx, stripeAccount, "org_1")
	must(t, err)
	wantEqual(t, got, []billing.Subscription{stored(foreign, true, 2)})

	wantNotFound(t, store.Subscriptions().SetCurrent(ctx, "org_1", "sub_2", stripeAccount))
	must(t, store.Subscriptions().ClearCurrent(ctx, "org_1", stripeAccount))
	wantEqual(t, len(currentIDs(t, store)), 0)
}

// The second subscription of an organization is listed until its cancellation as a duplicate
// begins.
func TestSecondSubscriptions(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	ended, unfinished, foreign := subscription("sub_3", "org_1"), subscription("sub_4", "org_1"), subscription("sub_5", "org_1")
	ended.Status, unfinished.Status, foreign.Foreign = billing.StatusCanceled, billing.StatusIncomplete, true
	for _, s := range []billing.Subscription{subscription("sub_1", "org_1"), subscription("sub_2", "org_1"), ended, unfinished, foreign} {
		storeSubscription(t, store, s)
	}
	must(t, store.Subscriptions().SetCurrent(ctx, "org_1", "sub_1", stripeAccount))
	count := func() int {
		backlog, err := store.Operations().Backlog(ctx)
		must(t, err)
		return backlog.SecondSubscriptions
	}
	for _, organizationID := range []string{"org_1", ""} {
		got, err := store.Subscriptions().Second(ctx, stripeAccount, organizationID)
		must(t, err)
		wantEqual(t, got, []billing.Subscription{stored(subscription("sub_2", "org_1"), false, 1)})
	}
	wantEqual(t, count(), 1)
	_, err := store.Duplicates().Insert(ctx, billing.DuplicateSubscription{
		SubscriptionID: "sub_2", OrganizationID: "org_1", KeptSubscriptionID: "sub_1", Status: billing.DuplicateCanceling, FoundAt: at(0),
		NextAttemptAt: ptr(at(0)),
	})
	must(t, err)
	wantEqual(t, count(), 0)
}

func TestSetCurrent(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	test := subscription("sub_test", "org_1")
	test.Livemode = false
	for _, s := range []billing.Subscription{
		subscription("sub_1", "org_1"), subscription("sub_2", "org_1"), test, subscription("sub_foreign", "org_2"),
	} {
		storeSubscription(t, store, s)
	}
	_, err := store.Subscriptions().Current(ctx, "org_1", stripeAccount)
	wantNotFound(t, err)
	must(t, store.Subscriptions().SetCurrent(ctx, "org_1", "sub_test", billing.StripeAccount{ID: stripeAccount.ID}))
	must(t, store.Subscriptions().SetCurrent(ctx, "org_2", "sub_foreign", stripeAccount))

	// In both directions, so that the order of rows in the table does not matter, and twice, which
	// must not change anything.
	for _, id := range []string{"sub_1", "sub_2", "sub_2", "sub_1"} {
		must(t, store.Subscriptions().SetCurrent(ctx, "org_1", id, stripeAccount))
		wantEqual(t, currentIDs(t, store), []string{id, "sub_foreign", "sub_test"})
		got, err := store.Subscriptions().Current(ctx, "org_1", stripeAccount)
		must(t, err)
		wantEqual(t, got, stored(subscription(id, "org_1"), true, 1))
	}
	for _, id := range []string{"sub_foreign", "sub_test", "sub_unknown"} {
		wantNotFound(t, store.Subscriptions().SetCurrent(ctx, "org_1", id, stripeAccount))
		wantEqual(t, currentIDs(t, store), []string{"sub_1", "sub_foreign", "sub_test"})
	}
}

func currentIDs(t *testing.T, store *Store) []string {
	t.Helper()
	var ids []string
	must(t, store.db.SelectContext(t.Context(), &ids, `select id from subscriptions where is_current order by id`))
	return ids
}

// storeSubscription writes a snapshot and returns the ids of all subscriptions of the organization.
func storeSubscription(t *testing.T, tx billing.Tx, s billing.Subscription) (ids []string) {
	t.Helper()
	all, err := tx.Subscriptions().Put(t.Context(), s)
	must(t, err)
	for _, one := range all {
		ids = append(ids, one.ID)
	}
	return ids
}

func TestPutSubscriptionReturnsAll(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	storeSubscription(t, store, subscription("sub_elsewhere", "org_2"))
	otherMode := subscription("sub_live", "org_1")
	otherMode.Livemode = !stripeAccount.Livemode
	storeSubscription(t, store, otherMode)
	older := subscription("sub_2", "org_1")
	older.CreatedAt = older.CreatedAt.Add(-time.Hour)
	storeSubscription(t, store, subscription("sub_1", "org_1"))
	wantEqual(t, storeSubscription(t, store, older), []string{"sub_2", "sub_1"})
	must(t, store.Subscriptions().SetCurrent(ctx, "org_1", "sub_1", stripeAccount))
	all, err := store.Subscriptions().Put(ctx, subscription("sub_1", "org_1"))
	must(t, err)
	listed, err := store.Subscriptions().List(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, all, listed)
	wantEqual(t, all[1], stored(subscription("sub_1", "org_1"), true, 2))
}

func TestLockOwnerAndSubscription(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Customers().PutLink(ctx, billing.CustomerLink{OrganizationID: "org_1", Generation: 1, StripeCustomerID: "cus_1", Account: stripeAccount.ID,
		Livemode: stripeAccount.Livemode, CreatedAt: at(0), UpdatedAt: at(0)}))
	_, _, err := store.Subscriptions().LockWithOwner(ctx, "cus_1", stripeAccount, "sub_1")
	wantNotFound(t, err)
	storeSubscription(t, store, subscription("sub_1", "org_1"))
	_, _, err = store.Subscriptions().LockWithOwner(ctx, "cus_2", stripeAccount, "sub_1")
	wantNotFound(t, err)

	waits := make(chan error, 1)
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		if _, err := tx.Organizations().Lock(ctx, "org_1"); err != nil {
			return err
		}
		go func() { waits <- seesWhatWasWritten(ctx, store) }()
		waitUntilBlocked(t, store)
		// A transaction that waits for the organization does not hold the subscription's lock.
		wantEqual(t, one[int](t, store, `select count(*) from (select from subscriptions for no key update skip locked) s`), 1)
		_, err := tx.Subscriptions().Put(ctx, subscription("sub_1", "org_1"))
		return err
	}))
	must(t, <-waits)
}

func seesWhatWasWritten(ctx context.Context, store *Store) error {
	return store.InTx(ctx, func(tx billing.Tx) error {
		owner, stored, err := tx.Subscriptions().LockWithOwner(ctx, "cus_1", stripeAccount, "sub_1")
		if err == nil && (owner != "org_1" || stored.Revision != 2) {
			err = fmt.Errorf("got %s, revision %d", owner, stored.Revision)
		}
		return err
	})
}

func TestLockSubscriptionExcludesOthers(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t, "lock_timeout", "100ms"), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	storeSubscription(t, store, subscription("sub_1", "org_1"))
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		if _, err := tx.Subscriptions().Lock(ctx, "sub_1"); err != nil {
			return err
		}
		if _, err := store.Subscriptions().Put(ctx, subscription("sub_1", "org_1")); err == nil {
			t.Error("a locked snapshot was overwritten outside of its transaction")
		}
		_, err := store.Subscriptions().Get(ctx, "sub_1") // plain reads are not blocked
		return err
	}))
}
