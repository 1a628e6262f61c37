package billing

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"
)

// CreditKind says what a line of the credit ledger is.
type CreditKind string

// The kinds of credit entries.
const (
	CreditGrant   CreditKind = "grant"   // a period of a plan was paid
	CreditUpgrade CreditKind = "upgrade" // the difference to a larger plan was paid
	CreditExpire  CreditKind = "expire"  // what was left of a period's credits
	CreditConsume CreditKind = "consume"
)

// CreditEntry is a line of the credit ledger. Lines are added, never changed; each has a source that no other line of the organization
// has, so that what is heard twice counts once.
type CreditEntry struct {
	ID             int64
	OrganizationID string
	At             time.Time
	Kind           CreditKind
	Amount         int // signed
	Balance        int // after it
	Source         string
	PlanID         string
	Reason         string     // of a consumption
	ExpiresAt      *time.Time // of a grant
}

// CreditAccount is the sum of an organization's ledger, and what of it belongs to the running period of the plan.
type CreditAccount struct {
	OrganizationID string
	Balance        int // the sum of all entries
	PlanID         string
	PlanGranted    int // for the running month
	PlanLeft       int // of it; the rest of Balance does not expire with the plan
	InvoiceID      string
	PeriodStart    time.Time // of the paid period the running month belongs to
	PeriodEnd      time.Time
	Month          int        // of the paid period, from 0: yearly plans grant month by month
	NextMonthAt    *time.Time // when the next month's grant is due; nil: with the next invoice
}

// resetsAt is when the month's credits give way to the next.
func (c CreditAccount) resetsAt() time.Time {
	if c.NextMonthAt != nil {
		return *c.NextMonthAt
	}
	return c.PeriodEnd
}

// creditBook writes one organization's ledger within a transaction. The organization is locked.
type creditBook struct {
	ctx     context.Context
	q       Queries
	now     time.Time
	account CreditAccount
}

func (s *Service) openCreditBook(ctx context.Context, q Queries, organizationID string) (*creditBook, error) {
	account, _, err := optional(q.LockCreditAccount(ctx, organizationID))
	if err != nil {
		return nil, fmt.Errorf("lock credit account: %w", err)
	}
	account.OrganizationID = organizationID
	return &creditBook{ctx: ctx, q: q, now: s.now(), account: account}, nil
}

// post writes an entry unless its source is in the ledger already; it tells whether it was written.
func (b *creditBook) post(e CreditEntry) (bool, error) {
	e.OrganizationID, e.At, e.Balance = b.account.OrganizationID, b.now, b.account.Balance+e.Amount
	written, err := b.q.InsertCreditEntry(b.ctx, e)
	if err != nil {
		return false, fmt.Errorf("write credit entry: %w", err)
	}
	if written {
		b.account.Balance = e.Balance
	}
	return written, nil
}

func (b *creditBook) close() error { return b.q.PutCreditAccount(b.ctx, b.account) }

// countPaid grants what a paid invoice stands for. It may be called for every news of the invoice: each source counts once. The
// organization is locked.
func (s *Service) countPaid(ctx context.Context, q Queries, invoice Invoice) error {
	if invoice.Status != InvoicePaid {
		return nil
	}
	book, err := s.openCreditBook(ctx, q, invoice.OrganizationID)
	if err != nil {
		return err
	}
	ended, err := s.subscriptionEnded(ctx, q, invoice.SubscriptionID)
	if err != nil {
		return err
	}
	switch line, plan := s.periodLine(invoice); {
	case plan.Credits > 0:
		err = book.grantPeriod(invoice.ID, plan, line, ended)
	default:
		err = book.grantDifference(invoice, s.upgradedTo(invoice))
	}
	if err != nil {
		return err
	}
	return book.close()
}

func (s *Service) subscriptionEnded(ctx context.Context, q Queries, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	held, known, err := optional(q.Subscription(ctx, id))
	return known && held.Status.Ended(), err
}

// periodLine finds the line that pays for a period of a plan: of type subscription and no proration. Seat prorations are none.
func (s *Service) periodLine(invoice Invoice) (InvoiceLine, Plan) {
	var found InvoiceLine
	var of Plan
	for _, line := range invoice.Lines {
		plan, _, known := s.Catalogue().ByPrice(line.PriceID)
		if known && line.Subscription && !line.Proration && (of.ID == "" || line.PeriodEnd.After(found.PeriodEnd)) {
			found, of = line, plan
		}
	}
	return found, of
}

// upgradedTo finds the plan whose rest of the period an invoice charges, the largest where it names several.
func (s *Service) upgradedTo(invoice Invoice) Plan {
	var of Plan
	for _, line := range invoice.Lines {
		plan, _, known := s.Catalogue().ByPrice(line.PriceID)
		if known && line.Proration && line.Amount > 0 && plan.Credits > of.Credits {
			of = plan
		}
	}
	return of
}

// grantPeriod writes a paid period's first month. One that is older than what the account is at (January's invoice, paid or heard after
// February's), or of a subscription that has ended, is written with its own expiry and lifts nothing.
func (b *creditBook) grantPeriod(invoiceID string, plan Plan, line InvoiceLine, ended bool) error {
	source := "invoice:" + invoiceID
	if ended || line.PeriodStart.Before(b.account.PeriodStart) {
		return b.grantLate(source, plan, line)
	}
	known, err := b.q.HasCreditEntry(b.ctx, b.account.OrganizationID, source)
	if err != nil || known {
		return err
	}
	if err := b.expireRest("expire before " + source); err != nil {
		return err
	}
	b.account.InvoiceID, b.account.PeriodStart, b.account.PeriodEnd, b.account.Month = invoiceID, line.PeriodStart, line.PeriodEnd, 0
	return b.grantMonth(source, plan)
}

// grantMonth writes the grant of the account's month.
func (b *creditBook) grantMonth(source string, plan Plan) error {
	b.account.PlanID, b.account.PlanGranted, b.account.PlanLeft = plan.ID, plan.Credits, plan.Credits
	b.account.NextMonthAt = nil
	if next := monthAfter(b.account.PeriodStart, b.account.Month+1); next.Before(b.account.PeriodEnd) {
		b.account.NextMonthAt = &next
	}
	expires := b.account.resetsAt()
	_, err := b.post(CreditEntry{Kind: CreditGrant, Amount: plan.Credits, Source: source, PlanID: plan.ID, ExpiresAt: &expires})
	return err
}

// grantLate writes a grant and its expiry at once.
func (b *creditBook) grantLate(source string, plan Plan, line InvoiceLine) error {
	expires := line.PeriodEnd
	written, err := b.post(CreditEntry{Kind: CreditGrant, Amount: plan.Credits, Source: source, PlanID: plan.ID, ExpiresAt: &expires})
	if err != nil || !written {
		return err
	}
	_, err = b.post(CreditEntry{Kind: CreditExpire, Amount: -plan.Credits, Source: "expire " + source, PlanID: plan.ID})
	return err
}

// grantDifference writes what a larger plan grants more than the running month was granted. A smaller one takes nothing back.
func (b *creditBook) grantDifference(invoice Invoice, plan Plan) error {
	more := plan.Credits - b.account.PlanGranted
	if more <= 0 || invoice.CreatedAt.Before(b.account.PeriodStart) {
		return nil
	}
	written, err := b.post(CreditEntry{Kind: CreditUpgrade, Amount: more, Source: "upgrade:" + invoice.ID, PlanID: plan.ID})
	if err != nil || !written {
		return err
	}
	b.account.PlanID, b.account.PlanGranted, b.account.PlanLeft = plan.ID, plan.Credits, b.account.PlanLeft+more
	return nil
}

// expireRest takes away what is left of the running month.
func (b *creditBook) expireRest(source string) error {
	if b.account.PlanLeft > 0 {
		if _, err := b.post(CreditEntry{Kind: CreditExpire, Amount: -b.account.PlanLeft, Source: source, PlanID: b.account.PlanID}); err != nil {
			return err
		}
	}
	b.account.PlanLeft, b.account.PlanGranted, b.account.NextMonthAt = 0, 0, nil
	return nil
}

// endCredits takes the plan's credits away once its subscription has ended. The organization is locked.
func (s *Service) endCredits(ctx context.Context, q Queries, ended Subscription) error {
	book, err := s.openCreditBook(ctx, q, ended.OrganizationID)
	if err != nil || book.account.PlanLeft == 0 && book.account.NextMonthAt == nil {
		return err
	}
	if err := book.expireRest("ended:" + ended.ID); err != nil {
		return err
	}
	return book.close()
}

// monthAfter is the n-th monthly return of a day; where a month lacks the day, its last one
// (https://docs.stripe.com/billing/subscriptions/billing-cycle).
func monthAfter(start time.Time, n int) time.Time {
	first := time.Date(start.Year(), start.Month()+time.Month(n), 1, start.Hour(), start.Minute(), start.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(start.Day(), last)-1)
}

// grantDueMonths writes the monthly grants of yearly plans that are due.
func (s *Service) grantDueMonths(ctx context.Context) error {
	due, err := s.store.DueCreditMonths(ctx, s.now(), creditBatch)
	if err != nil {
		return fmt.Errorf("due credit months: %w", err)
	}
	for _, organizationID := range due {
		if err := s.store.InTx(ctx, func(q Queries) error { return s.grantNextMonth(ctx, q, organizationID) }); err != nil {
			return fmt.Errorf("grant a month's credits: %w", err)
		}
	}
	return nil
}

const creditBatch = 100

func (s *Service) grantNextMonth(ctx context.Context, q Queries, organizationID string) error {
	if _, err := q.LockOrganization(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	book, err := s.openCreditBook(ctx, q, organizationID)
	if err != nil || book.account.NextMonthAt == nil || s.now().Before(*book.account.NextMonthAt) {
		return err
	}
	plan, known := s.Catalogue().Plan(book.account.PlanID)
	month := book.account.Month + 1
	source := fmt.Sprintf("invoice:%s:month:%d", book.account.InvoiceID, month)
	if err := book.expireRest("expire before " + source); err != nil {
		return err
	}
	book.account.Month = month
	if known {
		if err := book.grantMonth(source, plan); err != nil {
			return err
		}
	}
	return book.close()
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
		return &Error{Code: CodeInvalid, Field: "amount", Message: "amount must be a whole number of 1 or more."}
	case c.IdempotencyKey == "" || len(c.IdempotencyKey) > 200:
		return &Error{Code: CodeInvalid, Field: "idempotencyKey", Message: "idempotencyKey must be given, in 200 characters or fewer."}
	case utf8.RuneCountInString(c.Reason) > maxReasonLength:
		return &Error{Code: CodeInvalid, Field: "reason", Message: "reason must have 200 characters or fewer."}
	}
	return nil
}

// ConsumeCredits takes credits, those of the running month first, and returns what is left. The same idempotency key takes them once and
// answers with the balance of today. Errors: CodeInvalid; CodeConflict where there is too little, nothing being taken.
func (s *Service) ConsumeCredits(ctx context.Context, a Access, c Consumption) (balance int, err error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	err = s.store.InTx(ctx, func(q Queries) error {
		if _, err := q.LockOrganization(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		book, err := s.openCreditBook(ctx, q, a.Organization.ID)
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
	known, err := b.q.HasCreditEntry(b.ctx, b.account.OrganizationID, source)
	if err != nil || known {
		return err
	}
	if b.account.Balance < c.Amount {
		return Errorf(CodeConflict, "There are %d credits left, and %d were asked for.", b.account.Balance, c.Amount)
	}
	if _, err := b.post(CreditEntry{Kind: CreditConsume, Amount: -c.Amount, Source: source, Reason: cleanName(c.Reason)}); err != nil {
		return err
	}
	b.account.PlanLeft -= min(b.account.PlanLeft, c.Amount)
	return nil
}

// CreditsOverview is what pages say of credits.
type CreditsOverview struct {
	Balance  int
	Granted  int        // for the running month of the plan; 0: none
	ResetsAt *time.Time // when the month's credits give way to the next
}

func (s *Service) creditsOverview(ctx context.Context, organizationID string) (CreditsOverview, error) {
	account, known, err := optional(s.store.CreditAccount(ctx, organizationID))
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
func (s *Service) CreditEntries(ctx context.Context, a Access) ([]CreditEntry, error) {
	return s.store.CreditEntries(ctx, a.Organization.ID, creditPage)
}

const creditPage = 200
