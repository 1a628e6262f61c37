package db

import (
	"context"
	"time"

	"github.com/lib/pq"

	"usher/billing/account"
	"usher/billing/mail"
	"usher/billing/webhook"
)

// memberStore implements [account.MemberStore].
type memberStore struct{ queries }

// Members implements [account.Tx].
func (q queries) Members() account.MemberStore { return memberStore{q} }

var (
	// memberTable stores the role's id; the role is joined when a member is read.
	memberTable = tableOf[account.Member]("organization_members").
			computed("role_id", func(m account.Member) any { return m.Role.ID })
	memberColumns = memberTable.list("m") + `, ` + memberName + ` as name, coalesce(nullif(m.managed_email, ''), u.email) as email, ` +
		roleTable.nested("r", "role")
)

// memberName is what a program sent, if it did, before the person's own name.
const memberName = `coalesce(nullif(m.managed_name, ''), u.name)`

// memberChanged records a change of a membership. The seats of the organization may follow from it.
func (q queries) memberChanged(ctx context.Context, organizationID, memberID string) error {
	member := webhook.Change{OrganizationID: organizationID, Kind: webhook.ChangeMember, ObjectID: memberID}
	return q.changed(ctx, member, webhook.Change{OrganizationID: organizationID, Kind: webhook.ChangeState})
}

func (q queries) membersChanged(ctx context.Context, members []account.Member) error {
	for _, m := range members {
		if err := q.memberChanged(ctx, m.OrganizationID, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// membersRemoved records that members are gone, as they were.
func (q queries) membersRemoved(ctx context.Context, organizationID string, gone []account.Member) error {
	changes := make([]webhook.Change, len(gone))
	for i := range gone {
		changes[i] = webhook.Change{OrganizationID: organizationID, Kind: webhook.ChangeMemberRemoved, ObjectID: gone[i].ID, Member: &gone[i]}
	}
	return q.changed(ctx, append(changes, webhook.Change{OrganizationID: organizationID, Kind: webhook.ChangeState})...)
}

var insertMember = memberTable.insert()

// Insert implements [account.MemberStore].
func (q memberStore) Insert(ctx context.Context, m account.Member) error {
	if err := q.exec(ctx, "insert member", insertMember, memberTable.values(m)...); err != nil {
		return err
	}
	return q.memberChanged(ctx, m.OrganizationID, m.ID)
}

// The columns sort_name and address_key are kept by triggers, see migration 76.
const memberOrder = ` order by m.sort_name, m.address_key, m.id`

const memberJoins = ` m
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id`

var selectMembers = `select ` + memberColumns + ` from organization_members` + memberJoins + ` where m.organization_id = $1` + memberOrder

// List implements [account.MemberStore].
func (q memberStore) List(ctx context.Context, organizationID string) ([]account.Member, error) {
	return list[account.Member](ctx, q.queries, "list members", selectMembers, organizationID)
}

// The search text has no wildcards: position compares literally. Seats are those of
// account.Member.Billed. Every column is one of organization_members_order_idx, and offset 0 has
// the text converted once.
const matchingMembers = ` from organization_members m, (select lower($2) as name, lower($2 collate "C") as address offset 0) typed
	where m.organization_id = $1
	and ($2 = '' or position(typed.name in m.sort_name) > 0 or position(typed.address in m.address_key) > 0 or m.role_id in (
		select id from roles where coalesce(organization_id, $1) = $1 and position(lower($2) in lower(name)) > 0))
	and case $3 when 'billed' then m.billable and m.status = 'active'
		when 'not_billed' then not (m.billable and m.status = 'active')
		when 'suspended' then m.status = 'suspended' else true end`

// Everything else is read of the page's members only.
var searchMembers = `select ` + memberColumns + ` from organization_members` + memberJoins + `
	where m.id = any(array(select m.id` + matchingMembers + memberOrder + ` limit $4 offset $5))` + memberOrder

// Search implements [account.MemberStore].
func (q memberStore) Search(ctx context.Context, organizationID string, search account.MemberSearch, offset, limit int) ([]account.Member, error) {
	return list[account.Member](ctx, q.queries, "search members", searchMembers, organizationID, search.Text, search.Seat, limit, offset)
}

const (
	countMembers         = `select count(*) from organization_members where organization_id = $1`
	countMatchingMembers = `select count(*)` + matchingMembers
)

// Count implements [account.MemberStore]. All members are counted in an index.
func (q memberStore) Count(ctx context.Context, organizationID string, search account.MemberSearch) (int, error) {
	if search == (account.MemberSearch{}) {
		return get[int](ctx, q.queries, "count members", countMembers, organizationID)
	}
	return get[int](ctx, q.queries, "count matching members", countMatchingMembers, organizationID, search.Text, search.Seat)
}

const countMembersByRole = `select role_id, count(*) as members from organization_members where organization_id = $1 group by role_id`

// CountByRole implements [account.MemberStore].
func (q memberStore) CountByRole(ctx context.Context, organizationID string) (map[string]int, error) {
	rows, err := list[struct {
		RoleID  string `db:"role_id"`
		Members int    `db:"members"`
	}](ctx, q.queries, "count members by role", countMembersByRole, organizationID)
	counts := make(map[string]int, len(rows))
	for _, row := range rows {
		counts[row.RoleID] = row.Members
	}
	return counts, err
}

// Each key has an index of its own.
var selectMembersByKeys = `select ` + memberColumns + ` from (
		select id from organization_members where organization_id = $1 and id = any($2)
		union select id from organization_members where organization_id = $1 and user_id = any($3)
		union select id from organization_members where organization_id = $1 and external_id = any($4)
		union select id from organization_members where organization_id = $1 and address_key = any($5)
		union select id from organization_members where organization_id = $1 and role_id = any($6)
	) found join organization_members m on m.id = found.id
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id` + memberOrder

// ByKeys implements [account.MemberStore].
func (q memberStore) ByKeys(ctx context.Context, organizationID string, keys account.MemberKeys) ([]account.Member, error) {
	addresses := make([]string, len(keys.Addresses))
	for i, address := range keys.Addresses {
		addresses[i] = mail.AddressKey(address)
	}
	return list[account.Member](ctx, q.queries, "list members by keys", selectMembersByKeys, organizationID, pq.Array(keys.IDs),
		pq.Array(keys.UserIDs), pq.Array(keys.ExternalIDs), pq.Array(addresses), pq.Array(keys.RoleIDs))
}

// The condition equals the one of organization_members_billed_idx, so the count is an index-only
// scan. Same rule as billing.Member.Billed.
const countBillable = `select count(*) from organization_members where organization_id = $1 and billable and status = 'active'`

// CountBillable implements [account.MemberStore].
func (q memberStore) CountBillable(ctx context.Context, organizationID string) (int, error) {
	return get[int](ctx, q.queries, "count billable members", countBillable, organizationID)
}

var selectMembersOfUser = `select ` + memberColumns + ` from organization_members` + memberJoins + `
	where m.user_id = $1 order by m.organization_id`

// OfUser implements [account.MemberStore].
func (q memberStore) OfUser(ctx context.Context, userID string) ([]account.Member, error) {
	return list[account.Member](ctx, q.queries, "list members of user", selectMembersOfUser, userID)
}

// Same rule as billing.Access.CanManageBilling.
var selectBillingManagers = `select ` + userTable.list("u") + ` from organization_members m
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id
	where m.organization_id = $1 and m.status = 'active' and not m.provisional and (r.id = 'admin' or r.can_manage_billing)
	order by m.joined_at, m.id`

// BillingManagers implements [account.MemberStore].
func (q memberStore) BillingManagers(ctx context.Context, organizationID string) ([]account.User, error) {
	return list[account.User](ctx, q.queries, "list billing managers", selectBillingManagers, organizationID)
}

var selectMemberOf = `select ` + memberColumns + ` from organization_members` + memberJoins + `
	where m.organization_id = $1`

var selectMember = selectMemberOf + ` and m.id = $2`

// Get implements [account.MemberStore].
func (q memberStore) Get(ctx context.Context, organizationID, memberID string) (account.Member, error) {
	return get[account.Member](ctx, q.queries, "read member", selectMember, organizationID, memberID)
}

var selectMemberByUser = selectMemberOf + ` and m.user_id = $2`

// ByUser implements [account.MemberStore].
func (q memberStore) ByUser(ctx context.Context, organizationID, userID string) (account.Member, error) {
	return get[account.Member](ctx, q.queries, "read member by user", selectMemberByUser, organizationID, userID)
}

// memberSettings are the columns that UpdateMember writes.
var (
	memberSettings = memberTable.without("user_id", "joined_at", "last_seen_at")
	updateMember   = memberSettings.update("organization_id", "id")
)

// Update implements [account.MemberStore].
func (q memberStore) Update(ctx context.Context, m account.Member) error {
	if err := q.execOne(ctx, "update member", updateMember, memberSettings.values(m)...); err != nil {
		return err
	}
	return q.memberChanged(ctx, m.OrganizationID, m.ID)
}

var insertMembers = memberTable.insertAll()

// InsertAll implements [account.MemberStore].
func (q memberStore) InsertAll(ctx context.Context, members []account.Member) error {
	rows, err := memberTable.rows(members)
	if err != nil {
		return err
	}
	if err := q.exec(ctx, "insert members", insertMembers, rows); err != nil {
		return err
	}
	return q.membersChanged(ctx, members)
}

// The name of a provisional user is the program's too: the seat ledger shows it.
var updateManaged = `with given as (select * from ` + memberTable.recordset() + `),
		named as (update users u set name = g.managed_name from given g where u.id = g.user_id and g.provisional and u.name <> g.managed_name)
	update organization_members m set role_id = g.role_id, billable = g.billable, external_id = g.external_id,
		managed_name = g.managed_name, managed_email = g.managed_email, given_name = g.given_name, family_name = g.family_name,
		status = g.status, suspended_by_program = g.suspended_by_program
	from given g where m.organization_id = g.organization_id and m.id = g.id`

// UpdateManaged implements [account.MemberStore].
func (q memberStore) UpdateManaged(ctx context.Context, members []account.Member) error {
	rows, err := memberTable.rows(members)
	if err != nil {
		return err
	}
	if err := q.exec(ctx, "update members", updateManaged, rows); err != nil {
		return err
	}
	return q.membersChanged(ctx, members)
}

const deleteMembers = `delete from organization_members where organization_id = $1 and id = any($2)`

// DeleteAll implements [account.MemberStore].
func (q memberStore) DeleteAll(ctx context.Context, organizationID string, memberIDs []string) error {
	gone, err := q.ByKeys(ctx, organizationID, account.MemberKeys{IDs: memberIDs})
	if err != nil {
		return err
	}
	if err := q.exec(ctx, "delete members", deleteMembers, organizationID, pq.Array(memberIDs)); err != nil {
		return err
	}
	return q.membersRemoved(ctx, organizationID, gone)
}

var selectProvisional = selectMemberOf + ` and m.provisional and lower(m.managed_email) = lower($2) order by m.id`

// ProvisionalByEmail implements [account.MemberStore].
func (q memberStore) ProvisionalByEmail(ctx context.Context, organizationID, email string) ([]account.Member, error) {
	return list[account.Member](ctx, q.queries, "list provisional members", selectProvisional, organizationID, email)
}

const (
	linkMember      = `update organization_members set user_id = $3, joined_at = $4, provisional = false where organization_id = $1 and id = $2 and provisional`
	linkSeatChanges = `update seat_changes set subject_user_id = $3 where organization_id = $1 and subject_user_id = $2`
)

// Link implements [account.MemberStore].
func (q memberStore) Link(ctx context.Context, m account.Member, userID string, at time.Time) error {
	if err := q.execOne(ctx, "link member", linkMember, m.OrganizationID, m.ID, userID, at); err != nil {
		return err
	}
	if err := q.exec(ctx, "link seat changes", linkSeatChanges, m.OrganizationID, m.UserID, userID); err != nil {
		return err
	}
	return q.memberChanged(ctx, m.OrganizationID, m.ID)
}

const deleteMember = `delete from organization_members where organization_id = $1 and id = $2`

// Delete implements [account.MemberStore].
func (q memberStore) Delete(ctx context.Context, organizationID, memberID string) error {
	gone, err := q.Get(ctx, organizationID, memberID)
	if err != nil {
		return err
	}
	if err := q.execOne(ctx, "delete member", deleteMember, organizationID, memberID); err != nil {
		return err
	}
	return q.membersRemoved(ctx, organizationID, []account.Member{gone})
}

const countOtherAdmins = `select count(*) from organization_members
	where organization_id = $1 and id <> $2 and role_id = 'admin' and status = 'active' and not provisional`

// CountOtherAdmins implements [account.MemberStore].
func (q memberStore) CountOtherAdmins(ctx context.Context, organizationID, exceptMemberID string) (int, error) {
	return get[int](ctx, q.queries, "count other admins", countOtherAdmins, organizationID, exceptMemberID)
}

const touchMember = `update organization_members set last_seen_at = $2 where id = $1`

// Touch implements [account.MemberStore]. A missing member is no error.
func (q memberStore) Touch(ctx context.Context, memberID string, seenAt time.Time) error {
	return q.exec(ctx, "touch member", touchMember, memberID, seenAt)
}
