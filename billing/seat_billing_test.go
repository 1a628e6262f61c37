package billing_test

import (
	"testing"

	"usher/billing"
	"usher/billing/account"
)

// TestSeatBilling checks the basic properties of seat billing, one environment each.
func TestSeatBilling(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *testEnv){
		"a failed update is recorded":              testFailedUpdateIsRecorded,
		"the version is compared after the update": testVersionIsComparedAfterCall,
		"a canceled subscription is not updated":   testCanceledSubscriptionIsNotUpdated,
		"every membership change is synced":        testEveryMembershipChangeIsSynced,
		"a pending change is shown":                testPendingChangeIsShown,
		"prices outside the catalog are refused":   testPricesOutsideCatalogAreRefused,
	} {
		t.Run(name, func(t *testing.T) { test(t, newTestEnv(t)) })
	}
}

func testFailedUpdateIsRecorded(t *testing.T, env *testEnv) {
	env.subscribe("pro")
	env.addMembers(1)
	env.makeSeatsDue()
	env.faults.set(cardDeclined)
	_ = env.syncSeats()
	if seats := env.overview().Seats; seats.Status != billing.SyncError || seats.Error == "" || seats.Failures != 1 || seats.DueAt == nil {
		t.Errorf("after a declined card: %+v", seats)
	}
}

func testVersionIsComparedAfterCall(t *testing.T, env *testEnv) {
	env.subscribe("pro")
	env.addMembers(1)
	env.makeSeatsDue()
	options := env.options(env.store)
	options.Gateway = hookedGateway{env.gateway(), func() { env.addMembers(1) }}
	replica := env.startService(options)
	env.must(replica.SeatSyncer.Sync(t.Context(), env.access.Organization.ID))
	if state := env.seatState(); state.AppliedVersion == state.SyncVersion || state.DueAt == nil {
		t.Errorf("the response to an older version completed the newer version: %+v", state)
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
		t.Errorf("%d seats in subscription %s, want 4 in %s, not in %s", env.stripeQuantity(), current.ID, second.ID, first.ID)
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
			t.Errorf("after change %d: quantity %d at Stripe, want %d", i, got, 4-i)
		}
	}
}

func testPendingChangeIsShown(t *testing.T, env *testEnv) {
	env.subscribe("pro")
	env.addMembers(1)
	if status := env.overview().Seats.Status; status != billing.SyncPending {
		t.Errorf("with a pending change: status %s", status)
	}
	env.removeMembers(1) // the desired seats equal the quantity at Stripe again
	if status := env.overview().Seats.Status; status != billing.SyncOK {
		t.Errorf("without a pending change: status %s", status)
	}
}

func testPricesOutsideCatalogAreRefused(t *testing.T, env *testEnv) {
	var own struct{ ID string }
	env.stripeRequest("POST", "/v1/prices", map[string][]string{
		"currency": {"usd"}, "unit_amount": {"1"}, "recurring[interval]": {"month"}, "product_data[name]": {"Cheap"},
	}, &own)
	for _, price := range []string{own.ID, "price_unknown", ""} {
		_, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PriceID: price})
		if err == nil {
			t.Errorf("Checkout was started for price %q", price)
		}
	}
}
