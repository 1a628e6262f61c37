package billing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// Duplicates cancels and refunds duplicate subscriptions.
type Duplicates struct {
	*core
	subscriptions *Subscriptions
	notices       *Notices
}

// DuplicateStatus says how far the end of a surplus subscription has come.
type DuplicateStatus string

// The statuses.
const (
	DuplicateCanceling DuplicateStatus = "ending"
	DuplicateCanceled  DuplicateStatus = "ended"  // and its money is on its way back
	DuplicateKept      DuplicateStatus = "kept"   // it turned out to be needed, or somebody else has ended it: nothing was done
	DuplicateFailed    DuplicateStatus = "failed" // given up: somebody has to look at it
)

// DuplicateSubscription is a subscription that was bought beside a living one: two Checkout pages can both be paid. It is ended at Stripe, and what was paid
// for it goes back, once.
type DuplicateSubscription struct {
	SubscriptionID     string          `db:"subscription_id"`
	OrganizationID     string          `db:"organization_id"`
	KeptSubscriptionID string          `db:"kept_subscription_id"` // the one the organization stays on
	Status             DuplicateStatus `db:"status"`
	FoundAt            time.Time       `db:"found_at"`
	CancelingAt        *time.Time      `db:"canceling_at"` // when Stripe was first told to end it; nil: not by us
	Attempts           int             `db:"attempts"`
	Error              string          `db:"error"`
	NextAttemptAt      *time.Time      `db:"next_attempt_at"` // while it is ending
	Refunded           catalog.Money   `db:"refunded,joined"`
	DoneAt             *time.Time      `db:"done_at"`
}

// CreditNote takes a paid invoice back (https://docs.stripe.com/api/credit_notes/create). Amounts are in the invoice's minor unit.
type CreditNote struct {
	InvoiceID string
	Refund    int64 // to where it was paid from
	Credit    int64 // to the customer's balance, from which it was paid
}

// RefundGateway is what ending a surplus subscription needs of Stripe.
type RefundGateway interface {
	// VoidInvoice takes an open invoice back.
	VoidInvoice(ctx context.Context, id string) error
	// CreateCreditNote takes a paid invoice back, under an idempotency key made of the invoice.
	CreateCreditNote(ctx context.Context, note CreditNote) error
}

// Bounds of the work on surplus subscriptions.
const (
	duplicateAttempts  = 12
	duplicateLease     = time.Minute
	duplicateTimeout   = 45 * time.Second // several calls of Stripe
	duplicatesShownFor = 30 * 24 * time.Hour
)

// cancelDueDuplicates works on all that are due.
func (ds *Duplicates) cancelAllDue(ctx context.Context) error {
	for ctx.Err() == nil {
		worked, err := ds.cancelDue(ctx)
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

// cancelDueDuplicate works on one surplus subscription. false: none was due.
func (ds *Duplicates) cancelDue(ctx context.Context) (bool, error) {
	now := ds.Now()
	surplus, claimed, err := apperr.Found(ds.store.Duplicates().ClaimDue(ctx, now, now.Add(duplicateLease)))
	if err != nil || !claimed {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, duplicateTimeout)
	defer cancel()
	if err := ds.cancel(ctx, &surplus); err != nil {
		ds.scheduleRetry(&surplus, err)
		level := slog.LevelWarn
		if surplus.Status == DuplicateFailed {
			level = slog.LevelError
		}
		ds.Log.Log(ctx, level, "a second subscription is not ended", "subscription", surplus.SubscriptionID, "organization", surplus.OrganizationID,
			"attempt", surplus.Attempts, "status", surplus.Status, "error", err)
	}
	return true, ds.finish(context.WithoutCancel(ctx), surplus)
}

func (ds *Duplicates) scheduleRetry(surplus *DuplicateSubscription, cause error) {
	surplus.Error = cause.Error()
	if surplus.Attempts >= duplicateAttempts || isPermanent(cause) {
		surplus.Status, surplus.NextAttemptAt = DuplicateFailed, nil
		return
	}
	next := ds.Now().Add(ds.Backoff(surplus.Attempts))
	surplus.NextAttemptAt = &next
}

// cancelDuplicate asks Stripe how both subscriptions stand before it ends one of them: never the only one an organization has.
func (ds *Duplicates) cancel(ctx context.Context, surplus *DuplicateSubscription) error {
	needed, err := ds.stillNeeded(ctx, *surplus)
	if err != nil {
		return err
	}
	now := ds.Now()
	if needed {
		surplus.Status, surplus.NextAttemptAt, surplus.DoneAt, surplus.Error = DuplicateKept, nil, &now, ""
		return nil
	}
	if surplus.CancelingAt == nil {
		// Written before Stripe is told: whoever takes this up after a crash knows who has ended it.
		surplus.CancelingAt = &now
		if err := ds.store.Duplicates().Put(ctx, *surplus); err != nil {
			return err
		}
	}
	if err := ds.gateway.CancelSubscription(ctx, surplus.SubscriptionID); err != nil && !apperr.IsMissing(err) {
		return fmt.Errorf("end subscription: %w", err)
	}
	if surplus.Refunded, err = ds.refundInvoices(ctx, *surplus); err != nil {
		return err
	}
	if _, err := ds.subscriptions.refetch(ctx, surplus.SubscriptionID); err != nil && !errors.Is(err, apperr.ErrNotFound) {
		return err
	}
	surplus.Status, surplus.NextAttemptAt, surplus.DoneAt, surplus.Error = DuplicateCanceled, nil, &now, ""
	return nil
}

// stillNeeded tells whether the subscription is to stay after all, or has been ended by somebody else, who then decides about its money too.
func (ds *Duplicates) stillNeeded(ctx context.Context, surplus DuplicateSubscription) (bool, error) {
	for _, id := range []string{surplus.KeptSubscriptionID, surplus.SubscriptionID} {
		if _, err := ds.subscriptions.refetch(ctx, id); err != nil && !errors.Is(err, apperr.ErrNotFound) {
			return false, err
		}
	}
	all, err := ds.store.Subscriptions().List(ctx, surplus.OrganizationID, ds.knownAccount())
	if err != nil {
		return false, fmt.Errorf("list subscriptions: %w", err)
	}
	if surplus.CancelingAt != nil {
		return false, nil
	}
	kept, _ := chooseCurrent(all)
	for _, other := range all {
		if other.ID == surplus.SubscriptionID {
			return !isDuplicate(kept, other), nil
		}
	}
	return true, nil
}

// isDuplicate reports whether an organization that keeps one subscription has no need of another: both give access or are
// to be paid, and the other one was sold by Usher, at the same time or later. A subscription made by hand at Stripe is
// left alone, and so is an older one that gives no access any more: what was paid for it was owed.
func isDuplicate(kept, other Subscription) bool {
	switch {
	case other.ID == kept.ID || !kept.Status.GrantsAccess():
		return false
	case other.MetadataOrgID != other.OrganizationID || other.CreatedAt.Before(kept.CreatedAt):
		return false
	}
	return other.Status.GrantsAccess() || other.Status == StatusUnpaid || other.Status == StatusPaused
}

// refundInvoices takes back every invoice of an ended subscription: open ones are voided, paid ones refunded to where they were paid from. What a credit
// note was made for already, by an attempt before or by hand, is left.
func (ds *Duplicates) refundInvoices(ctx context.Context, surplus DuplicateSubscription) (catalog.Money, error) {
	var back catalog.Money
	ended, err := ds.store.Subscriptions().Get(ctx, surplus.SubscriptionID)
	if err != nil {
		return back, fmt.Errorf("read subscription: %w", err)
	}
	invoices, err := ds.gateway.Invoices(ctx, ended.CustomerID, ended.CreatedAt.Add(-time.Hour))
	if err != nil {
		return back, fmt.Errorf("list invoices: %w", err)
	}
	for _, invoice := range invoices {
		if invoice.SubscriptionID != surplus.SubscriptionID {
			continue
		}
		if err := ds.refundInvoice(ctx, invoice); err != nil {
			return back, err
		}
		if invoice.Status == InvoicePaid && invoice.AmountPaid > 0 {
			back.Minor, back.Currency = back.Minor+invoice.AmountPaid, invoice.Currency
		}
	}
	return back, nil
}

func (ds *Duplicates) refundInvoice(ctx context.Context, invoice Invoice) error {
	switch {
	case invoice.Status == InvoiceOpen:
		if err := ds.gateway.VoidInvoice(ctx, invoice.ID); err != nil {
			return fmt.Errorf("void invoice %s: %w", invoice.ID, err)
		}
	case invoice.Status == InvoicePaid && invoice.Total > 0 && invoice.Credited == 0:
		note := CreditNote{InvoiceID: invoice.ID, Refund: invoice.AmountPaid, Credit: invoice.Total - invoice.AmountPaid}
		if err := ds.gateway.CreateCreditNote(ctx, note); err != nil {
			return fmt.Errorf("credit invoice %s: %w", invoice.ID, err)
		}
	}
	return nil
}

// finishDuplicate writes what became of an attempt, and once it is done tells the billing contacts.
func (ds *Duplicates) finish(ctx context.Context, surplus DuplicateSubscription) error {
	return ds.store.InTx(ctx, func(tx Tx) error {
		if err := tx.Duplicates().Put(ctx, surplus); err != nil {
			return fmt.Errorf("write surplus subscription: %w", err)
		}
		if surplus.Status != DuplicateCanceled {
			return nil
		}
		return ds.notices.queue(ctx, tx, mail.Message{
			Kind: mail.KindDuplicateCanceled, Key: "surplus:" + surplus.SubscriptionID, OrganizationID: surplus.OrganizationID,
			Data: mail.Data{Amount: surplus.Refunded, At: *surplus.DoneAt},
		})
	})
}

// DuplicateSubscriptions lists the second subscriptions of the last weeks, so that the billing page can tell what became of them.
func (ds *Duplicates) List(ctx context.Context, a account.Access) ([]DuplicateSubscription, error) {
	found, err := ds.store.Duplicates().List(ctx, a.Organization.ID, ds.Now().Add(-duplicatesShownFor))
	if err != nil {
		return nil, fmt.Errorf("list second subscriptions: %w", err)
	}
	return found, nil
}
