package billing

import (
	"testing"
	"time"

	"usher/billing/catalog"
)

func TestRecordPaidSeats(t *testing.T) {
	end := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	next := end.AddDate(0, 1, 0)
	untilRenewal := catalog.Plan{PerSeat: true, ProrationOnDecrease: catalog.ProrationAtRenewal}
	cases := []struct {
		name    string
		plan    catalog.Plan
		before  SeatState
		current Subscription
		paid    int
		until   *time.Time
	}{
		{"the first period", untilRenewal, SeatState{}, Subscription{Quantity: 5, CurrentPeriodEnd: end}, 5, &end},
		{"an increase", untilRenewal, SeatState{DesiredSeats: 7, PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 7, CurrentPeriodEnd: end}, 7, &end},
		{"a decrease", untilRenewal, SeatState{DesiredSeats: 3, PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 3, CurrentPeriodEnd: end}, 5, &end},
		{"more than desired", untilRenewal, SeatState{DesiredSeats: 5, PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 40, CurrentPeriodEnd: end}, 5, &end},
		{"a new period", untilRenewal, SeatState{DesiredSeats: 3, PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 3, CurrentPeriodEnd: next}, 3, &next},
		{"a trial", untilRenewal, SeatState{}, Subscription{Status: StatusTrialing, Quantity: 5, CurrentPeriodEnd: end}, 0, nil},
		{"a plan that prorates decreases", catalog.Plan{}, SeatState{PaidSeats: 5, PaidUntil: &end}, Subscription{Quantity: 5, CurrentPeriodEnd: end}, 0, nil},
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
	synced := SeatState{DesiredSeats: 5, SyncVersion: 2, AppliedVersion: 2, LastSyncAt: &at}
	pending := synced
	pending.SyncVersion, pending.DueAt = 3, &at
	unconfirmed := synced // acknowledged by Stripe, not in the snapshot yet
	unconfirmed.DueAt = &at
	accepts := catalog.Plan{PerSeat: true, AcceptQuantity: true}
	cases := []struct {
		name     string
		plan     catalog.Plan
		state    SeatState
		quantity int
		want     int
	}{
		{"more", accepts, synced, 40, 40},
		{"fewer than are billed", accepts, synced, 3, 0},
		{"a plan that reverts the quantity", catalog.Plan{PerSeat: true}, synced, 40, 0},
		{"a pending change", accepts, pending, 40, 0},
		{"an unconfirmed change", accepts, unconfirmed, 40, 0},
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
	var previous time.Duration
	for round := range 40 {
		state.revertQuantity(now)
		wait := state.DueAt.Sub(now)
		if round == 0 && wait != 0 || wait < previous || wait > driftPauseLimit {
			t.Fatalf("round %d: back-off %v after %v", round, wait, previous)
		}
		previous = wait
		now = state.DueAt.Add(time.Second)
	}
	if previous != driftPauseLimit {
		t.Errorf("after forty rounds the back-off is %v, want %v", previous, driftPauseLimit)
	}
	now = now.Add(driftMemory + time.Minute)
	if state.revertQuantity(now); !state.DueAt.Equal(now) {
		t.Error("a change long after the last one is not reverted immediately")
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
		{"no update was sent", nil, catalog.ProrationAlwaysInvoice, 0, catalog.ProrationAlwaysInvoice},
		{"below the hourly limit", sent(updatesPerHour-1, catalog.ProrationCreateProrations, -30*time.Minute, time.Second), catalog.ProrationCreateProrations, 0, catalog.ProrationCreateProrations},
		{"at the hourly limit", sent(updatesPerHour, catalog.ProrationCreateProrations, -30*time.Minute, time.Second), catalog.ProrationCreateProrations, 30 * time.Minute, catalog.ProrationCreateProrations},
		{"older updates do not count", sent(updatesPerHour, catalog.ProrationCreateProrations, -2*time.Hour, time.Second), catalog.ProrationCreateProrations, 0, catalog.ProrationCreateProrations},
		{"at the invoice limit per minute", sent(invoicesPerMinute, catalog.ProrationAlwaysInvoice, -40*time.Second, time.Second), catalog.ProrationAlwaysInvoice, 20 * time.Second, catalog.ProrationAlwaysInvoice},
		{"updates without an invoice do not count", sent(invoicesPerMinute, catalog.ProrationCreateProrations, -40*time.Second, time.Second), catalog.ProrationAlwaysInvoice, 0, catalog.ProrationAlwaysInvoice},
		{"at the invoice limit per day", sent(invoicesPerDay, catalog.ProrationAlwaysInvoice, -20*time.Hour, time.Minute), catalog.ProrationAlwaysInvoice, 0, catalog.ProrationCreateProrations},
	}
	for _, c := range cases {
		if wait, then := throttle(c.before, now, c.proration); wait != c.wait || then != c.then {
			t.Errorf("%s: wait %v, then %s; want %v, %s", c.name, wait, then, c.wait, c.then)
		}
	}
}

func TestPendingIntervalChange(t *testing.T) {
	plan := catalog.Plan{ID: "pro", PerSeat: true, Prices: []catalog.Price{
		{Interval: catalog.Monthly, ID: "month"}, {Interval: catalog.Yearly, ID: "year"},
	}}
	flat, atOnce := plan, plan
	flat.PerSeat = false
	atOnce.ProrationOnIncrease, atOnce.ProrationOnDecrease = catalog.ProrationAlwaysInvoice, catalog.ProrationAlwaysInvoice
	cases := []struct {
		name   string
		plan   catalog.Plan
		price  string
		stored string
		want   string
	}{
		{"a yearly price", plan, "year", "", "month"},
		{"a yearly price that has it", plan, "year", "month", ""},
		{"a yearly price with another interval", plan, "year", "week", "month"},
		{"a yearly price with a multiple", plan, "year", "3 month", "month"},
		{"a monthly price", plan, "month", "", ""},
		{"a monthly price after a yearly one", plan, "month", "month", pendingIntervalNone},
		{"a monthly price with an interval of others", plan, "month", "week", ""},
		{"a yearly price charged at once", atOnce, "year", "", ""},
		{"a yearly price charged at once from now on", atOnce, "year", "month", pendingIntervalNone},
		{"a flat yearly price", flat, "year", "", ""},
		{"an unknown price", plan, "other", "", ""},
	}
	for _, c := range cases {
		if got := pendingIntervalChange(c.plan, Subscription{PriceID: c.price, PendingInvoiceInterval: c.stored}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
