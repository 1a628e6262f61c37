package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"usher/billing/apperr"
)

// DeletionCancellation is a subscription that the deletion of its organization cancels at period
// end. While the deletion is scheduled, the subscription must have a scheduled end, whoever resumes
// it at Stripe; once the deletion is withdrawn, it is resumed. The row is written before Stripe is
// called, so that a crash in between is repaired.
type DeletionCancellation struct {
	SubscriptionID string     `db:"subscription_id"`
	OrganizationID string     `db:"organization_id"`
	DueAt          *time.Time `db:"due_at"`   // the next attempt; nil: done
	Failures       int        `db:"failures"` // in a row
	Error          string     `db:"error"`    // why the last attempt failed, as text
}

// cancellationLease exceeds the time limit of an attempt, so that a withdrawal's attempt never
// overlaps the request's.
const cancellationLease = 2 * jobTimeout

// canceledByDeletion reports whether a deletion has to cancel a live subscription of ours at period
// end. One whose first payment is open ends with its Checkout session.
func canceledByDeletion(s Subscription) bool {
	_, ending := s.EndsAt()
	return !s.Foreign && !ending && !s.Status.Ended() && s.Status != StatusIncomplete
}

// wakeCancellation makes the cancellation of a subscription due that began, or was resumed at
// Stripe, while its organization is about to be deleted.
func (ss *Subscriptions) wakeCancellation(ctx context.Context, tx Tx, before, fresh Subscription) error {
	if !canceledByDeletion(fresh) || before.Revision > 0 && canceledByDeletion(before) {
		return nil
	}
	if err := tx.Deletions().WakeCancellation(ctx, fresh.OrganizationID, fresh.ID, ss.Now()); err != nil {
		return fmt.Errorf("cancel subscription of a deletion: %w", err)
	}
	return nil
}

// applyNow expires the open checkouts of an organization that is about to be deleted and applies
// its due cancellations. What fails, or takes Stripe too long, is retried by the worker; a checkout
// that is paid nevertheless is canceled as well, and refunded.
func (ds *Deletions) applyNow(ctx context.Context, organizationID string) {
	ctx, cancel := ds.limitStripe(ctx)
	defer cancel()
	organization, err := ds.store.Organizations().Get(ctx, organizationID)
	if err == nil && organization.DeletesAt != nil {
		err = ds.expireCheckouts(ctx, ds.knownAccount(), organizationID)
	}
	for worked := true; err == nil && worked; {
		worked, err = ds.applyCancellation(ctx, organizationID)
	}
	if err != nil {
		ds.Log.WarnContext(ctx, "deletion not applied at Stripe yet", "organization_id", organizationID, "err", err)
	}
}

// cancelDue applies every cancellation that is due.
func (ds *Deletions) cancelDue(ctx context.Context) error {
	for ctx.Err() == nil {
		worked, err := ds.applyCancellation(ctx, "")
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

// applyCancellation applies one due cancellation, of an organization or (empty) of any. It returns
// false if none was due.
func (ds *Deletions) applyCancellation(ctx context.Context, organizationID string) (bool, error) {
	now := ds.Now()
	c, claimed, err := apperr.Found(ds.store.Deletions().ClaimCancellation(ctx, organizationID, now, now.Add(cancellationLease)))
	if err != nil || !claimed {
		return false, err
	}
	bounded, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	ending, failed := ds.updateAtStripe(bounded, c)
	if failed != nil {
		ds.Log.WarnContext(ctx, "cancellation of a deletion failed", "subscription_id", c.SubscriptionID, "organization_id", c.OrganizationID, "err", failed)
	}
	return true, ds.finishCancellation(context.WithoutCancel(ctx), c, ending, failed)
}

// updateAtStripe cancels the subscription at period end, or resumes it if the deletion is
// withdrawn, and reports which. The subscription is fetched first: the answer to an earlier attempt
// may be lost.
func (ds *Deletions) updateAtStripe(ctx context.Context, c DeletionCancellation) (ending bool, err error) {
	organization, err := ds.store.Organizations().Get(ctx, c.OrganizationID)
	if err != nil {
		return false, err
	}
	ending = organization.DeletesAt != nil
	acct, err := ds.requireAccount(ctx)
	if err != nil {
		return ending, err
	}
	if _, err := ds.subscriptions.refetch(ctx, c.SubscriptionID); err != nil {
		return ending, err
	}
	live, err := ds.store.Subscriptions().Live(ctx, acct, c.OrganizationID)
	if err != nil {
		return ending, fmt.Errorf("list live subscriptions: %w", err)
	}
	i := slices.IndexFunc(live, func(s Subscription) bool { return s.ID == c.SubscriptionID })
	if i < 0 || live[i].Status == StatusIncomplete {
		return ending, nil // it has ended, or is not ours
	}
	return ending, ds.subscriptions.updateCancelAtPeriodEnd(ctx, live[i], ending, CancellationDetails{})
}

// finishCancellation writes the result of an attempt. If the deletion was requested or withdrawn
// meanwhile, the next attempt is due at once.
func (ds *Deletions) finishCancellation(ctx context.Context, c DeletionCancellation, ending bool, failed error) error {
	return ds.store.InTx(ctx, func(tx Tx) error {
		organization, err := tx.Organizations().Lock(ctx, c.OrganizationID)
		if err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		now := ds.Now()
		switch {
		case failed != nil:
			c.Failures++
			next := now.Add(ds.Backoff(c.Failures))
			c.Error, c.DueAt = failed.Error(), &next
		case ending != (organization.DeletesAt != nil):
			c.DueAt = &now
		case !ending:
			return tx.Deletions().RemoveCancellation(ctx, c.SubscriptionID)
		default:
			c.Failures, c.Error, c.DueAt = 0, "", nil
		}
		return tx.Deletions().PutCancellation(ctx, c)
	})
}
