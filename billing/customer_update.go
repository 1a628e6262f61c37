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
	ID         string `db:"stripe_customer_id"`
	Name       string `db:"stripe_name"`
	Email      string `db:"stripe_email"`
	Delinquent bool   `db:"delinquent"` // the last invoice's payment failed (https://docs.stripe.com/api/customers/object)
	Deleted    bool
	AsOf       time.Time `db:"as_of,null"` // as a subscription's
}

// CustomerDetails are what the organization's customer is called at Stripe, and what it is to be called.
type CustomerDetails struct {
	StripeCustomer
	OrganizationID string     `db:"organization_id"`
	Wanted         int64      `db:"details_version"`         // counts the changes of what it is to be called
	Pushed         int64      `db:"details_applied_version"` // the last of them that Stripe took
	DueAt          *time.Time `db:"details_due_at"`          // when Stripe is to be told; nil while there is nothing to tell
	Failures       int        `db:"details_failures"`        // in a row
	Error          string     `db:"details_error"`           // why the last attempt failed, in words
}

// CustomerGateway reads and names customers.
type CustomerGateway interface {
	// Customer reads a customer; a deleted one is no error.
	Customer(ctx context.Context, id string) (StripeCustomer, error)
	// UpdateCustomer has a customer carry a name and, unless it is empty, an address. Both are absolute, so that repeating it does no harm.
	UpdateCustomer(ctx context.Context, id, name, email string) (StripeCustomer, error)
}

// customerLease is how long one worker has a customer's details to itself: longer than a call to Stripe may take.
const customerLease = 30 * time.Second

// OrganizationRenamed schedules the update of the organization's customer at Stripe. It is part of [account.Hooks].
func (cs *Customers) OrganizationRenamed(ctx context.Context, tx account.Tx, organizationID string) error {
	return cs.scheduleUpdate(ctx, tx.(Tx), organizationID)
}

// scheduleCustomerUpdate has Stripe's customer follow the organization's name and its first billing contact. Stripe is told soon after the
// transaction, never within it.
func (cs *Customers) scheduleUpdate(ctx context.Context, tx Tx, organizationID string) error {
	if err := tx.Customers().ScheduleUpdate(ctx, organizationID, cs.knownAccount(), cs.Now()); err != nil {
		return fmt.Errorf("want customer details: %w", err)
	}
	return nil
}

// updateDueCustomers tells Stripe what is due.
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
	named, err := cs.gateway.UpdateCustomer(bounded, d.ID, organization.Name, email)
	done := context.WithoutCancel(ctx)
	acct := cs.knownAccount()
	if err != nil {
		cs.scheduleRetry(&d, err)
		cs.Log.WarnContext(ctx, "the customer's name is not told", "organization", d.OrganizationID, "error", err)
		return cs.store.Customers().FinishUpdate(done, acct, d, cs.Now())
	}
	d.Pushed, d.Failures, d.Error, d.DueAt = d.Wanted, 0, "", nil
	return errors.Join(cs.store.Customers().Put(done, acct, named), cs.store.Customers().FinishUpdate(done, acct, d, cs.Now()))
}

// scheduleCustomerRetry plans the next attempt; where another would end the same way there is none, until something else is wanted.
func (cs *Customers) scheduleRetry(d *CustomerDetails, cause error) {
	d.Failures++
	d.Error = cause.Error()
	d.DueAt = nil
	if !isPermanent(cause) && !apperr.IsMissing(cause) {
		next := cs.Now().Add(cs.Backoff(d.Failures))
		d.DueAt = &next
	}
}

// scheduleContactUpdate has a new customer, which was made with the address of whoever was the first to pay, carry that of the billing contact.
func (cs *Customers) scheduleContactUpdate(ctx context.Context, tx Tx, organizationID string) error {
	contacts, err := tx.Contacts().List(ctx, organizationID)
	if err != nil || len(contacts) == 0 {
		return err
	}
	return cs.scheduleUpdate(ctx, tx, organizationID)
}
