package billing

import (
	"cmp"
	"context"
	"fmt"

	"usher/billing/apperr"
)

// compareSeats recounts every organization with a live current subscription.
func (c *reconcileRun) compareSeats(ctx context.Context, _ string) (string, error) {
	stored, err := c.store.Subscriptions().Live(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return "", err
	}
	for _, current := range stored {
		if !current.IsCurrent {
			continue
		}
		if err := c.compareSeatsOf(ctx, current); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (c *reconcileRun) compareSeatsOf(ctx context.Context, current Subscription) error {
	difference, err := c.seatDifference(ctx, current)
	if err != nil || difference == "" {
		return err
	}
	return c.addDrift(ctx, Drift{Kind: DriftSeats, ObjectID: current.ID, OrganizationID: current.OrganizationID, Difference: difference}, func(ctx context.Context) error {
		return c.store.InTx(ctx, func(tx Tx) error {
			if _, err := tx.Organizations().Lock(ctx, current.OrganizationID); err != nil {
				return fmt.Errorf("lock organization: %w", err)
			}
			return c.seats.recount(ctx, tx, current.OrganizationID, seatReason{reason: reasonReconciled})
		})
	})
}

// seatDifference describes what a recount would change, without writing.
func (c *reconcileRun) seatDifference(ctx context.Context, current Subscription) (string, error) {
	state, _, err := apperr.Found(c.store.Seats().State(ctx, current.OrganizationID))
	if err != nil {
		return "", err
	}
	billed, err := c.store.Members().CountBillable(ctx, current.OrganizationID)
	if err != nil {
		return "", err
	}
	after := state
	after.OrganizationID = current.OrganizationID
	after.update(c.planOf(current), current, billed, c.Now())
	var d differences
	d.add("desired seats", state.DesiredSeats, after.DesiredSeats)
	if state.DueAt == nil && after.DueAt != nil {
		plan := c.planOf(current)
		d.add("seats", after.quantity(plan), current.Quantity)
		if change := pendingIntervalChange(plan, current); change != "" {
			d.add("pending_invoice_item_interval", change, cmp.Or(current.PendingInvoiceInterval, pendingIntervalNone))
		}
	}
	return d.String(), nil
}
