package billing

import (
	"strings"
	"testing"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// offerAt is a plan at a price, per seat unless flat.
func offerAt(id string, interval catalog.Interval, minor int64, flat bool) PlanOffer {
	price := catalog.Price{ID: "price_" + id + "_" + string(interval), Interval: interval, Amount: catalog.Money{Minor: minor, Currency: "usd"}}
	return PlanOffer{Plan: catalog.Plan{ID: id, Name: id, PerSeat: !flat, Prices: []catalog.Price{price}}, Price: price}
}

func TestClassifyPlanChange(t *testing.T) {
	t.Parallel()
	starter, pro := offerAt("starter", catalog.Monthly, 900, false), offerAt("pro", catalog.Monthly, 2900, false)
	starterYear, proYear := offerAt("starter", catalog.Yearly, 9000, false), offerAt("pro", catalog.Yearly, 29000, false)
	flat, twin := offerAt("flat", catalog.Monthly, 3000, true), offerAt("twin", catalog.Monthly, 900, false)
	minimum := offerAt("minimum", catalog.Monthly, 500, false)
	minimum.Plan.SeatMinimum = 5
	former := offerAt("pro", catalog.Monthly, 2500, false)
	for _, c := range []struct {
		name     string
		status   SubscriptionStatus
		from, to PlanOffer
		billed   int
		want     PlanChangeKind
	}{
		{"higher amount", StatusActive, starter, pro, 3, PlanUpgrade},
		{"lower amount", StatusActive, pro, starter, 3, PlanDowngrade},
		{"month to year", StatusActive, pro, starterYear, 3, PlanUpgrade},
		{"year to month", StatusActive, starterYear, pro, 3, PlanDowngrade},
		{"lower amount in years", StatusActive, proYear, starterYear, 3, PlanDowngrade},
		{"equal amount", StatusActive, starter, twin, 3, PlanUpgrade},
		{"former price of the plan to the present one", StatusActive, former, pro, 3, PlanUpgrade},
		{"flat, cheaper for four", StatusActive, starter, flat, 4, PlanDowngrade},
		{"flat, dearer for one", StatusActive, starter, flat, 1, PlanUpgrade},
		{"flat to per seat, dearer for four", StatusActive, flat, starter, 4, PlanUpgrade},
		{"flat to per seat, cheaper for one", StatusActive, flat, starter, 1, PlanDowngrade},
		{"minimum seats make it dearer", StatusActive, starter, minimum, 1, PlanUpgrade},
		{"in a trial, up", StatusTrialing, starter, pro, 3, PlanTrialChange},
		{"in a trial, down and shorter", StatusTrialing, proYear, starter, 3, PlanTrialChange},
	} {
		if got := classifyPlanChange(Subscription{Status: c.status}, c.from, c.to, c.billed); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestCheckPlanChange(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	from, to := offerAt("starter", catalog.Monthly, 900, false), offerAt("pro", catalog.Monthly, 2900, false)
	yen, year := offerAt("pro", catalog.Monthly, 2900, false), offerAt("pro", catalog.Yearly, 29000, false)
	yen.Price.Amount.Currency = "jpy"
	small := to
	small.Plan.SeatMaximum = 2
	with := func(change func(*Subscription)) Subscription {
		s := Subscription{
			Status: StatusActive, PriceID: from.Price.ID, ItemID: "si_1", Quantity: 3, CurrentPeriodEnd: now,
			Items: []SubscriptionItem{{ID: "si_1", PriceID: from.Price.ID, Quantity: 3}},
		}
		change(&s)
		return s
	}
	status := func(s SubscriptionStatus) Subscription { return with(func(c *Subscription) { c.Status = s }) }
	addOn := func(s *Subscription) { s.Items = append(s.Items, SubscriptionItem{ID: "si_2", PriceID: "price_addon"}) }
	for _, c := range []struct {
		current  Subscription
		from, to PlanOffer
		message  string // empty: allowed
	}{
		{with(func(*Subscription) {}), from, to, ""},
		{status(StatusTrialing), from, to, ""},
		{status(StatusPastDue), from, to, "not paid"},
		{status(StatusUnpaid), from, to, "not paid"},
		{status(StatusPaused), from, to, "paused"},
		{status(StatusIncomplete), from, to, "first payment"},
		{status(StatusCanceled), from, to, MessageNoPlan},
		{status("hibernating"), from, to, MessageNoPlan},
		{with(func(s *Subscription) { s.CancelAtPeriodEnd = true }), from, to, "ends on 1 Dec 2026"},
		{with(func(s *Subscription) { s.ItemID = "" }), from, to, "write to us"},
		{with(func(s *Subscription) {
			s.ScheduleID, s.ScheduledPriceID, s.ScheduledAt = "sub_sched_1", "price_x", &now
		}), from, to, "set for 1 Dec 2026"},
		{with(func(s *Subscription) { s.ScheduleID = "sub_sched_1" }), from, to, "being completed"},
		{with(func(*Subscription) {}), PlanOffer{}, to, "no longer offered"},
		{with(func(*Subscription) {}), from, from, "your plan already"},
		{with(func(*Subscription) {}), from, yen, "billed in USD"},
		{with(func(*Subscription) {}), from, small, "at most 2"},
		{with(addOn), from, to, ""},
		{with(addOn), from, year, "billed monthly"},
	} {
		err := checkPlanChange(c.current, c.from, c.to, 3)
		if (err == nil) != (c.message == "") || err != nil && (apperr.CodeOf(err) != apperr.CodeConflict || !strings.Contains(apperr.MessageOf(err), c.message)) {
			t.Errorf("%+v to %s: %v, want %q", c.current.Status, c.to.Plan.ID, err, c.message)
		}
	}
}

// The pending update and the next phase of the seat item are found beside those of other items. A
// payload keeps what only a fetched snapshot has, unless the phase has begun.
func TestClassifyChangesOfSeatItem(t *testing.T) {
	t.Parallel()
	begin, end := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	s := Subscription{
		ItemID: "si_1", PriceID: "price_1", ScheduleID: "sub_sched_1", ScheduledAt: &end, PendingUntil: &end,
		PendingItems: []SubscriptionItem{{ID: "si_2", PriceID: "price_x", Quantity: 1}, {ID: "si_1", PriceID: "price_2", Quantity: 4}},
		CurrentPhase: []SubscriptionItem{{PriceID: "price_x", Quantity: 1}, {PriceID: "price_1", Quantity: 3}},
		NextPhase:    []SubscriptionItem{{PriceID: "price_x", Quantity: 1}, {PriceID: "price_3", Quantity: 5}},
	}
	s.classifyChanges()
	if s.PendingPriceID != "price_2" || s.PendingQuantity != 4 || s.ScheduledPriceID != "price_3" || s.ScheduledQuantity != 5 {
		t.Errorf("%+v", s)
	}
	for name, c := range map[string]struct {
		payload Subscription
		want    string
	}{
		"same schedule":        {Subscription{ScheduleID: "sub_sched_1", CurrentPeriodStart: begin}, "price_3"},
		"the phase has begun":  {Subscription{ScheduleID: "sub_sched_1", CurrentPeriodStart: end}, ""},
		"another schedule":     {Subscription{ScheduleID: "sub_sched_2", CurrentPeriodStart: begin}, ""},
		"no schedule any more": {Subscription{CurrentPeriodStart: begin}, ""},
	} {
		if c.payload.keepUnexpanded(s); c.payload.ScheduledPriceID != c.want {
			t.Errorf("%s: %q, want %q", name, c.payload.ScheduledPriceID, c.want)
		}
	}
}

// A subscription whose first payment is open cannot be updated at Stripe.
func TestUnfinishedPlanCannotBeCanceled(t *testing.T) {
	for status, refused := range map[SubscriptionStatus]bool{StatusIncomplete: true, StatusActive: false, StatusPastDue: false, StatusTrialing: false, StatusUnpaid: false} {
		if err := checkCancelable(Subscription{Status: status}); (err != nil) != refused {
			t.Errorf("%s: %v", status, err)
		}
	}
}
