package billing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Payment is our snapshot of a charge at Stripe, as far as credits follow from it: what came in, and what of it went back. Amounts are in
// the minor unit of Currency.
type Payment struct {
	ID             string `db:"id"` // ch_…
	OrganizationID string `db:"organization_id"`
	CustomerID     string `db:"customer_id"`
	InvoiceID      string `db:"invoice_id"` // empty: none
	Account        string `db:"account"`
	Livemode       bool   `db:"livemode"`
	TestClock      bool   `db:"test_clock"`
	Currency       string `db:"currency"`
	Amount         int64  `db:"amount"`
	Refunded       int64  `db:"refunded"` // of all refunds that did not fail
	Lost           int64  `db:"lost"`     // of disputes that were lost

	Moment   time.Time `db:"as_of"`             // when this state was true at Stripe, by Stripe's clock
	Revision int64     `db:"revision,readonly"` // counts our writes of the row; 0 while it is not stored
}

// PaymentQueries are about snapshots of charges.
type PaymentQueries interface {
	Payment(ctx context.Context, id string) (Payment, error)
	LockPayment(ctx context.Context, id string) (Payment, error)
	// PutPayment inserts or overwrites the snapshot and raises Revision.
	PutPayment(ctx context.Context, p Payment) error
}

// hearCharge takes news of a refund or a dispute as a reason to look at the charge: what went back is cumulative there, and neither a refund nor
// a dispute tells all of it.
func (s *Service) hearCharge(ctx context.Context, q Queries, e Event) (heard, error) {
	if e.ChargeID == "" {
		return heard{outcome: OutcomeIgnored}, nil
	}
	organizationID, _, err := s.ownerOf(ctx, q, e.CustomerID, "")
	if err != nil || organizationID == "" && e.CustomerID != "" {
		return heard{outcome: OutcomeIgnored}, err // another application's; where no customer is named, Stripe is asked whose it is
	}
	return heard{OutcomePending, organizationID}, nil
}

func (s *Service) settleCharge(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	err := s.askPayment(ctx, e.ChargeID, changes)
	if errors.Is(err, ErrNotFound) {
		return OutcomeIgnored, nil
	}
	return OutcomeApplied, err
}

// askPayment fetches a charge from Stripe and writes the answer, as [Service.ask] does for subscriptions. ErrNotFound: it is none of ours.
func (s *Service) askPayment(ctx context.Context, id string, changes *ChangeLog) error {
	err := errMoved
	for try := 0; try < askTries && errors.Is(err, errMoved); try++ {
		if err := s.pauseBefore(ctx, try); err != nil {
			return fmt.Errorf("ask Stripe for a charge: %w", err)
		}
		before, _, readErr := optional(s.store.Payment(ctx, id))
		if readErr != nil {
			return fmt.Errorf("ask Stripe for a charge: %w", readErr)
		}
		answer, askErr := s.gateway.Charge(ctx, id)
		if isMissing(askErr) {
			return ErrNotFound
		}
		if askErr != nil {
			return fmt.Errorf("ask Stripe for a charge: %w", askErr)
		}
		err = s.applyPayment(ctx, answer, before.Revision, changes)
	}
	return err
}

// applyPayment writes a fetched charge if the row still has the revision it had before Stripe was asked, else returns errMoved. Credits follow
// the money: what went back takes its part of what it was granted for along, and brings it back where it comes back.
func (s *Service) applyPayment(ctx context.Context, answer Payment, before int64, changes *ChangeLog) error {
	return s.store.InTxRecording(ctx, changes, func(q Queries) error {
		organizationID, linked, err := s.ownerOf(ctx, q, answer.CustomerID, "")
		if err != nil || !linked {
			return errors.Join(err, ErrNotFound)
		}
		if _, err := q.LockOrganization(ctx, organizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		held, _, err := optional(q.LockPayment(ctx, answer.ID))
		if err != nil {
			return fmt.Errorf("lock payment: %w", err)
		}
		if held.Revision != before {
			return errMoved
		}
		answer.OrganizationID, answer.Account = organizationID, s.knownAccount().ID
		if held.Moment.After(answer.Moment) {
			answer.Moment = held.Moment
		}
		if err := q.PutPayment(ctx, answer); err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		q.Record("charge %s: refunded %d and lost %d of %d %s", answer.ID, answer.Refunded, answer.Lost, answer.Amount, answer.Currency)
		return s.recountCredits(ctx, q, organizationID, nil, CreditReturn)
	})
}
