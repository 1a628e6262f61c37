package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// PaymentAttempts stores the unsuccessful attempts to collect invoices. That an invoice was paid is
// a fact of the invoice itself.
type PaymentAttempts struct {
	*core
	customers *Customers
}

// AttemptOutcome says how an attempt failed.
type AttemptOutcome string

// The outcomes of unsuccessful attempts.
const (
	AttemptDeclined        AttemptOutcome = "declined"
	AttemptActionRequired  AttemptOutcome = "action_required"   // to be confirmed with the bank
	AttemptNoPaymentMethod AttemptOutcome = "no_payment_method" // there was nothing to charge
)

// PaymentAttempt is an unsuccessful attempt to collect an invoice. Amount is in the minor unit of
// Currency.
type PaymentAttempt struct {
	Account  string `db:"account"`
	Livemode bool   `db:"livemode"`
	// ID counts the attempt once: the failed charge (ch_…), or for an attempt without one a text of
	// invoice, attempt count and outcome. It is unique in account and mode.
	ID             string         `db:"id"`
	OrganizationID string         `db:"organization_id"`
	InvoiceID      string         `db:"invoice_id"`
	Number         int            `db:"number"` // Stripe's attempt_count; 0: not known
	At             time.Time      `db:"at"`
	Amount         int64          `db:"amount"`
	Currency       string         `db:"currency"`
	Outcome        AttemptOutcome `db:"outcome"`
	// DeclineCode is Stripe's decline_code or, without one, its error code. See [DeclineOf].
	DeclineCode     string `db:"decline_code"`
	PaymentMethodID string `db:"payment_method_id"` // pm_…; empty: none, or not known
	// NextAttemptAt is when Stripe retries, as known at AsOf.
	NextAttemptAt *time.Time `db:"next_attempt_at"`
	AsOf          time.Time  `db:"as_of,null"` // zero: from the charge, which has no attempt count
}

// Money returns the amount.
func (p PaymentAttempt) Money() catalog.Money {
	return catalog.Money{Minor: p.Amount, Currency: p.Currency}
}

// Decline returns the words for the attempt.
func (p PaymentAttempt) Decline() Decline { return DeclineOf(p.DeclineCode) }

// handleFailedCharge handles charge.failed. The charge is fetched: only the object says which
// invoice it was for and why it was declined, in the words of our API version.
func (pa *PaymentAttempts) handleFailedCharge(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, linked, err := pa.customers.findOwner(ctx, tx, e.CustomerID, "")
	if err != nil || !linked || e.ChargeID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	return eventResult{OutcomePending, organizationID}, nil
}

// refetchFailedCharge processes a pending charge.failed. A charge without an invoice is one of a
// Checkout page, which says itself what went wrong.
func (pa *PaymentAttempts) refetchFailedCharge(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	attempt, err := pa.gateway.FailedCharge(ctx, e.ChargeID)
	switch {
	case apperr.IsMissing(err) || err == nil && (attempt.InvoiceID == "" || attempt.DeclineCode == ""):
		return OutcomeIgnored, nil
	case err != nil:
		return "", fmt.Errorf("fetch failed charge: %w", err)
	}
	err = pa.store.InTxRecording(ctx, changes, func(tx Tx) error {
		organizationID, linked, err := pa.customers.lockOwner(ctx, tx, e.CustomerID, "")
		if err != nil || !linked {
			return errors.Join(err, apperr.ErrNotFound)
		}
		attempt.OrganizationID = organizationID
		return pa.recordAttempt(ctx, tx, attempt)
	})
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	return OutcomeApplied, err
}

// recordAttempt stores an attempt, or completes the stored one. The organization is locked.
func (c *core) recordAttempt(ctx context.Context, tx Tx, attempt PaymentAttempt) error {
	attempt.Account = c.knownAccount().ID
	fresh, err := tx.PaymentAttempts().Put(ctx, attempt)
	if err != nil {
		return fmt.Errorf("write payment attempt: %w", err)
	}
	if fresh {
		tx.Record("invoice %s: payment %s, %s", attempt.InvoiceID, attempt.Outcome, attempt.DeclineCode)
	}
	return nil
}

// recordLastAttempt stores the unsuccessful attempt that a fetched invoice shows, and asks for
// another one if the card was replaced since. The organization is locked.
func (c *core) recordLastAttempt(ctx context.Context, tx Tx, invoice Invoice) error {
	if invoice.LastAttempt == nil || invoice.Status != InvoiceOpen {
		return nil
	}
	attempt := *invoice.LastAttempt
	attempt.OrganizationID, attempt.Livemode = invoice.OrganizationID, invoice.Livemode
	attempt.InvoiceID, attempt.Number, attempt.NextAttemptAt = invoice.ID, invoice.Attempts, invoice.NextAttemptAt
	attempt.Amount, attempt.Currency, attempt.AsOf = invoice.AmountDue, invoice.Currency, invoice.AsOf
	if attempt.At.IsZero() {
		attempt.At = invoice.AsOf
	}
	if attempt.ID == "" {
		attempt.ID = fmt.Sprintf("%s:%d:%s", invoice.ID, invoice.Attempts, attempt.Outcome)
	}
	if err := c.recordAttempt(ctx, tx, attempt); err != nil || invoice.SubscriptionID == "" {
		return err
	}
	current, known, err := apperr.Found(tx.Subscriptions().Get(ctx, invoice.SubscriptionID))
	if err != nil || !known {
		return err
	}
	return c.requestCardPayments(ctx, tx, current)
}
