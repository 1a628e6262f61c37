package catalog

import (
	"testing"

	"usher/billing/apperr"
)

func TestSeatPolicy(t *testing.T) {
	plan := func(increase, decrease Proration, change ...func(*Plan)) Plan {
		p := Plan{ID: "pro", PerSeat: true, ProrationOnIncrease: increase, ProrationOnDecrease: decrease, Prices: []Price{
			{Interval: Monthly, ID: "month"}, {Interval: Yearly, ID: "year", FormerIDs: []string{"year_before"}},
		}, Former: []Price{{Interval: Yearly, ID: "year_archived"}}}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	ofYear := func(increase, decrease Proration) func(*Plan) {
		return func(p *Plan) { p.Prices[1].ProrationOnIncrease, p.Prices[1].ProrationOnDecrease = increase, decrease }
	}
	flat := func(p *Plan) { p.PerSeat = false }
	const next, now, none = ProrationCreateProrations, ProrationAlwaysInvoice, ProrationNone
	cases := []struct {
		name  string
		plan  Plan
		price string
		want  SeatPolicy
	}{
		{"default of a monthly price", plan("", ""), "month", SeatPolicy{Monthly, next, next, false, ""}},
		{"default of a yearly price", plan("", ""), "year", SeatPolicy{Yearly, next, next, false, Monthly}},
		{"default of a former yearly price", plan("", ""), "year_before", SeatPolicy{Yearly, next, next, false, Monthly}},
		{"default of an archived yearly price", plan("", ""), "year_archived", SeatPolicy{Yearly, next, next, false, Monthly}},
		{"an archived price follows the one sold instead", plan(next, next, ofYear(now, ProrationAtRenewal)), "year_archived", SeatPolicy{Yearly, now, none, true, ""}},
		{"default of an unknown price", plan("", ""), "other", SeatPolicy{"", next, next, false, ""}},
		{"monthly at a monthly price", plan(ProrationMonthly, ProrationMonthly), "month", SeatPolicy{Monthly, next, next, false, ""}},
		{"monthly for increases only", plan(ProrationMonthly, none), "year", SeatPolicy{Yearly, next, none, false, Monthly}},
		{"next invoice at a yearly price", plan(next, next), "year", SeatPolicy{Yearly, next, next, false, ""}},
		{"at once", plan(now, now), "year", SeatPolicy{Yearly, now, now, false, ""}},
		{"never", plan(none, none), "month", SeatPolicy{Monthly, none, none, false, ""}},
		{"kept until the renewal", plan(now, ProrationAtRenewal), "month", SeatPolicy{Monthly, now, none, true, ""}},
		{"kept until the renewal, increases by default", plan("", ProrationAtRenewal), "year", SeatPolicy{Yearly, next, none, true, Monthly}},
		{"a price overrides the plan", plan(next, next, ofYear(now, ProrationAtRenewal)), "year", SeatPolicy{Yearly, now, none, true, ""}},
		{"other prices follow the plan", plan(next, none, ofYear(now, ProrationAtRenewal)), "month", SeatPolicy{Monthly, next, none, false, ""}},
		{"a price overrides one of two", plan(now, none, ofYear("", ProrationMonthly)), "year", SeatPolicy{Yearly, now, next, false, Monthly}},
		{"a flat plan", plan("", ProrationAtRenewal, flat), "year", SeatPolicy{Yearly, next, none, false, ""}},
	}
	for _, c := range cases {
		if got := c.plan.SeatPolicy(c.price); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestRequireSeats(t *testing.T) {
	limited := Plan{Name: "Pro", PerSeat: true, SeatMaximum: 3}
	cases := []struct {
		plan   Plan
		billed int
		want   string
	}{
		{limited, 3, ""}, {Plan{PerSeat: true}, 900, ""}, {Plan{SeatMaximum: 3}, 900, ""},
		{limited, 4, "Pro has seats for at most 3 people, and 4 would need one. Choose a larger plan, or free a seat."},
		{limited, 10, "Pro has seats for at most 3 people, and 10 would need one. Choose a larger plan, or free 7 seats."},
	}
	for _, c := range cases {
		err := c.plan.RequireSeats(c.billed)
		if c.want == "" && err != nil || c.want != "" && (apperr.CodeOf(err) != apperr.CodeConflict || apperr.MessageOf(err) != c.want) {
			t.Errorf("%d people in a plan for %d: %v", c.billed, c.plan.SeatMaximum, err)
		}
	}
}
