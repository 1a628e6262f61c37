package billing

import (
	"context"
	"errors"
	"fmt"
)

// ensureCustomer returns the organization's customer, creating it at Stripe once. The link is reserved before Stripe is called, with
// the parameters it is called with, so that whoever repeats the call repeats it exactly.
func (s *Service) ensureCustomer(ctx context.Context, a Access, account StripeAccount) (CustomerLink, error) {
	var link CustomerLink
	err := s.store.InTx(ctx, func(q Queries) (err error) {
		link, err = s.reserveCustomer(ctx, q, a, account)
		return err
	})
	if err != nil || link.StripeCustomerID != "" {
		return link, err
	}
	customerID, err := s.gateway.CreateCustomer(ctx, link)
	if err != nil {
		return CustomerLink{}, errors.Join(stripeFailed("create customer", err), s.giveUpReservation(ctx, link, err))
	}
	err = s.store.InTx(ctx, func(q Queries) error {
		if _, err := q.LockOrganization(ctx, link.OrganizationID); err != nil {
			return err
		}
		link.StripeCustomerID, link.UpdatedAt = customerID, s.now()
		if err := q.PutCustomerLink(ctx, link); err != nil {
			return err
		}
		return s.wantContactAtStripe(ctx, q, link.OrganizationID)
	})
	return link, err
}

// reserveCustomer reads the organization's link or reserves the next generation of it.
func (s *Service) reserveCustomer(ctx context.Context, q Queries, a Access, account StripeAccount) (CustomerLink, error) {
	organization, err := q.LockOrganization(ctx, a.Organization.ID)
	if err != nil {
		return CustomerLink{}, fmt.Errorf("lock organization: %w", err)
	}
	link, known, err := optional(q.CustomerLink(ctx, organization.ID, account))
	if err != nil || known && link.DeletedAt == nil {
		return link, err
	}
	last, err := q.LastGeneration(ctx, organization.ID)
	if err != nil {
		return CustomerLink{}, err
	}
	now := s.now()
	link = CustomerLink{
		OrganizationID: organization.ID, Generation: last + 1, Account: account.ID, Livemode: account.Livemode,
		Email: a.User.Email, Name: organization.Name, CreatedAt: now, UpdatedAt: now,
	}
	return link, q.PutCustomerLink(ctx, link)
}

// giveUpReservation closes a reservation after a definite failure: its idempotency key would only repeat the stored failure.
func (s *Service) giveUpReservation(ctx context.Context, link CustomerLink, cause error) error {
	var refused *StripeError
	if !errors.As(cause, &refused) || refused.Unanswered || refused.Status == 409 || refused.Status == 429 {
		return nil
	}
	return s.store.InTx(ctx, func(q Queries) error {
		now := s.now()
		link.DeletedAt, link.UpdatedAt = &now, now
		return q.PutCustomerLink(ctx, link)
	})
}

// linkCustomer writes the link of a customer we were told about before our own write of it. An organization that has another living
// customer keeps it: the stranger is not ours. The organization is locked.
func (s *Service) linkCustomer(ctx context.Context, q Queries, organizationID, customerID string) error {
	account := s.knownAccount()
	link, known, err := optional(q.CustomerLink(ctx, organizationID, account))
	if err != nil {
		return fmt.Errorf("look up customer: %w", err)
	}
	if known && link.DeletedAt == nil && link.StripeCustomerID != "" {
		return ErrNotFound
	}
	now := s.now()
	if !known || link.DeletedAt != nil {
		last, err := q.LastGeneration(ctx, organizationID)
		if err != nil {
			return err
		}
		link = CustomerLink{OrganizationID: organizationID, Generation: last + 1, Account: account.ID, Livemode: account.Livemode, CreatedAt: now}
	}
	link.StripeCustomerID, link.UpdatedAt = customerID, now
	q.Record("customer %s: linked", customerID)
	return q.PutCustomerLink(ctx, link)
}

// forgetCustomer marks a customer that Stripe says is deleted. The next checkout makes a new one.
func (s *Service) forgetCustomer(ctx context.Context, customerID string) error {
	return s.store.InTx(ctx, func(q Queries) error {
		_, err := s.markCustomerDeleted(ctx, q, customerID)
		return err
	})
}

func (s *Service) markCustomerDeleted(ctx context.Context, q Queries, customerID string) (CustomerLink, error) {
	link, err := q.CustomerOwner(ctx, customerID, s.knownAccount())
	if err != nil {
		return link, err
	}
	if _, err := q.LockOrganization(ctx, link.OrganizationID); err != nil {
		return link, fmt.Errorf("lock organization: %w", err)
	}
	now := s.now()
	link.DeletedAt, link.UpdatedAt = &now, now
	q.Record("customer %s: deleted", customerID)
	return link, q.PutCustomerLink(ctx, link)
}
