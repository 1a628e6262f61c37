package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Customers links customers at Stripe to organizations.
type Customers struct{ *core }

// CustomerLink links an organization to a customer at Stripe. It is stored, as reserved, before
// Stripe is called.
type CustomerLink struct {
	OrganizationID string `db:"organization_id"`
	// Generation is part of the idempotency key. It rises after a deletion or a definite failure.
	Generation       int    `db:"generation"`
	StripeCustomerID string `db:"stripe_customer_id,null"` // empty while reserved
	// Account is the Stripe account. Links of another account or mode are not used.
	Account   string     `db:"account"`
	Livemode  bool       `db:"livemode"`
	Email     string     `db:"email"` // that the customer is created with
	Name      string     `db:"name"`
	CreatedAt time.Time  `db:"created_at"`
	UpdatedAt time.Time  `db:"updated_at"`
	DeletedAt *time.Time `db:"deleted_at"` // deleted at Stripe
}

// ensure returns the link to the organization's customer and creates the customer at Stripe if
// there is none. The link is reserved before the call, with its parameters, so that a repeated call
// is the same.
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

// reserve reads the organization's link or reserves its next generation.
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

// abandonReservation marks a reservation deleted after a definite failure: under its idempotency
// key Stripe would only repeat that failure.
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

// link stores the link of a customer whose event arrived before our own write. An organization that
// has another customer keeps it, and link returns [apperr.ErrNotFound]. The organization is locked.
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

// delete marks a customer that is deleted at Stripe. The next checkout creates a new one.
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

// findOwner returns the organization of a customer. Without a link, the orgId of the metadata is
// used (linked is false): the event may arrive before our own write of the link. An empty id means
// another application's object.
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

// lockOwner is findOwner with the organization locked, nearly always in one query.
func (cs *Customers) lockOwner(ctx context.Context, tx Tx, customerID, hintedOrgID string) (organizationID string, linked bool, err error) {
	organizationID, linked, err = apperr.Found(tx.Customers().LockOwner(ctx, customerID, cs.knownAccount()))
	if err != nil {
		return "", false, fmt.Errorf("lock customer's organization: %w", err)
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

// resolveOwner finds and locks the organization of a fetched object. It stores the link if the
// organization has no customer yet. Error: [apperr.ErrNotFound] for another application's object.
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

// handleCreated handles customer.created: it stores the link if our own write was lost or is later.
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

// handleDeleted handles customer.deleted.
func (cs *Customers) handleDeleted(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	link, err := cs.markDeleted(ctx, tx, e.ObjectID)
	if errors.Is(err, apperr.ErrNotFound) {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	return eventResult{OutcomeApplied, link.OrganizationID}, err
}
