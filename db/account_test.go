package db

import (
	"context"
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

func TestUserRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	want := account.User{ID: "usr_1", Email: "Ada@Example.com", Name: "Ada Łovelace", PasswordHash: "$argon2id$…", CreatedAt: testTime, EmailVerifiedAt: ptr(at(5)), Operator: true, Language: "de"}
	wantFilled(t, want, "SecondFactorAt") // stored with the second factor
	must(t, store.Users().Insert(ctx, want))
	want.CreatedAt = want.CreatedAt.UTC()

	got, err := store.Users().Get(ctx, "usr_1")
	must(t, err)
	wantEqual(t, got, want)
	got, err = store.Users().ByEmail(ctx, "aDA@exAMPLE.com")
	must(t, err)
	wantEqual(t, got, want)

	_, err = store.Users().Get(ctx, "usr_2")
	wantNotFound(t, err)
	_, err = store.Users().ByEmail(ctx, "grace@example.com")
	wantNotFound(t, err)
}

func TestKnownEmailIsAConflictOfTheEmailField(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	must(t, store.Users().Insert(ctx, account.User{ID: "usr_1", Email: "ada@example.com", CreatedAt: testTime}))
	err := store.Users().Insert(ctx, account.User{ID: "usr_2", Email: "ADA@example.com", CreatedAt: testTime})
	wantConflict(t, err, "users_email_key", "email")
	wantEqual(t, apperr.MessageOf(err), "There is an account with this e-mail address already. Sign in instead.")
}

func TestOrganizationRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	want := account.Organization{ID: "org_1", Name: "Acme & Söhne", CreatedAt: testTime, DeletesAt: ptr(at(1)), DeletedAt: ptr(at(2)), PlannedPeople: 8, RequireSecondFactor: true,
		ExternalID: "acme/1", RequestDigest: "5e", HasWebhooks: true}
	wantFilled(t, want)
	must(t, store.Organizations().Insert(ctx, want))
	run(t, store, markWebhooks, "org_1") // stored with the first webhook
	want.CreatedAt = want.CreatedAt.UTC()

	got, err := store.Organizations().Get(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, want)
	got, err = store.Organizations().Lock(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, want)

	_, err = store.Organizations().ByExternalID(ctx, "acme/1")
	wantNotFound(t, err) // it is deleted
	want.ID, want.DeletedAt, want.HasWebhooks = "org_3", nil, false
	must(t, store.Organizations().Insert(ctx, want))
	got, err = store.Organizations().ByExternalID(ctx, "acme/1")
	must(t, err)
	wantEqual(t, got, want)
	want.ID = "org_4"
	wantConflict(t, store.Organizations().Insert(ctx, want), "organizations_external_id_key", "externalId")

	_, err = store.Organizations().Get(ctx, "org_2")
	wantNotFound(t, err)
	_, err = store.Organizations().Lock(ctx, "org_2")
	wantNotFound(t, err)
}

// A locked organization blocks other locks on it, but not inserts of rows that refer to it.
func TestLockOrganizationAllowsReferences(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t, "lock_timeout", "100ms"), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		if _, err := tx.Organizations().Lock(ctx, "org_1"); err != nil {
			return err
		}
		if _, err := store.Organizations().Lock(ctx, "org_1"); err == nil {
			t.Error("a second lock was granted beside the first")
		}
		return store.Members().Insert(ctx, member("mem_1", "org_1", "usr_1"))
	}))
}

func member(id, organizationID, userID string) account.Member {
	return account.Member{ID: id, OrganizationID: organizationID, UserID: userID, Role: account.Role{ID: account.RoleMember},
		Billable: true, Status: account.MemberActive, JoinedAt: at(0)}
}

func TestMemberRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	run(t, store, `insert into roles values ('role_1', 'org_1', 'Buyer', true, true)`)
	want := account.Member{
		ID: "mem_1", OrganizationID: "org_1", UserID: "usr_1", Name: "Ada", Email: "ada@example.com",
		ManagedName: "Ada", ManagedEmail: "ada@example.com", ExternalID: "1", Provisional: true,
		Role:     account.Role{ID: "role_1", OrganizationID: "org_1", Name: "Buyer", CanManageBilling: true, CanManageMembers: true},
		Billable: true, Status: account.MemberSuspended, JoinedAt: testTime, LastSeenAt: ptr(testTime),
		SuspendedByProgram: true, GivenName: "Ada", FamilyName: "King",
	}
	wantFilled(t, want)
	wantFilled(t, want.Role)
	must(t, store.Members().Insert(ctx, want))
	want.JoinedAt, want.LastSeenAt = at(0), ptr(at(0))

	members, err := store.Members().List(ctx, "org_1")
	must(t, err)
	wantEqual(t, members, []account.Member{want})

	want.Status, want.SuspendedByProgram = account.MemberActive, false
	must(t, store.Members().Update(ctx, want))
	access, err := store.Organizations().Access(ctx, "usr_1", "org_1")
	must(t, err)
	wantEqual(t, access, account.Access{
		User:         account.User{ID: "usr_1", Email: "ada@example.com", Name: "Name of usr_1", CreatedAt: at(0)},
		Organization: account.Organization{ID: "org_1", Name: "Acme", CreatedAt: at(0)},
		Member:       want,
	})
}

// Many rows written by one statement are read as they were, in their order.
func TestManyMembersRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_9", "org_9")
	users := []account.User{
		{ID: "usr_2", Email: "provisional:usr_2", Name: `Q"uo\te`, CreatedAt: testTime}, {ID: "usr_3", Email: "provisional:usr_3", Name: "Zoë 𝒁", CreatedAt: testTime},
	}
	must(t, store.Users().InsertAll(ctx, users))
	want := make([]account.Member, len(users))
	for i, u := range users {
		want[i] = member("mem_"+u.ID, "org_1", u.ID)
		want[i].Role = account.Role{ID: account.RoleMember, Name: "Member"}
		want[i].Name, want[i].ManagedName, want[i].ManagedEmail, want[i].Email = u.Name, u.Name, u.ID+"@example.com", u.ID+"@example.com"
		want[i].ExternalID, want[i].Provisional = u.ID, true
	}
	must(t, store.Members().InsertAll(ctx, want))
	got, err := store.Members().List(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, want)

	want[0].ManagedName, want[0].Name, want[0].Billable, want[0].ExternalID = "Quote", "Quote", false, ""
	must(t, store.Members().UpdateManaged(ctx, want[:1]))
	got, err = store.Members().List(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, want)
	user, err := store.Users().Get(ctx, "usr_2")
	must(t, err)
	wantEqual(t, user.Name, "Quote")

	must(t, store.SeatLedger().InsertAll(ctx, []billing.SeatChange{
		{OrganizationID: "org_1", At: at(0), SubjectUserID: "usr_2", Reason: "a", To: 1, Version: 1}, {OrganizationID: "org_1", At: at(0), SubjectUserID: "usr_3", Reason: "b", From: 1, To: 2, Version: 1},
	}))
	found, err := store.Members().ProvisionalByEmail(ctx, "org_1", "USR_3@example.com")
	must(t, err)
	wantEqual(t, found, want[1:])
	must(t, store.Members().Link(ctx, want[1], "usr_1", at(9)))
	wantNotFound(t, store.Members().Link(ctx, want[1], "usr_9", at(9))) // once
	changes, err := store.SeatLedger().History(ctx, "org_1")
	must(t, err)
	if len(changes) != 2 || changes[0].SubjectUserID != "usr_2" || changes[1].SubjectUserID != "usr_1" || changes[1].To != 2 {
		t.Errorf("%+v", changes)
	}

	must(t, store.Members().DeleteAll(ctx, "org_9", []string{"mem_usr_2"})) // of another organization
	must(t, store.Members().DeleteAll(ctx, "org_1", []string{"mem_usr_2"}))
	got, err = store.Members().List(ctx, "org_1")
	must(t, err)
	if len(got) != 1 || got[0].UserID != "usr_1" || got[0].Provisional || got[0].Name != "Zoë 𝒁" {
		t.Errorf("%+v", got)
	}
}

func TestAccessIsForActiveMembersOnly(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	suspended := member("mem_1", "org_1", "usr_1")
	suspended.Status = account.MemberSuspended
	must(t, store.Members().Insert(ctx, suspended))
	must(t, store.Members().Insert(ctx, member("mem_2", "org_2", "usr_2")))

	for name, pair := range map[string][2]string{
		"suspended":            {"usr_1", "org_1"},
		"another organization": {"usr_2", "org_1"},
		"unknown user":         {"usr_3", "org_1"},
		"unknown organization": {"usr_2", "org_3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.Organizations().Access(ctx, pair[0], pair[1])
			wantNotFound(t, err)
		})
	}
	_, err := store.Organizations().Access(ctx, "usr_2", "org_2")
	must(t, err)
}

func TestOrganizationsOfAUser(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	must(t, store.Users().Insert(ctx, account.User{ID: "usr_1", Email: "a@example.com", CreatedAt: at(0)}))
	for i, id := range []string{"org_c", "org_a", "org_b", "org_suspended"} {
		must(t, store.Organizations().Insert(ctx, account.Organization{ID: id, Name: id, CreatedAt: at(0)}))
		m := member("mem_"+id, id, "usr_1")
		m.JoinedAt = at(-i)
		if id == "org_suspended" {
			m.Status = account.MemberSuspended
		}
		must(t, store.Members().Insert(ctx, m))
	}
	got, err := store.Organizations().OfUser(ctx, "usr_1")
	must(t, err)
	var ids []string
	for _, o := range got {
		ids = append(ids, o.ID)
	}
	wantEqual(t, ids, []string{"org_b", "org_a", "org_c"})

	none, err := store.Organizations().OfUser(ctx, "usr_2")
	must(t, err)
	wantEqual(t, none, []account.Organization{})
}

func TestMembersAreListedByName(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	must(t, store.Organizations().Insert(ctx, account.Organization{ID: "org_1", CreatedAt: at(0)}))
	for i, name := range []string{"bob", "Carol", "Ada"} {
		id := string(rune('1' + i))
		must(t, store.Users().Insert(ctx, account.User{ID: "usr_" + id, Email: id + "@example.com", Name: name, CreatedAt: at(0)}))
		must(t, store.Members().Insert(ctx, member("mem_"+id, "org_1", "usr_"+id)))
	}
	members, err := store.Members().List(ctx, "org_1")
	must(t, err)
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	wantEqual(t, names, []string{"Ada", "bob", "Carol"})
}

func TestRolesBuiltInFirst(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	run(t, store, `insert into roles values ('role_2', 'org_1', 'zeta', false, true), ('role_1', 'org_1', 'Alpha', true, false),
		('role_3', 'org_2', 'Beta', true, true)`)
	roles, err := store.Roles().List(ctx, "org_1")
	must(t, err)
	wantEqual(t, roles, []account.Role{
		{ID: "admin", Name: "Admin", CanManageBilling: true, CanManageMembers: true},
		{ID: "billing_admin", Name: "Billing admin", CanManageBilling: true},
		{ID: "member", Name: "Member"},
		{ID: "role_1", OrganizationID: "org_1", Name: "Alpha", CanManageBilling: true},
		{ID: "role_2", OrganizationID: "org_1", Name: "zeta", CanManageMembers: true},
	})
}

// The count must agree with billing.Member.Billed.
func TestCountBillable(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	must(t, store.Organizations().Insert(ctx, account.Organization{ID: "org_1", CreatedAt: at(0)}))
	for i, m := range []account.Member{
		{Billable: true, Status: account.MemberActive}, {Billable: true, Status: account.MemberActive},
		{Billable: false, Status: account.MemberActive}, {Billable: true, Status: account.MemberSuspended},
		{Billable: false, Status: account.MemberSuspended},
	} {
		insertMemberLike(ctx, t, store, string(rune('1'+i)), m)
	}
	members, err := store.Members().List(ctx, "org_1")
	must(t, err)
	want := 0
	for _, m := range members {
		if m.Billed() {
			want++
		}
	}
	got, err := store.Members().CountBillable(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, want)
	wantEqual(t, got, 2)
	got, err = store.Members().CountBillable(ctx, "org_2")
	must(t, err)
	wantEqual(t, got, 0)
}

func insertMemberLike(ctx context.Context, t *testing.T, store *Store, id string, like account.Member) {
	t.Helper()
	must(t, store.Users().Insert(ctx, account.User{ID: "usr_" + id, Email: id + "@example.com", CreatedAt: at(0)}))
	m := member("mem_"+id, "org_1", "usr_"+id)
	m.Billable, m.Status = like.Billable, like.Status
	must(t, store.Members().Insert(ctx, m))
}

func TestSecondMembershipIsAConflict(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Members().Insert(ctx, member("mem_1", "org_1", "usr_1")))
	err := store.Members().Insert(ctx, member("mem_2", "org_1", "usr_1"))
	wantConflict(t, err, "organization_members_organization_user_key", "")
}

func TestRoleOfAnotherOrganizationIsRefused(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	run(t, store, `insert into roles values ('role_2', 'org_2', 'Owner', true, true)`)
	m := member("mem_1", "org_1", "usr_1")
	m.Role.ID = "role_2"
	wantConstraint(t, store.Members().Insert(ctx, m), "organization_members_role_organization_fkey")
	m.OrganizationID = "org_2"
	must(t, store.Members().Insert(ctx, m))
}

func TestTextThatCannotBeStoredIsInvalid(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	for name, text := range map[string]string{"zero byte": "Acme\x00", "no UTF-8": "Acme\xff"} {
		err := store.Organizations().Insert(ctx, account.Organization{ID: "org_1", Name: text, CreatedAt: at(0)})
		if apperr.CodeOf(err) != apperr.CodeInvalid {
			t.Errorf("%s: got %v, want an invalid request", name, err)
		}
	}
}
