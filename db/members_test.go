package db

import (
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
)

func TestMemberOfTheOrganization(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	must(t, store.Members().Insert(ctx, member("mem_1", "org_1", "usr_1")))
	m, err := store.Members().Get(ctx, "org_1", "mem_1")
	must(t, err)
	byUser, err := store.Members().ByUser(ctx, "org_1", "usr_1")
	must(t, err)
	wantEqual(t, byUser, m)

	m.Role = account.Role{ID: account.RoleAdmin, Name: "Admin", CanManageBilling: true, CanManageMembers: true}
	m.Billable, m.Status = false, account.MemberSuspended
	m.SuspendedByProgram, m.GivenName, m.FamilyName = true, "Ada", "King"
	must(t, store.Members().Update(ctx, m))
	got, err := store.Members().Get(ctx, "org_1", "mem_1")
	must(t, err)
	wantEqual(t, got, m)

	// A program of the previous release reactivates without the column.
	must(t, store.exec(ctx, "reactivate", `update organization_members set status = 'active' where id = $1`, "mem_1"))
	m.Status, m.SuspendedByProgram = account.MemberActive, false
	got, err = store.Members().Get(ctx, "org_1", "mem_1")
	must(t, err)
	wantEqual(t, got, m)
	m.Status, m.SuspendedByProgram, m.FamilyName = account.MemberSuspended, true, "Lovelace"
	must(t, store.Members().UpdateManaged(ctx, []account.Member{m}))
	got, err = store.Members().Get(ctx, "org_1", "mem_1")
	must(t, err)
	wantEqual(t, got, m)

	foreign := m
	foreign.OrganizationID = "org_2"
	_, err = store.Members().Get(ctx, "org_2", "mem_1")
	wantNotFound(t, err)
	_, err = store.Members().ByUser(ctx, "org_2", "usr_1")
	wantNotFound(t, err)
	wantNotFound(t, store.Members().Update(ctx, foreign))
	wantNotFound(t, store.Members().Delete(ctx, "org_2", "mem_1"))
	must(t, store.Members().Delete(ctx, "org_1", "mem_1"))
	wantNotFound(t, store.Members().Delete(ctx, "org_1", "mem_1"))
}

func TestCountOtherAdmins(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	for i, tc := range []struct {
		role   string
		status account.MemberStatus
	}{{"admin", "active"}, {"admin", "active"}, {"admin", "suspended"}, {"member", "active"}} {
		user := "usr_a" + string(rune('0'+i))
		must(t, store.Users().Insert(ctx, account.User{ID: user, Email: user + "@example.com", CreatedAt: at(0)}))
		m := member("mem_"+string(rune('0'+i)), "org_1", user)
		m.Role.ID, m.Status = tc.role, tc.status
		must(t, store.Members().Insert(ctx, m))
	}
	for except, want := range map[string]int{"mem_0": 1, "mem_2": 2, "": 2} {
		n, err := store.Members().CountOtherAdmins(ctx, "org_1", except)
		must(t, err)
		wantEqual(t, n, want)
	}
}

func TestLatestSeatChanges(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	for i, c := range []billing.SeatChange{
		{OrganizationID: "org_1", SubjectUserID: "usr_1", Reason: "old"}, {OrganizationID: "org_1", SubjectUserID: "usr_1", Reason: "new", ActorUserID: "usr_2"},
		{OrganizationID: "org_2", SubjectUserID: "usr_1", Reason: "other organization"}, {OrganizationID: "org_1", Reason: "without a member"},
	} {
		c.At = at(i)
		must(t, store.SeatLedger().Insert(ctx, c))
	}
	changes, err := store.SeatLedger().Latest(ctx, "org_1", []string{"usr_1", "usr_2", "usr_x"})
	must(t, err)
	if len(changes) != 1 || changes[0].Reason != "new" || changes[0].ActorName != "Name of usr_2" || changes[0].SubjectUserID != "usr_1" {
		t.Errorf("%+v", changes)
	}
	changes, err = store.SeatLedger().Latest(ctx, "org_1", nil)
	must(t, err)
	wantEqual(t, len(changes), 0)
}

func TestRoleOfTheOrganization(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	want := account.Role{ID: "role_1", OrganizationID: "org_1", Name: "Ushers", CanManageBilling: true, CanManageMembers: true}
	wantFilled(t, want)
	must(t, store.Roles().Insert(ctx, want))
	got, err := store.Roles().Get(ctx, "org_1", "role_1")
	must(t, err)
	wantEqual(t, got, want)
	wantConflict(t, store.Roles().Insert(ctx, account.Role{ID: "role_2", OrganizationID: "org_1", Name: "USHERS"}), "roles_organization_name_key", "name")
	must(t, store.Roles().Insert(ctx, account.Role{ID: "role_2", OrganizationID: "org_2", Name: "Ushers"}))
	_, err = store.Roles().Get(ctx, "org_2", "role_1")
	wantNotFound(t, err)
	_, err = store.Roles().Get(ctx, "org_1", account.RoleAdmin)
	must(t, err)

	want.Name, want.CanManageBilling = "Cloakroom", false
	must(t, store.Roles().Update(ctx, want))
	got, err = store.Roles().Get(ctx, "org_1", "role_1")
	must(t, err)
	wantEqual(t, got, want)
	wantNotFound(t, store.Roles().Update(ctx, account.Role{ID: account.RoleMember, OrganizationID: "org_1", Name: "Everybody"}))
	wantNotFound(t, store.Roles().Delete(ctx, "org_1", account.RoleMember))

	holder := member("mem_1", "org_1", "usr_1")
	holder.Role.ID = "role_1"
	must(t, store.Members().Insert(ctx, holder))
	promise := invitation("inv_1", "noa@example.com")
	promise.Role.ID = "role_1"
	must(t, store.Invitations().Insert(ctx, promise))
	members, invitations, err := store.Roles().CountHolders(ctx, "org_1", "role_1")
	must(t, err)
	wantEqual(t, [2]int{members, invitations}, [2]int{1, 1})
	wantConstraint(t, store.Roles().Delete(ctx, "org_1", "role_1"), "organization_members_role_id_fkey")
}

func TestNamesAreUpdated(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Organizations().Update(ctx, account.Organization{ID: "org_1", Name: "Grand"}))
	must(t, store.Users().SetName(ctx, "usr_1", "Ana"))
	organization, err := store.Organizations().Get(ctx, "org_1")
	must(t, err)
	user, err := store.Users().Get(ctx, "usr_1")
	must(t, err)
	wantEqual(t, organization.Name+" "+user.Name, "Grand Ana")
	wantNotFound(t, store.Organizations().Update(ctx, account.Organization{ID: "org_x"}))
	wantNotFound(t, store.Users().SetName(ctx, "usr_x", "Ana"))
}

func TestOtherSessionsEnd(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	sessions := NewSessionStore(store.DB())
	for token, user := range map[string]string{"here": "usr_1", "there": "usr_1", "theirs": "usr_2"} {
		must(t, sessions.Attach(ctx, token, account.Session{UserID: user}))
		must(t, sessions.CommitCtx(ctx, token, []byte("data"), time.Now().Add(time.Hour)))
	}
	must(t, sessions.Attach(ctx, "unwritten", account.Session{UserID: "usr_1"}))
	open, err := sessions.UserSessions(ctx, "usr_1", "here")
	must(t, err)
	if len(open) != 2 || !open[0].Current || open[1].Current || open[1].ExpiresAt.IsZero() {
		t.Errorf("%+v", open)
	}
	must(t, sessions.EndOtherSessions(ctx, "usr_1", "here"))
	for token, lives := range map[string]bool{"here": true, "there": false, "theirs": true} {
		_, found, err := sessions.FindCtx(ctx, token)
		must(t, err)
		wantEqual(t, found, lives)
	}
}

func TestTouchMember(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Members().Insert(t.Context(), account.Member{
		ID: "mem_1", OrganizationID: "org_1", UserID: "usr_1", Role: account.Role{ID: account.RoleMember}, Status: account.MemberActive, JoinedAt: at(0),
	}))
	must(t, store.Members().Touch(t.Context(), "mem_1", at(5)))
	must(t, store.Members().Touch(t.Context(), "mem_gone", at(5)))
	member, err := store.Members().Get(t.Context(), "org_1", "mem_1")
	must(t, err)
	wantEqual(t, *member.LastSeenAt, at(5))
}
