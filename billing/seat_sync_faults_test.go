package billing_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
)

// A thousand concurrent changes are sent to Stripe in at most two calls, although a sync is
// attempted after every ten. The clock moves with the changes, so that their number within a
// debounce interval does not depend on the machine.
func TestConcurrentChangesAreDebounced(t *testing.T) {
	env, clock := newTestEnv(t), newTestClock()
	env.useClock(clock.now)
	env.subscribe("pro")
	members := env.insertMembers(100, false)
	env.startWorker(env.service)
	var group sync.WaitGroup
	for worker := range 10 {
		group.Go(func() {
			for round := range 10 {
				for _, m := range members[worker*10 : worker*10+10] {
					billable := round%2 == 0 || worker%2 == 0
					if round == 0 || worker%2 != 0 { // changes the number of billed members
						clock.advance(billing.DebounceLimit / 600)
					}
					if _, err := env.service.Members.Change(t.Context(), env.access, m.ID, account.MemberChange{Billable: &billable}); err != nil {
						t.Error(err)
					}
				}
				if err := env.syncSeats(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	clock.advance(billing.DebounceLimit)
	want := env.queryInt(`select count(*) from organization_members where organization_id = $1 and billable and status = 'active'`, env.access.Organization.ID)
	env.waitFor("the quantity to be synced", func(o billing.Overview) bool { return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == want })
	if calls := env.quantityUpdates.Load(); calls > 2 || env.stripeQuantity() != want {
		t.Errorf("%d calls, quantity %d at Stripe, want %d", calls, env.stripeQuantity(), want)
	}
}

// A thousand changes per hour, each past the debounce interval, must stay within Stripe's limit of
// updates for one subscription.
func TestRepeatedChangesStayWithinRateLimits(t *testing.T) {
	env, clock := newTestEnv(t), newTestClock()
	env.useClock(clock.now)
	env.subscribe("pro")
	org := testOrganization{env, env.access.Organization.ID}
	member := env.insertMembers(1, false)[0]
	var updates []time.Time
	for i := range 900 {
		org.setBillable(env.access, member, i%2 == 0)
		clock.advance(6 * time.Second)
		before := env.quantityUpdates.Load()
		env.must(env.syncSeats())
		if env.quantityUpdates.Load() > before {
			updates = append(updates, clock.now())
		}
	}
	for i := 200; i < len(updates); i++ {
		if updates[i].Sub(updates[i-200]) < time.Hour {
			t.Fatalf("more than 200 updates within the hour after %v", updates[i-200])
		}
	}
	if len(updates) < 200 {
		t.Errorf("%d updates in an hour and a half, want at least 200", len(updates))
	}
	org.setBillable(env.access, member, true)
	clock.advance(2 * time.Hour)
	env.must(env.syncSeats())
	wantSeats(t, env, 2, 2, billing.SyncOK)
}

// A change that is made while an update is sent has its own version, which is sent afterwards.
func TestChangeDuringSync(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	org := testOrganization{env, env.access.Organization.ID}
	members := env.insertMembers(2, false)
	org.setBillable(env.access, members[0], true)
	env.makeSeatsDue()
	options := env.options(env.store)
	options.Gateway = hookedGateway{env.gateway(), func() { org.setBillable(env.access, members[1], true) }}
	replica := env.startService(options)
	env.must(replica.SeatSyncer.Sync(t.Context(), org.id))
	wantSeats(t, env, 3, 2, billing.SyncPending) // updated, but another change is pending
	if state := env.seatState(); state.AppliedVersion >= state.SyncVersion || state.DueAt == nil {
		t.Fatalf("the response to an older version hides the newer version: %+v", state)
	}
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 3, 3, billing.SyncOK)
}

// hookedGateway calls a function before each quantity update.
type hookedGateway struct {
	billing.Gateway
	beforeUpdate func()
}

func (g hookedGateway) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	g.beforeUpdate()
	return g.Gateway.UpdateQuantity(ctx, update)
}

// Stripe has applied an update, and the worker crashes before it stores the result.
func TestCrashAfterStripeCall(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.insertMembers(1, true)
	env.must(env.recountSeats())
	env.makeSeatsDue()
	options := env.options(env.store)
	options.Gateway = crashingGateway{env.gateway()}
	crashing := env.startService(options)
	crashed := make(chan any, 1)
	go func() {
		defer func() { crashed <- recover() }()
		_ = crashing.SeatSyncer.Sync(t.Context(), env.access.Organization.ID)
	}()
	if <-crashed == nil {
		t.Fatal("the replica did not crash")
	}
	if env.stripeQuantity() != 2 {
		t.Fatal("Stripe did not apply the update")
	}
	wantSeats(t, env, 2, 1, billing.SyncPending)
	before := env.seatState()
	env.makeSeatsDue() // and the lease expired
	env.must(env.syncSeats())
	wantSeats(t, env, 2, 2, billing.SyncOK)
	if after := env.seatState(); after.Attempt != before.Attempt {
		t.Errorf("the update was repeated with another idempotency key: attempt %d, then %d", before.Attempt, after.Attempt)
	}
	if n := env.queryInt(`select count(*) from seat_attempts where organization_id = $1 and key like 'seats:%'`, env.access.Organization.ID); n != 1 {
		t.Errorf("%d idempotency keys for one change, want 1", n)
	}
}

// crashingGateway panics after each quantity update.
type crashingGateway struct{ billing.Gateway }

func (g crashingGateway) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	_, _ = g.Gateway.UpdateQuantity(ctx, update)
	panic("crash")
}

// A new subscription is synced although the seats have not changed since the old one was.
func TestResubscribeWithoutSeatChanges(t *testing.T) {
	env := newTestEnv(t)
	old := env.subscribe("pro")
	env.addMembers(2)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 3, 3, billing.SyncOK)
	version := env.seatState().SyncVersion
	env.stripeRequest("DELETE", "/v1/subscriptions/"+old.ID, nil)
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	fresh := env.subscribe("pro")
	if fresh.ID == old.ID || fresh.Quantity != 3 {
		t.Fatalf("new subscription %+v, want another ID and quantity 3", fresh)
	}
	wantSeats(t, env, 3, 3, billing.SyncOK)
	env.setQuantityAndRefresh(fresh, 1)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 3, 3, billing.SyncOK)
	if now := env.seatState().SyncVersion; now <= version {
		t.Errorf("version %d after %d: the idempotency key of the new subscription could repeat", now, version)
	}
}

// Changes continue during an outage of an hour and the error is shown. Afterwards the recounted
// quantity is applied.
func TestStripeOutage(t *testing.T) {
	env, clock := newTestEnv(t), newTestClock()
	env.useClock(clock.now)
	env.subscribe("pro")
	org := testOrganization{env, env.access.Organization.ID}
	members := env.insertMembers(12, false)
	env.faults.set(serverError)
	for _, m := range members {
		org.setBillable(env.access, m, true) // accepted and kept
		for range 5 {
			clock.advance(time.Minute)
			_ = env.syncSeats()
		}
		if seats := env.overview().Seats; seats.Status != billing.SyncError || seats.Error == "" || seats.DueAt == nil {
			t.Fatalf("during the outage: %+v", seats)
		}
	}
	env.faults.set(noFault)
	clock.advance(2 * time.Hour)
	env.must(env.syncSeats())
	wantSeats(t, env, 13, 13, billing.SyncOK)
	if env.stripeQuantity() != 13 {
		t.Errorf("quantity %d at Stripe, want 13", env.stripeQuantity())
	}
}
