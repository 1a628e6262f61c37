package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// StripeCustomer is a customer as Stripe has it.
type StripeCustomer struct {
	ID    string `db:"stripe_customer_id"`
	Name  string `db:"stripe_name"`
	Email string `db:"stripe_email"`
	// Delinquent means that the last invoice's payment failed
	// (https://docs.stripe.com/api/customers/object).
	Delinquent bool `db:"delinquent"`
	Deleted    bool
	OrgID      string    // the orgId in its metadata; not stored
	Currency   string    // of its subscriptions and invoices, empty before the first; not stored
	AsOf       time.Time `db:"as_of,null"` // when this state was true at Stripe, by Stripe's clock
}

// CustomerDetails is an organization's customer and the state of the update of its name and e-mail
// address at Stripe.
type CustomerDetails struct {
	StripeCustomer
	OrganizationID string `db:"organization_id"`
	Version        int64  `db:"details_version"`         // counts the changes to send
	AppliedVersion int64  `db:"details_applied_version"` // the last of them that Stripe accepted
	// DueAt is when the update is to be sent; nil if none is pending.
	DueAt    *time.Time `db:"details_due_at"`
	Failures int        `db:"details_failures"` // in a row
	Error    string     `db:"details_error"`    // why the last attempt failed, as text
}

// CustomerGateway reads and updates customers.
type CustomerGateway interface {
	// Customer reads a customer; a deleted one is no error.
	Customer(ctx context.Context, id string) (StripeCustomer, error)
	// UpdateCustomer sets a customer's name and, unless it is empty, its e-mail address. Repeating
	// it is safe.
	UpdateCustomer(ctx context.Context, id, name, email string) (StripeCustomer, error)
}

// customerLease is how long one worker owns a customer's update. It is longer than a call to Stripe
// may take.
const customerLease = 30 * time.Second

// CustomerDetailsChanged schedules the update of the organization's customer at Stripe. It is part
// of [account.Hooks].
func (cs *Customers) CustomerDetailsChanged(ctx context.Context, tx account.Tx, organizationID string) error {
	return cs.scheduleUpdate(ctx, tx.(Tx), organizationID)
}

// scheduleUpdate makes an update of the customer due: its name is the organization's, its e-mail
// address the first billing contact's. The update is sent after the transaction.
func (cs *Customers) scheduleUpdate(ctx context.Context, tx Tx, organizationID string) error {
	if err := tx.Customers().ScheduleUpdate(ctx, organizationID, cs.knownAccount(), cs.Now()); err != nil {
		return fmt.Errorf("schedule customer update: %w", err)
	}
	return nil
}

// updateDue sends the updates that are due.
func (cs *Customers) updateDue(ctx context.Context) error {
	for {
		now := cs.Now()
		due, claimed, err := apperr.Found(cs.store.Customers().ClaimUpdate(ctx, cs.knownAccount(), now, now.Add(customerLease)))
		if err != nil || !claimed {
			return err
		}
		if err := cs.update(ctx, due); err != nil {
			return err
		}
	}
}

func (cs *Customers) update(ctx context.Context, d CustomerDetails) error {
	organization, err := cs.store.Organizations().Get(ctx, d.OrganizationID)
	if err != nil {
		return err
	}
	contacts, err := cs.store.Contacts().List(ctx, d.OrganizationID)
	if err != nil {
		return err
	}
	email := ""
	if len(contacts) > 0 {
		email = contacts[0]
	}
	bounded, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	updated, err := cs.gateway.UpdateCustomer(bounded, d.ID, organization.Name, email)
	done := context.WithoutCancel(ctx)
	acct := cs.knownAccount()
	if err != nil {
		cs.scheduleRetry(&d, err)
		cs.Log.WarnContext(ctx, "customer update failed", "organization_id", d.OrganizationID, "err", err)
		return cs.store.Customers().FinishUpdate(done, acct, d, cs.Now())
	}
	d.AppliedVersion, d.Failures, d.Error, d.DueAt = d.Version, 0, "", nil
	return errors.Join(cs.store.Customers().Put(done, acct, updated), cs.store.Customers().FinishUpdate(done, acct, d, cs.Now()))
}

// scheduleRetry schedules the next attempt. After a permanent failure there is none until the next
// change.
func (cs *Customers) scheduleRetry(d *CustomerDetails, cause error) {
	d.Failures++
	d.Error = cause.Error()
	d.DueAt = nil
	if !isPermanent(cause) && !apperr.IsMissing(cause) {
		next := cs.Now().Add(cs.Backoff(d.Failures))
		d.DueAt = &next
	}
}

// scheduleContactUpdate schedules an update of a new customer if there is a billing contact: the
// customer was created with the address of the user who started the checkout.
func (cs *Customers) scheduleContactUpdate(ctx context.Context, tx Tx, organizationID string) error {
	contacts, err := tx.Contacts().List(ctx, organizationID)
	if err != nil || len(contacts) == 0 {
		return err
	}
	return cs.scheduleUpdate(ctx, tx, organizationID)
}
