package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/apperr"
)

// Payments stores snapshots of charges.
type Payments struct {
	*core
	customers *Customers
	credits   *Credits
}

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

	AsOf     time.Time `db:"as_of"`             // when this state was true at Stripe, by Stripe's clock
	Revision int64     `db:"revision,readonly"` // counts our writes of the row; 0 while it is not stored
}

// handleCharge takes news of a refund or a dispute as a reason to look at the charge: what went back is cumulative there, and neither a refund nor
// a dispute tells all of it.
func (ps *Payments) handleEvent(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	if e.ChargeID == "" {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	organizationID, _, err := ps.customers.findOwner(ctx, tx, e.CustomerID, "")
	if err != nil || organizationID == "" && e.CustomerID != "" {
		return eventResult{outcome: OutcomeIgnored}, err // another application's; where no customer is named, Stripe is asked whose it is
	}
	return eventResult{OutcomePending, organizationID}, nil
}

func (ps *Payments) refetchForEvent(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	err := ps.refetch(ctx, e.ChargeID, changes)
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	return OutcomeApplied, err
}

// refetch fetches a charge from Stripe and writes it, as [Subscriptions.refetch] does for subscriptions. Error:
// [ErrNotFound] if it does not belong to an organization here.
func (ps *Payments) refetch(ctx context.Context, id string, changes *ChangeLog) error {
	return ps.retryOnRowChange(ctx, func() error {
		before, _, err := apperr.Found(ps.store.Payments().Get(ctx, id))
		if err != nil {
			return fmt.Errorf("read payment: %w", err)
		}
		answer, err := ps.gateway.Charge(ctx, id)
		if apperr.IsMissing(err) {
			return apperr.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("fetch charge: %w", err)
		}
		return ps.applyFetched(ctx, answer, before.Revision, changes)
	})
}

// applyPayment writes a fetched charge if the row still has the revision it had before Stripe was asked, else returns errMoved. Credits follow
// the money: what went back takes its part of what it was granted for along, and brings it back where it comes back.
func (ps *Payments) applyFetched(ctx context.Context, answer Payment, before int64, changes *ChangeLog) error {
	return ps.store.InTxRecording(ctx, changes, func(tx Tx) error {
		organizationID, linked, err := ps.customers.findOwner(ctx, tx, answer.CustomerID, "")
		if err != nil || !linked {
			return errors.Join(err, apperr.ErrNotFound)
		}
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		held, _, err := apperr.Found(tx.Payments().Lock(ctx, answer.ID))
		if err != nil {
			return fmt.Errorf("lock payment: %w", err)
		}
		if held.Revision != before {
			return errRowChanged
		}
		answer.OrganizationID, answer.Account = organizationID, ps.knownAccount().ID
		if held.AsOf.After(answer.AsOf) {
			answer.AsOf = held.AsOf
		}
		if err := tx.Payments().Put(ctx, answer); err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		tx.Record("charge %s: refunded %d and lost %d of %d %s", answer.ID, answer.Refunded, answer.Lost, answer.Amount, answer.Currency)
		return ps.credits.recount(ctx, tx, organizationID, nil, CreditReturn)
	})
}
