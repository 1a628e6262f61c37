package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/mail"
)

// Deletions deletes organizations.
type Deletions struct {
	*core
	subscriptions *Subscriptions
	checkouts     *Checkouts
	members       *account.Members
	outbox        *mail.Outbox
	baseURL       string
}

// DeletionUndo is how long the deletion of an organization can be withdrawn.
const DeletionUndo = 7 * 24 * time.Hour

const deletionBatch = 20 // organizations at a time

// Deletion is a requested deletion of an organization.
type Deletion struct {
	OrganizationID string    `db:"organization_id"`
	RequestedBy    string    `db:"requested_by"` // user id
	RequestedAt    time.Time `db:"requested_at"`
	// DueAt is the earliest time of the deletion. The backoff moves it after a failure.
	DueAt time.Time `db:"due_at"`
	// CancelsPlan means that the request canceled the subscription at period end; withdrawing it
	// resumes the subscription.
	CancelsPlan bool   `db:"ends_plan"`
	Failures    int    `db:"failures"` // in a row
	Error       string `db:"error"`    // why the last attempt failed, as text
}

// Request schedules the deletion of an organization after [DeletionUndo]. The subscription is
// canceled at period end first; if that fails, nothing has changed. Errors: CodeForbidden;
// CodeUnprocessable with the field name if the name was not confirmed; CodeConflict if a deletion
// is scheduled already; CodeStripe.
func (ds *Deletions) Request(ctx context.Context, a account.Access, confirmedName string) error {
	if err := a.RequireAdmin(); err != nil {
		return err
	}
	if account.CleanName(confirmedName) != a.Organization.Name {
		return apperr.FieldError("name", account.MessageNameAsIs)
	}
	if err := a.Organization.RequireNotDeleting(); err != nil {
		return err
	}
	canceled, err := ds.cancelAtPeriodEnd(ctx, a.Organization.ID)
	if err != nil {
		return err
	}
	err = ds.members.InLockedOrganization(ctx, a, inTx(func(tx Tx, actor account.Access) error { return ds.schedule(ctx, tx, actor, canceled) }))
	if err != nil {
		return fmt.Errorf("request deletion: %w", err)
	}
	return nil
}

// cancelAtPeriodEnd cancels the current subscription at period end, and reports whether that was
// necessary.
func (ds *Deletions) cancelAtPeriodEnd(ctx context.Context, organizationID string) (bool, error) {
	current, known, err := apperr.Found(ds.store.Subscriptions().Current(ctx, organizationID, ds.knownAccount()))
	if err != nil {
		return false, fmt.Errorf("look up subscription: %w", err)
	}
	if _, ending := current.EndsAt(); !known || current.Status.Ended() || current.Status == StatusIncomplete || ending {
		return false, nil
	}
	return true, ds.subscriptions.updateCancelAtPeriodEnd(ctx, current, true)
}

func (ds *Deletions) schedule(ctx context.Context, tx Tx, actor account.Access, cancelsPlan bool) error {
	if err := errors.Join(actor.RequireAdmin(), actor.Organization.RequireNotDeleting()); err != nil {
		return err
	}
	now := ds.Now()
	d := Deletion{OrganizationID: actor.Organization.ID, RequestedBy: actor.User.ID, RequestedAt: now, DueAt: now.Add(DeletionUndo), CancelsPlan: cancelsPlan}
	if err := tx.Deletions().Insert(ctx, d); err != nil {
		return err
	}
	organization := actor.Organization
	organization.DeletesAt = &d.DueAt
	if err := tx.Organizations().Update(ctx, organization); err != nil {
		return err
	}
	return ds.notify(ctx, tx, actor, d)
}

// notify queues an e-mail to every billing manager and every billing contact. This kind can't be
// muted.
func (ds *Deletions) notify(ctx context.Context, tx Tx, actor account.Access, d Deletion) error {
	c, err := noticeSettings(ctx, tx, d.OrganizationID)
	if err != nil {
		return err
	}
	m := mail.Message{
		Kind: mail.KindDeletion, Key: fmt.Sprintf("deletion:%s:%d", d.OrganizationID, d.RequestedAt.UnixMicro()), OrganizationID: d.OrganizationID,
		Data: mail.Data{Organization: actor.Organization.Name, Inviter: actor.User.Name, At: d.DueAt, URL: ds.baseURL + "/organization?tab=general"},
	}
	to := c.Contacts
	for _, manager := range c.Managers {
		to = append(to, manager.Email)
	}
	for _, address := range to {
		m.To = address
		if err := ds.outbox.Queue(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw withdraws a deletion and resumes the subscription if the request had canceled it.
// Errors: CodeForbidden; CodeConflict if no deletion is scheduled or it is done; CodeStripe if the
// deletion is withdrawn but the subscription could not be resumed.
func (ds *Deletions) Withdraw(ctx context.Context, a account.Access) error {
	var d Deletion
	err := ds.members.InLockedOrganization(ctx, a, inTx(func(tx Tx, actor account.Access) (err error) {
		if err := actor.RequireAdmin(); err != nil {
			return err
		}
		if d, err = tx.Deletions().Get(ctx, a.Organization.ID); errors.Is(err, apperr.ErrNotFound) {
			return apperr.Errorf(apperr.CodeConflict, account.MessageNotDeleting)
		}
		if err != nil {
			return err
		}
		if err := tx.Deletions().Remove(ctx, a.Organization.ID); err != nil {
			return err
		}
		organization := actor.Organization
		organization.DeletesAt = nil
		return tx.Organizations().Update(ctx, organization)
	}))
	if err != nil {
		return fmt.Errorf("withdraw deletion: %w", err)
	}
	if !d.CancelsPlan {
		return nil
	}
	current, known, err := apperr.Found(ds.store.Subscriptions().Current(ctx, a.Organization.ID, ds.knownAccount()))
	if err != nil || !known || current.Status.Ended() {
		return err
	}
	return ds.subscriptions.updateCancelAtPeriodEnd(ctx, current, false)
}

// deleteDue deletes the organizations whose deletion is due.
func (ds *Deletions) deleteDue(ctx context.Context) error {
	due, err := ds.store.Deletions().Due(ctx, ds.Now(), deletionBatch)
	if err != nil {
		return fmt.Errorf("list due deletions: %w", err)
	}
	for _, organizationID := range due {
		bounded, cancel := context.WithTimeout(ctx, jobTimeout)
		err := ds.delete(bounded, organizationID)
		cancel()
		if err != nil {
			ds.Log.WarnContext(ctx, "organization deletion failed", "organization_id", organizationID, "err", err)
			if err := ds.scheduleRetry(context.WithoutCancel(ctx), organizationID, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// delete expires the open checkouts and cancels the live subscriptions at Stripe. The organization
// is deleted only when nothing is left that could be charged.
func (ds *Deletions) delete(ctx context.Context, organizationID string) error {
	acct, err := ds.requireAccount(ctx)
	if err != nil {
		return err
	}
	if err := ds.expireCheckouts(ctx, acct, organizationID); err != nil {
		return err
	}
	live, err := ds.store.Subscriptions().Live(ctx, acct, organizationID)
	if err != nil {
		return err
	}
	for _, subscription := range live {
		if err := ds.gateway.CancelSubscription(ctx, subscription.ID); err != nil && !apperr.IsMissing(err) {
			return fmt.Errorf("cancel subscription: %w", err)
		}
		if _, err := ds.subscriptions.refetch(ctx, subscription.ID); err != nil {
			return err
		}
	}
	return ds.store.InTx(ctx, func(tx Tx) error {
		organization, err := tx.Organizations().Lock(ctx, organizationID)
		if err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		left, err := tx.Subscriptions().Live(ctx, acct, organizationID)
		switch {
		case err != nil:
			return err
		case organization.DeletesAt == nil: // withdrawn meanwhile
			return nil
		case len(left) > 0:
			return fmt.Errorf("subscription %s is %s", left[0].ID, left[0].Status)
		}
		return tx.Deletions().MarkDeleted(ctx, organizationID, ds.Now())
	})
}

// expireCheckouts expires the organization's open Checkout sessions.
func (ds *Deletions) expireCheckouts(ctx context.Context, acct StripeAccount, organizationID string) error {
	open, err := ds.store.Checkouts().Unfinished(ctx, acct, organizationID, ds.Now())
	if err != nil {
		return err
	}
	for _, session := range open {
		if session.Status != CheckoutOpen {
			continue
		}
		if err := ds.checkouts.expire(ctx, session); err != nil {
			return err
		}
	}
	return nil
}

func (ds *Deletions) scheduleRetry(ctx context.Context, organizationID string, cause error) error {
	d, known, err := apperr.Found(ds.store.Deletions().Get(ctx, organizationID))
	if err != nil || !known {
		return err
	}
	d.Failures++
	d.Error, d.DueAt = cause.Error(), ds.Now().Add(ds.Backoff(d.Failures))
	return ds.store.Deletions().Put(ctx, d)
}
