package billing

import (
	"testing"
	"time"

	"usher/billing/catalog"
)

func TestRecordPaidSeats(t *testing.T) {
	end := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	next := end.AddDate(0, 1, 0)
	keeps := catalog.Plan{DecreaseAtRenewal: true}
	cases := []struct {
		name    string
		plan    catalog.Plan
		before  SeatState
		current Subscription
		paid    int
		until   *time.Time
	}{
		{"the first period", keeps, SeatState{}, Subscription{Quantity: 5, CurrentPeriodEnd: end}, 5, &end},
		{"more were wanted and are there", keeps, SeatState{DesiredSeats: 7, PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 7, CurrentPeriodEnd: end}, 7, &end},
		{"fewer are there", keeps, SeatState{DesiredSeats: 3, PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 3, CurrentPeriodEnd: end}, 5, &end},
		{"more than was wanted", keeps, SeatState{DesiredSeats: 5, PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 40, CurrentPeriodEnd: end}, 5, &end},
		{"a new period", keeps, SeatState{DesiredSeats: 3, PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 3, CurrentPeriodEnd: next}, 3, &next},
		{"a trial", keeps, SeatState{}, Subscription{Status: StatusTrialing, Quantity: 5, CurrentPeriodEnd: end}, 0, nil},
		{"a plan that gives credit", catalog.Plan{}, SeatState{PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 5, CurrentPeriodEnd: end}, 0, nil},
	}
	for _, c := range cases {
		state := c.before
		state.recordPaidSeats(c.plan, c.current)
		if state.PaidSeats != c.paid || (state.PaidUntil == nil) != (c.until == nil) || c.until != nil && !state.PaidUntil.Equal(*c.until) {
			t.Errorf("%s: %d until %v, want %d until %v", c.name, state.PaidSeats, state.PaidUntil, c.paid, c.until)
		}
	}
}

func TestAcceptQuantity(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	settled := SeatState{DesiredSeats: 5, SyncVersion: 2, AppliedVersion: 2, LastSyncAt: &at}
	waiting := settled
	waiting.SyncVersion, waiting.DueAt = 3, &at
	unseen := settled // Stripe said yes, and the snapshot does not show it yet
	unseen.DueAt = &at
	adopts := catalog.Plan{PerSeat: true, AcceptQuantity: true}
	cases := []struct {
		name     string
		plan     catalog.Plan
		state    SeatState
		quantity int
		want     int
	}{
		{"more", adopts, settled, 40, 40},
		{"fewer than are billed", adopts, settled, 3, 0},
		{"restored by the plan", catalog.Plan{PerSeat: true}, settled, 40, 0},
		{"a change of ours waits", adopts, waiting, 40, 0},
		{"our own change is not seen yet", adopts, unseen, 40, 0},
	}
	for _, c := range cases {
		state := c.state
		state.acceptQuantity(c.plan, Subscription{Quantity: c.quantity}, 5)
		if state.AcceptedQuantity != c.want {
			t.Errorf("%s: minimum %d, want %d", c.name, state.AcceptedQuantity, c.want)
		}
	}
}

func TestRevertQuantityBacksOff(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var state SeatState
	var waited time.Duration
	for round := range 40 {
		state.revertQuantity(now)
		wait := state.DueAt.Sub(now)
		if round == 0 && wait != 0 || wait < waited || wait > driftPauseLimit {
			t.Fatalf("round %d waits %v after %v", round, wait, waited)
		}
		waited = wait
		now = state.DueAt.Add(time.Second)
	}
	if waited != driftPauseLimit {
		t.Errorf("after forty rounds the wait is %v", waited)
	}
	now = now.Add(driftMemory + time.Minute)
	if state.revertQuantity(now); !state.DueAt.Equal(now) {
		t.Error("a change long after the last one is not restored at once")
	}
}

func TestThrottle(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	sent := func(n int, proration catalog.Proration, first, every time.Duration) (all []SeatAttempt) {
		for i := range n {
			all = append(all, SeatAttempt{At: now.Add(first + time.Duration(i)*every), Proration: proration})
		}
		return all
	}
	cases := []struct {
		name      string
		before    []SeatAttempt
		proration catalog.Proration
		wait      time.Duration
		then      catalog.Proration
	}{
		{"nothing was sent", nil, catalog.ProrateAtOnce, 0, catalog.ProrateAtOnce},
		{"the hour has room", sent(updatesPerHour-1, catalog.ProrateNextInvoice, -30*time.Minute, time.Second), catalog.ProrateNextInvoice, 0, catalog.ProrateNextInvoice},
		{"the hour is full", sent(updatesPerHour, catalog.ProrateNextInvoice, -30*time.Minute, time.Second), catalog.ProrateNextInvoice, 30 * time.Minute, catalog.ProrateNextInvoice},
		{"what is older does not count", sent(updatesPerHour, catalog.ProrateNextInvoice, -2*time.Hour, time.Second), catalog.ProrateNextInvoice, 0, catalog.ProrateNextInvoice},
		{"the minute's invoices", sent(invoicesPerMinute, catalog.ProrateAtOnce, -40*time.Second, time.Second), catalog.ProrateAtOnce, 20 * time.Second, catalog.ProrateAtOnce},
		{"invoices of others do not count", sent(invoicesPerMinute, catalog.ProrateNextInvoice, -40*time.Second, time.Second), catalog.ProrateAtOnce, 0, catalog.ProrateAtOnce},
		{"the day's invoices", sent(invoicesPerDay, catalog.ProrateAtOnce, -20*time.Hour, time.Minute), catalog.ProrateAtOnce, 0, catalog.ProrateNextInvoice},
	}
	for _, c := range cases {
		if wait, then := throttle(c.before, now, c.proration); wait != c.wait || then != c.then {
			t.Errorf("%s: wait %v, then %s; want %v, %s", c.name, wait, then, c.wait, c.then)
		}
	}
}
