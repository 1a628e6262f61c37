package billing_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
)

// flip turns a member's billing.
func (org testOrganization) setBillable(admin account.Access, m account.Member, billable bool) {
	org.t.Helper()
	_, err := org.service.Members.Change(org.t.Context(), admin, m.ID, account.MemberChange{Billable: &billable})
	org.must(err)
}

// crowd adds people to the stage's organization.
func (env *testEnv) insertMembers(n int, billable bool) []account.Member {
	env.t.Helper()
	org := testOrganization{env, env.access.Organization.ID}
	members := make([]account.Member, n)
	for i := range members {
		members[i] = org.insertMember(account.RoleMember, billable).Member
	}
	return members
}

// TestBurstOfAThousandChanges: they are told to Stripe in two calls at the most, whatever the last of them was.
func TestConcurrentChangesAreDebounced(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	members := env.insertMembers(100, false)
	env.startWorker(env.service)
	org := testOrganization{env, env.access.Organization.ID}
	var group sync.WaitGroup
	for worker := range 10 {
		group.Go(func() {
			for round := range 10 {
				for _, m := range members[worker*10 : worker*10+10] {
					_, err := org.service.Members.Change(t.Context(), env.access, m.ID, account.MemberChange{Billable: ptr(round%2 == 0 || worker%2 == 0)})
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	want := env.queryInt(`select count(*) from organization_members where organization_id = $1 and billable and status = 'active'`, org.id)
	env.waitFor("the seats to settle", func(o billing.Overview) bool { return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == want })
	if calls := env.quantityUpdates.Load(); calls > 2 || env.stripeQuantity() != want {
		t.Errorf("%d calls, %d at Stripe, want %d", calls, env.stripeQuantity(), want)
	}
}

// TestFlappingKeepsStripesLimits: a thousand changes an hour, each with its own gathering, for an hour and a half.
func TestRepeatedChangesStayWithinRateLimits(t *testing.T) {
	env := newTestEnv(t)
	var ahead atomic.Int64
	options := env.options(env.store)
	began := time.Now()
	now := func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	options.Now = now
	env.service = billing.New(options)
	env.must(env.service.Prices.Start(t.Context()))
	env.subscribe("pro")
	org := testOrganization{env, env.access.Organization.ID}
	member := env.insertMembers(1, false)[0]
	var told []time.Time
	for i := range 1500 {
		org.setBillable(env.access, member, i%2 == 0)
		ahead.Add(int64(3600 * time.Millisecond))
		before := env.quantityUpdates.Load()
		env.must(env.syncSeats())
		if env.quantityUpdates.Load() > before {
			told = append(told, now())
		}
	}
	for i := 200; i < len(told); i++ {
		if told[i].Sub(told[i-200]) < time.Hour {
			t.Fatalf("more than 200 updates within the hour after %v", told[i-200])
		}
	}
	if len(told) < 200 {
		t.Errorf("only %d updates in an hour and a half", len(told))
	}
	org.setBillable(env.access, member, true)
	ahead.Add(int64(2 * time.Hour))
	env.must(env.syncSeats())
	wantSeats(t, env, 2, 2, billing.SyncOK)
}

// TestChangeDuringARunningSync: what is counted while Stripe is being told is a version of its own, and told after it.
func TestChangeDuringSync(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	org := testOrganization{env, env.access.Organization.ID}
	members := env.insertMembers(2, false)
	org.setBillable(env.access, members[0], true)
	env.makeSeatsDue()
	options := env.options(env.store)
	options.Gateway = hookedGateway{env.gateway(), func() { org.setBillable(env.access, members[1], true) }}
	replica := billing.New(options)
	env.must(replica.Prices.Start(t.Context()))
	env.must(replica.SeatSyncer.Sync(t.Context(), org.id))
	wantSeats(t, env, 3, 2, billing.SyncPending) // told, and no 'ok' while the next one waits
	if state := env.seatState(); state.AppliedVersion >= state.SyncVersion || state.DueAt == nil {
		t.Fatalf("the answer to an older version hides the newer one: %+v", state)
	}
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 3, 3, billing.SyncOK)
}

// beforeSeats does something before Stripe is told, once.
type hookedGateway struct {
	billing.Gateway
	beforeUpdate func()
}

func (g hookedGateway) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	g.beforeUpdate()
	return g.Gateway.UpdateQuantity(ctx, update)
}

// TestCrashBetweenTheCallAndTheWrite: Stripe has done it, and whoever asked is gone before it was written down.
func TestCrashAfterStripeCall(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.insertMembers(1, true)
	env.must(env.recountSeats())
	env.makeSeatsDue()
	options := env.options(env.store)
	options.Gateway = crashingGateway{env.gateway()}
	dying := billing.New(options)
	env.must(dying.Prices.Start(t.Context()))
	crashed := make(chan any, 1)
	go func() {
		defer func() { crashed <- recover() }()
		_ = dying.SeatSyncer.Sync(t.Context(), env.access.Organization.ID)
	}()
	if <-crashed == nil {
		t.Fatal("the replica lives")
	}
	if env.stripeQuantity() != 2 {
		t.Fatal("Stripe has not done it")
	}
	wantSeats(t, env, 2, 1, billing.SyncPending)
	key := env.seatState()
	env.makeSeatsDue() // the lease is over
	env.must(env.syncSeats())
	wantSeats(t, env, 2, 2, billing.SyncOK)
	if again := env.seatState(); again.Attempt != key.Attempt {
		t.Errorf("the lost call was repeated under another key: attempts %d, then %d", key.Attempt, again.Attempt)
	}
	if n := env.queryInt(`select count(*) from seat_attempts where organization_id = $1`, env.access.Organization.ID); n != 1 {
		t.Errorf("%d keys were used for one change", n)
	}
}

type crashingGateway struct{ billing.Gateway }

func (g crashingGateway) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	_, _ = g.Gateway.UpdateQuantity(ctx, update)
	panic("killed")
}

// recount counts the stage's organization as every change does.
func (env *testEnv) recountSeats() error {
	_, err := env.service.SeatSyncer.Retry(env.t.Context(), env.access)
	return err
}

// TestResubscribedAtTheSameVersion: a new subscription is told, though nothing changed here since the old one was.
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
		t.Fatalf("subscribed again to %+v", fresh)
	}
	wantSeats(t, env, 3, 3, billing.SyncOK)
	env.setQuantityAndRefresh(fresh, 1)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 3, 3, billing.SyncOK)
	if now := env.seatState().SyncVersion; now <= version {
		t.Errorf("version %d after %d: the new subscription's key could be an old one", now, version)
	}
}

// TestStripeDownForAnHour: changes go on, the error shows, and once Stripe is back the number is the recount.
func TestStripeOutage(t *testing.T) {
	env := newTestEnv(t)
	var ahead atomic.Int64
	options := env.options(env.store)
	began := time.Now()
	options.Now = func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	env.service = billing.New(options)
	env.must(env.service.Prices.Start(t.Context()))
	env.subscribe("pro")
	org := testOrganization{env, env.access.Organization.ID}
	members := env.insertMembers(12, false)
	env.faults.set(serverError)
	for _, m := range members {
		org.setBillable(env.access, m, true) // never refused, never undone
		for range 5 {
			ahead.Add(int64(time.Minute))
			_ = env.syncSeats()
		}
		if seats := env.overview().Seats; seats.Status != billing.SyncError || seats.Error == "" || seats.DueAt == nil {
			t.Fatalf("what is shown while Stripe is down: %+v", seats)
		}
	}
	env.faults.set(noFault)
	ahead.Add(int64(2 * time.Hour))
	env.must(env.syncSeats())
	wantSeats(t, env, 13, 13, billing.SyncOK)
	if env.stripeQuantity() != 13 {
		t.Errorf("Stripe has %d", env.stripeQuantity())
	}
}
