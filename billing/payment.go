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

// Payment is our snapshot of a charge at Stripe, with the amounts that credits need: paid, refunded
// and lost. Amounts are in the minor unit of Currency.
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
	Disputed       int64  `db:"disputed"` // of disputes that are open; they take no credits back

	AsOf time.Time `db:"as_of"` // when this state was true at Stripe, by Stripe's clock
	// Revision counts our writes of the row; 0 while it is not stored.
	Revision int64 `db:"revision,readonly"`
}

// handleEvent handles the events of refunds and disputes: the charge has to be fetched, because it
// has the sums, while one refund or dispute has only its own amount.
func (ps *Payments) handleEvent(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	if e.ChargeID == "" {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	organizationID, _, err := ps.customers.findOwner(ctx, tx, e.CustomerID, "")
	if err != nil || organizationID == "" && e.CustomerID != "" {
		// Another application's; without a customer id, the fetched charge says whose it is.
		return eventResult{outcome: OutcomeIgnored}, err
	}
	return eventResult{OutcomePending, organizationID}, nil
}

// refetchForEvent processes a pending event about a charge.
func (ps *Payments) refetchForEvent(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	err := ps.refetch(ctx, e.ChargeID, changes)
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	return OutcomeApplied, err
}

// refetch fetches a charge from Stripe and writes it, as [Subscriptions.refetch] does for
// subscriptions. Error: [apperr.ErrNotFound] if it does not belong to an organization here.
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

// applyFetched writes a fetched charge if the row still has the given revision, otherwise it
// returns errRowChanged. Credits are recounted: a refund takes back its part of them, a failed
// refund restores it.
func (ps *Payments) applyFetched(ctx context.Context, answer Payment, revision int64, changes *ChangeLog) error {
	return ps.store.InTxRecording(ctx, changes, func(tx Tx) error {
		organizationID, linked, err := ps.customers.findOwner(ctx, tx, answer.CustomerID, "")
		if err != nil || !linked {
			return errors.Join(err, apperr.ErrNotFound)
		}
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		stored, _, err := apperr.Found(tx.Payments().Lock(ctx, answer.ID))
		if err != nil {
			return fmt.Errorf("lock payment: %w", err)
		}
		if stored.Revision != revision {
			return errRowChanged
		}
		answer.OrganizationID, answer.Account = organizationID, ps.knownAccount().ID
		if stored.AsOf.After(answer.AsOf) {
			answer.AsOf = stored.AsOf
		}
		if err := tx.Payments().Put(ctx, answer); err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		tx.Record("charge %s: refunded %d and lost %d of %d %s", answer.ID, answer.Refunded, answer.Lost, answer.Amount, answer.Currency)
		return ps.credits.recount(ctx, tx, organizationID, nil, CreditReturn)
	})
}
