package billing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// creditBook writes one organization's ledger in a transaction. The organization is locked.
type creditBook struct {
	tx        Tx
	now       time.Time
	account   CreditAccount
	switched  bool // the stored row is of another account or mode
	overdrawn int  // consumed beyond the month's credits after refunds
	packs     int  // credits of packs, in total
}

func (cs *Credits) openBook(ctx context.Context, tx Tx, organizationID string) (*creditBook, error) {
	account, known, err := apperr.Found(tx.Credits().LockAccount(ctx, organizationID))
	if err != nil {
		return nil, fmt.Errorf("lock credit account: %w", err)
	}
	if !known {
		acct := cs.knownAccount()
		account = CreditAccount{OrganizationID: organizationID, Account: acct.ID, Livemode: acct.Livemode}
	}
	return cs.bookOf(ctx, tx, account)
}

// bookOf returns the book of the account and mode in which Usher runs. If the stored row is of
// another one, the sums come from the ledger.
func (cs *Credits) bookOf(ctx context.Context, tx Tx, stored CreditAccount) (*creditBook, error) {
	acct := cs.knownAccount()
	book := &creditBook{tx: tx, now: cs.Now(), account: stored}
	if acct.ID == "" || stored.Account == acct.ID && stored.Livemode == acct.Livemode {
		return book, nil
	}
	balance, packConsumed, err := tx.Credits().Sums(ctx, stored.OrganizationID, acct)
	if err != nil {
		return nil, fmt.Errorf("sum credit entries: %w", err)
	}
	book.switched = true
	book.account = CreditAccount{
		OrganizationID: stored.OrganizationID, Account: acct.ID, Livemode: acct.Livemode, Balance: balance, PackConsumed: packConsumed, Recounts: stored.Recounts,
	}
	return book, nil
}

func (b *creditBook) recount(ctx context.Context, post func(*creditBook) error, remainder CreditKind) error {
	book, before := b, b.account
	if err := book.recompute(ctx); err != nil {
		return err
	}
	if err := book.beginMonth(ctx, before); err != nil {
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
	if before.same(book.account) && !book.switched {
		return nil
	}
	return book.close(ctx)
}

// recompute computes the plan's credits from all facts.
func (b *creditBook) recompute(ctx context.Context) error {
	acct := b.stripeAccount()
	facts, err := b.tx.Credits().Facts(ctx, b.account.OrganizationID, acct)
	if err != nil {
		return fmt.Errorf("read credit facts: %w", err)
	}
	subscriptions, err := b.tx.Subscriptions().List(ctx, b.account.OrganizationID, acct)
	if err != nil {
		return fmt.Errorf("list subscriptions: %w", err)
	}
	foreign, err := b.tx.Subscriptions().Foreign(ctx, acct, b.account.OrganizationID)
	if err != nil {
		return fmt.Errorf("list foreign subscriptions: %w", err)
	}
	trials, err := b.tx.Trials().List(ctx, b.account.OrganizationID, acct)
	if err != nil {
		return fmt.Errorf("list trials: %w", err)
	}
	computed := computeCredits(facts, slices.Concat(subscriptions, foreign), trials, b.now)
	a := &b.account
	a.PlanID, a.PlanGranted, a.InvoiceID = computed.PlanID, computed.Granted, computed.InvoiceID
	a.PeriodStart, a.PeriodEnd, a.Month, a.NextMonthAt = computed.PeriodStart, computed.PeriodEnd, computed.Month, computed.NextMonthAt
	b.packs = computed.Packs
	consumed := 0
	if period := a.period(); period != "" {
		if consumed, err = b.tx.Credits().ConsumedOfPeriod(ctx, a.OrganizationID, period); err != nil {
			return fmt.Errorf("sum consumption: %w", err)
		}
	}
	a.PlanLeft = max(0, a.PlanGranted-consumed)
	b.overdrawn = max(0, consumed-a.PlanGranted)
	return nil
}

func (b *creditBook) stripeAccount() StripeAccount {
	return StripeAccount{ID: b.account.Account, Livemode: b.account.Livemode}
}

// missing returns the amount by which the ledger differs from the computed credits.
func (b *creditBook) missing() int {
	return b.account.PlanLeft + b.packs - b.account.PackConsumed - b.overdrawn - b.account.Balance
}

// post writes an entry. It is an error if the ledger has an entry of the same source.
func (b *creditBook) post(ctx context.Context, e CreditEntry) error {
	if e.Amount == 0 {
		return nil
	}
	e.OrganizationID, e.Account, e.Livemode = b.account.OrganizationID, b.account.Account, b.account.Livemode
	e.At, e.Balance = b.now, b.account.Balance+e.Amount
	written, err := b.tx.Credits().InsertEntry(ctx, e)
	if err != nil {
		return fmt.Errorf("write credit entry: %w", err)
	}
	if !written {
		return fmt.Errorf("the credit ledger has a line of %s already", e.Source)
	}
	b.account.Balance = e.Balance
	b.tx.Record("credits: %+d (%s), balance %d", e.Amount, e.Kind, e.Balance)
	return nil
}

func (b *creditBook) close(ctx context.Context) error {
	return b.tx.Credits().PutAccount(ctx, b.account)
}

// beginMonth writes the grant of a new month within a paid period, and the expiry of what is left
// of the month before. The first recount in the month writes them, whatever caused it: an invoice
// of seats is created in the second in which a month begins, and its event may be faster than the
// task of the worker.
func (b *creditBook) beginMonth(ctx context.Context, before CreditAccount) error {
	a := b.account
	if a.InvoiceID == "" || a.InvoiceID != before.InvoiceID || a.Month <= before.Month {
		return nil
	}
	source := fmt.Sprintf("invoice:%s:month:%d", a.InvoiceID, a.Month)
	_, known, err := apperr.Found(b.tx.Credits().EntryAccount(ctx, a.OrganizationID, source))
	if err != nil || known {
		return err
	}
	expires := a.resetsAt()
	if err := b.post(ctx, CreditEntry{Kind: CreditGrant, Amount: a.PlanGranted, Source: source, PlanID: a.PlanID, ExpiresAt: &expires}); err != nil {
		return err
	}
	return b.post(ctx, CreditEntry{Kind: CreditExpire, Amount: -before.PlanLeft, Source: "expire:" + source, PlanID: cmp.Or(before.PlanID, a.PlanID)})
}

func (b *creditBook) consume(ctx context.Context, c Consumption) error {
	source, known, err := b.consumeSource(ctx, c.IdempotencyKey)
	if err != nil || known {
		return err
	}
	if b.account.Balance < c.Amount {
		return apperr.Errorf(apperr.CodeConflict, "There are %d credits left, and %d were asked for.", b.account.Balance, c.Amount)
	}
	ofPlan := min(b.account.PlanLeft, c.Amount)
	b.account.PlanLeft -= ofPlan
	b.account.PackConsumed += c.Amount - ofPlan
	return b.post(ctx, CreditEntry{
		Kind: CreditConsume, Amount: -c.Amount, Source: source, Reason: account.CleanName(c.Reason), Period: b.account.period(), PlanPart: ofPlan,
	})
}

// consumeSource returns the source of a consumption, and whether it is recorded already. A key that
// was used in another account or mode is a different one here.
func (b *creditBook) consumeSource(ctx context.Context, key string) (source string, known bool, err error) {
	acct := b.stripeAccount()
	for _, source := range []string{"consume:" + key, fmt.Sprintf("consume:%s:%t:%s", acct.ID, acct.Livemode, key)} {
		recorded, known, err := apperr.Found(b.tx.Credits().EntryAccount(ctx, b.account.OrganizationID, source))
		if err != nil || !known || recorded == acct {
			return source, known, err
		}
	}
	return "", false, fmt.Errorf("the consumption %q is recorded in another Stripe account", key)
}
