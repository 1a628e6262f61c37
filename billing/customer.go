package billing

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Customers links customers at Stripe to organizations.
type Customers struct{ *core }

// ensureCustomer returns the organization's customer, creating it at Stripe once. The link is reserved before Stripe is called, with
// the parameters it is called with, so that whoever repeats the call repeats it exactly.
func (cs *Customers) ensure(ctx context.Context, a account.Access, acct StripeAccount) (CustomerLink, error) {
	var link CustomerLink
	err := cs.store.InTx(ctx, func(tx Tx) (err error) {
		link, err = cs.reserve(ctx, tx, a, acct)
		return err
	})
	if err != nil || link.StripeCustomerID != "" {
		return link, err
	}
	customerID, err := cs.gateway.CreateCustomer(ctx, link)
	if err != nil {
		return CustomerLink{}, errors.Join(apperr.StripeFailed("create customer", err), cs.abandonReservation(ctx, link, err))
	}
	err = cs.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, link.OrganizationID); err != nil {
			return err
		}
		link.StripeCustomerID, link.UpdatedAt = customerID, cs.Now()
		if err := tx.Customers().PutLink(ctx, link); err != nil {
			return err
		}
		return cs.scheduleContactUpdate(ctx, tx, link.OrganizationID)
	})
	return link, err
}

// reserveCustomer reads the organization's link or reserves the next generation of it.
func (cs *Customers) reserve(ctx context.Context, tx Tx, a account.Access, acct StripeAccount) (CustomerLink, error) {
	organization, err := tx.Organizations().Lock(ctx, a.Organization.ID)
	if err != nil {
		return CustomerLink{}, fmt.Errorf("lock organization: %w", err)
	}
	link, known, err := apperr.Found(tx.Customers().Link(ctx, organization.ID, acct))
	if err != nil || known && link.DeletedAt == nil {
		return link, err
	}
	last, err := tx.Customers().LastGeneration(ctx, organization.ID)
	if err != nil {
		return CustomerLink{}, err
	}
	now := cs.Now()
	link = CustomerLink{
		OrganizationID: organization.ID, Generation: last + 1, Account: acct.ID, Livemode: acct.Livemode,
		Email: a.User.Email, Name: organization.Name, CreatedAt: now, UpdatedAt: now,
	}
	return link, tx.Customers().PutLink(ctx, link)
}

// abandonReservation closes a reservation after a definite failure: its idempotency key would only repeat the stored failure.
func (cs *Customers) abandonReservation(ctx context.Context, link CustomerLink, cause error) error {
	var refused *apperr.StripeError
	if !errors.As(cause, &refused) || refused.OutcomeUnknown || refused.Status == 409 || refused.Status == 429 {
		return nil
	}
	return cs.store.InTx(ctx, func(tx Tx) error {
		now := cs.Now()
		link.DeletedAt, link.UpdatedAt = &now, now
		return tx.Customers().PutLink(ctx, link)
	})
}

// linkCustomer writes the link of a customer we were told about before our own write of it. An organization that has another living
// compareCustomer keeps it: the stranger is not ours. The organization is locked.
func (cs *Customers) link(ctx context.Context, tx Tx, organizationID, customerID string) error {
	acct := cs.knownAccount()
	link, known, err := apperr.Found(tx.Customers().Link(ctx, organizationID, acct))
	if err != nil {
		return fmt.Errorf("look up customer: %w", err)
	}
	if known && link.DeletedAt == nil && link.StripeCustomerID != "" {
		return apperr.ErrNotFound
	}
	now := cs.Now()
	if !known || link.DeletedAt != nil {
		last, err := tx.Customers().LastGeneration(ctx, organizationID)
		if err != nil {
			return err
		}
		link = CustomerLink{OrganizationID: organizationID, Generation: last + 1, Account: acct.ID, Livemode: acct.Livemode, CreatedAt: now}
	}
	link.StripeCustomerID, link.UpdatedAt = customerID, now
	tx.Record("customer %s: linked", customerID)
	return tx.Customers().PutLink(ctx, link)
}

// deleteCustomer marks a customer that Stripe says is deleted. The next checkout makes a new one.
func (cs *Customers) delete(ctx context.Context, customerID string) error {
	return cs.store.InTx(ctx, func(tx Tx) error {
		_, err := cs.markDeleted(ctx, tx, customerID)
		return err
	})
}

func (cs *Customers) markDeleted(ctx context.Context, tx Tx, customerID string) (CustomerLink, error) {
	link, err := tx.Customers().Owner(ctx, customerID, cs.knownAccount())
	if err != nil {
		return link, err
	}
	if _, err := tx.Organizations().Lock(ctx, link.OrganizationID); err != nil {
		return link, fmt.Errorf("lock organization: %w", err)
	}
	now := cs.Now()
	link.DeletedAt, link.UpdatedAt = &now, now
	tx.Record("customer %s: deleted", customerID)
	return link, tx.Customers().PutLink(ctx, link)
}

// findOwner tells whose a customer is. Where no link knows it, the orgId in the metadata is taken as a hint (linked is false): the event
// may be faster than our own write of the link. An empty id means another application's object.
func (cs *Customers) findOwner(ctx context.Context, tx Tx, customerID, hintedOrgID string) (organizationID string, linked bool, err error) {
	if customerID != "" {
		link, known, err := apperr.Found(tx.Customers().Owner(ctx, customerID, cs.knownAccount()))
		if err != nil {
			return "", false, fmt.Errorf("look up customer: %w", err)
		}
		if known {
			return link.OrganizationID, true, nil
		}
	}
	if hintedOrgID == "" {
		return "", false, nil
	}
	organization, known, err := apperr.Found(tx.Organizations().Get(ctx, hintedOrgID))
	if err != nil || !known {
		return "", false, err
	}
	return organization.ID, false, nil
}

// lockOwner is [Service.findOwner] with the organization locked. Nearly always it is one question.
func (cs *Customers) lockOwner(ctx context.Context, tx Tx, customerID, hintedOrgID string) (organizationID string, linked bool, err error) {
	organizationID, linked, err = apperr.Found(tx.Customers().LockOwner(ctx, customerID, cs.knownAccount()))
	if err != nil {
		return "", false, fmt.Errorf("lock the customer's organization: %w", err)
	}
	if linked {
		return organizationID, true, nil
	}
	organizationID, linked, err = cs.findOwner(ctx, tx, customerID, hintedOrgID)
	if err != nil || organizationID == "" {
		return "", false, err
	}
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return "", false, fmt.Errorf("lock organization: %w", err)
	}
	return organizationID, linked, nil
}

// adopt finds and locks the organization a fetched object belongs to, and writes the link where our own write of it was overtaken: only
// where the organization has no customer yet.
func (cs *Customers) resolveOwner(ctx context.Context, tx Tx, customerID, hintedOrgID string) (string, error) {
	organizationID, linked, err := cs.findOwner(ctx, tx, customerID, hintedOrgID)
	if err != nil {
		return "", err
	}
	if organizationID == "" {
		return "", apperr.ErrNotFound
	}
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return "", fmt.Errorf("lock organization: %w", err)
	}
	if linked {
		return organizationID, nil
	}
	return organizationID, cs.link(ctx, tx, organizationID, customerID)
}

// handleCustomerCreated writes the link where our own write of it was lost or overtaken.
func (cs *Customers) handleCreated(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, linked, err := cs.findOwner(ctx, tx, e.ObjectID, e.OrgID)
	if err != nil || organizationID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	if linked {
		return eventResult{OutcomeApplied, organizationID}, nil
	}
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return eventResult{}, fmt.Errorf("lock organization: %w", err)
	}
	if err := cs.link(ctx, tx, organizationID, e.ObjectID); err != nil {
		if errors.Is(err, apperr.ErrNotFound) { // the organization has another customer
			return eventResult{OutcomeIgnored, organizationID}, nil
		}
		return eventResult{}, err
	}
	return eventResult{OutcomeApplied, organizationID}, nil
}

func (cs *Customers) handleDeleted(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	link, err := cs.markDeleted(ctx, tx, e.ObjectID)
	if errors.Is(err, apperr.ErrNotFound) {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	return eventResult{OutcomeApplied, link.OrganizationID}, err
}
