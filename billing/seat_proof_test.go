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
func (tr troupe) flip(admin account.Access, m account.Member, billable bool) {
	tr.t.Helper()
	_, err := tr.service.Members.Change(tr.t.Context(), admin, m.ID, account.MemberChange{Billable: &billable})
	tr.must(err)
}

// crowd adds people to the stage's organization.
func (s *stage) crowd(n int, billable bool) []account.Member {
	s.t.Helper()
	tr := troupe{s, s.access.Organization.ID}
	members := make([]account.Member, n)
	for i := range members {
		members[i] = tr.person(account.RoleMember, billable).Member
	}
	return members
}

// TestBurstOfAThousandChanges: they are told to Stripe in two calls at the most, whatever the last of them was.
func TestBurstOfAThousandChanges(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	members := s.crowd(100, false)
	s.work(s.service)
	tr := troupe{s, s.access.Organization.ID}
	var group sync.WaitGroup
	for worker := range 10 {
		group.Go(func() {
			for round := range 10 {
				for _, m := range members[worker*10 : worker*10+10] {
					_, err := tr.service.Members.Change(t.Context(), s.access, m.ID, account.MemberChange{Billable: ptr(round%2 == 0 || worker%2 == 0)})
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	want := s.one(`select count(*) from organization_members where organization_id = $1 and billable and status = 'active'`, tr.id)
	s.until("the seats to settle", func(o billing.Overview) bool { return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == want })
	if calls := s.calls.Load(); calls > 2 || s.atStripe() != want {
		t.Errorf("%d calls, %d at Stripe, want %d", calls, s.atStripe(), want)
	}
}

// TestFlappingKeepsStripesLimits: a thousand changes an hour, each with its own gathering, for an hour and a half.
func TestFlappingKeepsStripesLimits(t *testing.T) {
	s := openStage(t)
	var ahead atomic.Int64
	options := s.options(s.store)
	began := time.Now()
	now := func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	options.Now = now
	s.service = billing.New(options)
	s.must(s.service.Prices.Start(t.Context()))
	s.subscribe("pro")
	tr := troupe{s, s.access.Organization.ID}
	member := s.crowd(1, false)[0]
	var told []time.Time
	for i := range 1500 {
		tr.flip(s.access, member, i%2 == 0)
		ahead.Add(int64(3600 * time.Millisecond))
		before := s.calls.Load()
		s.must(s.sync())
		if s.calls.Load() > before {
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
	tr.flip(s.access, member, true)
	ahead.Add(int64(2 * time.Hour))
	s.must(s.sync())
	wantSeats(t, s, 2, 2, billing.SyncOK)
}

// TestChangeDuringARunningSync: what is counted while Stripe is being told is a version of its own, and told after it.
func TestChangeDuringARunningSync(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	tr := troupe{s, s.access.Organization.ID}
	members := s.crowd(2, false)
	tr.flip(s.access, members[0], true)
	s.due()
	options := s.options(s.store)
	options.Gateway = beforeSeats{s.gateway(), func() { tr.flip(s.access, members[1], true) }}
	replica := billing.New(options)
	s.must(replica.Prices.Start(t.Context()))
	s.must(replica.SeatSyncer.Sync(t.Context(), tr.id))
	wantSeats(t, s, 3, 2, billing.SyncPending) // told, and no 'ok' while the next one waits
	if state := s.seatState(); state.AppliedVersion >= state.SyncVersion || state.DueAt == nil {
		t.Fatalf("the answer to an older version hides the newer one: %+v", state)
	}
	s.due()
	s.must(s.sync())
	wantSeats(t, s, 3, 3, billing.SyncOK)
}

// beforeSeats does something before Stripe is told, once.
type beforeSeats struct {
	billing.Gateway
	do func()
}

func (g beforeSeats) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	g.do()
	return g.Gateway.UpdateQuantity(ctx, update)
}

// TestCrashBetweenTheCallAndTheWrite: Stripe has done it, and whoever asked is gone before it was written down.
func TestCrashBetweenTheCallAndTheWrite(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	s.crowd(1, true)
	s.must(s.recount())
	s.due()
	options := s.options(s.store)
	options.Gateway = dyingAfter{s.gateway()}
	dying := billing.New(options)
	s.must(dying.Prices.Start(t.Context()))
	crashed := make(chan any, 1)
	go func() {
		defer func() { crashed <- recover() }()
		_ = dying.SeatSyncer.Sync(t.Context(), s.access.Organization.ID)
	}()
	if <-crashed == nil {
		t.Fatal("the replica lives")
	}
	if s.atStripe() != 2 {
		t.Fatal("Stripe has not done it")
	}
	wantSeats(t, s, 2, 1, billing.SyncPending)
	key := s.seatState()
	s.due() // the lease is over
	s.must(s.sync())
	wantSeats(t, s, 2, 2, billing.SyncOK)
	if again := s.seatState(); again.Attempt != key.Attempt {
		t.Errorf("the lost call was repeated under another key: attempts %d, then %d", key.Attempt, again.Attempt)
	}
	if n := s.one(`select count(*) from seat_attempts where organization_id = $1`, s.access.Organization.ID); n != 1 {
		t.Errorf("%d keys were used for one change", n)
	}
}

type dyingAfter struct{ billing.Gateway }

func (g dyingAfter) UpdateQuantity(ctx context.Context, update billing.QuantityUpdate) (billing.UpdatedSubscription, error) {
	_, _ = g.Gateway.UpdateQuantity(ctx, update)
	panic("killed")
}

// recount counts the stage's organization as every change does.
func (s *stage) recount() error {
	_, err := s.service.SeatSyncer.Retry(s.t.Context(), s.access)
	return err
}

// TestResubscribedAtTheSameVersion: a new subscription is told, though nothing changed here since the old one was.
func TestResubscribedAtTheSameVersion(t *testing.T) {
	s := openStage(t)
	old := s.subscribe("pro")
	s.join(2)
	s.due()
	s.must(s.sync())
	wantSeats(t, s, 3, 3, billing.SyncOK)
	version := s.seatState().SyncVersion
	s.postStripe("DELETE", "/v1/subscriptions/"+old.ID, nil)
	s.must(s.service.Subscriptions.Refresh(t.Context(), s.access))
	fresh := s.subscribe("pro")
	if fresh.ID == old.ID || fresh.Quantity != 3 {
		t.Fatalf("subscribed again to %+v", fresh)
	}
	wantSeats(t, s, 3, 3, billing.SyncOK)
	s.setQuantity(fresh, 1)
	s.due()
	s.must(s.sync())
	wantSeats(t, s, 3, 3, billing.SyncOK)
	if now := s.seatState().SyncVersion; now <= version {
		t.Errorf("version %d after %d: the new subscription's key could be an old one", now, version)
	}
}

// TestStripeDownForAnHour: changes go on, the error shows, and once Stripe is back the number is the recount.
func TestStripeDownForAnHour(t *testing.T) {
	s := openStage(t)
	var ahead atomic.Int64
	options := s.options(s.store)
	began := time.Now()
	options.Now = func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	s.service = billing.New(options)
	s.must(s.service.Prices.Start(t.Context()))
	s.subscribe("pro")
	tr := troupe{s, s.access.Organization.ID}
	members := s.crowd(12, false)
	s.faults.set(broken)
	for _, m := range members {
		tr.flip(s.access, m, true) // never refused, never undone
		for range 5 {
			ahead.Add(int64(time.Minute))
			_ = s.sync()
		}
		if seats := s.overview().Seats; seats.Status != billing.SyncError || seats.Error == "" || seats.DueAt == nil {
			t.Fatalf("what is shown while Stripe is down: %+v", seats)
		}
	}
	s.faults.set(none)
	ahead.Add(int64(2 * time.Hour))
	s.must(s.sync())
	wantSeats(t, s, 13, 13, billing.SyncOK)
	if s.atStripe() != 13 {
		t.Errorf("Stripe has %d", s.atStripe())
	}
}
