package billing

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// Credits keeps the credit ledger: it grants, expires and consumes an organization's credits.
type Credits struct{ *core }

// CreditKind is the kind of a line of the credit ledger.
type CreditKind string

// The kinds of credit entries.
const (
	CreditGrant   CreditKind = "grant"   // a period of a plan was paid
	CreditUpgrade CreditKind = "upgrade" // the difference to a larger plan was paid
	CreditExpire  CreditKind = "expire"  // the unused credits of a period
	CreditPack    CreditKind = "pack"    // a pack was paid
	CreditConsume CreditKind = "consume"
	CreditReturn  CreditKind = "return"  // money was refunded, or lost in a dispute
	CreditRestore CreditKind = "restore" // a refund failed, or a dispute was won
)

// CreditEntry is a line of the credit ledger. Lines are added, never changed. Source is unique per
// organization, so that a repeated event counts once.
type CreditEntry struct {
	ID             int64      `db:"id,readonly"`
	OrganizationID string     `db:"organization_id"`
	Account        string     `db:"account"`
	Livemode       bool       `db:"livemode"`
	At             time.Time  `db:"at"`
	Kind           CreditKind `db:"kind"`
	Amount         int        `db:"amount"`  // signed
	Balance        int        `db:"balance"` // after it
	Source         string     `db:"source"`
	PlanID         string     `db:"plan_id"`
	Reason         string     `db:"reason"`     // of a consumption
	ExpiresAt      *time.Time `db:"expires_at"` // of a grant
	// Period is, of a consumption, the month of the plan whose credits it used.
	Period   string `db:"period"`
	PlanPart int    `db:"plan_amount"` // of a consumption: how many of them
}

// CreditAccount is the balance of an organization's credits and the part that belongs to the
// current month of the plan. It is of one Stripe account and mode. If Usher runs in another one,
// the state of that one is computed from its facts and its ledger, and replaces the row with the
// next write: each account and mode has a ledger of its own, to which a switch adds nothing.
type CreditAccount struct {
	OrganizationID string `db:"organization_id"`
	Account        string `db:"account"`
	Livemode       bool   `db:"livemode"`
	Balance        int    `db:"balance"` // the sum of all entries
	PlanID         string `db:"plan_id"`
	PlanGranted    int    `db:"plan_granted"` // for the current month
	// PlanLeft is the unused part of PlanGranted. The rest of Balance does not expire with the
	// month.
	PlanLeft  int    `db:"plan_left"`
	InvoiceID string `db:"invoice_id"`
	// PeriodStart is the start of the paid period that the current month belongs to.
	PeriodStart time.Time `db:"period_start,null"`
	PeriodEnd   time.Time `db:"period_end,null"`
	// Month is the month within the paid period, from 0: a yearly plan grants each month.
	Month int `db:"month"`
	// NextMonthAt is when the next month's grant is due; nil: with the next invoice.
	NextMonthAt  *time.Time `db:"next_month_at"`
	PackConsumed int        `db:"extra_consumed"` // consumed beyond the plan's credits, in total
	Recounts     int        `db:"version"`        // counts the recounts that wrote an entry
}

// resetsAt returns when the month's credits are replaced by the next month's.
func (c CreditAccount) resetsAt() time.Time {
	if c.NextMonthAt != nil {
		return *c.NextMonthAt
	}
	return c.PeriodEnd
}

// same reports whether two states are equal.
func (c CreditAccount) same(o CreditAccount) bool {
	equalTimes := c.PeriodStart.Equal(o.PeriodStart) && c.PeriodEnd.Equal(o.PeriodEnd) && unixOf(c.NextMonthAt) == unixOf(o.NextMonthAt)
	c.PeriodStart, c.PeriodEnd, c.NextMonthAt = o.PeriodStart, o.PeriodEnd, o.NextMonthAt
	return equalTimes && c == o
}

// recordPaidInvoice records the fact of a paid invoice, unless one of its prices is not known yet.
// It may be called for every update of the invoice: the fact counts once. The organization is
// locked.
func (cs *Credits) recordPaidInvoice(ctx context.Context, tx Tx, invoice Invoice) error {
	if invoice.Status != InvoicePaid || len(cs.unknown(invoice.prices())) > 0 {
		return nil
	}
	acct := cs.knownAccount()
	facts, err := cs.grantedHere(ctx, tx, invoice, cs.paidFacts(invoice))
	if err != nil {
		return err
	}
	for _, fact := range facts {
		fact.Account, fact.Livemode = acct.ID, acct.Livemode
		if err := cs.recordFact(ctx, tx, fact); err != nil {
			return err
		}
	}
	return nil
}

// grantedHere removes the facts of periods that had ended before the organization was created: it
// was imported or linked to an older customer. Whatever those periods granted was granted
// elsewhere, and the unused rest of it has expired. A test clock may be earlier than every
// organization.
func (cs *Credits) grantedHere(ctx context.Context, tx Tx, invoice Invoice, facts []CreditFact) ([]CreditFact, error) {
	over := func(f CreditFact) bool { return !f.PeriodEnd.IsZero() && f.PeriodEnd.Before(cs.Now()) }
	if invoice.TestClock || !slices.ContainsFunc(facts, over) {
		return facts, nil
	}
	organization, err := tx.Organizations().Get(ctx, invoice.OrganizationID)
	if err != nil {
		return nil, fmt.Errorf("read organization: %w", err)
	}
	return slices.DeleteFunc(facts, func(f CreditFact) bool { return over(f) && !f.PeriodEnd.After(organization.CreatedAt) }), nil
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
	return book.recount(ctx, post, remainder)
}

// paidFacts returns the facts of a paid invoice: a period of a plan, and the upgrade to a plan with
// more credits. An invoice has both if the proration of an upgrade was put on the next one.
// Prorations of seats are no fact.
func (cs *Credits) paidFacts(invoice Invoice) []CreditFact {
	var facts []CreditFact
	fact := CreditFact{OrganizationID: invoice.OrganizationID, InvoiceID: invoice.ID, SubscriptionID: invoice.SubscriptionID, At: invoice.CreatedAt}
	if line, plan, price := cs.periodLine(invoice); plan.Credits > 0 {
		period := fact
		period.Source, period.Kind, period.PlanID, period.Credits = "invoice:"+invoice.ID, FactPeriod, plan.ID, plan.Credits
		period.PeriodStart, period.PeriodEnd, period.Months = line.PeriodStart, line.PeriodEnd, monthsOf(line, price)
		facts = append(facts, period)
	}
	if up := cs.upgradeOf(invoice); up.to.Credits > up.from.Credits {
		fact.Source, fact.Kind, fact.PlanID, fact.Credits, fact.FromCredits = "upgrade:"+invoice.ID, FactUpgrade, up.to.ID, up.to.Credits, up.from.Credits
		fact.PeriodStart, fact.PeriodEnd = up.line.PeriodStart, up.line.PeriodEnd
		if invoice.PaidAt != nil {
			fact.At = *invoice.PaidAt
		}
		facts = append(facts, fact)
	}
	return facts
}

// periodLine finds the line that pays for a period of a plan: it has the type subscription and is
// no proration.
func (c *core) periodLine(invoice Invoice) (InvoiceLine, catalog.Plan, catalog.Price) {
	var found InvoiceLine
	var foundPlan catalog.Plan
	var foundPrice catalog.Price
	for _, line := range invoice.Lines {
		plan, price, known := c.Catalog().ByPrice(line.PriceID)
		if known && line.Subscription && !line.Proration && (foundPlan.ID == "" || line.PeriodEnd.After(found.PeriodEnd)) {
			found, foundPlan, foundPrice = line, plan, price
		}
	}
	return found, foundPlan, foundPrice
}

// planChange is the change of the plan that an invoice prorates: the plan before its first
// proration and after its last. from is the zero plan if the invoice does not say.
type planChange struct {
	from, to catalog.Plan
	line     InvoiceLine // charges for the rest of the period
}

// upgradeOf compares the plans of an invoice's prorations. A change of seats credits and charges
// the same plan, and several changes on one invoice count as a whole, so that an upgrade that was
// reverted before it was invoiced is none.
func (c *core) upgradeOf(invoice Invoice) planChange {
	var change planChange
	var first time.Time
	for _, line := range invoice.Lines {
		plan, _, known := c.Catalog().ByPrice(line.PriceID)
		if !known || !line.Proration {
			continue
		}
		switch {
		case line.Credit && (first.IsZero() || line.PeriodStart.Before(first)):
			first, change.from = line.PeriodStart, plan
		case line.Credit && line.PeriodStart.Equal(first) && plan.Credits > change.from.Credits:
			change.from = plan
		case line.Credit || line.Amount < 0:
		case change.to.ID == "" || line.PeriodStart.After(change.line.PeriodStart),
			line.PeriodStart.Equal(change.line.PeriodStart) && plan.Credits > change.to.Credits:
			change.to, change.line = plan, line
		}
	}
	return change
}

// grantDueMonths writes the due monthly grants of yearly plans.
func (cs *Credits) grantDueMonths(ctx context.Context) error {
	due, err := cs.store.Credits().DueMonths(ctx, cs.knownAccount(), cs.Now(), creditBatch)
	if err != nil {
		return fmt.Errorf("list due credit months: %w", err)
	}
	for _, organizationID := range due {
		if err := cs.store.InTx(ctx, func(tx Tx) error { return cs.grantMonth(ctx, tx, organizationID) }); err != nil {
			return fmt.Errorf("grant monthly credits: %w", err)
		}
	}
	return nil
}

const creditBatch = 100

// grantMonth brings an organization's ledger to the current month. Months that passed while no
// worker ran get no grant.
func (cs *Credits) grantMonth(ctx context.Context, tx Tx, organizationID string) error {
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	return cs.recount(ctx, tx, organizationID, nil, CreditExpire)
}

// Consumption is a request to consume credits.
type Consumption struct {
	Amount         int
	Reason         string
	IdempotencyKey string // a repeated key consumes once
}

const maxReasonLength = 200 // characters

func (c Consumption) check() error {
	switch {
	case c.Amount < 1 || c.Amount > 1_000_000_000:
		return &apperr.Error{Code: apperr.CodeInvalid, Field: "amount", Message: "amount must be a whole number of 1 or more."}
	case c.IdempotencyKey == "" || len(c.IdempotencyKey) > 200:
		return &apperr.Error{Code: apperr.CodeInvalid, Field: "idempotencyKey", Message: "idempotencyKey must be given, in 200 characters or fewer."}
	case utf8.RuneCountInString(c.Reason) > maxReasonLength:
		return &apperr.Error{Code: apperr.CodeInvalid, Field: "reason", Message: "reason must have 200 characters or fewer."}
	}
	return nil
}

// Consume consumes credits, those of the current month first, and returns the balance. A repeated
// idempotency key consumes nothing and returns today's balance. Errors: CodeInvalid; CodeConflict
// if the balance is too low, with nothing consumed.
func (cs *Credits) Consume(ctx context.Context, a account.Access, c Consumption) (balance int, err error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	err = cs.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		book, err := cs.openBook(ctx, tx, a.Organization.ID)
		if err != nil {
			return err
		}
		if book.switched {
			if err := book.recount(ctx, nil, CreditExpire); err != nil {
				return err
			}
		}
		if err := book.consume(ctx, c); err != nil {
			return err
		}
		balance = book.account.Balance
		return book.close(ctx)
	})
	return balance, err
}

// CreditsOverview is what pages show of credits.
type CreditsOverview struct {
	Balance int
	Granted int // for the current month of the plan; 0: none
	// PlanLeft is the part of Balance that expires with the month. The rest was bought, and stays
	// when the plan ends.
	PlanLeft int
	// ResetsAt is when the month's credits are replaced by the next month's; nil: the plan grants
	// no more, because it ends by then, gives no access, or changes to one without credits.
	ResetsAt *time.Time
	// LapsesAt is when PlanLeft expires because the plan ends; nil: it does not end, or the plan
	// has left none.
	LapsesAt *time.Time
	// NextGrant is how many credits come then: those of a smaller plan, if the change to it is
	// scheduled by then.
	NextGrant int
}

// nextGrant returns how many credits the plan will grant at a time in the future; 0: none.
func (cs *Credits) nextGrant(s Subscription, granted int, at time.Time) int {
	switch plan, _, known := cs.Catalog().ByPrice(s.ScheduledPriceID); {
	case !s.grantsAt(at, cs.Now()):
		return 0
	case s.ScheduledPriceID == "" || s.ScheduledAt == nil || at.Before(*s.ScheduledAt) || !known:
		return granted
	default:
		return plan.Credits
	}
}

// overview reads the credits; current is the current subscription, nil if there is none.
func (cs *Credits) overview(ctx context.Context, organizationID string, current *Subscription) (CreditsOverview, error) {
	account, known, err := apperr.Found(cs.store.Credits().Account(ctx, organizationID))
	if err != nil || !known {
		return CreditsOverview{}, err
	}
	book, err := cs.bookOf(ctx, cs.store, account)
	if err != nil {
		return CreditsOverview{}, err
	}
	if book.switched {
		if err := book.recompute(ctx); err != nil {
			return CreditsOverview{}, err
		}
		book.account.Balance += book.missing()
	}
	account = book.account
	view := CreditsOverview{Balance: account.Balance, Granted: account.PlanGranted, PlanLeft: account.PlanLeft}
	if resets := account.resetsAt(); account.PlanGranted > 0 && current != nil {
		if view.NextGrant = cs.nextGrant(*current, account.PlanGranted, resets); view.NextGrant > 0 {
			view.ResetsAt = &resets
		}
	}
	return view, nil
}

// Entries lists the newest lines of the credit ledger.
func (cs *Credits) Entries(ctx context.Context, a account.Access) ([]CreditEntry, error) {
	return cs.store.Credits().Entries(ctx, a.Organization.ID, cs.knownAccount(), creditPage)
}

const creditPage = 200
