package billing_test

import (
	"slices"
	"time"
)

// yearScenario is a year of one organization: its prices, and the script that is the same for all.
type yearScenario struct {
	currency string
	decimals int              // of the currency
	interval string           // month or year
	prices   map[string]int64 // by plan and interval, in the minor unit
	// badCardAt and goodCardAt change the card before and after the renewal that fails.
	badCardAt, goodCardAt string
	// refundOf is a billing reason. A third of the newest paid invoice with it is refunded.
	refundOf string
}

// yearCredits are the credits that each plan grants a month.
func yearCredits() map[string]int {
	return map[string]int{"starter": 100, "pro": 1000, "business": 3000}
}

// yearSeats are the billed members at the start.
const yearSeats = 3

func yearScenarios() map[string]yearScenario {
	monthly := yearScenario{interval: "month", badCardAt: "2027-06-25 08:00:00", goodCardAt: "2027-07-02 12:00:00", refundOf: "subscription_cycle"}
	yearly := yearScenario{interval: "year", badCardAt: "2028-01-20 08:00:00", goodCardAt: "2028-02-02 12:00:00", refundOf: "subscription_update"}
	scenarios := map[string]yearScenario{}
	for name, s := range map[string]yearScenario{"monthly": monthly, "yearly": yearly} {
		s.currency, s.decimals, s.prices = "usd", 2, map[string]int64{
			"starter per month": 999, "pro per month": 2450, "business per month": 5900,
			"starter per year": 9990, "pro per year": 24900, "business per year": 59000,
		}
		scenarios[name+" in USD"] = s
		s.currency, s.decimals, s.prices = "jpy", 0, map[string]int64{
			"starter per month": 1180, "pro per month": 2950, "business per month": 7980,
			"starter per year": 11800, "pro per year": 29500, "business per year": 78990,
		}
		scenarios[name+" in JPY"] = s
	}
	return scenarios
}

// yearStep is one thing that happens. Exactly one of its fields besides at is set.
type yearStep struct {
	at      time.Time
	seats   int    // members who join, or leave if negative
	upgrade string // the plan, confirmed at once
	later   string // the smaller plan, confirmed for the end of the period
	consume int    // credits
	card    string // the new card's token
	refund  bool
}

const (
	yearStart = "2027-01-31 10:20:30" // the plan is bought: most months have no such day
	yearEnd   = "2028-03-01 00:00:00"
	badCard   = "pm_card_chargeCustomerFail"
	goodCard  = "pm_card_visa"
)

func yearTime(text string) time.Time {
	at, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return at
}

// script returns the steps in order of time.
func (s yearScenario) script() []yearStep {
	steps := []yearStep{
		{at: yearTime("2027-03-17 13:00:01"), upgrade: "pro"},
		{at: yearTime("2027-07-31 23:59:58"), upgrade: "business"},
		{at: yearTime("2027-10-10 09:09:09"), later: "pro"},
		{at: yearTime("2027-02-20 09:00:00"), consume: 40},
		{at: yearTime("2027-04-15 09:00:00"), consume: 700},
		{at: yearTime("2027-09-01 09:00:00"), consume: 250},
		{at: yearTime("2027-09-12 16:30:00"), refund: true},
		{at: yearTime("2027-12-05 09:00:00"), consume: 1},
		{at: yearTime(s.badCardAt), card: badCard},
		{at: yearTime(s.goodCardAt), card: goodCard},
	}
	for _, change := range yearSeatChanges() {
		steps = append(steps, yearStep{at: yearTime(change.at), seats: change.by})
	}
	slices.SortStableFunc(steps, func(a, b yearStep) int { return a.at.Compare(b.at) })
	return steps
}

// yearSeatChange is a change of the members.
type yearSeatChange struct {
	at string
	by int
}

func yearSeatChanges() []yearSeatChange {
	return []yearSeatChange{
		{"2027-02-03 04:05:06", +1},
		{"2027-02-14 23:59:59", +2}, // one update with the next change
		{"2027-02-15 00:00:01", -1},
		{"2027-02-28 10:20:29", +1}, // a second before the renewal, sent after it
		{"2027-02-28 10:50:00", +1}, // while the renewal's invoice is a draft
		{"2027-03-05 07:31:11", -2},
		{"2027-03-17 13:00:00", +1}, // a second before the upgrade, which counts it
		{"2027-03-31 23:59:59", +3}, // one update with the next change
		{"2027-04-01 00:00:00", +1},
		{"2027-04-12 22:01:43", -1},
		{"2027-04-30 10:20:27", +1}, // sent in the second of the renewal
		{"2027-05-09 15:00:00", -1}, // taken back before it is sent
		{"2027-05-09 15:00:02", +1},
		{"2027-05-20 11:00:00", +1}, // one update with the next two changes
		{"2027-05-20 11:00:02", +1},
		{"2027-05-20 11:00:04", -1},
		{"2027-06-15 17:45:12", +2},
		{"2027-07-01 09:30:00", +1}, // monthly: while the renewal is unpaid
		{"2027-07-02 08:00:00", -2},
		{"2027-07-31 23:59:00", -1},
		{"2027-08-31 12:12:12", +4},
		{"2027-09-30 23:59:58", -3},
		{"2027-10-20 06:06:06", +2}, // while the smaller plan is scheduled
		{"2027-10-31 10:20:30", -1}, // in the second in which the smaller monthly plan begins
		{"2027-11-30 10:20:29", +1},
		{"2027-12-24 18:00:00", +1},
		{"2027-12-31 23:59:59", -2},
		{"2028-01-31 10:00:00", +2},
		{"2028-02-01 03:03:03", -1}, // yearly: while the renewal is unpaid
		{"2028-02-10 12:00:00", +2},
	}
}

// yearAnniversary returns the n-th end of a month since the start: on its day, or on the last day
// of a shorter month.
func yearAnniversary(n int) time.Time {
	start := yearTime(yearStart)
	month := time.Date(start.Year(), start.Month()+time.Month(n), 1, start.Hour(), start.Minute(), start.Second(), 0, time.UTC)
	last := month.AddDate(0, 1, -1).Day()
	return month.AddDate(0, 0, min(start.Day(), last)-1)
}

// yearInvoice is an invoice, from Stripe or by hand. Amounts are in the currency's minor unit.
type yearInvoice struct {
	created, paid time.Time
	reason        string
	attempts      int
	lines         []yearLine
	total         int64
	due           int64 // after the customer's balance
	balance       int64 // the customer's after it; negative: a credit
	refunded      int64
	confirmed     int64 // what the preview of the plan change showed as due
}

// yearLine is a line of an invoice.
type yearLine struct {
	price     string // plan and interval
	quantity  int
	proration bool
	from, to  time.Time
	amount    int64
}

// yearCredit is a line of the credit statement.
type yearCredit struct {
	at      time.Time
	kind    string
	amount  int
	balance int
}
