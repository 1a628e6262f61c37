package billing

import (
	"fmt"
	"testing"
	"time"
)

// boundary returns when period n of a monthly cycle begins, by Stripe's rule in words: the anchor's
// day of the month, or the month's last day where it is shorter
// (https://docs.stripe.com/billing/subscriptions/billing-cycle). It shares nothing with the code
// under test.
func boundary(anchor time.Time, n int) time.Time {
	year, month := anchor.Year(), int(anchor.Month())-1+n
	year, month = year+month/12, month%12
	days := []int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month]
	if month == 1 && (year%4 == 0 && year%100 != 0 || year%400 == 0) {
		days = 29
	}
	day := anchor.Day()
	if day > days {
		day = days
	}
	stamp := fmt.Sprintf("%04d-%02d-%02dT%s", year, month+1, day, anchor.Format("15:04:05Z07:00"))
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		panic(err)
	}
	return at
}

// Each paid period grants one month of credits for each month of its price, for every anchor of
// eight years with two leap days. Facts of an earlier release have no number of months.
func TestEachMonthIsGrantedOnce(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 1, 1, 9, 30, 15, 0, time.UTC)
	for anchor := first; anchor.Year() < 2034; anchor = anchor.AddDate(0, 0, 1) {
		var boundaries []time.Time
		for n := range 61 {
			boundaries = append(boundaries, boundary(anchor, n))
		}
		for _, months := range []int{1, 3, 12} {
			for n := 0; n < 60; n += months {
				checkMonths(t, anchor, boundaries[n:n+months+1], months)
				checkMonths(t, anchor, boundaries[n:n+months+1], 0)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// checkMonths checks a period whose months begin, and whose last one ends, at the boundaries.
func checkMonths(t *testing.T, anchor time.Time, boundaries []time.Time, recorded int) {
	t.Helper()
	months := len(boundaries) - 1
	start, end := boundaries[0], boundaries[months]
	subscriptions := []Subscription{{ID: "a", Status: StatusActive, CreatedAt: anchor, BillingCycleAnchor: &anchor}}
	facts := []CreditFact{{
		Source: "x", Kind: FactPeriod, InvoiceID: "in_1", SubscriptionID: "a", PlanID: "p", Credits: 1000, At: start, PeriodStart: start, PeriodEnd: end, Months: recorded,
	}}
	for month, next := range boundaries[1:] {
		for _, at := range []time.Time{boundaries[month], next.Add(-time.Second)} {
			got := computeCredits(facts, subscriptions, nil, at)
			if last := month == months-1; got.Month != month || last != (got.NextMonthAt == nil) || !last && !got.NextMonthAt.Equal(next) {
				t.Errorf("anchor %s, %d months from %s, at %s: month %d, next %v; want month %d, next %s", anchor, months, start, at, got.Month, got.NextMonthAt, month, next)
			}
		}
	}
	if got := computeCredits(facts, subscriptions, nil, end.AddDate(0, 1, 15)); got.Month != months-1 {
		t.Errorf("anchor %s, %d months from %s, long after the end: month %d, want %d", anchor, months, start, got.Month, months-1)
	}
}

func TestMonthsOfAPeriod(t *testing.T) {
	at := func(year, month, day int) time.Time {
		return time.Date(year, time.Month(month), day, 9, 0, 0, 0, time.UTC)
	}
	leap := at(2028, 2, 29)
	for _, c := range []struct {
		name   string
		fact   CreditFact
		anchor *time.Time
		now    time.Time
		month  int
	}{
		{"a trial of a yearly price", CreditFact{PeriodStart: at(2026, 1, 1), PeriodEnd: at(2026, 1, 15), Months: 12}, nil, at(2026, 3, 1), 0},
		{"a long trial of a monthly price", CreditFact{PeriodStart: at(2026, 1, 1), PeriodEnd: at(2026, 3, 2), Months: 1}, nil, at(2026, 2, 15), 0},
		{"a week", CreditFact{PeriodStart: at(2026, 1, 31), PeriodEnd: at(2026, 2, 7)}, nil, at(2026, 2, 20), 0},
		{"the anchor's day", CreditFact{PeriodStart: at(2029, 2, 28), PeriodEnd: at(2030, 2, 28), Months: 12}, &leap, at(2029, 3, 28), 0},
		{"the anchor's day has come", CreditFact{PeriodStart: at(2029, 2, 28), PeriodEnd: at(2030, 2, 28), Months: 12}, &leap, at(2029, 3, 29), 1},
		{"an anchor of another cycle", CreditFact{PeriodStart: at(2029, 2, 10), PeriodEnd: at(2030, 2, 10), Months: 12}, &leap, at(2029, 3, 10), 1},
		{"no anchor, but the end shows the day", CreditFact{PeriodStart: at(2026, 2, 28), PeriodEnd: at(2026, 5, 31), Months: 3}, nil, at(2026, 3, 30), 0},
	} {
		c.fact.Source, c.fact.Kind, c.fact.SubscriptionID = "x", FactPeriod, "a"
		subscriptions := []Subscription{{ID: "a", Status: StatusActive, BillingCycleAnchor: c.anchor}}
		if got := computeCredits([]CreditFact{c.fact}, subscriptions, nil, c.now); got.Month != c.month {
			t.Errorf("%s: month %d, want %d", c.name, got.Month, c.month)
		}
	}
}
