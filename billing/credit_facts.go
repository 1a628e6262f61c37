package billing

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"usher/billing/catalog"
)

// CreditFactKind is the kind of a payment that grants credits.
type CreditFactKind string

// The kinds of facts.
const (
	FactPeriod  CreditFactKind = "period"  // a period of a plan was paid
	FactUpgrade CreditFactKind = "upgrade" // the rest of a period was paid for a larger plan
	FactPack    CreditFactKind = "pack"    // a pack was paid
)

// CreditFact is a payment that grants credits. It counts once, by its source, however late its
// event arrives.
type CreditFact struct {
	OrganizationID string         `db:"organization_id"`
	Account        string         `db:"account"`
	Livemode       bool           `db:"livemode"`
	Source         string         `db:"source"` // unique per organization
	Kind           CreditFactKind `db:"kind"`
	InvoiceID      string         `db:"invoice_id"`      // empty: none
	SubscriptionID string         `db:"subscription_id"` // empty: none
	ChargeID       string         `db:"charge_id"`       // of a pack; empty: unknown
	PlanID         string         `db:"plan_id"`         // or the pack's id
	// Credits is the catalog's number at the time the fact was recorded.
	Credits int `db:"credits"`
	// FromCredits are, of an upgrade, the credits of the plan before it; 0: none, or not known.
	FromCredits int `db:"from_credits"`
	// At is when the invoice was created; of an upgrade, when it was paid.
	At          time.Time `db:"at"`
	PeriodStart time.Time `db:"period_start,null"` // of a period; of an upgrade, what it charges for
	PeriodEnd   time.Time `db:"period_end,null"`
	// Months is, of a period, how many months the interval of its price has; 0: not known, in facts
	// recorded by an earlier release.
	Months int `db:"months"`

	// Paid is the invoice's total or the pack's charge, and Refunded what was refunded, credited or
	// lost of it, in the currency's minor unit. Both are filled when read.
	Paid     int64 `db:"paid,joined"`
	Refunded int64 `db:"back,joined"`
}

// remaining returns the credits that are left after refunds: in proportion to the total, whatever
// paid it, rounded in the customer's favor. Never more is taken than the credits.
func (f CreditFact) remaining(credits int) int {
	if f.Paid <= 0 || f.Refunded <= 0 {
		return credits
	}
	// #nosec G115 -- no number is negative here
	high, low := bits.Mul64(uint64(credits), uint64(min(f.Refunded, f.Paid)))
	taken, _ := bits.Div64(high, low, uint64(f.Paid))
	return credits - int(taken) // #nosec G115 -- at most credits
}

// chargedFrom returns the start of what an upgrade charges for.
func (f CreditFact) chargedFrom() time.Time {
	if f.PeriodStart.IsZero() { // recorded by an earlier release
		return f.At
	}
	return f.PeriodStart
}

// covers reports whether a time is in a period.
func (f CreditFact) covers(at time.Time) bool {
	return !at.Before(f.PeriodStart) && at.Before(f.PeriodEnd)
}

// months returns how many months of credits a period has. For a fact without them they are derived
// from the dates.
func (f CreditFact) months() int {
	if f.Months > 0 {
		return f.Months
	}
	days := int(f.PeriodEnd.Sub(f.PeriodStart) / (24 * time.Hour))
	return max(1, (days*12+365/2)/365)
}

// monthsOf returns how many months the interval of a line's price has, at least one. Lines without
// an interval have the one of the catalog's price.
func monthsOf(line InvoiceLine, price catalog.Price) int {
	interval, count := line.Interval, max(1, line.IntervalCount)
	if interval == "" {
		interval, count = string(price.Interval), 1
	}
	if !catalog.Interval(interval).Valid() {
		return 1
	}
	return count * catalog.Interval(interval).Months()
}

// creditState is the result of computeCredits.
type creditState struct {
	PlanID      string
	Granted     int // for the current month
	Packs       int // credits of packs, in total
	InvoiceID   string
	PeriodStart time.Time
	PeriodEnd   time.Time
	Month       int
	NextMonthAt *time.Time
}

// period returns the key of the month whose credits are consumed; empty: none.
func (c CreditAccount) period() string {
	if c.InvoiceID == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", c.InvoiceID, c.Month)
}

// computeCredits computes the credits from all facts, independent of the order in which they were
// recorded. The newest paid period of the current subscription counts; an older one that arrives
// late does not. An upgrade adds the difference when it is paid. A period grants its credits once
// for each month of its price's interval. A trial after the first one grants none. It is a pure
// function.
func computeCredits(facts []CreditFact, subscriptions []Subscription, trials []Trial, now time.Time) creditState {
	var state creditState
	facts = withoutLaterTrials(facts, trials)
	for _, fact := range facts {
		if fact.Kind == FactPack {
			state.Packs += fact.remaining(fact.Credits)
		}
	}
	period, found := runningPeriod(facts, subscriptions)
	if !found {
		return state
	}
	state.PlanID, state.InvoiceID = period.PlanID, period.InvoiceID
	state.PeriodStart, state.PeriodEnd = period.PeriodStart, period.PeriodEnd
	months := monthsIn(period, subscriptions)
	state.Month, state.NextMonthAt = months.at(now)
	state.grant(period, months, facts)
	return state
}

// grant computes the month's credits: the plan's, and the difference for each upgrade that is paid.
// A refund of an upgrade reduces its difference, in its own month and all later ones. An upgrade
// whose payment came with a later period, because its proration was put on the next invoice, adds
// its difference to the month in which it was paid.
func (c *creditState) grant(period CreditFact, months creditMonths, facts []CreditFact) {
	c.Granted = period.remaining(period.Credits)
	for _, up := range upgradesOf(facts, period.SubscriptionID) {
		within := period.covers(up.chargedFrom())
		if within && up.At.Before(period.PeriodEnd) {
			if up.gain > 0 {
				c.Granted += up.remaining(up.gain)
				c.PlanID = up.PlanID
			}
			continue
		}
		paidWithPeriod := up.InvoiceID != "" && up.InvoiceID == period.InvoiceID
		if month, _ := months.at(up.At); !within && (paidWithPeriod || period.covers(up.At)) && month == c.Month {
			c.Granted += up.remaining(up.gain)
		}
	}
}

// creditUpgrade is an upgrade with the credits that it adds to those of its period.
type creditUpgrade struct {
	CreditFact
	gain int
}

// upgradesOf lists the paid upgrades of a subscription in the order in which they were made. Each
// adds what its plan has more than the plan before it and more than what the period reached by
// earlier upgrades, so that changing back and forth grants a difference once, and a refunded one
// can be granted again.
func upgradesOf(facts []CreditFact, subscriptionID string) []creditUpgrade {
	var upgrades []creditUpgrade
	for _, fact := range facts {
		if fact.Kind == FactUpgrade && fact.SubscriptionID == subscriptionID {
			upgrades = append(upgrades, creditUpgrade{CreditFact: fact})
		}
	}
	slices.SortFunc(upgrades, func(a, b creditUpgrade) int {
		// Two upgrades of one second build on one another: the first is from the smaller plan.
		return cmp.Or(a.chargedFrom().Compare(b.chargedFrom()), cmp.Compare(a.FromCredits, b.FromCredits), a.At.Compare(b.At), cmp.Compare(a.Source, b.Source))
	})
	reached := map[string]int{} // by the source of the period
	for i := range upgrades {
		up := &upgrades[i]
		period, known := periodAt(facts, subscriptionID, up.chargedFrom())
		if !known && up.FromCredits == 0 {
			continue // the difference is known with the period
		}
		before := max(period.Credits+reached[period.Source], up.FromCredits)
		up.gain = max(0, up.Credits-before)
		reached[period.Source] += up.remaining(up.gain)
	}
	return upgrades
}

// periodAt finds the newest paid period of a subscription that covers a time.
func periodAt(facts []CreditFact, subscriptionID string, at time.Time) (CreditFact, bool) {
	var best CreditFact
	for _, fact := range facts {
		if fact.Kind != FactPeriod || fact.SubscriptionID != subscriptionID || !fact.covers(at) {
			continue
		}
		if best.Source == "" || periodBefore(best, fact) {
			best = fact
		}
	}
	return best, best.Source != ""
}

// creditMonths divides a paid period into the months that grant credits.
type creditMonths struct {
	start, end time.Time
	count      int
	day        int // of the month on which a month begins, where the month has that day
}

// monthsIn returns the months of a period. Their days follow the subscription's billing cycle
// anchor, as Stripe's periods do: a year that begins on 28 February may have its anchor on the 29th
// (https://docs.stripe.com/billing/subscriptions/billing-cycle).
func monthsIn(period CreditFact, subscriptions []Subscription) creditMonths {
	months := creditMonths{start: period.PeriodStart, end: period.PeriodEnd, count: period.months(), day: period.PeriodStart.Day()}
	last := lastDay(months.start)
	if months.day == last { // it may be a later day that this month does not have
		months.day = max(months.day, months.end.Day())
	}
	for _, s := range subscriptions {
		if s.ID == period.SubscriptionID && s.BillingCycleAnchor != nil && min(s.BillingCycleAnchor.UTC().Day(), last) == months.start.Day() {
			months.day = s.BillingCycleAnchor.UTC().Day()
		}
	}
	return months
}

// at returns the month that a time is in, from 0, and when the next one begins; nil: with the next
// invoice.
func (m creditMonths) at(now time.Time) (month int, next *time.Time) {
	for month = 0; month+1 < m.count; month++ {
		begins := m.begin(month + 1)
		if !begins.Before(m.end) {
			break
		}
		if now.Before(begins) {
			return month, &begins
		}
	}
	return month, nil
}

// begin returns when a month begins; in a month without the anchor's day, on its last day.
func (m creditMonths) begin(n int) time.Time {
	return monthsAfter(m.start, m.day, n)
}

// monthsAfter returns the time n months after another one, on a day of the month; in a month
// without that day, on its last one.
func monthsAfter(start time.Time, day, n int) time.Time {
	first := time.Date(start.Year(), start.Month()+time.Month(n), 1, start.Hour(), start.Minute(), start.Second(), 0, time.UTC)
	return first.AddDate(0, 0, min(day, lastDay(first))-1)
}

// lastDay returns the number of days of a time's month.
func lastDay(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// runningPeriod finds the newest paid period of the current subscription. If that has none, it
// takes the live subscription that was paid first.
func runningPeriod(facts []CreditFact, subscriptions []Subscription) (CreditFact, bool) {
	ended := map[string]bool{}
	for _, s := range subscriptions {
		// What was paid for a subscription that is no longer ours does not count either.
		ended[s.ID] = s.Status.Ended() || s.Foreign
	}
	newest, first := map[string]CreditFact{}, map[string]time.Time{}
	for _, fact := range facts {
		if fact.Kind != FactPeriod || ended[fact.SubscriptionID] {
			continue
		}
		if period, known := newest[fact.SubscriptionID]; !known || periodBefore(period, fact) {
			newest[fact.SubscriptionID] = fact
		}
		if at, known := first[fact.SubscriptionID]; !known || fact.PeriodStart.Before(at) {
			first[fact.SubscriptionID] = fact.PeriodStart
		}
	}
	if current, ok := chooseCurrent(subscriptions); ok {
		if period, paid := newest[current.ID]; paid {
			return period, true
		}
	}
	var best CreditFact
	for id, period := range newest {
		if best.Source == "" || cmp.Or(first[id].Compare(first[best.SubscriptionID]), cmp.Compare(id, best.SubscriptionID)) < 0 {
			best = period
		}
	}
	return best, best.Source != ""
}

func periodBefore(a, b CreditFact) bool {
	return cmp.Or(a.PeriodStart.Compare(b.PeriodStart), a.At.Compare(b.At), cmp.Compare(a.Source, b.Source)) < 0
}
