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
	invoices      *Invoices
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
	// BegunAt is when the deletion began to end subscriptions at Stripe. From then on it cannot be
	// withdrawn. nil: it did not.
	BegunAt *time.Time `db:"begun_at"`
	// CancelsPlan means that the request cancels a subscription at period end; withdrawing it
	// resumes the subscription. A [DeletionCancellation] says which one.
	CancelsPlan bool   `db:"ends_plan"`
	Failures    int    `db:"failures"` // in a row
	Error       string `db:"error"`    // why the last attempt failed, as text
}

// Request schedules the deletion of an organization after [DeletionUndo], and with it the
// cancellation of its subscriptions at period end. The rows are written first: if Stripe does not
// take a cancellation at once, the worker retries it. Errors: CodeForbidden; CodeUnprocessable with
// the field name if the name was not confirmed; CodeConflict if a deletion is scheduled already.
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
	if err := ds.members.InLockedOrganization(ctx, a, inTx(func(tx Tx, actor account.Access) error { return ds.schedule(ctx, tx, actor) })); err != nil {
		return fmt.Errorf("request deletion: %w", err)
	}
	ds.applyNow(ctx, a.Organization.ID)
	return nil
}

func (ds *Deletions) schedule(ctx context.Context, tx Tx, actor account.Access) error {
	if err := errors.Join(actor.RequireAdmin(), actor.Organization.RequireNotDeleting()); err != nil {
		return err
	}
	live, err := tx.Subscriptions().Live(ctx, ds.knownAccount(), actor.Organization.ID)
	if err != nil {
		return fmt.Errorf("list live subscriptions: %w", err)
	}
	now := ds.Now()
	d := Deletion{OrganizationID: actor.Organization.ID, RequestedBy: actor.User.ID, RequestedAt: now, DueAt: now.Add(DeletionUndo)}
	organization := actor.Organization
	organization.DeletesAt = &d.DueAt
	if err := tx.Organizations().Update(ctx, organization); err != nil {
		return err
	}
	for _, subscription := range live {
		if !canceledByDeletion(subscription) {
			continue
		}
		d.CancelsPlan = true
		if err := tx.Deletions().WakeCancellation(ctx, organization.ID, subscription.ID, now); err != nil {
			return err
		}
	}
	if err := tx.Deletions().Insert(ctx, d); err != nil {
		return err
	}
	requested := actor.Did(account.ActDeletionRequested).Changed(nil, account.AuditValues{"on": dateOf(d.DueAt)})
	if err := ds.audit(ctx, tx, requested); err != nil {
		return err
	}
	return ds.notify(ctx, tx, actor, d, planEnd(live, d.DueAt))
}

// planEnd returns when the plan ends if its organization is deleted at a time: then, or at the end
// of the period if that comes first. Zero: there is no plan.
func planEnd(live []Subscription, deletedAt time.Time) time.Time {
	current, found := chooseCurrent(live)
	if !found || current.Status.Ended() {
		return time.Time{}
	}
	end, ending := current.EndsAt()
	if !ending {
		end = current.CurrentPeriodEnd
	}
	if end.IsZero() || end.After(deletedAt) {
		return deletedAt
	}
	return end
}

// notify queues an e-mail to every billing manager and every billing contact. This kind can't be
// muted.
func (ds *Deletions) notify(ctx context.Context, tx Tx, actor account.Access, d Deletion, planEnd time.Time) error {
	c, err := noticeSettings(ctx, tx, d.OrganizationID)
	if err != nil {
		return err
	}
	m := mail.Message{
		Kind: mail.KindDeletion, Key: fmt.Sprintf("deletion:%s:%d", d.OrganizationID, d.RequestedAt.UnixMicro()), OrganizationID: d.OrganizationID,
		Data: mail.Data{Organization: actor.Organization.Name, Inviter: actor.User.Name, At: d.DueAt, PlanEndsAt: planEnd, URL: ds.baseURL + "/organization?tab=general"},
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

// Withdraw withdraws a deletion. The subscriptions that it had canceled are resumed; if Stripe does
// not take that at once, the worker retries it. Errors: CodeForbidden; CodeConflict if no deletion
// is scheduled, or if it has begun.
func (ds *Deletions) Withdraw(ctx context.Context, a account.Access) error {
	err := ds.members.InLockedOrganization(ctx, a, inTx(func(tx Tx, actor account.Access) error { return ds.withdraw(ctx, tx, actor) }))
	if err != nil {
		return fmt.Errorf("withdraw deletion: %w", err)
	}
	ds.applyNow(ctx, a.Organization.ID)
	return nil
}

func (ds *Deletions) withdraw(ctx context.Context, tx Tx, actor account.Access) error {
	if err := actor.RequireAdmin(); err != nil {
		return err
	}
	organization := actor.Organization
	d, known, err := apperr.Found(tx.Deletions().Get(ctx, organization.ID))
	switch {
	case err != nil:
		return err
	case !known:
		return apperr.Errorf(apperr.CodeConflict, account.MessageNotDeleting)
	case d.BegunAt != nil:
		return apperr.Errorf(apperr.CodeConflict, account.MessageDeletionBegun)
	}
	if err := ds.wakeResumptions(ctx, tx, d); err != nil {
		return err
	}
	organization.DeletesAt = nil
	withdrawn := actor.Did(account.ActDeletionWithdrawn)
	return errors.Join(tx.Deletions().Remove(ctx, organization.ID), tx.Organizations().Update(ctx, organization), ds.audit(ctx, tx, withdrawn))
}

// wakeResumptions makes the subscriptions due that the deletion canceled. The release before this
// one canceled the current subscription and wrote no row for it.
func (ds *Deletions) wakeResumptions(ctx context.Context, tx Tx, d Deletion) error {
	rows, err := tx.Deletions().WakeCancellations(ctx, d.OrganizationID, ds.Now())
	if err != nil || rows > 0 || !d.CancelsPlan {
		return err
	}
	current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, d.OrganizationID, ds.knownAccount()))
	if err != nil || !known || current.Status.Ended() {
		return err
	}
	return tx.Deletions().WakeCancellation(ctx, d.OrganizationID, current.ID, ds.Now())
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

// delete expires the open checkouts, cancels the subscriptions that are live at Stripe with an
// invoice of what is owed, and refunds what was charged for periods that began after the request.
// The organization is deleted only when nothing is left that could be charged. An invoice that is
// not paid stays open: invoices can be read and paid after the deletion.
func (ds *Deletions) delete(ctx context.Context, organizationID string) error {
	acct, err := ds.requireAccount(ctx)
	if err != nil {
		return err
	}
	d, known, err := apperr.Found(ds.begin(ctx, organizationID))
	if err != nil || !known { // withdrawn meanwhile
		return err
	}
	if err := ds.expireCheckouts(ctx, acct, organizationID); err != nil {
		return err
	}
	if err := ds.readSubscriptions(ctx, acct, organizationID); err != nil {
		return err
	}
	live, err := ds.store.Subscriptions().Live(ctx, acct, organizationID)
	if err != nil {
		return err
	}
	for _, subscription := range live {
		if subscription.ScheduleID != "" {
			if _, err := ds.subscriptions.releaseSchedule(ctx, subscription); err != nil {
				return fmt.Errorf("release schedule: %w", err)
			}
		}
		if err := ds.gateway.CancelInvoicing(ctx, subscription.ID); err != nil && !apperr.IsMissing(err) {
			return fmt.Errorf("cancel subscription: %w", err)
		}
		if _, err := ds.subscriptions.refetch(ctx, subscription.ID); err != nil {
			return err
		}
	}
	if err := ds.refundPeriods(ctx, acct, d); err != nil {
		return err
	}
	return ds.store.InTx(ctx, func(tx Tx) error { return ds.markDeleted(ctx, tx, acct, organizationID) })
}

// begin marks a deletion as begun, before Stripe is called: a withdrawal that came in between would
// keep an organization whose plan has ended.
func (ds *Deletions) begin(ctx context.Context, organizationID string) (d Deletion, err error) {
	err = ds.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if d, err = tx.Deletions().Get(ctx, organizationID); err != nil || d.BegunAt != nil {
			return err
		}
		now := ds.Now()
		d.BegunAt = &now
		return tx.Deletions().Put(ctx, d)
	})
	return d, err
}

// readSubscriptions reads the customer's subscriptions from Stripe that are not known here, or not
// as ended. Support can sell a plan up to the last moment, and its event can be late or lost.
func (ds *Deletions) readSubscriptions(ctx context.Context, acct StripeAccount, organizationID string) error {
	link, linked, err := apperr.Found(ds.store.Customers().Link(ctx, organizationID, acct))
	if err != nil {
		return fmt.Errorf("look up customer: %w", err)
	}
	if !linked || link.DeletedAt != nil || link.StripeCustomerID == "" {
		return nil
	}
	atStripe, err := ds.gateway.Subscriptions(ctx, link.StripeCustomerID)
	if err != nil && !apperr.IsMissing(err) {
		return fmt.Errorf("list subscriptions at Stripe: %w", err)
	}
	for _, listed := range atStripe {
		stored, known, err := apperr.Found(ds.store.Subscriptions().Get(ctx, listed.ID))
		if err != nil {
			return fmt.Errorf("read subscription: %w", err)
		}
		if known && stored.Status.Ended() {
			continue
		}
		if _, err := ds.subscriptions.refetch(ctx, listed.ID); err != nil && !errors.Is(err, apperr.ErrNotFound) {
			return err
		}
	}
	return nil
}

func (ds *Deletions) markDeleted(ctx context.Context, tx Tx, acct StripeAccount, organizationID string) error {
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
	if err := tx.Deletions().MarkDeleted(ctx, organizationID, ds.Now()); err != nil {
		return err
	}
	return ds.audit(ctx, tx, account.AuditEntry{Act: account.ActOrganizationDeleted, OrganizationID: organizationID}.To(organizationID, organization.Name))
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
