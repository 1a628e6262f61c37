package db

import (
	"context"

	"usher/billing/account"
)

var selectRole = `select ` + roleTable.list("r") + ` from roles r
	where r.id = $2 and (r.organization_id is null or r.organization_id = $1)`

// Role implements [billing.MembershipQueries].
func (q roleStore) Get(ctx context.Context, organizationID, roleID string) (account.Role, error) {
	return get[account.Role](ctx, q.queries, "read role", selectRole, organizationID, roleID)
}

var insertRole = roleTable.insert()

// InsertRole implements [billing.MembershipQueries].
func (q roleStore) Insert(ctx context.Context, r account.Role) error {
	return q.exec(ctx, "insert role", insertRole, roleTable.values(r)...)
}

var updateRole = roleTable.update("organization_id", "id")

// UpdateRole implements [billing.MembershipQueries].
func (q roleStore) Update(ctx context.Context, r account.Role) error {
	return q.execOne(ctx, "update role", updateRole, roleTable.values(r)...)
}

const deleteRole = `delete from roles where organization_id = $1 and id = $2`

// DeleteRole implements [billing.MembershipQueries].
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

// RoleHolders implements [billing.MembershipQueries].
func (q roleStore) CountHolders(ctx context.Context, organizationID, roleID string) (members, invitations int, err error) {
	row, err := get[roleHoldersRow](ctx, q.queries, "count role holders", countRoleHolders, organizationID, roleID)
	return row.Members, row.Invitations, err
}
