package billing

import (
	"cmp"
	"context"
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
	// Credits: by the catalog at the time it was recorded
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
// in the customer's favor. A refund beside a lost dispute does not count beyond what was paid.
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

// paidFact returns the fact of a paid invoice: a period of a plan (a line of the type subscription
// that is no proration), or the upgrade to a plan with more credits. Prorations of seats are no
// fact.
func (cs *Credits) paidFact(invoice Invoice) (CreditFact, bool) {
	fact := CreditFact{
		OrganizationID: invoice.OrganizationID, InvoiceID: invoice.ID, SubscriptionID: invoice.SubscriptionID, At: invoice.CreatedAt,
	}
	if line, plan := cs.periodLine(invoice); plan.Credits > 0 {
		fact.Source, fact.Kind, fact.PlanID, fact.Credits = "invoice:"+invoice.ID, FactPeriod, plan.ID, plan.Credits
		fact.PeriodStart, fact.PeriodEnd = line.PeriodStart, line.PeriodEnd
		return fact, true
	}
	plan := cs.upgradedTo(invoice)
	fact.Source, fact.Kind, fact.PlanID, fact.Credits = "upgrade:"+invoice.ID, FactUpgrade, plan.ID, plan.Credits
	return fact, plan.Credits > 0
}

// recordPaidInvoice records the fact of a paid invoice. It may be called for every update of the
// invoice: the fact counts once. The organization is locked.
func (cs *Credits) recordPaidInvoice(ctx context.Context, tx Tx, invoice Invoice) error {
	if invoice.Status != InvoicePaid {
		return nil
	}
	fact, found := cs.paidFact(invoice)
	if !found {
		return nil
	}
	return cs.recordFact(ctx, tx, fact)
}

// recordFact stores a fact once and recounts the credits. The ledger shows the grant, and beside it
// the expiry of what it replaces: the period before a renewal, or all of an older period that
// arrived late.
func (cs *Credits) recordFact(ctx context.Context, tx Tx, fact CreditFact) error {
	fresh, err := tx.Credits().InsertFact(ctx, fact)
	if err != nil || !fresh {
		return err
	}
	return cs.recount(ctx, tx, fact.OrganizationID, func(b *creditBook) error {
		entry := CreditEntry{Amount: fact.Credits, Source: fact.Source, PlanID: fact.PlanID}
		switch fact.Kind {
		case FactPeriod:
			entry.Kind, entry.ExpiresAt = CreditGrant, &fact.PeriodEnd
			if b.account.InvoiceID == fact.InvoiceID {
				expires := b.account.resetsAt()
				entry.ExpiresAt = &expires
			}
		case FactPack:
			entry.Kind = CreditPack
		case FactUpgrade:
			entry.Kind, entry.Amount = CreditUpgrade, b.missing()
		}
		return b.post(ctx, entry)
	}, CreditExpire)
}

// recount brings the ledger to the credits computed from all facts. post writes the entries with a
// known reason; the difference that remains is posted as an entry of the kind remainder. post may
// be nil. The organization is locked.
func (cs *Credits) recount(ctx context.Context, tx Tx, organizationID string, post func(*creditBook) error, remainder CreditKind) error {
	book, err := cs.openBook(ctx, tx, organizationID)
	if err != nil {
		return err
	}
	before := book.account
	if err := book.recompute(ctx, cs.knownAccount()); err != nil {
		return err
	}
	if post != nil {
		if err := post(book); err != nil {
			return err
		}
	}
	if due := book.missing(); due != 0 {
		book.account.Recounts++
		kind := remainder
		if due > 0 {
			kind = map[CreditKind]CreditKind{CreditExpire: CreditGrant, CreditReturn: CreditRestore}[remainder]
		}
		source := fmt.Sprintf("%s:%d", kind, book.account.Recounts)
		if err := book.post(ctx, CreditEntry{Kind: kind, Amount: due, Source: source, PlanID: cmp.Or(book.account.PlanID, before.PlanID)}); err != nil {
			return err
		}
	}
	if before.same(book.account) {
		return nil
	}
	return book.close(ctx)
}
