package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/apperr"
)

// classify interprets a subscription of Stripe's answer by the catalog. Unknown prices are fetched.
func (rc *Reconciler) classify(ctx context.Context, remote Subscription) (Subscription, error) {
	if err := rc.ensureKnown(ctx, remote.priceIDs()); err != nil {
		return remote, fmt.Errorf("fetch the prices of subscription %s: %w", remote.ID, err)
	}
	return remote.Classified(rc.Catalog()), nil
}

// storeItems stores the items of a snapshot that was stored before items were: no difference to
// Stripe, so no drift. A row that changes meanwhile gets them with that change.
func (c *reconcileRun) storeItems(ctx context.Context, stored, remote Subscription) error {
	if c.options.DryRun || stored.Revision == 0 || len(stored.Items) > 0 || len(remote.Items) == 0 {
		return nil
	}
	_, err := c.subscriptions.applyFetched(ctx, remote, stored.Revision, nil)
	if mustRefetch(err) || errors.Is(err, apperr.ErrNotFound) {
		return nil
	}
	return err
}

// errSecondKept is why a second subscription is kept.
var errSecondKept = errors.New("not ended automatically, because Checkouts of Usher have not sold both: decide in Stripe's dashboard")

// compareDuplicates reports the live subscriptions of ours beside an organization's current one. If
// Checkouts of Usher have sold both, the cancellation of the duplicate begins; otherwise operators
// have to decide.
func (c *reconcileRun) compareDuplicates(ctx context.Context, _ string) (string, error) {
	found, err := c.store.Subscriptions().Second(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return "", err
	}
	for _, second := range found {
		current, _, err := apperr.Found(c.store.Subscriptions().Current(ctx, second.OrganizationID, c.account))
		if err != nil {
			return "", fmt.Errorf("look up subscription: %w", err)
		}
		drift := Drift{
			Kind: DriftDuplicate, ObjectID: second.ID, OrganizationID: second.OrganizationID,
			Difference:  fmt.Sprintf("a second subscription of the organization, %s beside %s", second.Status, current.ID),
			Remediation: "The organization pays for both. Decide which one it needs and cancel the other at Stripe.",
		}
		if err := c.addDrift(ctx, drift, func(ctx context.Context) error { return c.repairDuplicate(ctx, second) }); err != nil {
			return "", err
		}
	}
	return "", nil
}

// compareDeleted reports the live subscriptions of ours whose organization was deleted before they
// were made. No member of the organization can use or end them.
func (c *reconcileRun) compareDeleted(ctx context.Context, _ string) (string, error) {
	found, err := c.store.Subscriptions().OfDeleted(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return "", err
	}
	for _, s := range found {
		drift := Drift{
			Kind: DriftDeletedOrganization, ObjectID: s.ID, OrganizationID: s.OrganizationID,
			Difference:  fmt.Sprintf("%s, and its organization is deleted", s.Status),
			Remediation: "No organization can use it. Cancel it at Stripe, and refund there what was paid.",
		}
		if err := c.addDrift(ctx, drift, nil); err != nil {
			return "", err
		}
	}
	return "", nil
}

// repairDuplicate looks up which Checkouts have sold the organization's subscriptions, and checks
// again for duplicates.
func (c *reconcileRun) repairDuplicate(ctx context.Context, second Subscription) error {
	if err := c.checkouts.linkCompleted(ctx, second.OrganizationID); err != nil {
		return err
	}
	err := c.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, second.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		return c.subscriptions.recheckDuplicates(ctx, tx, second.OrganizationID)
	})
	if err != nil {
		return err
	}
	return c.duplicateProgress(ctx, second)
}

// duplicateProgress returns nil if the cancellation of a second subscription has begun, or why it
// has not.
func (c *reconcileRun) duplicateProgress(ctx context.Context, second Subscription) error {
	duplicates, err := c.store.Duplicates().List(ctx, second.OrganizationID, time.Time{})
	if err != nil {
		return err
	}
	for _, duplicate := range duplicates {
		switch {
		case duplicate.SubscriptionID != second.ID:
		case duplicate.Status == DuplicateCanceling:
			return nil
		case duplicate.Status == DuplicateFailed:
			return fmt.Errorf("its cancellation has failed: %s", duplicate.Error)
		}
	}
	return errSecondKept
}
