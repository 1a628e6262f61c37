package db

import (
	"slices"
	"strconv"
	"strings"
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

// insertNamed adds members with the names to org_1; the third of each three is suspended, every
// second has no seat.
func insertNamed(t *testing.T, store *Store, names ...string) {
	t.Helper()
	insertUserAndOrganization(t, store, "usr_founder", "org_1")
	for i, name := range names {
		id := strconv.Itoa(i)
		must(t, store.Users().Insert(t.Context(), account.User{ID: "usr_" + id, Name: name, Email: "Person" + id + "@example.com", CreatedAt: at(0)}))
		m := member("mem_"+id, "org_1", "usr_"+id)
		m.Billable, m.ExternalID = i%2 == 0, "ext_"+id
		if i%3 == 2 {
			m.Status = account.MemberSuspended
		}
		must(t, store.Members().Insert(t.Context(), m))
	}
}

func memberNames(members []account.Member) string {
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// Members are listed by what is shown: the name of a program before the person's own, as it is now.
func TestMemberOrder(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertNamed(t, store, "cy", "Bo", "ANA", "dee")
	wantOrder := func(want string) {
		t.Helper()
		members, err := store.Members().List(ctx, "org_1")
		must(t, err)
		wantEqual(t, memberNames(members), want)
		page, err := store.Members().Search(ctx, "org_1", account.MemberSearch{}, 1, 2)
		must(t, err)
		wantEqual(t, memberNames(page), memberNames(members[1:3]))
	}
	wantOrder("ANA Bo cy dee")
	must(t, store.Users().SetName(ctx, "usr_2", "Zoe"))
	wantOrder("Bo cy dee Zoe")
	managed, err := store.Members().Get(ctx, "org_1", "mem_1")
	must(t, err)
	managed.ManagedName, managed.ManagedEmail = "Yan", "Yan@example.com"
	must(t, store.Members().UpdateManaged(ctx, []account.Member{managed}))
	must(t, store.Users().SetName(ctx, "usr_1", "Abe")) // not shown
	wantOrder("cy dee Yan Zoe")
	found, err := store.Members().ByKeys(ctx, "org_1", account.MemberKeys{Addresses: []string{"person1@example.com", "YAN@EXAMPLE.COM"}})
	must(t, err)
	wantEqual(t, memberNames(found), "Yan")
	must(t, store.Users().SetEmail(ctx, "usr_0", "new@example.com", at(0)))
	found, err = store.Members().ByKeys(ctx, "org_1", account.MemberKeys{Addresses: []string{"Person0@example.com", "new@example.com"}})
	must(t, err)
	wantEqual(t, memberNames(found), "cy")
}

func TestMemberSearch(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertNamed(t, store, "Ärzte", "100 %", "Bo_x", "Bo x")
	insertUserAndOrganization(t, store, "usr_o", "org_2")
	must(t, store.Members().Insert(ctx, member("mem_o", "org_2", "usr_o")))
	for search, want := range map[account.MemberSearch]string{
		{}:                                "100 % Bo x Bo_x Ärzte",
		{Text: "bo"}:                      "Bo x Bo_x",
		{Text: "_"}:                       "Bo_x",
		{Text: "%"}:                       "100 %",
		{Text: "PERSON3@"}:                "Bo x",
		{Text: "MEMB"}:                    "100 % Bo x Bo_x Ärzte", // the role
		{Text: "admin"}:                   "",
		{Seat: account.SeatBilled}:        "Ärzte",
		{Seat: account.SeatNotBilled}:     "100 % Bo x Bo_x",
		{Seat: account.SeatSuspended}:     "Bo_x",
		{Text: "bo", Seat: "not_billed"}:  "Bo x Bo_x",
		{Text: "ÄRZ", Seat: "everything"}: "Ärzte",
	} {
		found, err := store.Members().Search(ctx, "org_1", search, 0, 10)
		must(t, err)
		names := strings.Fields(strings.NewReplacer("100 %", "100", "Bo x", "Box").Replace(memberNames(found)))
		slices.Sort(names) // the order of letters beyond ASCII is the database's
		wanted := strings.Fields(strings.NewReplacer("100 %", "100", "Bo x", "Box").Replace(want))
		slices.Sort(wanted)
		wantEqual(t, names, wanted)
		n, err := store.Members().Count(ctx, "org_1", search)
		must(t, err)
		wantEqual(t, n, len(found))
	}
	counts, err := store.Members().CountByRole(ctx, "org_1")
	must(t, err)
	wantEqual(t, counts, map[string]int{account.RoleMember: 4})
}

func TestMembersByKeys(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertNamed(t, store, "A", "B", "C", "D", "E")
	admin, err := store.Members().Get(ctx, "org_1", "mem_4")
	must(t, err)
	admin.Role = account.Role{ID: account.RoleAdmin}
	must(t, store.Members().Update(ctx, admin))
	for want, keys := range map[string]account.MemberKeys{
		"":          {},
		"A":         {IDs: []string{"mem_0", "mem_0", "mem_x"}},
		"B C":       {UserIDs: []string{"usr_2"}, ExternalIDs: []string{"ext_1", ""}},
		"D E":       {Addresses: []string{"PERSON3@example.com"}, RoleIDs: []string{account.RoleAdmin}},
		"A B C D E": {RoleIDs: []string{account.RoleAdmin, account.RoleMember}, IDs: []string{"mem_0"}},
	} {
		found, err := store.Members().ByKeys(ctx, "org_1", keys)
		must(t, err)
		wantEqual(t, memberNames(found), want)
	}
	found, err := store.Members().ByKeys(ctx, "org_2", account.MemberKeys{IDs: []string{"mem_0"}, RoleIDs: []string{account.RoleMember}})
	must(t, err)
	wantEqual(t, len(found), 0)
}

// A page of a large organization reads the members of the page, and a person's name changes while
// they become a member.
func TestMemberPageReadsAnIndex(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertNamed(t, store, "Founder")
	run(t, store, `insert into users (id, email, name, password_hash, created_at)
		select 'usr_m' || n, 'm' || n || '@example.com', 'Name ' || n, 'x', now() from generate_series(1, 3000) n`)
	run(t, store, `insert into organization_members (id, organization_id, user_id, role_id, billable, status, joined_at)
		select 'mem_m' || n, 'org_1', 'usr_m' || n, 'member', true, 'active', now() from generate_series(1, 3000) n`)
	run(t, store, `analyze organization_members, users`)
	page := strings.NewReplacer("$1", "'org_1'", "$2", "''", "$3", "''", "$4", "50", "$5", "100").Replace(searchMembers)
	var plan []string
	must(t, store.DB().SelectContext(ctx, &plan, `explain `+page))
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "organization_members_order_idx") || strings.Contains(text, "Seq Scan on organization_members") {
		t.Errorf("the page is read by\n%s", text)
	}
}

// A change of the name waits for a membership that is being written, and reaches it.
func TestNameChangesWhileMemberIsAdded(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	renamed := make(chan error, 1)
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		if err := tx.Members().Insert(ctx, member("mem_1", "org_1", "usr_1")); err != nil {
			return err
		}
		go func() { renamed <- store.Users().SetName(ctx, "usr_1", "Renamed") }()
		waitUntilBlocked(t, store)
		return nil
	}))
	must(t, <-renamed)
	wantEqual(t, one[string](t, store, `select sort_name from organization_members`), "renamed")
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

func TestPartsOfTheSeatLedger(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertNamed(t, store, "A", "B", "C", "D", "E")
	for version := range int64(6) {
		for _, user := range []string{"usr_0", "usr_2"} {
			must(t, store.SeatLedger().Insert(ctx, billing.SeatChange{OrganizationID: "org_1", SubjectUserID: user, Version: version + 1, At: at(0)}))
		}
	}
	part, err := store.SeatLedger().Between(ctx, "org_1", 2, 4)
	must(t, err)
	whole, err := store.SeatLedger().History(ctx, "org_1")
	must(t, err)
	wantEqual(t, part, whole[4:8])
	counts, err := store.SeatLedger().CountUntil(ctx, "org_1", []string{"usr_0", "usr_1"}, 4)
	must(t, err)
	wantEqual(t, counts, map[string]int{"usr_0": 4})
	counts, err = store.SeatLedger().CountUntil(ctx, "org_1", nil, 4)
	must(t, err)
	wantEqual(t, counts, map[string]int{})
	unrecorded, err := store.SeatLedger().Unrecorded(ctx, "org_1")
	must(t, err)
	wantEqual(t, memberNames(unrecorded), "E") // B and D have no seat, C is suspended
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
