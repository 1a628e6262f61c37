package billing

import (
	"context"
	"errors"
	"fmt"
)

// ensureCustomer returns the organization's customer, creating it at Stripe once. The link is reserved before Stripe is called, with
// the parameters it is called with, so that whoever repeats the call repeats it exactly.
func (s *Service) ensureCustomer(ctx context.Context, a Access, acct StripeAccount) (CustomerLink, error) {
	var link CustomerLink
	err := s.store.InTx(ctx, func(tx Tx) (err error) {
		link, err = s.reserveCustomer(ctx, tx, a, acct)
		return err
	})
	if err != nil || link.StripeCustomerID != "" {
		return link, err
	}
	customerID, err := s.gateway.CreateCustomer(ctx, link)
	if err != nil {
		return CustomerLink{}, errors.Join(stripeFailed("create customer", err), s.abandonReservation(ctx, link, err))
	}
	err = s.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, link.OrganizationID); err != nil {
			return err
		}
		link.StripeCustomerID, link.UpdatedAt = customerID, s.now()
		if err := tx.Customers().PutLink(ctx, link); err != nil {
			return err
		}
		return s.scheduleContactUpdate(ctx, tx, link.OrganizationID)
	})
	return link, err
}

// reserveCustomer reads the organization's link or reserves the next generation of it.
func (s *Service) reserveCustomer(ctx context.Context, tx Tx, a Access, acct StripeAccount) (CustomerLink, error) {
	organization, err := tx.Organizations().Lock(ctx, a.Organization.ID)
	if err != nil {
		return CustomerLink{}, fmt.Errorf("lock organization: %w", err)
	}
	link, known, err := Found(tx.Customers().Link(ctx, organization.ID, acct))
	if err != nil || known && link.DeletedAt == nil {
		return link, err
	}
	last, err := tx.Customers().LastGeneration(ctx, organization.ID)
	if err != nil {
		return CustomerLink{}, err
	}
	now := s.now()
	link = CustomerLink{
		OrganizationID: organization.ID, Generation: last + 1, Account: acct.ID, Livemode: acct.Livemode,
		Email: a.User.Email, Name: organization.Name, CreatedAt: now, UpdatedAt: now,
	}
	return link, tx.Customers().PutLink(ctx, link)
}

// abandonReservation closes a reservation after a definite failure: its idempotency key would only repeat the stored failure.
func (s *Service) abandonReservation(ctx context.Context, link CustomerLink, cause error) error {
	var refused *StripeError
	if !errors.As(cause, &refused) || refused.Unanswered || refused.Status == 409 || refused.Status == 429 {
		return nil
	}
	return s.store.InTx(ctx, func(tx Tx) error {
		now := s.now()
		link.DeletedAt, link.UpdatedAt = &now, now
		return tx.Customers().PutLink(ctx, link)
	})
}

// linkCustomer writes the link of a customer we were told about before our own write of it. An organization that has another living
// compareCustomer keeps it: the stranger is not ours. The organization is locked.
func (s *Service) linkCustomer(ctx context.Context, tx Tx, organizationID, customerID string) error {
	acct := s.knownAccount()
	link, known, err := Found(tx.Customers().Link(ctx, organizationID, acct))
	if err != nil {
		return fmt.Errorf("look up customer: %w", err)
	}
	if known && link.DeletedAt == nil && link.StripeCustomerID != "" {
		return ErrNotFound
	}
	now := s.now()
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
func (s *Service) deleteCustomer(ctx context.Context, customerID string) error {
	return s.store.InTx(ctx, func(tx Tx) error {
		_, err := s.markCustomerDeleted(ctx, tx, customerID)
		return err
	})
}

func (s *Service) markCustomerDeleted(ctx context.Context, tx Tx, customerID string) (CustomerLink, error) {
	link, err := tx.Customers().Owner(ctx, customerID, s.knownAccount())
	if err != nil {
		return link, err
	}
	if _, err := tx.Organizations().Lock(ctx, link.OrganizationID); err != nil {
		return link, fmt.Errorf("lock organization: %w", err)
	}
	now := s.now()
	link.DeletedAt, link.UpdatedAt = &now, now
	tx.Record("customer %s: deleted", customerID)
	return link, tx.Customers().PutLink(ctx, link)
}

// findOwner tells whose a customer is. Where no link knows it, the orgId in the metadata is taken as a hint (linked is false): the event
// may be faster than our own write of the link. An empty id means another application's object.
func (s *Service) findOwner(ctx context.Context, tx Tx, customerID, hintedOrgID string) (organizationID string, linked bool, err error) {
	if customerID != "" {
		link, known, err := Found(tx.Customers().Owner(ctx, customerID, s.knownAccount()))
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
	organization, known, err := Found(tx.Organizations().Get(ctx, hintedOrgID))
	if err != nil || !known {
		return "", false, err
	}
	return organization.ID, false, nil
}

// lockOwner is [Service.findOwner] with the organization locked. Nearly always it is one question.
func (s *Service) lockOwner(ctx context.Context, tx Tx, customerID, hintedOrgID string) (organizationID string, linked bool, err error) {
	organizationID, linked, err = Found(tx.Customers().LockOwner(ctx, customerID, s.knownAccount()))
	if err != nil {
		return "", false, fmt.Errorf("lock the customer's organization: %w", err)
	}
	if linked {
		return organizationID, true, nil
	}
	organizationID, linked, err = s.findOwner(ctx, tx, customerID, hintedOrgID)
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
func (s *Service) resolveOwner(ctx context.Context, tx Tx, customerID, hintedOrgID string) (string, error) {
	organizationID, linked, err := s.findOwner(ctx, tx, customerID, hintedOrgID)
	if err != nil {
		return "", err
	}
	if organizationID == "" {
		return "", ErrNotFound
	}
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return "", fmt.Errorf("lock organization: %w", err)
	}
	if linked {
		return organizationID, nil
	}
	return organizationID, s.linkCustomer(ctx, tx, organizationID, customerID)
}

// handleCustomerCreated writes the link where our own write of it was lost or overtaken.
func (s *Service) handleCustomerCreated(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, linked, err := s.findOwner(ctx, tx, e.ObjectID, e.OrgID)
	if err != nil || organizationID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	if linked {
		return eventResult{OutcomeApplied, organizationID}, nil
	}
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return eventResult{}, fmt.Errorf("lock organization: %w", err)
	}
	if err := s.linkCustomer(ctx, tx, organizationID, e.ObjectID); err != nil {
		if errors.Is(err, ErrNotFound) { // the organization has another customer
			return eventResult{OutcomeIgnored, organizationID}, nil
		}
		return eventResult{}, err
	}
	return eventResult{OutcomeApplied, organizationID}, nil
}

func (s *Service) handleCustomerDeleted(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	link, err := s.markCustomerDeleted(ctx, tx, e.ObjectID)
	if errors.Is(err, ErrNotFound) {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	return eventResult{OutcomeApplied, link.OrganizationID}, err
}
