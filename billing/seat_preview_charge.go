package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// chargeSearch is how long it is tried to read what was charged for a confirmed change. After that
// its prorations may be on an invoice already, and the invoice shows them.
const chargeSearch = 24 * time.Hour

// confirmedFor returns the confirmed preview that an update carries out; the zero value: none. Its
// proration date has to lie within the current period.
func (sy *SeatSyncer) confirmedFor(ctx context.Context, tx Tx, state SeatState, plan catalog.Plan, current Subscription) (SeatPreview, error) {
	p, known, err := apperr.Found(tx.SeatPreviews().Confirmed(ctx, state.OrganizationID, current.ID, state.SyncVersion))
	if err != nil {
		return p, fmt.Errorf("read confirmed seat preview: %w", err)
	}
	if !known || !p.Known || p.ItemID != current.ItemID || p.ToQuantity != state.quantity(plan) || !p.PeriodEnd.Equal(current.CurrentPeriodEnd) {
		return SeatPreview{}, nil
	}
	return p, nil
}

// recordCharge stores what Stripe charged for a confirmed change, by the answer to its update.
func (sy *SeatSyncer) recordCharge(ctx context.Context, attempt openedAttempt, answer UpdatedSubscription, before Subscription) error {
	if attempt.previewID == "" {
		return nil
	}
	p, err := sy.store.SeatPreviews().Get(ctx, attempt.state.OrganizationID, attempt.previewID)
	if err != nil {
		return fmt.Errorf("read seat preview: %w", err)
	}
	proration := catalog.Proration(attempt.update.Proration)
	if proration != catalog.ProrationAlwaysInvoice || p.Reason != SeatCharged {
		return sy.recordProrations(ctx, p, proration)
	}
	invoice := answer.LatestInvoice
	switch {
	case answer.Replayed: // an earlier answer, which may be from before the invoice
		return sy.finishPreview(ctx, p, proration, nil)
	case invoice == nil || invoice.ID == before.LatestInvoiceID:
		return sy.finishPreview(ctx, p, proration, new(int64))
	}
	p.InvoiceID = invoice.ID
	return sy.finishPreview(ctx, p, proration, &invoice.Total)
}

// recordProrations stores the sum of the change's pending prorations. Without any, they may be on
// an invoice already: then nothing is stored.
func (sy *SeatSyncer) recordProrations(ctx context.Context, p SeatPreview, proration catalog.Proration) error {
	var charged int64
	if proration == catalog.ProrationCreateProrations && p.ProratedAt != nil {
		lines, err := sy.gateway.PendingProrations(ctx, p.CustomerID, p.SubscriptionID)
		if err != nil {
			return fmt.Errorf("read prorations of confirmed seats: %w", err)
		}
		lines = slices.DeleteFunc(lines, func(line PreviewLine) bool { return !p.isProration(line) })
		if len(lines) == 0 && p.ProrationSum != 0 {
			return nil
		}
		for _, line := range lines {
			charged += line.Amount.Minor
		}
	}
	return sy.finishPreview(ctx, p, proration, &charged)
}

// finishPreview stores what was charged, and logs an error if that is not what was confirmed. A nil
// amount is not known.
func (sy *SeatSyncer) finishPreview(ctx context.Context, p SeatPreview, proration catalog.Proration, charged *int64) error {
	now := sy.Now()
	p.DoneAt, p.Charged = &now, charged
	if expected := p.expected(proration); charged != nil && *charged != expected {
		sy.Log.ErrorContext(ctx, "seat change charged another amount than was confirmed", "organization_id", p.OrganizationID,
			"seat_preview_id", p.ID, "confirmed", expected, "charged", *charged, "currency", p.Currency, "invoice_id", p.InvoiceID)
	}
	if err := sy.store.SeatPreviews().Put(ctx, p); err != nil {
		return fmt.Errorf("write seat preview: %w", err)
	}
	return nil
}

// recordCharges stores what was charged for the confirmed changes whose update was accepted and
// whose charge could not be read then.
func (sy *SeatSyncer) recordCharges(ctx context.Context) error {
	open, err := sy.store.SeatPreviews().Uncharged(ctx, sy.Now().Add(-jobTimeout), seatBatch)
	if err != nil {
		return fmt.Errorf("list uncharged seat previews: %w", err)
	}
	for _, p := range open {
		if err := sy.recordChargeOf(ctx, p); err != nil {
			sy.Log.WarnContext(ctx, "read of a seat change's charge failed", "organization_id", p.OrganizationID, "seat_preview_id", p.ID, "err", err)
		}
	}
	return nil
}

func (sy *SeatSyncer) recordChargeOf(ctx context.Context, p SeatPreview) error {
	if sy.Now().Sub(*p.ConfirmedAt) > chargeSearch {
		return sy.finishPreview(ctx, p, "", nil)
	}
	attempts, err := sy.store.SeatAttempts().List(ctx, p.SubscriptionID, p.ConfirmedAt.Add(-time.Minute))
	if err != nil {
		return fmt.Errorf("list seat attempts: %w", err)
	}
	i := slices.IndexFunc(attempts, func(a SeatAttempt) bool { return a.Key == p.AttemptKey })
	if i < 0 || attempts[i].Accepted == nil {
		return nil // not sent, or not answered
	}
	if !*attempts[i].Accepted || attempts[i].Proration == catalog.ProrationAlwaysInvoice {
		return sy.finishPreview(ctx, p, attempts[i].Proration, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	return sy.recordProrations(ctx, p, attempts[i].Proration)
}
