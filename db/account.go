package db

import (
	"context"

	"usher/billing/account"
)

var (
	userTable         = tableOf[account.User]("users")
	organizationTable = tableOf[account.Organization]("organizations")
	roleTable         = tableOf[account.Role]("roles")

	// The role is joined when a member is read, and stored by its id.
	memberTable = tableOf[account.Member]("organization_members").
			computed("role_id", func(m account.Member) any { return m.Role.ID })
	memberColumns = memberTable.list("m") + `, u.name, u.email, ` + roleTable.nested("r", "role")
)

var insertUser = userTable.insert()

// InsertUser implements [billing.AccountQueries].
func (q userStore) Insert(ctx context.Context, u account.User) error {
	return q.exec(ctx, "insert user", insertUser, userTable.values(u)...)
}

var selectUser = `select ` + userTable.list("u") + ` from users u where u.id = $1`

// User implements [billing.AccountQueries].
func (q userStore) Get(ctx context.Context, id string) (account.User, error) {
	return get[account.User](ctx, q.queries, "read user", selectUser, id)
}

var lockUser = selectUser + ` for no key update`

// LockUser implements [billing.AccountQueries].
func (q userStore) Lock(ctx context.Context, id string) (account.User, error) {
	return get[account.User](ctx, q.queries, "lock user", lockUser, id)
}

var selectUserByEmail = `select ` + userTable.list("u") + ` from users u where lower(u.email) = lower($1)`

// UserByEmail implements [billing.AccountQueries].
func (q userStore) ByEmail(ctx context.Context, email string) (account.User, error) {
	return get[account.User](ctx, q.queries, "read user by e-mail", selectUserByEmail, email)
}

var insertOrganization = organizationTable.insert()

// InsertOrganization implements [billing.AccountQueries].
func (q organizationStore) Insert(ctx context.Context, o account.Organization) error {
	return q.exec(ctx, "insert organization", insertOrganization, organizationTable.values(o)...)
}

var selectOrganization = `select ` + organizationTable.list("o") + ` from organizations o where o.id = $1`

// Organization implements [billing.AccountQueries].
func (q organizationStore) Get(ctx context.Context, id string) (account.Organization, error) {
	return get[account.Organization](ctx, q.queries, "read organization", selectOrganization, id)
}

// "No key update" locks allow other transactions to insert rows that refer to the locked row.
var lockOrganization = selectOrganization + ` for no key update`

// LockOrganization implements [billing.AccountQueries].
func (q organizationStore) Lock(ctx context.Context, id string) (account.Organization, error) {
	return get[account.Organization](ctx, q.queries, "lock organization", lockOrganization, id)
}

var insertMember = memberTable.insert()

// InsertMember implements [billing.AccountQueries].
func (q memberStore) Insert(ctx context.Context, m account.Member) error {
	return q.exec(ctx, "insert member", insertMember, memberTable.values(m)...)
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

// Access implements [billing.AccountQueries].
func (q organizationStore) Access(ctx context.Context, userID, organizationID string) (account.Access, error) {
	row, err := get[accessRow](ctx, q.queries, "read access", selectAccess, userID, organizationID)
	return account.Access{User: row.User, Organization: row.Organization, Member: row.Member}, err
}

var selectOrganizations = `select ` + organizationTable.list("o") + ` from organization_members m
	join organizations o on o.id = m.organization_id
	join roles r on r.id = m.role_id
	where m.user_id = $1 and m.status = 'active' and ` + isVisible + ` order by o.deleted_at is not null, m.joined_at, m.id`

// Organizations implements [billing.AccountQueries].
func (q organizationStore) OfUser(ctx context.Context, userID string) ([]account.Organization, error) {
	return list[account.Organization](ctx, q.queries, "list organizations", selectOrganizations, userID)
}

var selectMembers = `select ` + memberColumns + ` from organization_members m
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id
	where m.organization_id = $1 order by lower(u.name), lower(u.email)`

// Members implements [billing.AccountQueries].
func (q memberStore) List(ctx context.Context, organizationID string) ([]account.Member, error) {
	return list[account.Member](ctx, q.queries, "list members", selectMembers, organizationID)
}

var selectRoles = `select ` + roleTable.list("r") + ` from roles r
	where r.organization_id is null or r.organization_id = $1
	order by r.organization_id is not null, lower(r.name), r.id`

// Roles implements [billing.AccountQueries].
func (q roleStore) List(ctx context.Context, organizationID string) ([]account.Role, error) {
	return list[account.Role](ctx, q.queries, "list roles", selectRoles, organizationID)
}

// The condition equals the one of organization_members_billed_idx, so the count is an index-only
// scan. Same rule as billing.Member.Billed.
const countBillable = `select count(*) from organization_members where organization_id = $1 and billable and status = 'active'`

// CountBillable implements [billing.AccountQueries].
func (q memberStore) CountBillable(ctx context.Context, organizationID string) (int, error) {
	return get[int](ctx, q.queries, "count billable members", countBillable, organizationID)
}
