package billing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/job"
	"usher/billing/mail"
)

// Duplicates cancels and refunds duplicate subscriptions.
type Duplicates struct {
	*core
	checkouts     *Checkouts
	subscriptions *Subscriptions
	notices       *Notices
}

// DuplicateStatus is the progress of a duplicate's cancellation and refund.
type DuplicateStatus string

// The statuses of a duplicate.
const (
	DuplicateCanceling DuplicateStatus = "ending"
	DuplicateCanceled  DuplicateStatus = "ended" // and refunded
	// DuplicateKept means that it is needed after all or was ended elsewhere. Nothing was done.
	DuplicateKept DuplicateStatus = "kept"
	// DuplicateFailed means that an operator has to act. It is tried again every hour, so that it
	// ends once the cause is fixed, or it is canceled and refunded at Stripe.
	DuplicateFailed DuplicateStatus = "failed"
)

// DuplicateSubscription is a subscription that was bought beside a live one: two Checkout pages of
// Usher can both be paid. It is canceled at Stripe, and what was paid for it is refunded, once. A
// subscription that was made elsewhere is never one, and neither is one beside it.
type DuplicateSubscription struct {
	SubscriptionID     string          `db:"subscription_id"`
	OrganizationID     string          `db:"organization_id"`
	KeptSubscriptionID string          `db:"kept_subscription_id"` // the one the organization keeps
	Status             DuplicateStatus `db:"status"`
	FoundAt            time.Time       `db:"found_at"`
	// CancelingAt is when Usher first tried to cancel it; nil: it did not.
	CancelingAt   *time.Time    `db:"canceling_at"`
	Attempts      int           `db:"attempts"`
	Error         string        `db:"error"`
	NextAttemptAt *time.Time    `db:"next_attempt_at"` // while it is canceling or failed
	Refunded      catalog.Money `db:"refunded,joined"`
	DoneAt        *time.Time    `db:"done_at"`
}

// CreditNote credits a paid invoice (https://docs.stripe.com/api/credit_notes/create). Amounts are
// in the minor unit of the invoice's currency.
type CreditNote struct {
	InvoiceID string
	Refund    int64 // to the payment method that paid
	Credit    int64 // to the customer's balance that paid
}

// RefundGateway refunds invoices.
type RefundGateway interface {
	// VoidInvoice voids an open invoice.
	VoidInvoice(ctx context.Context, id string) error
	// CreateCreditNote credits a paid invoice. The idempotency key is made of the invoice and the
	// amounts.
	CreateCreditNote(ctx context.Context, creditNote CreditNote) error
}

// Bounds of the work on duplicates.
const (
	duplicateAttempts  = 12
	duplicateLease     = time.Minute
	duplicateTimeout   = 45 * time.Second // several calls to Stripe
	duplicatesShownFor = 30 * 24 * time.Hour
	// failedDuplicateEvery is how often a failed one is tried again.
	failedDuplicateEvery = time.Hour
)

// recheckDuplicates is recordDuplicates for a caller that has not read the subscriptions. The
// organization is locked.
func (ss *Subscriptions) recheckDuplicates(ctx context.Context, tx Tx, organizationID string) error {
	ours, err := tx.Subscriptions().List(ctx, organizationID, ss.knownAccount())
	if err != nil {
		return fmt.Errorf("list subscriptions: %w", err)
	}
	return ss.recordDuplicates(ctx, tx, organizationID, ours)
}

// recordDuplicates stores which of an organization's subscriptions are duplicates, and enqueues
// their cancellation. It is called when a snapshot changes and when a checkout's subscription
// becomes known, so that both orders give the same result. The organization is locked.
func (ss *Subscriptions) recordDuplicates(ctx context.Context, tx Tx, organizationID string, ours []Subscription) error {
	live := slices.DeleteFunc(slices.Clone(ours), func(s Subscription) bool { return s.Status.Ended() })
	if len(live) < 2 {
		return nil
	}
	sold, err := tx.Checkouts().SubscriptionIDs(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("list the subscriptions of checkouts: %w", err)
	}
	kept, duplicates := findDuplicates(live, sold)
	for _, duplicate := range duplicates {
		if err := ss.insertDuplicate(ctx, tx, kept, duplicate); err != nil {
			return err
		}
	}
	return nil
}

func (ss *Subscriptions) insertDuplicate(ctx context.Context, tx Tx, kept, duplicate Subscription) error {
	now := ss.Now()
	fresh, err := tx.Duplicates().Insert(ctx, DuplicateSubscription{
		SubscriptionID: duplicate.ID, OrganizationID: duplicate.OrganizationID, KeptSubscriptionID: kept.ID, Status: DuplicateCanceling,
		FoundAt: now, NextAttemptAt: &now,
	})
	if err != nil {
		return fmt.Errorf("write duplicate subscription: %w", err)
	}
	if !fresh {
		return nil
	}
	tx.Record("subscription %s: duplicate of %s, to be canceled and refunded", duplicate.ID, kept.ID)
	return ss.Enqueue(ctx, tx.Jobs(), job.KindDuplicate, duplicate.ID, "", now)
}

// findDuplicates finds the duplicates among an organization's subscriptions, and the one that is
// kept instead of them. Only a subscription of ours that a Checkout session of ours has sold
// counts, on both sides: sold lists their ids. One that was made elsewhere (by API, in the
// dashboard, by support) was meant, so it is neither ended nor a reason to end another. It is a
// pure function.
func findDuplicates(all []Subscription, sold []string) (kept Subscription, duplicates []Subscription) {
	bought := slices.DeleteFunc(slices.Clone(all), func(s Subscription) bool { return s.Foreign || !slices.Contains(sold, s.ID) })
	kept, _ = chooseCurrent(bought)
	for _, other := range bought {
		if isDuplicate(kept, other) {
			duplicates = append(duplicates, other)
		}
	}
	return kept, duplicates
}

// isDuplicate reports whether an organization that keeps one subscription has no need of another:
// both give access or are to be paid, and the other one was bought at the same time or later. An
// older one that gives no access any more is left alone: what was paid for it was owed.
func isDuplicate(kept, other Subscription) bool {
	if other.ID == kept.ID || !kept.Status.GrantsAccess() || other.CreatedAt.Before(kept.CreatedAt) {
		return false
	}
	return other.Status.GrantsAccess() || other.Status == StatusUnpaid || other.Status == StatusPaused
}

// cancelAllDue works on every duplicate that is due.
func (ds *Duplicates) cancelAllDue(ctx context.Context) error {
	for ctx.Err() == nil {
		worked, err := ds.cancelDue(ctx)
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

// cancelDue works on one duplicate. It returns false if none was due.
func (ds *Duplicates) cancelDue(ctx context.Context) (bool, error) {
	now := ds.Now()
	duplicate, claimed, err := apperr.Found(ds.store.Duplicates().ClaimDue(ctx, now, now.Add(duplicateLease)))
	if err != nil || !claimed {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, duplicateTimeout)
	defer cancel()
	if err := ds.cancel(ctx, &duplicate); err != nil {
		ds.scheduleRetry(&duplicate, err)
		level := slog.LevelWarn
		if duplicate.Status == DuplicateFailed {
			level = slog.LevelError
		}
		ds.Log.Log(ctx, level, "duplicate cancellation failed", "subscription_id", duplicate.SubscriptionID, "organization_id", duplicate.OrganizationID,
			"attempt", duplicate.Attempts, "status", duplicate.Status, "err", err)
	}
	return true, ds.finish(context.WithoutCancel(ctx), duplicate)
}

func (ds *Duplicates) scheduleRetry(duplicate *DuplicateSubscription, cause error) {
	duplicate.Error = cause.Error()
	if duplicate.Attempts >= duplicateAttempts || isPermanent(cause) {
		duplicate.Status = DuplicateFailed
	}
	wait := ds.Backoff(duplicate.Attempts)
	if duplicate.Status == DuplicateFailed {
		wait = failedDuplicateEvery
	}
	next := ds.Now().Add(wait)
	duplicate.NextAttemptAt = &next
}

// cancel refetches both subscriptions before it cancels one of them, so that an organization never
// loses its only one.
func (ds *Duplicates) cancel(ctx context.Context, duplicate *DuplicateSubscription) error {
	needed, err := ds.stillNeeded(ctx, *duplicate)
	if err != nil {
		return err
	}
	now := ds.Now()
	if needed {
		duplicate.Status, duplicate.NextAttemptAt, duplicate.DoneAt, duplicate.Error = DuplicateKept, nil, &now, ""
		return nil
	}
	if duplicate.CancelingAt == nil {
		// Written before the call to Stripe: after a crash the next attempt knows that Usher
		// canceled it.
		duplicate.CancelingAt = &now
		if err := ds.store.Duplicates().Put(ctx, *duplicate); err != nil {
			return err
		}
	}
	if err := ds.gateway.CancelSubscription(ctx, duplicate.SubscriptionID); err != nil && !apperr.IsMissing(err) {
		return fmt.Errorf("cancel subscription: %w", err)
	}
	if duplicate.Refunded, err = ds.refundInvoices(ctx, *duplicate); err != nil {
		return err
	}
	if _, err := ds.subscriptions.refetch(ctx, duplicate.SubscriptionID); err != nil && !errors.Is(err, apperr.ErrNotFound) {
		return err
	}
	duplicate.Status, duplicate.NextAttemptAt, duplicate.DoneAt, duplicate.Error = DuplicateCanceled, nil, &now, ""
	return nil
}

// stillNeeded reports whether the subscription has to be kept after all, or was ended elsewhere,
// where the refund is decided too. It has ended already if an earlier attempt has canceled it; one
// whose call failed decides nothing.
func (ds *Duplicates) stillNeeded(ctx context.Context, duplicate DuplicateSubscription) (bool, error) {
	for _, id := range []string{duplicate.KeptSubscriptionID, duplicate.SubscriptionID} {
		if _, err := ds.subscriptions.refetch(ctx, id); err != nil && !errors.Is(err, apperr.ErrNotFound) {
			return false, err
		}
	}
	second, _, err := apperr.Found(ds.store.Subscriptions().Get(ctx, duplicate.SubscriptionID))
	if err != nil {
		return false, fmt.Errorf("read subscription: %w", err)
	}
	if duplicate.CancelingAt != nil && second.Status.Ended() {
		return false, nil
	}
	if err := ds.checkouts.linkCompleted(ctx, duplicate.OrganizationID); err != nil {
		return false, err
	}
	ours, err := ds.store.Subscriptions().List(ctx, duplicate.OrganizationID, ds.knownAccount())
	if err != nil {
		return false, fmt.Errorf("list subscriptions: %w", err)
	}
	sold, err := ds.store.Checkouts().SubscriptionIDs(ctx, duplicate.OrganizationID)
	if err != nil {
		return false, fmt.Errorf("list the subscriptions of checkouts: %w", err)
	}
	_, duplicates := findDuplicates(ours, sold)
	return !slices.ContainsFunc(duplicates, func(s Subscription) bool { return s.ID == duplicate.SubscriptionID }), nil
}

// refundInvoices voids the open invoices of a canceled subscription and refunds the paid ones. It
// returns the sum that the invoices had been paid.
func (ds *Duplicates) refundInvoices(ctx context.Context, duplicate DuplicateSubscription) (catalog.Money, error) {
	var refunded catalog.Money
	canceled, err := ds.store.Subscriptions().Get(ctx, duplicate.SubscriptionID)
	if err != nil {
		return refunded, fmt.Errorf("read subscription: %w", err)
	}
	invoices, err := ds.gateway.Invoices(ctx, canceled.CustomerID, canceled.CreatedAt.Add(-time.Hour))
	if err != nil {
		return refunded, fmt.Errorf("list invoices: %w", err)
	}
	for _, invoice := range invoices {
		if invoice.SubscriptionID != duplicate.SubscriptionID {
			continue
		}
		if err := ds.refundInvoice(ctx, invoice); err != nil {
			return refunded, err
		}
		if invoice.Status == InvoicePaid && invoice.AmountPaid > 0 {
			refunded.Minor, refunded.Currency = refunded.Minor+invoice.AmountPaid, invoice.Currency
		}
	}
	return refunded, nil
}

func (ds *Duplicates) refundInvoice(ctx context.Context, invoice Invoice) error {
	switch {
	case invoice.Status == InvoiceOpen:
		if err := ds.gateway.VoidInvoice(ctx, invoice.ID); err != nil {
			return fmt.Errorf("void invoice %s: %w", invoice.ID, err)
		}
	case invoice.Status == InvoicePaid:
		creditNote, err := remainingCredit(ctx, ds.gateway, invoice, invoice.Total)
		if err != nil || creditNote.Refund+creditNote.Credit == 0 {
			return err
		}
		if err := ds.gateway.CreateCreditNote(ctx, creditNote); err != nil {
			return fmt.Errorf("credit invoice %s: %w", invoice.ID, err)
		}
	}
	return nil
}

// remainingCredit returns the credit note that returns a part of a paid invoice, as far as credit
// notes and refunds, of an earlier attempt or made by hand, have not returned it yet. The payment
// method gets what it paid, and the customer's balance the rest. Stripe rejects a refund of more
// than is left (https://docs.stripe.com/refunds).
func remainingCredit(ctx context.Context, gateway Gateway, invoice Invoice, part int64) (CreditNote, error) {
	creditNote := CreditNote{InvoiceID: invoice.ID}
	amount := min(part, invoice.Total-invoice.CreditedBeforePayment) - invoice.Credited
	if amount <= 0 {
		return creditNote, nil
	}
	card := invoice.AmountPaid
	if invoice.ChargeID != "" && card > 0 {
		charge, err := gateway.Charge(ctx, invoice.ChargeID)
		if err != nil {
			return creditNote, fmt.Errorf("fetch charge: %w", err)
		}
		card = max(0, min(card, charge.Amount-charge.Refunded))
	}
	balance := max(0, invoice.Total-invoice.CreditedBeforePayment-invoice.AmountPaid)
	creditNote.Refund = min(card, amount)
	creditNote.Credit = min(balance, amount-creditNote.Refund)
	return creditNote, nil
}

// finish writes the result of an attempt. Once the duplicate is canceled, it queues a notice.
func (ds *Duplicates) finish(ctx context.Context, duplicate DuplicateSubscription) error {
	return ds.store.InTx(ctx, func(tx Tx) error {
		if err := tx.Duplicates().Put(ctx, duplicate); err != nil {
			return fmt.Errorf("write duplicate subscription: %w", err)
		}
		if duplicate.Status != DuplicateCanceled {
			return nil
		}
		canceled := account.AuditEntry{Act: account.ActDuplicateCanceled, OrganizationID: duplicate.OrganizationID}.To(duplicate.SubscriptionID, "").
			Changed(nil, refundValues(duplicate.Refunded))
		if err := ds.audit(ctx, tx, canceled); err != nil {
			return err
		}
		return ds.notices.queue(ctx, tx, mail.Message{
			// Stored in earlier rows: another key would send the e-mail a second time.
			Kind: mail.KindDuplicateCanceled, Key: "surplus:" + duplicate.SubscriptionID, OrganizationID: duplicate.OrganizationID,
			Data: mail.Data{Amount: duplicate.Refunded, At: *duplicate.DoneAt},
		})
	})
}

// List lists the duplicates of the last weeks, for the billing page.
func (ds *Duplicates) List(ctx context.Context, a account.Access) ([]DuplicateSubscription, error) {
	found, err := ds.store.Duplicates().List(ctx, a.Organization.ID, ds.Now().Add(-duplicatesShownFor))
	if err != nil {
		return nil, fmt.Errorf("list duplicate subscriptions: %w", err)
	}
	return found, nil
}
