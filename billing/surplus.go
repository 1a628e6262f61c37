package billing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// SurplusStatus says how far the end of a surplus subscription has come.
type SurplusStatus string

// The statuses.
const (
	SurplusEnding SurplusStatus = "ending"
	SurplusEnded  SurplusStatus = "ended"  // and its money is on its way back
	SurplusSpared SurplusStatus = "kept"   // it turned out to be needed, or somebody else has ended it: nothing was done
	SurplusFailed SurplusStatus = "failed" // given up: somebody has to look at it
)

// Surplus is a subscription that was bought beside a living one: two Checkout pages can both be paid. It is ended at Stripe, and what was paid
// for it goes back, once.
type Surplus struct {
	SubscriptionID string        `db:"subscription_id"`
	OrganizationID string        `db:"organization_id"`
	KeptID         string        `db:"kept_subscription_id"` // the one the organization stays on
	Status         SurplusStatus `db:"status"`
	FoundAt        time.Time     `db:"found_at"`
	CancelingAt    *time.Time    `db:"canceling_at"` // when Stripe was first told to end it; nil: not by us
	Attempts       int           `db:"attempts"`
	Error          string        `db:"error"`
	NextAttemptAt  *time.Time    `db:"next_attempt_at"` // while it is ending
	Refunded       Money         `db:"refunded,joined"`
	DoneAt         *time.Time    `db:"done_at"`
}

// SurplusQueries keep what is to be ended.
type SurplusQueries interface {
	// InsertSurplus writes one down; false where it is known and was not spared.
	InsertSurplus(ctx context.Context, s Surplus) (bool, error)
	// ClaimDueSurplus picks the longest due one, pushes its NextAttemptAt to leaseUntil, counts the attempt and returns it; ErrNotFound where
	// none is due. Two callers never get the same one.
	ClaimDueSurplus(ctx context.Context, now, leaseUntil time.Time) (Surplus, error)
	PutSurplus(ctx context.Context, s Surplus) error // overwrites
	// Surpluses lists an organization's that were found at since or later, the newest first.
	Surpluses(ctx context.Context, organizationID string, since time.Time) ([]Surplus, error)
}

// CreditNote takes a paid invoice back (https://docs.stripe.com/api/credit_notes/create). Amounts are in the invoice's minor unit.
type CreditNote struct {
	InvoiceID string
	Refund    int64 // to where it was paid from
	Credit    int64 // to the customer's balance, from which it was paid
}

// SurplusGateway is what ending a surplus subscription needs of Stripe.
type SurplusGateway interface {
	// VoidInvoice takes an open invoice back.
	VoidInvoice(ctx context.Context, id string) error
	// CreditInvoice takes a paid invoice back, under an idempotency key made of the invoice.
	CreditInvoice(ctx context.Context, note CreditNote) error
}

// Bounds of the work on surplus subscriptions.
const (
	surplusAttempts = 12
	surplusLease    = time.Minute
	surplusTimeout  = 45 * time.Second // several calls of Stripe
	surplusShown    = 30 * 24 * time.Hour
)

// surplusBeside tells whether an organization that stays on one subscription has no need of another: both give access or are to be paid for, and
// the other one was sold here, and not before. What somebody has made by hand at Stripe is left to them, and so is an older subscription that gives
// no access any more: what was paid for it was owed.
func surplusBeside(kept, other Subscription) bool {
	switch {
	case other.ID == kept.ID || !kept.Status.GrantsAccess():
		return false
	case other.MetadataOrgID != other.OrganizationID || other.CreatedAt.Before(kept.CreatedAt):
		return false
	}
	return other.Status.GrantsAccess() || other.Status == StatusUnpaid || other.Status == StatusPaused
}

// noteSurplus writes down which of an organization's subscriptions have to end. The organization is locked.
func (s *Service) noteSurplus(ctx context.Context, q Queries, kept Subscription, all []Subscription) error {
	for _, other := range all {
		if !surplusBeside(kept, other) {
			continue
		}
		now := s.now()
		fresh, err := q.InsertSurplus(ctx, Surplus{
			SubscriptionID: other.ID, OrganizationID: other.OrganizationID, KeptID: kept.ID, Status: SurplusEnding, FoundAt: now, NextAttemptAt: &now,
		})
		if err != nil {
			return fmt.Errorf("write surplus subscription: %w", err)
		}
		if !fresh {
			continue
		}
		q.Record("subscription %s: surplus beside %s, to be ended and refunded", other.ID, kept.ID)
		if err := s.setAlarm(ctx, q, AlarmSurplus, other.ID, "", now); err != nil {
			return err
		}
	}
	return nil
}

// endDueSurpluses works on all that are due.
func (s *Service) endDueSurpluses(ctx context.Context) error {
	for ctx.Err() == nil {
		worked, err := s.endDueSurplus(ctx)
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

// endDueSurplus works on one surplus subscription. false: none was due.
func (s *Service) endDueSurplus(ctx context.Context) (bool, error) {
	now := s.now()
	surplus, claimed, err := optional(s.store.ClaimDueSurplus(ctx, now, now.Add(surplusLease)))
	if err != nil || !claimed {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, surplusTimeout)
	defer cancel()
	if err := s.endSurplus(ctx, &surplus); err != nil {
		s.postponeSurplus(&surplus, err)
		level := slog.LevelWarn
		if surplus.Status == SurplusFailed {
			level = slog.LevelError
		}
		s.log.Log(ctx, level, "a second subscription is not ended", "subscription", surplus.SubscriptionID, "organization", surplus.OrganizationID,
			"attempt", surplus.Attempts, "status", surplus.Status, "error", err)
	}
	return true, s.finishSurplus(context.WithoutCancel(ctx), surplus)
}

func (s *Service) postponeSurplus(surplus *Surplus, cause error) {
	surplus.Error = cause.Error()
	if surplus.Attempts >= surplusAttempts || terminal(cause) {
		surplus.Status, surplus.NextAttemptAt = SurplusFailed, nil
		return
	}
	next := s.now().Add(s.backoff(surplus.Attempts))
	surplus.NextAttemptAt = &next
}

// endSurplus asks Stripe how both subscriptions stand before it ends one of them: never the only one an organization has.
func (s *Service) endSurplus(ctx context.Context, surplus *Surplus) error {
	needed, err := s.surplusNeeded(ctx, *surplus)
	if err != nil {
		return err
	}
	now := s.now()
	if needed {
		surplus.Status, surplus.NextAttemptAt, surplus.DoneAt, surplus.Error = SurplusSpared, nil, &now, ""
		return nil
	}
	if surplus.CancelingAt == nil {
		// Written before Stripe is told: whoever takes this up after a crash knows who has ended it.
		surplus.CancelingAt = &now
		if err := s.store.PutSurplus(ctx, *surplus); err != nil {
			return err
		}
	}
	if err := s.gateway.EndSubscription(ctx, surplus.SubscriptionID); err != nil && !isMissing(err) {
		return fmt.Errorf("end subscription: %w", err)
	}
	if surplus.Refunded, err = s.sendBack(ctx, *surplus); err != nil {
		return err
	}
	if _, err := s.ask(ctx, surplus.SubscriptionID); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	surplus.Status, surplus.NextAttemptAt, surplus.DoneAt, surplus.Error = SurplusEnded, nil, &now, ""
	return nil
}

// surplusNeeded tells whether the subscription is to stay after all, or has been ended by somebody else, who then decides about its money too.
func (s *Service) surplusNeeded(ctx context.Context, surplus Surplus) (bool, error) {
	for _, id := range []string{surplus.KeptID, surplus.SubscriptionID} {
		if _, err := s.ask(ctx, id); err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
	}
	all, err := s.store.Subscriptions(ctx, surplus.OrganizationID, s.knownAccount())
	if err != nil {
		return false, fmt.Errorf("list subscriptions: %w", err)
	}
	if surplus.CancelingAt != nil {
		return false, nil
	}
	kept, _ := chooseCurrent(all)
	for _, other := range all {
		if other.ID == surplus.SubscriptionID {
			return !surplusBeside(kept, other), nil
		}
	}
	return true, nil
}

// sendBack takes back every invoice of an ended subscription: open ones are voided, paid ones refunded to where they were paid from. What a credit
// note was made for already, by an attempt before or by hand, is left.
func (s *Service) sendBack(ctx context.Context, surplus Surplus) (Money, error) {
	var back Money
	ended, err := s.store.Subscription(ctx, surplus.SubscriptionID)
	if err != nil {
		return back, fmt.Errorf("read subscription: %w", err)
	}
	invoices, err := s.gateway.Invoices(ctx, ended.CustomerID, ended.CreatedAt.Add(-time.Hour))
	if err != nil {
		return back, fmt.Errorf("list invoices: %w", err)
	}
	for _, invoice := range invoices {
		if invoice.SubscriptionID != surplus.SubscriptionID {
			continue
		}
		if err := s.takeBack(ctx, invoice); err != nil {
			return back, err
		}
		if invoice.Status == InvoicePaid && invoice.AmountPaid > 0 {
			back.Minor, back.Currency = back.Minor+invoice.AmountPaid, invoice.Currency
		}
	}
	return back, nil
}

func (s *Service) takeBack(ctx context.Context, invoice Invoice) error {
	switch {
	case invoice.Status == InvoiceOpen:
		if err := s.gateway.VoidInvoice(ctx, invoice.ID); err != nil {
			return fmt.Errorf("void invoice %s: %w", invoice.ID, err)
		}
	case invoice.Status == InvoicePaid && invoice.Total > 0 && invoice.Credited == 0:
		note := CreditNote{InvoiceID: invoice.ID, Refund: invoice.AmountPaid, Credit: invoice.Total - invoice.AmountPaid}
		if err := s.gateway.CreditInvoice(ctx, note); err != nil {
			return fmt.Errorf("credit invoice %s: %w", invoice.ID, err)
		}
	}
	return nil
}

// finishSurplus writes what became of an attempt, and once it is done tells the billing contacts.
func (s *Service) finishSurplus(ctx context.Context, surplus Surplus) error {
	return s.store.InTx(ctx, func(q Queries) error {
		if err := q.PutSurplus(ctx, surplus); err != nil {
			return fmt.Errorf("write surplus subscription: %w", err)
		}
		if surplus.Status != SurplusEnded {
			return nil
		}
		return s.tell(ctx, q, Mail{
			Kind: MailSecondPlanEnded, Key: "surplus:" + surplus.SubscriptionID, OrganizationID: surplus.OrganizationID,
			Data: MailData{Amount: surplus.Refunded, At: *surplus.DoneAt},
		})
	})
}

// Surpluses lists the second subscriptions of the last weeks, so that the billing page can tell what became of them.
func (s *Service) Surpluses(ctx context.Context, a Access) ([]Surplus, error) {
	found, err := s.store.Surpluses(ctx, a.Organization.ID, s.now().Add(-surplusShown))
	if err != nil {
		return nil, fmt.Errorf("list second subscriptions: %w", err)
	}
	return found, nil
}
