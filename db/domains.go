package db

import (
	"context"
	"time"

	"usher/billing/account"
)

// domainStore implements [account.DomainStore].
type domainStore struct{ queries }

// Domains implements [account.Tx].
func (q queries) Domains() account.DomainStore { return domainStore{q} }

var domainTable = tableOf[account.Domain]("organization_domains")

var insertDomain = domainTable.insert()

// Insert implements [account.DomainStore].
func (q domainStore) Insert(ctx context.Context, d account.Domain) error {
	return q.exec(ctx, "insert domain", insertDomain, domainTable.values(d)...)
}

var selectDomains = `select ` + domainTable.list("") + ` from organization_domains where organization_id = $1`

// OfOrganization implements [account.DomainStore].
func (q domainStore) OfOrganization(ctx context.Context, organizationID string) ([]account.Domain, error) {
	return list[account.Domain](ctx, q.queries, "list domains", selectDomains+` order by domain`, organizationID)
}

// Get implements [account.DomainStore].
func (q domainStore) Get(ctx context.Context, organizationID, domainID string) (account.Domain, error) {
	return get[account.Domain](ctx, q.queries, "read domain", selectDomains+` and id = $2`, organizationID, domainID)
}

var selectVerifiedDomain = `select ` + domainTable.list("d") + ` from organization_domains d
	join organizations o on o.id = d.organization_id
	where d.domain = $1 and d.verified_at is not null and o.deleted_at is null`

// Verified implements [account.DomainStore].
func (q domainStore) Verified(ctx context.Context, name string) (account.Domain, error) {
	return get[account.Domain](ctx, q.queries, "read verified domain", selectVerifiedDomain, name)
}

const (
	// A deleted organization keeps no domain from others.
	releaseDomain = `delete from organization_domains d using organizations o
		where d.domain = $1 and d.organization_id = o.id and o.deleted_at is not null`
	verifyDomain = `update organization_domains set verified_at = $3 where organization_id = $1 and id = $2`
)

// Verify implements [account.DomainStore].
func (q domainStore) Verify(ctx context.Context, d account.Domain, at time.Time) error {
	if err := q.exec(ctx, "release domain", releaseDomain, d.Name); err != nil {
		return err
	}
	return q.execOne(ctx, "verify domain", verifyDomain, d.OrganizationID, d.ID, at)
}

const updateDomain = `update organization_domains set billable = $3 where organization_id = $1 and id = $2`

// SetBillable implements [account.DomainStore].
func (q domainStore) SetBillable(ctx context.Context, d account.Domain, billable bool) error {
	return q.execOne(ctx, "update domain", updateDomain, d.OrganizationID, d.ID, billable)
}

const deleteDomain = `delete from organization_domains where organization_id = $1 and id = $2`

// Delete implements [account.DomainStore].
func (q domainStore) Delete(ctx context.Context, d account.Domain) error {
	return q.execOne(ctx, "delete domain", deleteDomain, d.OrganizationID, d.ID)
}
