package db

import (
	"context"

	"usher/billing/account"
)

// organizationStore implements [account.OrganizationStore].
type organizationStore struct{ queries }

// Organizations implements [account.Tx].
func (q queries) Organizations() account.OrganizationStore { return organizationStore{q} }

var organizationTable = tableOf[account.Organization]("organizations")

var insertOrganization = organizationTable.insert()

// Insert implements [account.OrganizationStore].
func (q organizationStore) Insert(ctx context.Context, o account.Organization) error {
	return q.exec(ctx, "insert organization", insertOrganization, organizationTable.values(o)...)
}

var selectOrganization = `select ` + organizationTable.list("o") + ` from organizations o where o.id = $1`

// Get implements [account.OrganizationStore].
func (q organizationStore) Get(ctx context.Context, id string) (account.Organization, error) {
	return get[account.Organization](ctx, q.queries, "read organization", selectOrganization, id)
}

var selectOrganizationByExternalID = `select ` + organizationTable.list("o") + ` from organizations o
	where o.external_id = $1 and o.deleted_at is null`

// ByExternalID implements [account.OrganizationStore].
func (q organizationStore) ByExternalID(ctx context.Context, externalID string) (account.Organization, error) {
	return get[account.Organization](ctx, q.queries, "read organization by external id", selectOrganizationByExternalID, externalID)
}

// "No key update" locks allow other transactions to insert rows that refer to the locked row.
var lockOrganization = selectOrganization + ` for no key update`

// Lock implements [account.OrganizationStore].
func (q organizationStore) Lock(ctx context.Context, id string) (account.Organization, error) {
	organization, err := get[account.Organization](ctx, q.queries, "lock organization", lockOrganization, id)
	if err == nil {
		q.webhooks.mark(id, organization.HasWebhooks)
	}
	return organization, err
}

// A deleted organization is visible to those who managed its billing. Same rule as
// billing.Access.CanManageBilling.
const isVisible = `(o.deleted_at is null or r.id = 'admin' or r.can_manage_billing)`

type accessRow struct {
	account.Member
	User         account.User         `db:"user"`
	Organization account.Organization `db:"organization"`
}

var selectAccess = `select ` + memberColumns + `, ` + userTable.nested("u", "user") + `, ` + organizationTable.nested("o", "organization") + `
	from organization_members m
	join users u on u.id = m.user_id
	join organizations o on o.id = m.organization_id
	join roles r on r.id = m.role_id
	where m.user_id = $1 and m.organization_id = $2 and m.status = 'active' and ` + isVisible

// Access implements [account.OrganizationStore].
func (q organizationStore) Access(ctx context.Context, userID, organizationID string) (account.Access, error) {
	row, err := get[accessRow](ctx, q.queries, "read access", selectAccess, userID, organizationID)
	if row.Member.Provisional { // a program acts in the name of somebody who has no address yet
		row.User.Email = row.Member.Email
	}
	return account.Access{User: row.User, Organization: row.Organization, Member: row.Member}, err
}

var selectOrganizationsOfUser = `select ` + organizationTable.list("o") + ` from organization_members m
	join organizations o on o.id = m.organization_id
	join roles r on r.id = m.role_id
	where m.user_id = $1 and m.status = 'active' and ` + isVisible + ` order by o.deleted_at is not null, m.joined_at, m.id`

// OfUser implements [account.OrganizationStore].
func (q organizationStore) OfUser(ctx context.Context, userID string) ([]account.Organization, error) {
	return list[account.Organization](ctx, q.queries, "list organizations of user", selectOrganizationsOfUser, userID)
}

const setRequireSecondFactor = `update organizations set require_second_factor = $2 where id = $1`

// SetRequireSecondFactor implements [account.OrganizationStore].
func (q organizationStore) SetRequireSecondFactor(ctx context.Context, id string, required bool) error {
	return q.execOne(ctx, "set second factor of organization", setRequireSecondFactor, id, required)
}

const updateOrganization = `update organizations set name = $2, deletes_at = $3, planned_people = $4 where id = $1`

// Update implements [account.OrganizationStore].
func (q organizationStore) Update(ctx context.Context, o account.Organization) error {
	return q.execOne(ctx, "update organization", updateOrganization, o.ID, o.Name, o.DeletesAt, o.PlannedPeople)
}
