package db

import (
	"context"
	"time"

	"github.com/lib/pq"

	"usher/billing"
	"usher/billing/account"
)

var memberOf = `select ` + memberColumns + ` from organization_members m
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id
	where m.organization_id = $1`

var selectMember = memberOf + ` and m.id = $2`

// Member implements [billing.MembershipQueries].
func (q memberStore) Get(ctx context.Context, organizationID, memberID string) (account.Member, error) {
	return get[account.Member](ctx, q.queries, "read member", selectMember, organizationID, memberID)
}

var selectMemberByUser = memberOf + ` and m.user_id = $2`

// MemberByUser implements [billing.MembershipQueries].
func (q memberStore) ByUser(ctx context.Context, organizationID, userID string) (account.Member, error) {
	return get[account.Member](ctx, q.queries, "read member by user", selectMemberByUser, organizationID, userID)
}

// memberSettings are the columns that UpdateMember writes.
var (
	memberSettings = memberTable.without("user_id", "joined_at", "last_seen_at")
	updateMember   = memberSettings.update("organization_id", "id")
)

// UpdateMember implements [billing.MembershipQueries].
func (q memberStore) Update(ctx context.Context, m account.Member) error {
	return q.execOne(ctx, "update member", updateMember, memberSettings.values(m)...)
}

const deleteMember = `delete from organization_members where organization_id = $1 and id = $2`

// DeleteMember implements [billing.MembershipQueries].
func (q memberStore) Delete(ctx context.Context, organizationID, memberID string) error {
	return q.execOne(ctx, "delete member", deleteMember, organizationID, memberID)
}

const countOtherAdmins = `select count(*) from organization_members
	where organization_id = $1 and id <> $2 and role_id = 'admin' and status = 'active'`

// CountOtherAdmins implements [billing.MembershipQueries].
func (q memberStore) CountOtherAdmins(ctx context.Context, organizationID, exceptMemberID string) (int, error) {
	return get[int](ctx, q.queries, "count other admins", countOtherAdmins, organizationID, exceptMemberID)
}

// One lookup per member: the ledger of a large organization is long, a page of members is not.
var selectLastSeatChanges = `select ` + seatChangeColumns + ` from unnest($2::text[]) as person (id)
	join lateral (select * from seat_changes where organization_id = $1 and subject_user_id = person.id order by id desc limit 1) c on true` + seatChangeOutcome

// LastSeatChanges implements [billing.MembershipQueries].
func (q seatLedgerStore) Latest(ctx context.Context, organizationID string, userIDs []string) ([]billing.SeatChange, error) {
	return list[billing.SeatChange](ctx, q.queries, "list last seat changes", selectLastSeatChanges, organizationID, pq.Array(userIDs))
}

const updateOrganization = `update organizations set name = $2, deletes_at = $3 where id = $1`

// UpdateOrganization implements [billing.MembershipQueries].
func (q organizationStore) Update(ctx context.Context, o account.Organization) error {
	return q.execOne(ctx, "update organization", updateOrganization, o.ID, o.Name, o.DeletesAt)
}

const updateUserName = `update users set name = $2 where id = $1`

// UpdateUserName implements [billing.MembershipQueries].
func (q userStore) SetName(ctx context.Context, userID, name string) error {
	return q.execOne(ctx, "update user name", updateUserName, userID, name)
}

const touchMember = `update organization_members set last_seen_at = $2 where id = $1`

// Touch implements [billing.MemberStore]. A missing member is no error.
func (q memberStore) Touch(ctx context.Context, memberID string, seenAt time.Time) error {
	return q.exec(ctx, "touch member", touchMember, memberID, seenAt)
}
