package billing_test

import (
	"testing"

	"usher/billing"
	"usher/billing/account"
)

// TestSeedFlaws names the flaws of the product whose seat billing was asked for (second seed document) and shows that each is gone.
func TestSeatBilling(t *testing.T) {
	for name, flaw := range map[string]func(*testing.T, *testEnv){
		"an error is never recorded":                     testFailedUpdateIsRecorded,
		"the version is not checked again after a call":  testVersionIsComparedAfterCall,
		"the oldest subscription of any status is taken": testCanceledSubscriptionIsNotUpdated,
		"only some membership changes are synced":        testEveryMembershipChangeIsSynced,
		"ok is shown while a change waits":               testPendingChangeIsShown,
		"any price of the client is taken":               testPricesOutsideCatalogAreRefused,
	} {
		t.Run(name, func(t *testing.T) { flaw(t, newTestEnv(t)) })
	}
}

func testFailedUpdateIsRecorded(t *testing.T, env *testEnv) {
	env.subscribe("pro")
	env.addMembers(1)
	env.makeSeatsDue()
	env.faults.set(cardDeclined)
	_ = env.syncSeats()
	if seats := env.overview().Seats; seats.Status != billing.SyncError || seats.Error == "" || seats.Failures != 1 || seats.DueAt == nil {
		t.Errorf("after Stripe's no: %+v", seats)
	}
}

func testVersionIsComparedAfterCall(t *testing.T, env *testEnv) {
	env.subscribe("pro")
	env.addMembers(1)
	env.makeSeatsDue()
	options := env.options(env.store)
	options.Gateway = hookedGateway{env.gateway(), func() { env.addMembers(1) }}
	replica := billing.New(options)
	env.must(replica.Prices.Start(t.Context()))
	env.must(replica.SeatSyncer.Sync(t.Context(), env.access.Organization.ID))
	if state := env.seatState(); state.AppliedVersion == state.SyncVersion || state.DueAt == nil {
		t.Errorf("the answer to an older version counts for the newer: %+v", state)
	}
}

func testCanceledSubscriptionIsNotUpdated(t *testing.T, env *testEnv) {
	first := env.subscribe("pro")
	env.stripeRequest("DELETE", "/v1/subscriptions/"+first.ID, nil)
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	second := env.subscribe("pro")
	env.addMembers(3)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	if current := env.overview().Subscription; current.ID != second.ID || env.stripeQuantity() != 4 {
		t.Errorf("%d seats at %s, want 4 at %s and not at %s", env.stripeQuantity(), current.ID, second.ID, first.ID)
	}
}

func testEveryMembershipChangeIsSynced(t *testing.T, env *testEnv) {
	env.subscribe("pro")
	org := testOrganization{env, env.access.Organization.ID}
	members := env.insertMembers(4, true)
	env.must(env.recountSeats())
	env.makeSeatsDue()
	env.must(env.syncSeats())
	suspended := account.MemberSuspended
	for i, change := range []func(m account.Member) error{
		func(m account.Member) error { return env.service.Members.Remove(t.Context(), env.access, m.ID) },
		func(m account.Member) error { return env.service.Members.Leave(t.Context(), org.accessOf(m.UserID)) },
		func(m account.Member) error {
			_, err := env.service.Members.Change(t.Context(), env.access, m.ID, account.MemberChange{Billable: ptr(false)})
			return err
		},
		func(m account.Member) error {
			_, err := env.service.Members.Change(t.Context(), env.access, m.ID, account.MemberChange{Status: &suspended})
			return err
		},
	} {
		env.must(change(members[i]))
		env.makeSeatsDue()
		env.must(env.syncSeats())
		if got := env.stripeQuantity(); got != 4-i {
			t.Errorf("after change %d Stripe has %d seats, want %d", i, got, 4-i)
		}
	}
}

func testPendingChangeIsShown(t *testing.T, env *testEnv) {
	env.subscribe("pro")
	env.addMembers(1)
	if status := env.overview().Seats.Status; status != billing.SyncPending {
		t.Errorf("a change waits, and the summary says %s", status)
	}
	env.removeMembers(1) // the number is the old one again, and so is what Stripe has
	if status := env.overview().Seats.Status; status != billing.SyncOK {
		t.Errorf("nothing waits, and the summary says %s", status)
	}
}

func testPricesOutsideCatalogAreRefused(t *testing.T, env *testEnv) {
	var own struct{ ID string }
	env.stripeRequest("POST", "/v1/prices", map[string][]string{
		"currency": {"usd"}, "unit_amount": {"1"}, "recurring[interval]": {"month"}, "product_data[name]": {"Cheap"},
	}, &own)
	for _, price := range []string{own.ID, "price_nobody", ""} {
		_, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PriceID: price})
		if err == nil {
			t.Errorf("a checkout for %q was opened", price)
		}
	}
}
