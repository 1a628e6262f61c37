package db

import (
	"context"
	"time"

	"github.com/lib/pq"

	"usher/billing"
)

const memberOf = `select ` + memberColumns + ` from organization_members m
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id
	where m.organization_id = $1`

const selectMember = memberOf + ` and m.id = $2`

// Member implements [billing.MembershipQueries].
func (q queries) Member(ctx context.Context, organizationID, memberID string) (billing.Member, error) {
	row, err := get[memberRow](ctx, q, "read member", selectMember, organizationID, memberID)
	return row.member(), err
}

const selectMemberByUser = memberOf + ` and m.user_id = $2`

// MemberByUser implements [billing.MembershipQueries].
func (q queries) MemberByUser(ctx context.Context, organizationID, userID string) (billing.Member, error) {
	row, err := get[memberRow](ctx, q, "read member by user", selectMemberByUser, organizationID, userID)
	return row.member(), err
}

const updateMember = `update organization_members set role_id = $3, billable = $4, status = $5 where organization_id = $1 and id = $2`

// UpdateMember implements [billing.MembershipQueries].
func (q queries) UpdateMember(ctx context.Context, m billing.Member) error {
	return q.execOne(ctx, "update member", updateMember, m.OrganizationID, m.ID, m.Role.ID, m.Billable, m.Status)
}

const deleteMember = `delete from organization_members where organization_id = $1 and id = $2`

// DeleteMember implements [billing.MembershipQueries].
func (q queries) DeleteMember(ctx context.Context, organizationID, memberID string) error {
	return q.execOne(ctx, "delete member", deleteMember, organizationID, memberID)
}

const countOtherAdmins = `select count(*) from organization_members
	where organization_id = $1 and id <> $2 and role_id = 'admin' and status = 'active'`

// CountOtherAdmins implements [billing.MembershipQueries].
func (q queries) CountOtherAdmins(ctx context.Context, organizationID, exceptMemberID string) (int, error) {
	return get[int](ctx, q, "count other admins", countOtherAdmins, organizationID, exceptMemberID)
}

// A look-up by person: the ledger of a busy organization is long, a page of members is not.
const selectLastSeatChanges = `select ` + seatChangeColumns + ` from unnest($2::text[]) as person (id)
	join lateral (select * from seat_changes where organization_id = $1 and subject_user_id = person.id order by id desc limit 1) c on true` + seatChangeTold

// LastSeatChanges implements [billing.MembershipQueries].
func (q queries) LastSeatChanges(ctx context.Context, organizationID string, userIDs []string) ([]billing.SeatChange, error) {
	rows, err := list[seatChangeRow](ctx, q, "list last seat changes", selectLastSeatChanges, organizationID, pq.Array(userIDs))
	return collect(rows, seatChangeRow.seatChange), err
}

const updateOrganization = `update organizations set name = $2, deletes_at = $3 where id = $1`

// UpdateOrganization implements [billing.MembershipQueries].
func (q queries) UpdateOrganization(ctx context.Context, o billing.Organization) error {
	return q.execOne(ctx, "update organization", updateOrganization, o.ID, o.Name, o.DeletesAt)
}

const updateUserName = `update users set name = $2 where id = $1`

// UpdateUserName implements [billing.MembershipQueries].
func (q queries) UpdateUserName(ctx context.Context, userID, name string) error {
	return q.execOne(ctx, "update user name", updateUserName, userID, name)
}

const touchMember = `update organization_members set last_seen_at = $2 where id = $1`

// TouchMember implements [billing.MembershipQueries]. A member who is gone meanwhile is no error.
func (q queries) TouchMember(ctx context.Context, memberID string, seenAt time.Time) error {
	return q.exec(ctx, "touch member", touchMember, memberID, seenAt)
}
