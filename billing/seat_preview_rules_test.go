package billing

import (
	"testing"
	"time"

	"usher/billing/catalog"
)

// What a change of seats is sent with, and why it costs nothing, in every state.
func TestSeatTerms(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	end := now.AddDate(0, 0, 10)
	perSeat := func(increase, decrease catalog.Proration) catalog.Plan {
		return catalog.Plan{ID: "pro", PerSeat: true, ProrationOnIncrease: increase, ProrationOnDecrease: decrease}
	}
	next, once, none := catalog.ProrationCreateProrations, catalog.ProrationAlwaysInvoice, catalog.ProrationNone
	kept := perSeat(next, catalog.ProrationAtRenewal)
	cases := []struct {
		name      string
		plan      catalog.Plan
		status    SubscriptionStatus
		from, to  int
		renewTo   int
		paid      int // until the renewal
		invoices  int // of the last day
		proration catalog.Proration
		reason    SeatReason
	}{
		{"an increase", perSeat(next, next), StatusActive, 3, 4, 4, 0, 0, next, SeatCharged},
		{"charged at once", perSeat(once, once), StatusActive, 3, 4, 4, 0, 0, once, SeatCharged},
		{"the day's invoices are used up", perSeat(once, once), StatusActive, 3, 4, 4, 0, invoicesPerDay, next, SeatCharged},
		{"a decrease", perSeat(next, next), StatusActive, 4, 3, 3, 0, 0, next, SeatCharged},
		{"from the renewal on", perSeat(none, none), StatusActive, 3, 4, 4, 0, 0, none, SeatAtRenewal},
		{"in a trial", perSeat(once, once), StatusTrialing, 3, 4, 4, 0, 0, once, SeatTrial},
		{"a decrease while an invoice is unpaid", perSeat(next, next), StatusPastDue, 4, 3, 3, 0, 0, none, SeatUnpaid},
		{"an increase while an invoice is unpaid", perSeat(next, next), StatusPastDue, 3, 4, 4, 0, 0, next, SeatCharged},
		{"a paid seat is used again", kept, StatusActive, 3, 4, 4, 5, 0, none, SeatPaid},
		{"a kept seat", kept, StatusActive, 4, 4, 3, 4, 0, "", SeatKept},
		{"nothing changes at Stripe", perSeat(next, next), StatusActive, 5, 5, 5, 0, 0, "", SeatSame},
		{"a flat plan", catalog.Plan{ID: "house"}, StatusActive, 1, 1, 1, 0, 0, "", SeatFlat},
		{"no plan", catalog.Plan{}, "", 0, 4, 4, 0, 0, "", SeatNoPlan},
		{"an unpaid plan is not synced", perSeat(next, next), StatusUnpaid, 3, 4, 4, 0, 0, "", SeatNoPlan},
	}
	for _, c := range cases {
		terms := seatTerms{
			plan: c.plan, current: Subscription{ItemID: "si_1", Status: c.status, Quantity: c.from, CurrentPeriodEnd: end},
			to: c.to, renewTo: c.renewTo, after: SeatState{DesiredSeats: c.to},
		}
		if c.paid > 0 {
			terms.after.PaidSeats, terms.after.PaidUntil = c.paid, &end
		}
		var earlier []SeatAttempt
		for range c.invoices {
			earlier = append(earlier, SeatAttempt{Proration: once, At: now.Add(-2 * time.Hour)})
		}
		terms.decide(earlier, now)
		if terms.proration != c.proration || terms.reason != c.reason {
			t.Errorf("%s: sent with %q because of %q, want %q, %q", c.name, terms.proration, terms.reason, c.proration, c.reason)
		}
	}
}

// The date lies within the period and after that of every other change. A test clock has its own
// time.
func TestProrationDateOfSeats(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 500, time.UTC)
	start, end := now.AddDate(0, 0, -10).Truncate(time.Second), now.AddDate(0, 0, 10).Truncate(time.Second)
	second := now.Truncate(time.Second)
	later := second.Add(time.Second)
	cases := []struct {
		name   string
		change func(*seatTerms)
		now    time.Time
		want   *time.Time
	}{
		{"now", func(*seatTerms) {}, now, &second},
		{"another change has this date", func(t *seatTerms) { t.lastProrate = &second }, now, &later},
		{"an update was acknowledged in this second", func(t *seatTerms) { t.before.AcknowledgedAt = &second }, now, &later},
		{"this clock is behind", func(*seatTerms) {}, start.Add(-time.Hour), &start},
		{"this clock is ahead", func(*seatTerms) {}, end.Add(time.Hour), &end},
		{"a test clock", func(t *seatTerms) { t.current.TestClock = true }, now, nil},
		{"nothing is prorated", func(t *seatTerms) { t.proration = catalog.ProrationNone }, now, nil},
		{"a trial", func(t *seatTerms) { t.current.Status = StatusTrialing }, now, nil},
		{"nothing is sent", func(t *seatTerms) { t.proration = "" }, now, nil},
	}
	for _, c := range cases {
		terms := seatTerms{
			current:   Subscription{Status: StatusActive, CurrentPeriodStart: start, CurrentPeriodEnd: end},
			proration: catalog.ProrationCreateProrations,
		}
		c.change(&terms)
		if got := terms.proratedAt(c.now); (got == nil) != (c.want == nil) || got != nil && !got.Equal(*c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Nothing is confirmed between the answer to an update and the snapshot that shows it: the quantity
// that the preview starts from is one that Stripe does not have any more.
func TestSeatsAreBusyUntilTheyAreRead(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	before, after := now.Add(-time.Second), now.Add(time.Second)
	cases := []struct {
		name  string
		state SeatState
		want  bool
	}{
		{"nothing was sent", SeatState{}, false},
		{"an update is being sent", SeatState{LeaseUntil: &after}, true},
		{"an update has no answer", SeatState{AttemptOpen: true, OpenItemID: "si_1"}, true},
		{"an update was answered after the snapshot", SeatState{OpenItemID: "si_1", AcknowledgedAt: &after}, true},
		{"the snapshot shows the update", SeatState{OpenItemID: "si_1", AcknowledgedAt: &before}, false},
	}
	for _, c := range cases {
		terms := seatTerms{
			plan: catalog.Plan{ID: "pro", PerSeat: true}, before: c.state,
			current: Subscription{ItemID: "si_1", Status: StatusActive, Quantity: 3, AsOf: now},
		}
		if got := terms.busy(now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
