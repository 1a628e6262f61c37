package billing

import (
	"cmp"
	"fmt"
	"slices"
	"time"
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
	Source         string         `db:"source"` // unique per organization
	Kind           CreditFactKind `db:"kind"`
	InvoiceID      string         `db:"invoice_id"`      // empty: none
	SubscriptionID string         `db:"subscription_id"` // empty: none
	ChargeID       string         `db:"charge_id"`       // of a pack; empty: unknown
	PlanID         string         `db:"plan_id"`         // or the pack's id
	// Credits is the catalog's number at the time the fact was recorded.
	Credits     int       `db:"credits"`
	At          time.Time `db:"at"`
	PeriodStart time.Time `db:"period_start,null"` // of a period
	PeriodEnd   time.Time `db:"period_end,null"`

	// Of the payments with refunds or lost disputes, in the currency's minor unit; filled when
	// read.
	Paid     int64 `db:"paid,joined"`
	Refunded int64 `db:"back,joined"`
}

// remaining returns the credits that are left after refunds, in proportion to the money and rounded
// in the customer's favor. A refund beside a lost dispute is capped at what was paid.
func (f CreditFact) remaining(credits int) int {
	if f.Paid <= 0 {
		return credits
	}
	return credits - int(float64(credits)*min(1, float64(f.Refunded)/float64(f.Paid)))
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
// late does not. Upgrades within the period add the difference. A yearly period grants its credits
// each month. It is a pure function.
func computeCredits(facts []CreditFact, subscriptions []Subscription, now time.Time) creditState {
	var state creditState
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
	state.month(now)
	state.grant(period, upgradesWithin(facts, period))
	return state
}

// month computes which month of the period has begun. Only a period longer than a month has more
// than one.
func (c *creditState) month(now time.Time) {
	for {
		next := monthAfter(c.PeriodStart, c.Month+1)
		if !next.Before(c.PeriodEnd) {
			return
		}
		if now.Before(next) {
			c.NextMonthAt = &next
			return
		}
		c.Month++
	}
}

// grant computes the month's credits: the plan's, and the difference for each upgrade. A refund of
// an upgrade reduces its difference, in its own month and all later ones.
func (c *creditState) grant(period CreditFact, upgrades []CreditFact) {
	reached := period.Credits
	c.Granted = period.remaining(period.Credits)
	for _, up := range upgrades {
		if more := up.Credits - reached; more > 0 {
			reached = up.Credits
			c.Granted += up.remaining(more)
			c.PlanID = up.PlanID
		}
	}
}

// runningPeriod finds the newest paid period of the current subscription. If that has none, it
// takes the live subscription that was paid first.
func runningPeriod(facts []CreditFact, subscriptions []Subscription) (CreditFact, bool) {
	ended := map[string]bool{}
	for _, s := range subscriptions {
		ended[s.ID] = s.Status.Ended()
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

// upgradesWithin lists the upgrades paid since the period began, oldest first.
func upgradesWithin(facts []CreditFact, period CreditFact) []CreditFact {
	var within []CreditFact
	for _, fact := range facts {
		if fact.Kind == FactUpgrade && fact.SubscriptionID == period.SubscriptionID && !fact.At.Before(period.PeriodStart) {
			within = append(within, fact)
		}
	}
	slices.SortFunc(within, func(a, b CreditFact) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Source, b.Source)) })
	return within
}
