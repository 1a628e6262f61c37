package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing/apperr"
)

// DomainResolver looks DNS records up.
type DomainResolver interface {
	// TXT returns the TXT records of a name; none if it has none. An error means that DNS did not
	// answer.
	TXT(ctx context.Context, name string) ([]string, error)
}

// Domains are the domains that organizations claim, and prove with a DNS record to be theirs.
type Domains struct {
	*base
	members  *Members
	resolver DomainResolver // nil: none can be verified
}

const (
	// The label is below the domain, so that the record is beside none of others (RFC 8552).
	domainRecordLabel = "_usher-verification"
	domainValuePrefix = "usher-verification="
	maxDomains        = 20 // of an organization
	domainLookupLimit = 5 * time.Second
)

// Messages about the proof of a domain.
const (
	MessageDomainListed   = "This domain is in the list already."
	MessageDomainNoRecord = "There is no such TXT record yet. New records can take an hour to be visible. Compare the name with the one in your DNS settings, then check again."
	MessageDomainOther    = "There is a TXT record with this name, but with another value. Copy the value from here, then check again."
	MessageDomainNoDNS    = "DNS didn't answer, so we don't know whether the record is there. Check again in a few minutes."
	MessageDomainTaken    = "The record is right, but another organization here has verified this domain. An admin there has to remove it first. If you don't know who that is, contact the people who run this site."
	messageTooManyDomains = "An organization can have %d domains. Remove one that you don't need."
)

// RecordName returns the name of the DNS record that proves the domain.
func (d Domain) RecordName() string { return domainRecordLabel + "." + d.Name }

// RecordValue returns the text of the DNS record that proves the domain.
func (d Domain) RecordValue() string { return domainValuePrefix + d.Token }

// List lists the organization's domains by name. Error: CodeForbidden unless the actor is an admin.
func (ds *Domains) List(ctx context.Context, a Access) ([]Domain, error) {
	if err := a.RequireAdmin(); err != nil {
		return nil, err
	}
	return ds.store.Domains().OfOrganization(ctx, a.Organization.ID)
}

// Add claims a domain for the organization. People join by it once it is verified, and take a seat
// if it is billable. Errors: CodeForbidden unless the actor is an admin; CodeUnprocessable and
// CodeConflict with the field domain.
func (ds *Domains) Add(ctx context.Context, a Access, typed string, billable bool) (Domain, error) {
	var domain Domain
	err := ds.asAdmin(ctx, a, func(tx Tx, actor Access) error {
		name, err := cleanDomain(typed)
		if err != nil {
			return err
		}
		present, err := tx.Domains().OfOrganization(ctx, actor.Organization.ID)
		if err != nil {
			return err
		}
		if len(present) >= maxDomains {
			return apperr.FieldError("domain", messageTooManyDomains, maxDomains)
		}
		domain = Domain{
			ID: ds.NewID("dom"), OrganizationID: actor.Organization.ID, Name: name, Token: newToken(ds.Rand), Billable: billable,
			CreatedBy: actor.User.Name, CreatedAt: ds.Now(),
		}
		if err := tx.Domains().Insert(ctx, domain); err != nil {
			return err
		}
		return ds.record(ctx, tx, actor.Did(ActDomainAdded).To(domain.ID, name).Changed(nil, domain.settings()))
	})
	if err != nil {
		return Domain{}, fmt.Errorf("add domain: %w", err)
	}
	return domain, nil
}

// settings is what an audit entry says about the domain.
func (d Domain) settings() AuditValues { return AuditValues{"seat": yesOrNo(d.Billable)} }

// Check looks the domain's DNS record up and marks the domain as verified if it is there. Errors:
// CodeForbidden; [apperr.ErrNotFound]; CodeConflict if there is no record or one with another
// value, if DNS did not answer, or if another organization has verified the domain.
func (ds *Domains) Check(ctx context.Context, a Access, domainID string) error {
	if err := a.RequireAdmin(); err != nil {
		return err
	}
	domain, err := ds.store.Domains().Get(ctx, a.Organization.ID, domainID)
	if err != nil || domain.VerifiedAt != nil {
		return err
	}
	if err := ds.lookUp(ctx, domain); err != nil { // outside of a transaction: it can take seconds
		return err
	}
	err = ds.asAdmin(ctx, a, func(tx Tx, actor Access) error {
		current, err := tx.Domains().Get(ctx, actor.Organization.ID, domainID)
		if err != nil || current.VerifiedAt != nil {
			return err
		}
		if err := tx.Domains().Verify(ctx, current, ds.Now()); err != nil {
			return err
		}
		return ds.record(ctx, tx, actor.Did(ActDomainVerified).To(current.ID, current.Name).Changed(nil, current.settings()))
	})
	if err != nil {
		return fmt.Errorf("check domain: %w", err)
	}
	return nil
}

func (ds *Domains) lookUp(ctx context.Context, d Domain) error {
	ctx, cancel := context.WithTimeout(ctx, domainLookupLimit)
	defer cancel()
	if ds.resolver == nil {
		return apperr.Errorf(apperr.CodeConflict, MessageDomainNoDNS)
	}
	values, err := ds.resolver.TXT(ctx, d.RecordName())
	is := func(value string) bool { return strings.Trim(value, ` "`) == d.RecordValue() }
	switch {
	case err != nil:
		return &apperr.Error{Code: apperr.CodeConflict, Message: MessageDomainNoDNS, Err: err}
	case len(values) == 0:
		return apperr.Errorf(apperr.CodeConflict, MessageDomainNoRecord)
	case !slices.ContainsFunc(values, is):
		return apperr.Errorf(apperr.CodeConflict, MessageDomainOther)
	}
	return nil
}

// SetBillable sets whether people who join by the domain take a seat. Members keep what they have.
// Errors: CodeForbidden; [apperr.ErrNotFound].
func (ds *Domains) SetBillable(ctx context.Context, a Access, domainID string, billable bool) error {
	err := ds.change(ctx, a, domainID, func(tx Tx, actor Access, d Domain) error {
		if d.Billable == billable {
			return nil
		}
		before := d.settings()
		d.Billable = billable
		if err := tx.Domains().SetBillable(ctx, d, billable); err != nil {
			return err
		}
		return ds.record(ctx, tx, actor.Did(ActDomainChanged).To(d.ID, d.Name).Changed(before, d.settings()))
	})
	if err != nil {
		return fmt.Errorf("change domain: %w", err)
	}
	return nil
}

// Remove ends the claim of a domain. Nobody joins by it any more; members stay. Errors:
// CodeForbidden; [apperr.ErrNotFound].
func (ds *Domains) Remove(ctx context.Context, a Access, domainID string) error {
	err := ds.change(ctx, a, domainID, func(tx Tx, actor Access, d Domain) error {
		if err := tx.Domains().Delete(ctx, d); err != nil {
			return err
		}
		return ds.record(ctx, tx, actor.Did(ActDomainRemoved).To(d.ID, d.Name))
	})
	if err != nil {
		return fmt.Errorf("remove domain: %w", err)
	}
	return nil
}

// RemoveByOperator is [Domains.Remove] for the verified domain of any organization, on behalf of
// whoever runs the installation: the domain has another owner by now. Error: [apperr.ErrNotFound]
// if no organization has verified it.
func (ds *Domains) RemoveByOperator(ctx context.Context, name string) (Domain, error) {
	var domain Domain
	err := ds.store.InTx(ctx, func(tx Tx) (err error) {
		if domain, err = tx.Domains().Verified(ctx, domainOf("@"+name)); err != nil {
			return err
		}
		if _, err := tx.Organizations().Lock(ctx, domain.OrganizationID); err != nil {
			return err
		}
		if err := tx.Domains().Delete(ctx, domain); err != nil {
			return err
		}
		return ds.record(ctx, tx, AuditEntry{Act: ActDomainRemoved, OrganizationID: domain.OrganizationID}.To(domain.ID, domain.Name))
	})
	if err != nil {
		return Domain{}, fmt.Errorf("remove domain: %w", err)
	}
	return domain, nil
}

func (ds *Domains) change(ctx context.Context, a Access, domainID string, f func(tx Tx, actor Access, d Domain) error) error {
	return ds.asAdmin(ctx, a, func(tx Tx, actor Access) error {
		domain, err := tx.Domains().Get(ctx, actor.Organization.ID, domainID)
		if err != nil {
			return err
		}
		return f(tx, actor, domain)
	})
}

func (ds *Domains) asAdmin(ctx context.Context, a Access, f func(tx Tx, actor Access) error) error {
	return ds.members.InLockedOrganization(ctx, a, func(tx Tx, actor Access) error {
		if err := actor.RequireAdmin(); err != nil {
			return err
		}
		return f(tx, actor)
	})
}
