package billing

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// Credits keeps the credit ledger.
type Credits struct{ *core }

// CreditKind says what a line of the credit ledger is.
type CreditKind string

// The kinds of credit entries.
const (
	CreditGrant   CreditKind = "grant"   // a period of a plan was paid
	CreditUpgrade CreditKind = "upgrade" // the difference to a larger plan was paid
	CreditExpire  CreditKind = "expire"  // what was left of a period's credits
	CreditPack    CreditKind = "pack"    // bought once
	CreditConsume CreditKind = "consume"
	CreditReturn  CreditKind = "return"  // money was refunded, or lost in a dispute
	CreditRestore CreditKind = "restore" // it was not, after all
)

// CreditEntry is a line of the credit ledger. Lines are added, never changed; each has a source that no other line of the organization
// has, so that what is heard twice counts once.
type CreditEntry struct {
	ID             int64      `db:"id,readonly"`
	OrganizationID string     `db:"organization_id"`
	At             time.Time  `db:"at"`
	Kind           CreditKind `db:"kind"`
	Amount         int        `db:"amount"`  // signed
	Balance        int        `db:"balance"` // after it
	Source         string     `db:"source"`
	PlanID         string     `db:"plan_id"`
	Reason         string     `db:"reason"`      // of a consumption
	ExpiresAt      *time.Time `db:"expires_at"`  // of a grant
	Period         string     `db:"period"`      // of a consumption: the month of the plan it was taken from
	PlanPart       int        `db:"plan_amount"` // of a consumption: how much of it
}

// CreditAccount is the sum of an organization's ledger, and what of it belongs to the running period of the plan.
type CreditAccount struct {
	OrganizationID string     `db:"organization_id"`
	Balance        int        `db:"balance"` // the sum of all entries
	PlanID         string     `db:"plan_id"`
	PlanGranted    int        `db:"plan_granted"` // for the running month
	PlanLeft       int        `db:"plan_left"`    // of it; the rest of Balance does not expire with the plan
	InvoiceID      string     `db:"invoice_id"`
	PeriodStart    time.Time  `db:"period_start,null"` // of the paid period the running month belongs to
	PeriodEnd      time.Time  `db:"period_end,null"`
	Month          int        `db:"month"`          // of the paid period, from 0: yearly plans grant month by month
	NextMonthAt    *time.Time `db:"next_month_at"`  // when the next month's grant is due; nil: with the next invoice
	PackConsumed   int        `db:"extra_consumed"` // taken beside the plan's credits, ever
	Recounts       int        `db:"version"`        // counts the recounts that changed something
}

// resetsAt is when the month's credits give way to the next.
func (c CreditAccount) resetsAt() time.Time {
	if c.NextMonthAt != nil {
		return *c.NextMonthAt
	}
	return c.PeriodEnd
}

// same tells that nothing changed.
func (c CreditAccount) same(o CreditAccount) bool {
	equalTimes := c.PeriodStart.Equal(o.PeriodStart) && c.PeriodEnd.Equal(o.PeriodEnd) && unixOf(c.NextMonthAt) == unixOf(o.NextMonthAt)
	c.PeriodStart, c.PeriodEnd, c.NextMonthAt = o.PeriodStart, o.PeriodEnd, o.NextMonthAt
	return equalTimes && c == o
}

// creditBook writes one organization's ledger within a transaction. The organization is locked.
type creditBook struct {
	ctx     context.Context
	q       Tx
	now     time.Time
	account CreditAccount
	over    int // consumed of the month's credits beyond what is left of their money
	packs   int
}

func (cs *Credits) openBook(ctx context.Context, tx Tx, organizationID string) (*creditBook, error) {
	account, _, err := apperr.Found(tx.Credits().LockAccount(ctx, organizationID))
	if err != nil {
		return nil, fmt.Errorf("lock credit account: %w", err)
	}
	account.OrganizationID = organizationID
	return &creditBook{ctx: ctx, q: tx, now: cs.Now(), account: account}, nil
}

// stand works out from all facts what the organization holds of its plan.
func (b *creditBook) recompute(acct StripeAccount) error {
	facts, err := b.q.Credits().Facts(b.ctx, b.account.OrganizationID)
	if err != nil {
		return fmt.Errorf("read credit facts: %w", err)
	}
	subscriptions, err := b.q.Subscriptions().List(b.ctx, b.account.OrganizationID, acct)
	if err != nil {
		return fmt.Errorf("list subscriptions: %w", err)
	}
	held := computeCredits(facts, subscriptions, b.now)
	a := &b.account
	a.PlanID, a.PlanGranted, a.InvoiceID = held.PlanID, held.Granted, held.InvoiceID
	a.PeriodStart, a.PeriodEnd, a.Month, a.NextMonthAt = held.PeriodStart, held.PeriodEnd, held.Month, held.NextMonthAt
	b.packs = held.Packs
	consumed := 0
	if period := a.period(); period != "" {
		if consumed, err = b.q.Credits().ConsumedOfPeriod(b.ctx, a.OrganizationID, period); err != nil {
			return fmt.Errorf("add up consumption: %w", err)
		}
	}
	a.PlanLeft = max(0, a.PlanGranted-consumed)
	b.over = max(0, consumed-a.PlanGranted)
	return nil
}

// due is what the ledger is still to be changed by.
func (b *creditBook) missing() int {
	return b.account.PlanLeft + b.packs - b.account.PackConsumed - b.over - b.account.Balance
}

// post writes an entry. Its source is in the ledger once.
func (b *creditBook) post(e CreditEntry) error {
	if e.Amount == 0 {
		return nil
	}
	e.OrganizationID, e.At, e.Balance = b.account.OrganizationID, b.now, b.account.Balance+e.Amount
	written, err := b.q.Credits().InsertEntry(b.ctx, e)
	if err != nil {
		return fmt.Errorf("write credit entry: %w", err)
	}
	if !written {
		return fmt.Errorf("the ledger of credits has a line of %s already", e.Source)
	}
	b.account.Balance = e.Balance
	b.q.Record("credits: %+d (%s), balance %d", e.Amount, e.Kind, e.Balance)
	return nil
}

func (b *creditBook) close() error { return b.q.Credits().PutAccount(b.ctx, b.account) }

// periodLine finds the line that pays for a period of a plan: of type subscription and no proration. Seat prorations are none.
func (c *core) periodLine(invoice Invoice) (InvoiceLine, catalog.Plan) {
	var found InvoiceLine
	var of catalog.Plan
	for _, line := range invoice.Lines {
		plan, _, known := c.Catalog().ByPrice(line.PriceID)
		if known && line.Subscription && !line.Proration && (of.ID == "" || line.PeriodEnd.After(found.PeriodEnd)) {
			found, of = line, plan
		}
	}
	return found, of
}

// upgradedTo finds the plan whose rest of the period an invoice charges, the largest where it names several.
func (c *core) upgradedTo(invoice Invoice) catalog.Plan {
	var of catalog.Plan
	for _, line := range invoice.Lines {
		plan, _, known := c.Catalog().ByPrice(line.PriceID)
		if known && line.Proration && line.Amount > 0 && plan.Credits > of.Credits {
			of = plan
		}
	}
	return of
}

// monthAfter is the n-th monthly return of a day; where a month lacks the day, its last one
// (https://docs.stripe.com/billing/subscriptions/billing-cycle).
func monthAfter(start time.Time, n int) time.Time {
	first := time.Date(start.Year(), start.Month()+time.Month(n), 1, start.Hour(), start.Minute(), start.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(start.Day(), last)-1)
}

// grantDueMonths writes the monthly grants of yearly plans that are due.
func (cs *Credits) grantDueMonths(ctx context.Context) error {
	due, err := cs.store.Credits().DueMonths(ctx, cs.Now(), creditBatch)
	if err != nil {
		return fmt.Errorf("due credit months: %w", err)
	}
	for _, organizationID := range due {
		if err := cs.store.InTx(ctx, func(tx Tx) error { return cs.grantMonth(ctx, tx, organizationID) }); err != nil {
			return fmt.Errorf("grant a month's credits: %w", err)
		}
	}
	return nil
}

const creditBatch = 100

// grantMonth writes the grant of the month that has begun. Months that passed unseen, while nothing ran, are past.
func (cs *Credits) grantMonth(ctx context.Context, tx Tx, organizationID string) error {
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	return cs.recount(ctx, tx, organizationID, func(b *creditBook) error {
		source := fmt.Sprintf("invoice:%s:month:%d", b.account.InvoiceID, b.account.Month)
		known, err := tx.Credits().HasEntry(ctx, organizationID, source)
		if err != nil || known || b.account.Month == 0 {
			return err
		}
		expires := b.account.resetsAt()
		return b.post(CreditEntry{Kind: CreditGrant, Amount: b.account.PlanGranted, Source: source, PlanID: b.account.PlanID, ExpiresAt: &expires})
	}, CreditExpire)
}

// Consumption asks to take credits.
type Consumption struct {
	Amount         int
	Reason         string
	IdempotencyKey string // the same key takes them once
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

// ConsumeCredits takes credits, those of the running month first, and returns what is left. The same idempotency key takes them once and
// answers with the balance of today. Errors: CodeInvalid; CodeConflict where there is too little, nothing being taken.
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
		if err := book.consume(c); err != nil {
			return err
		}
		balance = book.account.Balance
		return book.close()
	})
	return balance, err
}

func (b *creditBook) consume(c Consumption) error {
	source := "consume:" + c.IdempotencyKey
	known, err := b.q.Credits().HasEntry(b.ctx, b.account.OrganizationID, source)
	if err != nil || known {
		return err
	}
	if b.account.Balance < c.Amount {
		return apperr.Errorf(apperr.CodeConflict, "There are %d credits left, and %d were asked for.", b.account.Balance, c.Amount)
	}
	ofPlan := min(b.account.PlanLeft, c.Amount)
	b.account.PlanLeft -= ofPlan
	b.account.PackConsumed += c.Amount - ofPlan
	return b.post(CreditEntry{
		Kind: CreditConsume, Amount: -c.Amount, Source: source, Reason: account.CleanName(c.Reason), Period: b.account.period(), PlanPart: ofPlan,
	})
}

// CreditsOverview is what pages say of credits.
type CreditsOverview struct {
	Balance  int
	Granted  int        // for the running month of the plan; 0: none
	ResetsAt *time.Time // when the month's credits give way to the next
}

func (cs *Credits) overview(ctx context.Context, organizationID string) (CreditsOverview, error) {
	account, known, err := apperr.Found(cs.store.Credits().Account(ctx, organizationID))
	if err != nil || !known {
		return CreditsOverview{}, err
	}
	view := CreditsOverview{Balance: account.Balance, Granted: account.PlanGranted}
	if resets := account.resetsAt(); account.PlanGranted > 0 && !resets.IsZero() {
		view.ResetsAt = &resets
	}
	return view, nil
}

// CreditEntries lists the newest lines of the credit ledger.
func (cs *Credits) Entries(ctx context.Context, a account.Access) ([]CreditEntry, error) {
	return cs.store.Credits().Entries(ctx, a.Organization.ID, creditPage)
}

const creditPage = 200
