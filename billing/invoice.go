package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// Invoices stores snapshots of invoices.
type Invoices struct {
	*core
	customers     *Customers
	subscriptions *Subscriptions
	credits       *Credits
	notices       *Notices
}

// The invoice statuses used here
// (https://docs.stripe.com/api/invoices/object#invoice_object-status). Others are stored as they
// are.
const (
	InvoiceDraft = "draft"
	InvoiceOpen  = "open"
	InvoicePaid  = "paid"
	InvoiceVoid  = "void"
	// InvoiceUncollectible is not collected any more, but can still be paid.
	InvoiceUncollectible = "uncollectible"
)

// Invoice is our snapshot of an invoice at Stripe. Amounts are in the minor unit of Currency.
type Invoice struct {
	ID             string `db:"id"` // in_…
	OrganizationID string `db:"organization_id"`
	CustomerID     string `db:"customer_id"`
	SubscriptionID string `db:"subscription_id"` // empty: none
	Account        string `db:"account"`
	Livemode       bool   `db:"livemode"`
	TestClock      bool   `db:"test_clock"`
	Number         string `db:"number"` // empty until it is finalized
	Status         string `db:"status"`
	Reason         string `db:"reason"` // Stripe's billing_reason
	Currency       string `db:"currency"`
	Total          int64  `db:"total"`
	AmountPaid     int64  `db:"amount_paid"`
	AmountDue      int64  `db:"amount_due"` // still to be paid
	// Credited is the sum of the credit notes issued after it was paid; CreditedUnrefunded is how
	// much of it went elsewhere than back to the payment method: to the customer's balance, or
	// outside of Stripe (https://docs.stripe.com/api/credit_notes/create). The list of invoices has
	// no CreditedUnrefunded.
	Credited           int64 `db:"credited"`
	CreditedUnrefunded int64 `db:"credited_unrefunded"`
	// CreditedBeforePayment is the sum of the credit notes that reduced the amount to be paid.
	CreditedBeforePayment int64      `db:"credited_before_payment"`
	Attempts              int        `db:"attempts"`
	NextAttemptAt         *time.Time `db:"next_attempt_at"` // when Stripe retries the payment
	// HostedURL is where it can be paid; empty until it is finalized.
	HostedURL   string     `db:"hosted_url"`
	PDFURL      string     // not stored: it expires
	CreatedAt   time.Time  `db:"created_at"` // at Stripe
	FinalizedAt *time.Time `db:"finalized_at"`
	PaidAt      *time.Time `db:"paid_at"`
	// ActionRequired means that the customer has to confirm the payment with the bank, for example
	// by 3-D Secure. Stripe's events carry the payment intent as an id only, so an event's snapshot
	// never has it; a fetched one does.
	ActionRequired bool          `db:"action_required"`
	OrgID          string        `db:"org_id"` // the orgId in its subscription's metadata
	ChargeID       string        // ch_…, of its latest payment; not stored
	Lines          []InvoiceLine // all of them; stored as [InvoiceDetails]
	Totals         InvoiceTotals // stored as [InvoiceDetails]
	// FailureCode is Stripe's code of why the last payment failed, as far as a fetched invoice says
	// it (https://docs.stripe.com/declines/codes); stored as [InvoiceDetails].
	FailureCode string
	// CreditLines are the lines that decide about credits; nil while the row is one of the release
	// before.
	CreditLines []InvoiceLine `db:"credit_lines,json"`
	// LastAttempt is the last unsuccessful attempt to collect it, of a fetched snapshot; nil: none,
	// or not known. Only what Stripe's payment intent says is set; not stored.
	LastAttempt *PaymentAttempt

	// Of its charges, filled by the list of an organization's invoices only.
	Refunded int64 `db:"refunded,joined"` // to the payment method
	Lost     int64 `db:"lost,joined"`     // in disputes
	Disputed int64 `db:"disputed,joined"` // in disputes that are open

	AsOf time.Time `db:"as_of,null"` // when this state was true at Stripe, by Stripe's clock
	// Revision counts our writes of the row; 0 while it is not stored.
	Revision int64 `db:"revision,readonly"`
}

// InvoiceLine is a line of an invoice, with the fields that credits and seat changes need.
type InvoiceLine struct {
	ID           string `json:"id"`           // il_…
	Subscription bool   `json:"subscription"` // of type subscription, not an invoice item
	Proration    bool   `json:"proration"`
	PriceID      string `json:"price"`
	Credit       bool   `json:"credit"` // a proration of unused time
	// SubscriptionID is the subscription that the line is of; empty: none, or not known.
	SubscriptionID string `json:"subscriptionId,omitempty"`
	Quantity       int    `json:"quantity,omitempty"`
	Description    string `json:"description,omitempty"` // Stripe's
	Metered        bool   `json:"metered,omitempty"`     // the price is charged by usage
	// Interval and IntervalCount are the recurring interval of its price: month and 3 mean every
	// three months. Empty: not recurring, or not known.
	Interval      string    `json:"interval"`
	IntervalCount int       `json:"intervalCount"`
	Amount        int64     `json:"amount"`
	Discount      int64     `json:"discount,omitempty"` // taken off Amount; a proration is net already
	PeriodStart   time.Time `json:"periodStart"`
	PeriodEnd     time.Time `json:"periodEnd"`
}

// TotalMoney returns the total amount.
func (i Invoice) TotalMoney() catalog.Money {
	return catalog.Money{Minor: i.Total, Currency: i.Currency}
}

// DueMoney returns the amount still to be paid.
func (i Invoice) DueMoney() catalog.Money {
	return catalog.Money{Minor: i.AmountDue, Currency: i.Currency}
}

// CreditedMinor returns how much was credited by credit notes and not refunded.
func (i Invoice) CreditedMinor() int64 { return i.CreditedUnrefunded + i.CreditedBeforePayment }

// Returned reports whether some, or all, of a paid total was refunded, credited or lost.
func (i Invoice) Returned() (some, all bool) {
	returned := i.Refunded + i.Lost + i.CreditedMinor()
	return returned > 0, returned > 0 && returned >= i.Total
}

// sameCredits reports whether two snapshots take the same part of the credits back.
func (i Invoice) sameCredits(o Invoice) bool {
	return i.Total == o.Total && i.CreditedUnrefunded == o.CreditedUnrefunded && i.CreditedBeforePayment == o.CreditedBeforePayment
}

// final reports whether the fields used here can't change any more.
func (i Invoice) final() bool { return i.Status == InvoiceVoid }

// requiresActionStill reports whether a payload, which does not carry the payment intent, describes
// the attempt that is stored as to be confirmed.
func (i Invoice) requiresActionStill(payload Invoice) bool {
	return i.ActionRequired && payload.Status == InvoiceOpen && payload.Attempts == i.Attempts
}

// handleEvent handles the invoice events. The snapshot follows [Decide]; a payment is a fact that
// counts once, however late its event arrives; the subscription is observed too.
func (iv *Invoices) handleEvent(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	if e.ObjectID == "" {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	organizationID, linked, err := iv.customers.lockOwner(ctx, tx, e.CustomerID, e.OrgID)
	if err != nil || organizationID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	if !linked {
		// The owner is known from metadata only: nothing is recorded before the invoice is fetched
		// and its owner resolved.
		return eventResult{OutcomePending, organizationID}, nil
	}
	stored, known, err := apperr.Found(tx.Invoices().Lock(ctx, e.ObjectID))
	if err != nil {
		return eventResult{}, fmt.Errorf("lock invoice: %w", err)
	}
	verdict := Decide(
		Stored{Exists: known, AsOf: stored.AsOf, Final: stored.final()},
		Observation{AsOf: e.Created, Payload: e.Invoice != nil, TestClock: e.TestClock || stored.TestClock, Linked: true, Final: e.Type == "invoice.voided"},
	)
	outcome, err := iv.applyEvent(ctx, tx, stored, organizationID, e, verdict)
	if unknown := iv.creditsWaitFor(e.Invoice); err == nil && len(unknown) > 0 {
		tx.Record("invoice %s: paid; credits follow when %s is known", e.ObjectID, strings.Join(unknown, ", "))
		outcome = OutcomePending
	}
	if err != nil || e.SubscriptionID == "" {
		return eventResult{outcome, organizationID}, err
	}
	related, err := iv.subscriptions.handleRelated(ctx, tx, e)
	return eventResult{mergeOutcomes(outcome, related.outcome), organizationID}, err
}

// applyEvent writes the payload if the verdict is Apply. A payment in it is recorded whatever the
// verdict is. An event about an unsuccessful attempt stays pending, since only the fetched invoice
// says what is to be done about it.
func (iv *Invoices) applyEvent(ctx context.Context, tx Tx, stored Invoice, organizationID string, e Event, verdict Verdict) (Outcome, error) {
	outcome := outcomeOf(verdict)
	if iv.notices.reportsAttempt(e) {
		outcome = OutcomePending
	}
	if e.Invoice == nil {
		return outcome, nil
	}
	invoice := *e.Invoice
	invoice.OrganizationID = organizationID
	invoice.ActionRequired = invoice.Status == InvoiceOpen && e.Type == eventActionRequired || stored.requiresActionStill(invoice)
	if err := iv.notices.invoice(ctx, tx, e, stored, invoice); err != nil {
		return "", err
	}
	if verdict == Apply {
		return outcome, iv.write(ctx, tx, stored, invoice)
	}
	return outcome, iv.credits.recordPaidInvoice(ctx, tx, invoice)
}

// creditsWaitFor lists the prices of a paid invoice that are not known yet: its credits are
// recorded when they are. See [Prices.ensureKnown].
func (iv *Invoices) creditsWaitFor(invoice *Invoice) []string {
	if invoice == nil || invoice.Status != InvoicePaid {
		return nil
	}
	return iv.unknown(invoice.prices())
}

// prices lists the prices of the lines.
func (i Invoice) prices() []string {
	ids := make([]string, 0, len(i.Lines))
	for _, line := range i.Lines {
		ids = append(ids, line.PriceID)
	}
	return ids
}

// creditLines returns the lines that decide about credits: of each price the last period, the last
// charge and the last credit within a period. It is never nil.
func creditLines(lines []InvoiceLine) []InvoiceLine {
	kept := []InvoiceLine{}
	for _, line := range lines {
		alike := func(k InvoiceLine) bool {
			return k.PriceID == line.PriceID && k.Subscription == line.Subscription && k.Proration == line.Proration &&
				k.Credit == line.Credit && (k.Amount > 0) == (line.Amount > 0)
		}
		i := slices.IndexFunc(kept, alike)
		switch {
		case i < 0:
			kept = append(kept, line)
		case line.PeriodEnd.After(kept[i].PeriodEnd):
			kept[i] = line
		}
	}
	return kept
}

// write stores a snapshot and records its payment. The organization is locked.
func (iv *Invoices) write(ctx context.Context, tx Tx, before, fresh Invoice) error {
	fresh.Account, fresh.CreditLines = iv.knownAccount().ID, creditLines(fresh.Lines)
	if err := tx.Invoices().Put(ctx, fresh); err != nil {
		return fmt.Errorf("write invoice: %w", err)
	}
	if drift := invoiceDrift(fresh, before); before.Revision == 0 || drift != "" {
		tx.Record("invoice %s: %s, %d %s, %d due", fresh.ID, fresh.Status, fresh.Total, fresh.Currency, fresh.AmountDue)
	}
	if err := tx.InvoiceDetails().Put(ctx, fresh.details()); err != nil {
		return fmt.Errorf("write invoice details: %w", err)
	}
	if err := iv.storeProrations(ctx, tx, fresh); err != nil {
		return err
	}
	if err := iv.recordLastAttempt(ctx, tx, fresh); err != nil {
		return err
	}
	if err := iv.matchCharge(ctx, tx, fresh); err != nil {
		return err
	}
	if err := iv.credits.recordPaidInvoice(ctx, tx, fresh); err != nil || fresh.sameCredits(before) {
		return err
	}
	// A credit note takes credits back, as a refund does.
	return iv.credits.recount(ctx, tx, fresh.OrganizationID, nil, CreditReturn)
}

// storeProrations stores the lines that prorate changes within a period, so that the seat ledger
// can show their amounts.
func (iv *Invoices) storeProrations(ctx context.Context, tx Tx, invoice Invoice) error {
	for _, line := range invoice.Lines {
		foreign := iv.Catalog().Recognize(line.PriceID) == catalog.PriceForeign // of an item that is not the seats
		if !line.Proration || line.ID == "" || invoice.SubscriptionID == "" || foreign {
			continue
		}
		if err := tx.Invoices().PutProration(ctx, invoice.ID, invoice.SubscriptionID, line); err != nil {
			return fmt.Errorf("write proration: %w", err)
		}
	}
	return nil
}

// isForeignInvoice reports whether an invoice is of a foreign subscription. While the subscription
// is not stored, it is if no line has a price of a plan.
func (c *core) isForeignInvoice(ctx context.Context, tx Tx, invoice Invoice) (bool, error) {
	if invoice.SubscriptionID == "" {
		return false, nil
	}
	stored, known, err := apperr.Found(tx.Subscriptions().Get(ctx, invoice.SubscriptionID))
	if err != nil {
		return false, fmt.Errorf("read the invoice's subscription: %w", err)
	}
	if known {
		return stored.Foreign, nil
	}
	plans := c.Catalog()
	return !slices.ContainsFunc(invoice.Lines, func(l InvoiceLine) bool { return plans.Recognize(l.PriceID) == catalog.PriceOfPlan }), nil
}

// refetchForEvent processes a pending invoice event: it refetches the invoice and its subscription.
func (iv *Invoices) refetchForEvent(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	err := iv.refetchNotifying(ctx, e.ObjectID, changes, func(tx Tx, fetched Invoice) error {
		return iv.notices.attempt(ctx, tx, e, fetched)
	})
	var waiting *unknownPriceError // the invoice is written without its credits
	missing := errors.Is(err, apperr.ErrNotFound)
	switch {
	case err != nil && !missing && !errors.As(err, &waiting):
		return "", err
	case e.SubscriptionID == "" && missing:
		return OutcomeIgnored, nil
	case e.SubscriptionID == "":
		return OutcomeApplied, err
	}
	outcome, related := iv.subscriptions.refetchOutcome(ctx, e.SubscriptionID, changes)
	if waiting != nil {
		return outcome, cmp.Or(related, error(waiting))
	}
	return outcome, related
}

// handleCreditNote handles the credit_note events: the invoice has to be fetched, since it has the
// sums of all its notes.
func (iv *Invoices) handleCreditNote(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, linked, err := iv.customers.findOwner(ctx, tx, e.CustomerID, "")
	if err != nil || !linked || e.InvoiceID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	return eventResult{OutcomePending, organizationID}, nil
}

func (iv *Invoices) refetchCredited(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	err := iv.refetchNotifying(ctx, e.InvoiceID, changes, func(Tx, Invoice) error { return nil })
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	return OutcomeApplied, err
}

// refetch fetches an invoice from Stripe and writes it, as [Subscriptions.refetch] does for
// subscriptions.
func (iv *Invoices) refetch(ctx context.Context, id string) error {
	return iv.refetchNotifying(ctx, id, nil, func(Tx, Invoice) error { return nil })
}

// refetchNotifying is refetch that records its writes in changes and calls notify in the same
// transaction. If the invoice is paid and a price of it can't be found out, the snapshot is written
// without its credits, and the error says so.
func (iv *Invoices) refetchNotifying(ctx context.Context, id string, changes *ChangeLog, notify func(Tx, Invoice) error) error {
	var unknown error
	err := iv.retryOnRowChange(ctx, func() error {
		before, _, err := apperr.Found(iv.store.Invoices().Get(ctx, id))
		if err != nil {
			return fmt.Errorf("read invoice: %w", err)
		}
		answer, err := iv.gateway.Invoice(ctx, id)
		if apperr.IsMissing(err) {
			return apperr.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("fetch invoice: %w", err)
		}
		if answer.Status == InvoicePaid {
			unknown = iv.ensureKnown(ctx, answer.prices())
		}
		return iv.applyFetched(ctx, answer, before.Revision, changes, notify)
	})
	return cmp.Or(err, unknown)
}

// applyFetched writes a fetched invoice if the row still has the given revision, otherwise it
// returns errRowChanged.
func (iv *Invoices) applyFetched(ctx context.Context, answer Invoice, revision int64, changes *ChangeLog, notify func(Tx, Invoice) error) error {
	return iv.store.InTxRecording(ctx, changes, func(tx Tx) error {
		organizationID, err := iv.customers.resolveOwner(ctx, tx, answer.CustomerID, answer.OrgID)
		if err != nil {
			return err
		}
		stored, _, err := apperr.Found(tx.Invoices().Lock(ctx, answer.ID))
		if err != nil {
			return fmt.Errorf("lock invoice: %w", err)
		}
		if stored.Revision != revision {
			return errRowChanged
		}
		answer.OrganizationID = organizationID
		if stored.AsOf.After(answer.AsOf) {
			answer.AsOf = stored.AsOf
		}
		if err := iv.write(ctx, tx, stored, answer); err != nil {
			return err
		}
		return notify(tx, answer)
	})
}

// List lists the organization's invoices except drafts, newest first.
func (iv *Invoices) List(ctx context.Context, a account.Access) ([]Invoice, error) {
	return iv.store.Invoices().List(ctx, a.Organization.ID, iv.knownAccount(), invoicePage)
}

const invoicePage = 100

// InvoiceDocument is a document of an invoice at Stripe.
type InvoiceDocument int

// The documents of an invoice.
const (
	HostedPage InvoiceDocument = iota // where it can be read and paid
	PDF
)

// URL fetches the address of a document of an invoice from Stripe. Such addresses expire, so a
// stored one is not used. Errors: CodeForbidden, [apperr.ErrNotFound], CodeStripe.
func (iv *Invoices) URL(ctx context.Context, a account.Access, id string, document InvoiceDocument) (string, error) {
	if err := a.RequireBilling(); err != nil {
		return "", err
	}
	if err := iv.requireOwn(ctx, a, id); err != nil {
		return "", err
	}
	ctx, cancel := iv.limitStripe(ctx)
	defer cancel()
	answer, err := iv.gateway.Invoice(ctx, id)
	if err != nil {
		return "", apperr.StripeFailed("read invoice", err)
	}
	url := answer.HostedURL
	if document == PDF {
		url = answer.PDFURL
	}
	if url == "" {
		return "", apperr.ErrNotFound
	}
	return url, nil
}

// requireOwn returns [apperr.ErrNotFound] unless an invoice is the organization's. The newest
// invoice of its subscription counts before its own event has arrived.
func (iv *Invoices) requireOwn(ctx context.Context, a account.Access, id string) error {
	stored, known, err := apperr.Found(iv.store.Invoices().Get(ctx, id))
	if err != nil {
		return err
	}
	if known && stored.OrganizationID == a.Organization.ID {
		return nil
	}
	current, known, err := apperr.Found(iv.store.Subscriptions().Current(ctx, a.Organization.ID, iv.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	if !known || id == "" || current.LatestInvoiceID != id {
		return apperr.ErrNotFound
	}
	return nil
}
