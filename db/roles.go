package db

import (
	"context"

	"usher/billing/account"
)

// roleStore implements [account.RoleStore].
type roleStore struct{ queries }

// Roles implements [account.Tx].
func (q queries) Roles() account.RoleStore { return roleStore{q} }

var roleTable = tableOf[account.Role]("roles")

var selectRoles = `select ` + roleTable.list("r") + ` from roles r
	where r.organization_id is null or r.organization_id = $1
	order by r.organization_id is not null, lower(r.name), r.id`

// List implements [account.RoleStore].
func (q roleStore) List(ctx context.Context, organizationID string) ([]account.Role, error) {
	return list[account.Role](ctx, q.queries, "list roles", selectRoles, organizationID)
}

var selectRole = `select ` + roleTable.list("r") + ` from roles r
	where r.id = $2 and (r.organization_id is null or r.organization_id = $1)`

// Get implements [account.RoleStore].
func (q roleStore) Get(ctx context.Context, organizationID, roleID string) (account.Role, error) {
	return get[account.Role](ctx, q.queries, "read role", selectRole, organizationID, roleID)
}

var insertRole = roleTable.insert()

// Insert implements [account.RoleStore].
func (q roleStore) Insert(ctx context.Context, r account.Role) error {
	return q.exec(ctx, "insert role", insertRole, roleTable.values(r)...)
}

var updateRole = roleTable.update("organization_id", "id")

// Update implements [account.RoleStore].
func (q roleStore) Update(ctx context.Context, r account.Role) error {
	return q.execOne(ctx, "update role", updateRole, roleTable.values(r)...)
}

const deleteRole = `delete from roles where organization_id = $1 and id = $2`

// Delete implements [account.RoleStore].
func (q roleStore) Delete(ctx context.Context, organizationID, roleID string) error {
	return q.execOne(ctx, "delete role", deleteRole, organizationID, roleID)
}

const countRoleHolders = `select
	(select count(*) from organization_members where organization_id = $1 and role_id = $2) as members,
	(select count(*) from invitations where organization_id = $1 and role_id = $2 and accepted_at is null and revoked_at is null) as invitations`

type roleHoldersRow struct {
	Members     int `db:"members"`
	Invitations int `db:"invitations"`
}

// CountHolders implements [account.RoleStore].
func (q roleStore) CountHolders(ctx context.Context, organizationID, roleID string) (members, invitations int, err error) {
	row, err := get[roleHoldersRow](ctx, q.queries, "count role holders", countRoleHolders, organizationID, roleID)
	return row.Members, row.Invitations, err
}
