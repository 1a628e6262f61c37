package billing

import (
	"strings"
	"testing"
	"time"

	"usher/billing/catalog"
	"usher/billing/env"
)

// newTestService returns a service with a fixed clock, a per-seat plan and a flat plan, and without
// a store.
func newTestService(now time.Time) *Service {
	return New(Options{
		Now: func() time.Time { return now },
		Catalog: catalog.Catalog{Plans: []catalog.Plan{{ID: "pro", PerSeat: true, SeatMinimum: 2, Prices: []catalog.Price{
			{Interval: catalog.Monthly, ID: "price_pro", ProductID: "prod_pro"},
		}}, {ID: "flat", Prices: []catalog.Price{{Interval: catalog.Monthly, ID: "price_flat"}}}}},
	})
}

var perSeatPlan = catalog.Plan{ID: "pro", PerSeat: true}

func TestSetDesiredSeatsDebounces(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var state SeatState
	state.setDesiredSeats(1, start)
	if state.SyncVersion != 1 || !state.DueAt.Equal(start.Add(DebounceQuiet)) {
		t.Fatalf("first change: %+v", state)
	}
	state.setDesiredSeats(2, start.Add(2*time.Second))
	if state.SyncVersion != 2 || !state.DueAt.Equal(start.Add(2*time.Second+DebounceQuiet)) {
		t.Fatalf("second change: version %d, due %v", state.SyncVersion, state.DueAt)
	}
	state.setDesiredSeats(3, start.Add(29*time.Second))
	if !state.DueAt.Equal(start.Add(DebounceLimit)) {
		t.Fatalf("a change near the debounce limit is due at %v, want %v", state.DueAt, start.Add(DebounceLimit))
	}
	due := *state.DueAt
	state.setDesiredSeats(3, start.Add(time.Hour))
	if state.SyncVersion != 3 || !state.DueAt.Equal(due) {
		t.Fatalf("an unchanged number changed the state: %+v", state)
	}
}

func TestScheduleSync(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	current := Subscription{ID: "sub_1", ItemID: "si_1", PriceID: "price_pro", Status: StatusActive, Quantity: 3, AsOf: now}
	t.Run("an equal quantity completes the sync and clears the error", func(t *testing.T) {
		state := SeatState{DesiredSeats: 3, SyncVersion: 4, AppliedVersion: 3, SyncError: "declined", Failures: 2, DueAt: &now, AttemptOpen: true}
		state.scheduleSync(perSeatPlan, current, now)
		if state.syncStatus(perSeatPlan, 3) != SyncOK || state.DueAt != nil || state.AttemptOpen || *state.LastAppliedSeats != 3 || !state.LastSyncAt.Equal(now) {
			t.Errorf("%+v", state)
		}
	})
	t.Run("a pending change keeps its version and due time", func(t *testing.T) {
		due := now.Add(DebounceQuiet)
		state := SeatState{DesiredSeats: 5, SyncVersion: 4, AppliedVersion: 3, DueAt: &due}
		state.scheduleSync(perSeatPlan, current, now)
		if state.SyncVersion != 4 || !state.DueAt.Equal(due) || state.syncStatus(perSeatPlan, 3) != SyncPending {
			t.Errorf("%+v", state)
		}
	})
	t.Run("a quantity changed at Stripe makes a new version, due now", func(t *testing.T) {
		state := SeatState{DesiredSeats: 5, SyncVersion: 4, AppliedVersion: 4, AttemptOpen: true}
		state.scheduleSync(perSeatPlan, current, now)
		if state.SyncVersion != 5 || !state.DueAt.Equal(now) || state.AttemptOpen {
			t.Errorf("%+v", state)
		}
	})
}

func TestSyncStatus(t *testing.T) {
	cases := []struct {
		name     string
		state    SeatState
		quantity int
		want     SyncStatus
	}{
		{"synced", SeatState{DesiredSeats: 3, SyncVersion: 2, AppliedVersion: 2}, 3, SyncOK},
		{"desired seats changed", SeatState{DesiredSeats: 4, SyncVersion: 3, AppliedVersion: 2}, 3, SyncPending},
		{"equal quantity, newer version pending", SeatState{DesiredSeats: 3, SyncVersion: 4, AppliedVersion: 2}, 3, SyncPending},
		{"applied, but Stripe has another quantity", SeatState{DesiredSeats: 4, SyncVersion: 2, AppliedVersion: 2}, 40, SyncPending},
		{"the last attempt failed", SeatState{DesiredSeats: 4, SyncVersion: 3, AppliedVersion: 2, SyncError: "no"}, 3, SyncError},
	}
	for _, c := range cases {
		if got := c.state.syncStatus(perSeatPlan, c.quantity); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestNextAttemptIdempotencyKey(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	current := Subscription{ID: "sub_1", ItemID: "si_1", PriceID: "price_pro", Status: StatusActive, Quantity: 3}
	state := SeatState{DesiredSeats: 5, SyncVersion: 4}
	first := state.nextAttempt(perSeatPlan, current, catalog.ProrationCreateProrations, "", now)
	if again := state.nextAttempt(perSeatPlan, current, catalog.ProrationCreateProrations, "", now); again.IdempotencyKey != first.IdempotencyKey {
		t.Errorf("without a response the key changed from %s to %s", first.IdempotencyKey, again.IdempotencyKey)
	}
	state.AttemptOpen = false
	next := state.nextAttempt(perSeatPlan, current, catalog.ProrationCreateProrations, "", now)
	if next.IdempotencyKey == first.IdempotencyKey {
		t.Error("the key was reused after a definite response")
	}
	state.DesiredSeats, state.SyncVersion = 6, 5
	if changed := state.nextAttempt(perSeatPlan, current, catalog.ProrationCreateProrations, "", now); changed.IdempotencyKey == next.IdempotencyKey || changed.Quantity != 6 {
		t.Errorf("another quantity: %+v, want another key and quantity 6", changed)
	}
	current.ItemID = "si_2"
	if item := state.nextAttempt(perSeatPlan, current, catalog.ProrationCreateProrations, "", now); !strings.HasPrefix(item.IdempotencyKey, "seats:si_2:5:4:") {
		t.Errorf("another item: key %s", item.IdempotencyKey)
	}
	rolledBack := SeatState{DesiredSeats: 5, SyncVersion: 4}
	later := rolledBack.nextAttempt(perSeatPlan, Subscription{ItemID: "si_1"}, catalog.ProrationCreateProrations, "", now.Add(time.Hour))
	if later.IdempotencyKey == first.IdempotencyKey {
		t.Error("after a restore the key of an attempt that is no longer known was used again")
	}
	// A replica of the previous release neither writes nor removes the key.
	state.Attempt, state.OpenVersion = state.Attempt+1, 5
	if former := state.nextAttempt(perSeatPlan, current, catalog.ProrationCreateProrations, "", now); former.IdempotencyKey != "seats:si_2:5:5" {
		t.Errorf("an attempt of the previous release is repeated under the key %s", former.IdempotencyKey)
	}
}

// The prices of the plan in TestSeatProration are monthly, yearly, and yearly with its own policy.
func TestSeatProration(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	end := now.AddDate(0, 0, 11)
	const next, once, none = catalog.ProrationCreateProrations, catalog.ProrationAlwaysInvoice, catalog.ProrationNone
	plan := func(increase, decrease catalog.Proration, perSeat bool) catalog.Plan {
		return catalog.Plan{ID: "pro", PerSeat: perSeat, ProrationOnIncrease: increase, ProrationOnDecrease: decrease, Prices: []catalog.Price{
			{Interval: catalog.Monthly, ID: "month"}, {Interval: catalog.Yearly, ID: "year"},
			{Interval: catalog.Yearly, ID: "own", ProrationOnIncrease: once, ProrationOnDecrease: catalog.ProrationAtRenewal},
		}}
	}
	byDefault, atOnce, flat := plan("", "", true), plan(once, next, true), plan("", catalog.ProrationAtRenewal, false)
	cases := []struct {
		name     string
		plan     catalog.Plan
		price    string
		status   SubscriptionStatus
		from, to int
		paid     int
		now      time.Time
		want     catalog.Proration
	}{
		{"unknown plan", catalog.Plan{PerSeat: true}, "x", StatusActive, 3, 5, 0, now, next},
		{"more, monthly", byDefault, "month", StatusActive, 3, 5, 0, now, next},
		{"fewer, monthly", byDefault, "month", StatusActive, 5, 3, 0, now, next},
		{"more, yearly", byDefault, "year", StatusActive, 3, 5, 0, now, next},
		{"fewer, yearly", byDefault, "year", StatusActive, 5, 3, 0, now, next},
		{"more, the price's own", byDefault, "own", StatusActive, 3, 5, 0, now, once},
		{"fewer, the price's own", byDefault, "own", StatusActive, 5, 3, 0, now, none},
		{"more in a trial", atOnce, "month", StatusTrialing, 3, 5, 0, now, once},
		{"fewer in a trial", atOnce, "month", StatusTrialing, 5, 3, 0, now, next},
		{"more while a payment is due", atOnce, "month", StatusPastDue, 3, 5, 0, now, once},
		// A credit would refund money that was never received.
		{"fewer while a payment is due", atOnce, "month", StatusPastDue, 5, 3, 0, now, none},
		{"fewer while a payment is due, yearly", byDefault, "year", StatusPastDue, 5, 3, 0, now, none},
		{"paid seats again", byDefault, "own", StatusActive, 3, 5, 5, now, none},
		{"paid seats and one more", byDefault, "own", StatusActive, 3, 6, 5, now, once},
		{"paid seats again, an hour before the end", byDefault, "own", StatusActive, 3, 5, 5, end.Add(-time.Hour), none},
		{"paid seats again, seconds before the end", byDefault, "own", StatusActive, 3, 5, 5, end.Add(-10 * time.Second), once},
		{"paid seats again, at the end", byDefault, "own", StatusActive, 3, 5, 5, end, once},
		{"paid seats again, after the end", byDefault, "own", StatusActive, 3, 5, 5, end.Add(2 * time.Hour), once},
		// The excess quantity of a flat plan is credited whatever the plan's policy is: it bought
		// nothing.
		{"flat, monthly", flat, "month", StatusActive, 5, 5, 0, now, next},
		{"flat, yearly", flat, "year", StatusActive, 5, 5, 0, now, once},
		{"flat, while a payment is due", flat, "month", StatusPastDue, 5, 5, 0, now, next},
		{"flat, charged at once", plan(once, once, false), "month", StatusActive, 5, 5, 0, now, once},
	}
	for _, c := range cases {
		state := SeatState{DesiredSeats: c.to, PaidSeats: c.paid}
		if c.paid > 0 {
			state.PaidUntil = &end
		}
		if got := seatProration(c.plan, state, Subscription{PriceID: c.price, Status: c.status, Quantity: c.from}, c.now); got != c.want {
			t.Errorf("%s: %d to %d seats: got %s, want %s", c.name, c.from, c.to, got, c.want)
		}
	}
}

func TestDesiredSeats(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := newTestService(now)
	late, soon := now.Add(releaseLead+time.Second), now.Add(releaseLead)
	cases := []struct {
		price  string
		state  SeatState
		billed int
		want   int
	}{
		{"", SeatState{}, 0, 1}, {"", SeatState{}, 7, 7}, {"price_unknown", SeatState{}, 0, 1},
		{"price_pro", SeatState{}, 1, 2}, {"price_pro", SeatState{}, 9, 9},
		{"price_flat", SeatState{}, 9, 9},
		{"price_pro", SeatState{AcceptedQuantity: 12}, 9, 12}, {"price_pro", SeatState{AcceptedQuantity: 4}, 9, 9},
		{"price_pro", SeatState{PaidSeats: 11, PaidUntil: &late}, 9, 11},
		// The seats are released before the renewal.
		{"price_pro", SeatState{PaidSeats: 11, PaidUntil: &soon}, 9, 9},
		{"price_pro", SeatState{PaidSeats: 8, PaidUntil: &late}, 9, 9},
	}
	for _, c := range cases {
		state := c.state
		if got := state.desiredSeats(s.Prices.planOf(Subscription{PriceID: c.price}), c.billed, now); got != c.want {
			t.Errorf("%s with %d billed, %+v: got %d, want %d", c.price, c.billed, c.state, got, c.want)
		}
		if kept := c.want == c.state.PaidSeats; (state.ReleaseAt != nil) != kept {
			t.Errorf("%s with %d billed, %+v: released at %v", c.price, c.billed, c.state, state.ReleaseAt)
		}
	}
}

// A pending event is retried for three days, as Stripe retries a webhook, once an hour at the end.
func TestPendingEventIsRetriedForThreeDays(t *testing.T) {
	var shortest time.Duration
	for failures := 1; failures < eventAttempts; failures++ {
		shortest += min(env.BackoffFirst<<min(failures-1, 20), env.BackoffLimit)
	}
	const threeDays = 72 * time.Hour
	if longest := shortest + shortest/4; shortest < threeDays || shortest-env.BackoffLimit >= threeDays || longest > threeDays*5/4+env.BackoffLimit*2 || env.BackoffLimit > time.Hour {
		t.Errorf("an event is retried for %v to %v", shortest, longest)
	}
}

func TestBackoff(t *testing.T) {
	s := newTestService(time.Now())
	for failures := 1; failures < 40; failures++ {
		shortest := min(env.BackoffLimit, env.BackoffFirst<<min(failures-1, 20))
		if got := s.Prices.Backoff(failures); got < shortest || got > shortest+shortest/4 {
			t.Fatalf("after %d failures: %v, want between %v and %v", failures, got, shortest, shortest+shortest/4)
		}
	}
}
