package account

import (
	"context"
	"time"
)

// Domain is a domain of e-mail addresses that an organization claims, and has verified if a DNS
// record proves it. See [DomainMembers] for what follows.
type Domain struct {
	ID             string     `db:"id"` // dom_…
	OrganizationID string     `db:"organization_id"`
	Name           string     `db:"domain"` // in ASCII form and lower case, such as xn--bcher-kva.example
	Token          string     `db:"token"`  // of the DNS record
	Billable       bool       `db:"billable"`
	CreatedBy      string     `db:"created_by"` // the person's name at that time
	CreatedAt      time.Time  `db:"created_at"`
	VerifiedAt     *time.Time `db:"verified_at"` // nil: not yet
}

// DomainStore stores the domains of organizations.
type DomainStore interface {
	Insert(ctx context.Context, d Domain) error // CodeConflict for one that is there
	// OfOrganization lists the domains of an organization by name.
	OfOrganization(ctx context.Context, organizationID string) ([]Domain, error)
	Get(ctx context.Context, organizationID, domainID string) (Domain, error)
	// Verified returns the domain of the organization, not a deleted one, that has verified it.
	Verified(ctx context.Context, name string) (Domain, error)
	// Verify marks a domain as verified; CodeConflict if it is another organization's. It needs a
	// transaction.
	Verify(ctx context.Context, d Domain, at time.Time) error
	SetBillable(ctx context.Context, d Domain, billable bool) error
	Delete(ctx context.Context, d Domain) error
}
