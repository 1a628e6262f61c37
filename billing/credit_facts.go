package billing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// CreditFactKind says what credits follow from.
type CreditFactKind string

// The kinds of facts.
const (
	FactPeriod  CreditFactKind = "period"  // a period of a plan was paid
	FactUpgrade CreditFactKind = "upgrade" // the rest of a period was paid for a larger plan
	FactPack    CreditFactKind = "pack"    // a pack was paid
)

// CreditFact is something paid that credits follow from. It happened, however late it is heard, and counts once, by its source.
type CreditFact struct {
	OrganizationID string         `db:"organization_id"`
	Source         string         `db:"source"` // what tells it from all others of the organization
	Kind           CreditFactKind `db:"kind"`
	InvoiceID      string         `db:"invoice_id"`      // empty: none
	SubscriptionID string         `db:"subscription_id"` // empty: none
	ChargeID       string         `db:"charge_id"`       // of a pack; empty: not known
	PlanID         string         `db:"plan_id"`         // or the pack's
	Credits        int            `db:"credits"`         // as the catalogue had it when it was heard
	At             time.Time      `db:"at"`
	PeriodStart    time.Time      `db:"period_start,null"` // of a period
	PeriodEnd      time.Time      `db:"period_end,null"`

	// Of the payments of which something went back, in the currency's minor unit; filled when read.
	Paid int64 `db:"paid,joined"`
	Back int64 `db:"back,joined"`
}

// kept is what is left of its credits after the part whose money went back, rounded in the customer's favour. No more goes back than was paid,
// whatever is refunded beside a dispute.
func (f CreditFact) remaining(credits int) int {
	if f.Paid <= 0 {
		return credits
	}
	return credits - int(float64(credits)*min(1, float64(f.Back)/float64(f.Paid)))
}

// creditState is what an organization holds of its plan.
type creditState struct {
	PlanID      string
	Granted     int // for the running month
	Packs       int // credits of packs, ever
	InvoiceID   string
	PeriodStart time.Time
	PeriodEnd   time.Time
	Month       int
	NextMonthAt *time.Time
}

// period names the month of the plan that consumption takes from; empty: none.
func (c CreditAccount) period() string {
	if c.InvoiceID == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", c.InvoiceID, c.Month)
}

// computeCredits tells what follows from all facts together, whatever order they were heard in: the newest paid period of the subscription the
// organization is on counts, a late older one is past, upgrades within it add the difference, a yearly one comes month by month. It is pure.
func computeCredits(facts []CreditFact, subscriptions []Subscription, now time.Time) creditState {
	var standing creditState
	for _, fact := range facts {
		if fact.Kind == FactPack {
			standing.Packs += fact.remaining(fact.Credits)
		}
	}
	period, found := runningPeriod(facts, subscriptions)
	if !found {
		return standing
	}
	standing.PlanID, standing.InvoiceID = period.PlanID, period.InvoiceID
	standing.PeriodStart, standing.PeriodEnd = period.PeriodStart, period.PeriodEnd
	standing.month(now)
	standing.grant(period, upgradesWithin(facts, period))
	return standing
}

// month counts the months of the period that have begun. Only a period longer than a month has more than one.
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

// grant adds up what the month was granted: the plan's credits, and what larger plans grant more. What went back of an upgrade's money takes
// its difference with it, in its own month and all later ones.
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

// runningPeriod finds the newest paid period of the subscription whose plan counts: the one the organization is on, else the first that is
// known to have been paid and has not ended.
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
		if held, known := newest[fact.SubscriptionID]; !known || periodBefore(held, fact) {
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

// upgradesWithin lists the upgrades paid since the period began, the oldest first.
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

// paidFact finds what a paid invoice means for credits: a period of a plan (a line of type subscription and no proration), or the difference
// to a larger plan. Seat prorations mean nothing.
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

// recordPaidInvoice counts what a paid invoice stands for. It may be called for every news of the invoice: it counts once. The organization is locked.
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

// recordFact writes a fact down, the first time it is heard, and brings the credits to what follows from all of them. The ledger shows what
// was paid for, and beside it what that replaces: a renewal's predecessor, or all of a late older period.
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
		return b.post(entry)
	}, CreditExpire)
}

// recountCredits brings the ledger to what follows from all facts. tell posts the lines that say why; what is still missing then is posted as a
// line of the kind given. The organization is locked.
func (cs *Credits) recount(ctx context.Context, tx Tx, organizationID string, tell func(*creditBook) error, rest CreditKind) error {
	book, err := cs.openBook(ctx, tx, organizationID)
	if err != nil {
		return err
	}
	before := book.account
	if err := book.recompute(cs.knownAccount()); err != nil {
		return err
	}
	if tell != nil {
		if err := tell(book); err != nil {
			return err
		}
	}
	if due := book.missing(); due != 0 {
		book.account.Recounts++
		kind := rest
		if due > 0 {
			kind = map[CreditKind]CreditKind{CreditExpire: CreditGrant, CreditReturn: CreditRestore}[rest]
		}
		source := fmt.Sprintf("%s:%d", kind, book.account.Recounts)
		if err := book.post(CreditEntry{Kind: kind, Amount: due, Source: source, PlanID: cmp.Or(book.account.PlanID, before.PlanID)}); err != nil {
			return err
		}
	}
	if before.same(book.account) {
		return nil
	}
	return book.close()
}
