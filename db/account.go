package db

import (
	"context"
	"database/sql"
	"time"

	"usher/billing"
)

const (
	userColumns         = `u.id, u.email, u.name, u.password_hash, u.created_at, u.email_verified_at, u.operator`
	organizationColumns = `o.id, o.name, o.created_at, o.deletes_at, o.deleted_at`
	roleColumns         = `r.id, r.organization_id, r.name, r.can_manage_billing, r.can_manage_members`
	memberColumns       = `m.id, m.organization_id, m.user_id, u.name, u.email, m.billable, m.status, m.joined_at, m.last_seen_at,
		r.id as "role.id", r.organization_id as "role.organization_id", r.name as "role.name",
		r.can_manage_billing as "role.can_manage_billing", r.can_manage_members as "role.can_manage_members"`
)

type userRow struct {
	ID           string    `db:"id"`
	Email        string    `db:"email"`
	Name         string    `db:"name"`
	PasswordHash string    `db:"password_hash"`
	CreatedAt    time.Time `db:"created_at"`

	EmailVerifiedAt *time.Time `db:"email_verified_at"`
	Operator        bool       `db:"operator"`
}

func (r userRow) user() billing.User {
	return billing.User{ID: r.ID, Email: r.Email, Name: r.Name, PasswordHash: r.PasswordHash, CreatedAt: r.CreatedAt.UTC(),
		EmailVerifiedAt: utc(r.EmailVerifiedAt), Operator: r.Operator}
}

type organizationRow struct {
	ID        string    `db:"id"`
	Name      string    `db:"name"`
	CreatedAt time.Time `db:"created_at"`

	DeletesAt *time.Time `db:"deletes_at"`
	DeletedAt *time.Time `db:"deleted_at"`
}

func (r organizationRow) organization() billing.Organization {
	return billing.Organization{ID: r.ID, Name: r.Name, CreatedAt: r.CreatedAt.UTC(), DeletesAt: utc(r.DeletesAt), DeletedAt: utc(r.DeletedAt)}
}

type roleRow struct {
	ID               string         `db:"id"`
	OrganizationID   sql.NullString `db:"organization_id"`
	Name             string         `db:"name"`
	CanManageBilling bool           `db:"can_manage_billing"`
	CanManageMembers bool           `db:"can_manage_members"`
}

func (r roleRow) role() billing.Role {
	return billing.Role{ID: r.ID, OrganizationID: r.OrganizationID.String, Name: r.Name,
		CanManageBilling: r.CanManageBilling, CanManageMembers: r.CanManageMembers}
}

type memberRow struct {
	ID             string     `db:"id"`
	OrganizationID string     `db:"organization_id"`
	UserID         string     `db:"user_id"`
	Name           string     `db:"name"`
	Email          string     `db:"email"`
	Role           roleRow    `db:"role"`
	Billable       bool       `db:"billable"`
	Status         string     `db:"status"`
	JoinedAt       time.Time  `db:"joined_at"`
	LastSeenAt     *time.Time `db:"last_seen_at"`
}

func (r memberRow) member() billing.Member {
	return billing.Member{ID: r.ID, OrganizationID: r.OrganizationID, UserID: r.UserID, Name: r.Name, Email: r.Email,
		Role: r.Role.role(), Billable: r.Billable, Status: billing.MemberStatus(r.Status),
		JoinedAt: r.JoinedAt.UTC(), LastSeenAt: utc(r.LastSeenAt)}
}

const insertUser = `insert into users (id, email, name, password_hash, created_at, email_verified_at, operator)
	values ($1, $2, $3, $4, $5, $6, $7)`

// InsertUser implements [billing.AccountQueries].
func (q queries) InsertUser(ctx context.Context, u billing.User) error {
	return q.exec(ctx, "insert user", insertUser, u.ID, u.Email, u.Name, u.PasswordHash, u.CreatedAt,
		u.EmailVerifiedAt, u.Operator)
}

const selectUser = `select ` + userColumns + ` from users u where u.id = $1`

// User implements [billing.AccountQueries].
func (q queries) User(ctx context.Context, id string) (billing.User, error) {
	row, err := get[userRow](ctx, q, "read user", selectUser, id)
	return row.user(), err
}

const lockUser = selectUser + ` for no key update`

// LockUser implements [billing.AccountQueries].
func (q queries) LockUser(ctx context.Context, id string) (billing.User, error) {
	row, err := get[userRow](ctx, q, "lock user", lockUser, id)
	return row.user(), err
}

const selectUserByEmail = `select ` + userColumns + ` from users u where lower(u.email) = lower($1)`

// UserByEmail implements [billing.AccountQueries].
func (q queries) UserByEmail(ctx context.Context, email string) (billing.User, error) {
	row, err := get[userRow](ctx, q, "read user by e-mail", selectUserByEmail, email)
	return row.user(), err
}

const insertOrganization = `insert into organizations (id, name, created_at, deletes_at, deleted_at) values ($1, $2, $3, $4, $5)`

// InsertOrganization implements [billing.AccountQueries].
func (q queries) InsertOrganization(ctx context.Context, o billing.Organization) error {
	return q.exec(ctx, "insert organization", insertOrganization, o.ID, o.Name, o.CreatedAt, o.DeletesAt, o.DeletedAt)
}

const selectOrganization = `select ` + organizationColumns + ` from organizations o where o.id = $1`

// Organization implements [billing.AccountQueries].
func (q queries) Organization(ctx context.Context, id string) (billing.Organization, error) {
	row, err := get[organizationRow](ctx, q, "read organization", selectOrganization, id)
	return row.organization(), err
}

// Locks leave keys alone ('no key update'): rows that refer to a locked one can still be inserted by others.
const lockOrganization = selectOrganization + ` for no key update`

// LockOrganization implements [billing.AccountQueries].
func (q queries) LockOrganization(ctx context.Context, id string) (billing.Organization, error) {
	row, err := get[organizationRow](ctx, q, "lock organization", lockOrganization, id)
	return row.organization(), err
}

const insertMember = `insert into organization_members
	(id, organization_id, user_id, role_id, billable, status, joined_at, last_seen_at) values ($1, $2, $3, $4, $5, $6, $7, $8)`

// InsertMember implements [billing.AccountQueries].
func (q queries) InsertMember(ctx context.Context, m billing.Member) error {
	return q.exec(ctx, "insert member", insertMember,
		m.ID, m.OrganizationID, m.UserID, m.Role.ID, m.Billable, m.Status, m.JoinedAt, m.LastSeenAt)
}

// What is left of a deleted organization is there for those who looked after its billing: billing.Access.CanManageBilling's twin.
const notGone = `(o.deleted_at is null or r.id = 'admin' or r.can_manage_billing)`

type accessRow struct {
	User         userRow         `db:"user"`
	Organization organizationRow `db:"organization"`
	memberRow
}

const selectAccess = `select ` + memberColumns + `,
		u.id as "user.id", u.email as "user.email", u.name as "user.name", u.password_hash as "user.password_hash",
		u.created_at as "user.created_at", u.email_verified_at as "user.email_verified_at", u.operator as "user.operator",
		o.id as "organization.id", o.name as "organization.name", o.created_at as "organization.created_at",
		o.deletes_at as "organization.deletes_at", o.deleted_at as "organization.deleted_at"
	from organization_members m
	join users u on u.id = m.user_id
	join organizations o on o.id = m.organization_id
	join roles r on r.id = m.role_id
	where m.user_id = $1 and m.organization_id = $2 and m.status = 'active' and ` + notGone

// Access implements [billing.AccountQueries].
func (q queries) Access(ctx context.Context, userID, organizationID string) (billing.Access, error) {
	row, err := get[accessRow](ctx, q, "read access", selectAccess, userID, organizationID)
	if err != nil {
		return billing.Access{}, err
	}
	return billing.Access{User: row.User.user(), Organization: row.Organization.organization(), Member: row.member()}, nil
}

const selectOrganizations = `select ` + organizationColumns + ` from organization_members m
	join organizations o on o.id = m.organization_id
	join roles r on r.id = m.role_id
	where m.user_id = $1 and m.status = 'active' and ` + notGone + ` order by o.deleted_at is not null, m.joined_at, m.id`

// Organizations implements [billing.AccountQueries].
func (q queries) Organizations(ctx context.Context, userID string) ([]billing.Organization, error) {
	rows, err := list[organizationRow](ctx, q, "list organizations", selectOrganizations, userID)
	return collect(rows, organizationRow.organization), err
}

const selectMembers = `select ` + memberColumns + ` from organization_members m
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id
	where m.organization_id = $1 order by lower(u.name), lower(u.email)`

// Members implements [billing.AccountQueries].
func (q queries) Members(ctx context.Context, organizationID string) ([]billing.Member, error) {
	rows, err := list[memberRow](ctx, q, "list members", selectMembers, organizationID)
	return collect(rows, memberRow.member), err
}

const selectRoles = `select ` + roleColumns + ` from roles r
	where r.organization_id is null or r.organization_id = $1
	order by r.organization_id is not null, lower(r.name), r.id`

// Roles implements [billing.AccountQueries].
func (q queries) Roles(ctx context.Context, organizationID string) ([]billing.Role, error) {
	rows, err := list[roleRow](ctx, q, "list roles", selectRoles, organizationID)
	return collect(rows, roleRow.role), err
}

// The condition is organization_members_billed_idx's: the count reads the index alone. billing.Member.Billed is its twin.
const countBillable = `select count(*) from organization_members where organization_id = $1 and billable and status = 'active'`

// CountBillable implements [billing.AccountQueries].
func (q queries) CountBillable(ctx context.Context, organizationID string) (int, error) {
	return get[int](ctx, q, "count billable members", countBillable, organizationID)
}
