package billing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// troupe is an organization of its own on the stage, with people who need no password.
type testOrganization struct {
	*testEnv
	id string
}

var userCounter atomic.Int64 // of all tests, for ids and addresses of their own

// found makes an organization with an admin, and brings them in.
func (env *testEnv) insertOrganization() (testOrganization, account.Access) {
	env.t.Helper()
	organization := account.Organization{ID: fmt.Sprintf("org_t%d", userCounter.Add(1)), Name: "Troupe", CreatedAt: time.Now()}
	env.must(env.store.Organizations().Insert(env.t.Context(), organization))
	org := testOrganization{env, organization.ID}
	return org, org.insertMember(account.RoleAdmin, true)
}

func (env *testEnv) must(err error) {
	env.t.Helper()
	if err != nil {
		env.t.Fatal(err)
	}
}

// person makes a user and their membership, by hand: what is under test is what comes after.
func (org testOrganization) insertMember(role string, billable bool) account.Access {
	org.t.Helper()
	user := org.insertUser()
	member := account.Member{
		ID: "mem_" + user.ID, OrganizationID: org.id, UserID: user.ID, Role: account.Role{ID: role}, Billable: billable,
		Status: account.MemberActive, JoinedAt: time.Now(),
	}
	org.must(org.store.Members().Insert(org.t.Context(), member))
	return org.accessOf(user.ID)
}

func (env *testEnv) insertUser() account.User {
	env.t.Helper()
	n := userCounter.Add(1)
	user := account.User{ID: fmt.Sprintf("usr_t%d", n), Email: fmt.Sprintf("t%d@example.com", n), Name: fmt.Sprintf("Person %d", n), CreatedAt: time.Now()}
	env.must(env.store.Users().Insert(env.t.Context(), user))
	return user
}

func (org testOrganization) accessOf(userID string) account.Access {
	org.t.Helper()
	access, err := org.service.Organizations.Access(org.t.Context(), userID, org.id)
	org.must(err)
	return access
}

func (org testOrganization) createRole(admin account.Access, name string, members, bills bool) string {
	org.t.Helper()
	role, err := org.service.Roles.Create(org.t.Context(), admin, account.RoleDraft{Name: name, CanManageMembers: members, CanManageBilling: bills})
	org.must(err)
	return role.ID
}

// token is that of the newest invitation mail to an address.
func (env *testEnv) invitationToken(email string) string {
	env.t.Helper()
	var link string
	env.must(env.store.DB().GetContext(env.t.Context(), &link,
		`select data->>'url' from emails where kind = 'invitation' and recipient = $1 order by seq desc limit 1`, email))
	return link[strings.LastIndex(link, "/")+1:]
}

func (env *testEnv) queryInt(query string, args ...any) int {
	env.t.Helper()
	var n int
	env.must(env.store.DB().GetContext(env.t.Context(), &n, query, args...))
	return n
}

func ptr[T any](v T) *T { return &v }

// TestWhoMayDoWhat holds every kind of actor against every act.
func TestPermissions(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	org.insertMember(account.RoleAdmin, false) // so that no act meets the last admin
	roles := map[string]string{
		"admin": account.RoleAdmin, "billing admin": account.RoleBillingAdmin, "member": account.RoleMember,
		"people": org.createRole(admin, "People", true, false), "both": org.createRole(admin, "Both", true, true),
	}
	golden := map[string]string{ // in the order of actors below
		"invite a member":            "yes yes yes no  no ",
		"invite a billing admin":     "yes yes no  no  no ",
		"invite an admin":            "yes no  no  no  no ",
		"bill a member":              "yes yes yes no  no ",
		"suspend a member":           "yes yes yes no  no ",
		"make a member an admin":     "yes no  no  no  no ",
		"make a member both":         "yes yes no  no  no ",
		"unbill a billing admin":     "yes yes no  no  no ",
		"demote an admin":            "yes no  no  no  no ",
		"remove a member":            "yes yes yes no  no ",
		"remove an admin":            "yes no  no  no  no ",
		"make a role for members":    "yes yes yes no  no ",
		"make a role for billing":    "yes yes no  no  no ",
		"widen the role people":      "yes yes no  no  no ",
		"rename the organization":    "yes yes yes no  no ",
		"leave":                      "yes yes yes yes yes",
		"retry the seats at Stripe":  "yes yes no  yes no ",
		"change the built-in member": "no  no  no  no  no ",
		"add a billing contact":      "yes yes no  yes no ",
		"choose the notices":         "yes yes no  yes no ",
		"read who gets notices":      "yes yes no  yes no ",
		"hand the organization over": "yes no  no  no  no ",
		"delete the organization":    "yes no  no  no  no ",
	}
	actors := []string{"admin", "both", "people", "billing admin", "member"}
	for act, want := range golden {
		var got strings.Builder
		for i, actor := range actors {
			err := org.perform(act, org.insertMember(roles[actor], true), roles)
			fmt.Fprintf(&got, "%-3s", map[bool]string{true: "yes", false: "no"}[err == nil])
			if i < len(actors)-1 {
				got.WriteString(" ")
			}
			if code := apperr.CodeOf(err); err != nil && code != apperr.CodeForbidden && code != apperr.CodeConflict {
				t.Errorf("%s as %s: %v", act, actor, err)
			}
		}
		if got.String() != want {
			t.Errorf("%s:\n got %q\nwant %q, of %v", act, got.String(), want, actors)
		}
	}
}

func (org testOrganization) perform(act string, actor account.Access, roles map[string]string) error {
	ctx, service := org.t.Context(), org.service
	invite := func(role string) error {
		_, err := service.Invitations.Invite(ctx, actor, account.NewInvitation{Email: fmt.Sprintf("i%d@example.com", userCounter.Add(1)), RoleID: roles[role]})
		return err
	}
	change := func(of string, change account.MemberChange) error {
		_, err := service.Members.Change(ctx, actor, org.insertMember(roles[of], false).Member.ID, change)
		return err
	}
	makeRole := func(members, bills bool) error {
		_, err := service.Roles.Create(ctx, actor, account.RoleDraft{Name: fmt.Sprint("R", userCounter.Add(1)), CanManageMembers: members, CanManageBilling: bills})
		return err
	}
	changeRole := func(of string, bills bool) error {
		role, err := service.Roles.Change(ctx, actor, roles[of], account.RoleDraft{Name: "People", CanManageMembers: true, CanManageBilling: bills})
		if err == nil {
			role.CanManageBilling = false
			org.must(org.store.Roles().Update(ctx, role))
		}
		return err
	}
	switch act {
	case "add a billing contact":
		return service.Contacts.Add(ctx, actor, "office@example.com")
	case "choose the notices":
		return service.Contacts.ChooseNotices(ctx, actor, billing.NoticeKinds())
	case "read who gets notices":
		_, err := service.Contacts.NoticeSettings(ctx, actor)
		return err
	case "hand the organization over":
		return service.Members.HandOver(ctx, actor, org.insertMember(roles["member"], false).Member.ID)
	case "delete the organization":
		err := service.Deletions.Request(ctx, actor, actor.Organization.Name)
		if err == nil {
			kept, _ := service.Organizations.Access(ctx, actor.User.ID, actor.Organization.ID)
			org.must(service.Deletions.Withdraw(ctx, kept))
		}
		return err
	case "invite a member":
		return invite("member")
	case "invite a billing admin":
		return invite("billing admin")
	case "invite an admin":
		return invite("admin")
	case "bill a member":
		return change("member", account.MemberChange{Billable: ptr(true)})
	case "suspend a member":
		return change("member", account.MemberChange{Status: ptr(account.MemberSuspended)})
	case "make a member an admin":
		return change("member", account.MemberChange{RoleID: ptr(account.RoleAdmin)})
	case "make a member both":
		return change("member", account.MemberChange{RoleID: ptr(roles["both"])})
	case "unbill a billing admin":
		return change("billing admin", account.MemberChange{Billable: ptr(true)})
	case "demote an admin":
		return change("admin", account.MemberChange{RoleID: ptr(account.RoleMember)})
	case "remove a member":
		return service.Members.Remove(ctx, actor, org.insertMember(account.RoleMember, true).Member.ID)
	case "remove an admin":
		return service.Members.Remove(ctx, actor, org.insertMember(account.RoleAdmin, true).Member.ID)
	case "make a role for members":
		return makeRole(true, false)
	case "make a role for billing":
		return makeRole(false, true)
	case "widen the role people":
		return changeRole("people", true)
	case "rename the organization":
		_, err := service.Organizations.Rename(ctx, actor, "Troupe")
		return err
	case "leave":
		return service.Members.Leave(ctx, actor)
	case "retry the seats at Stripe":
		_, err := service.SeatSyncer.Retry(ctx, actor)
		return err
	case "change the built-in member":
		return changeRole("member", false)
	}
	org.t.Fatalf("no such act: %s", act)
	return nil
}

// TestRevokedRoleCountsAtOnce: what an actor was when their page was read does not matter.
func TestRevokedRoleTakesEffectImmediately(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	second := org.insertMember(account.RoleAdmin, true)
	victim := org.insertMember(account.RoleMember, true)
	ctx := t.Context()
	_, err := env.service.Members.Change(ctx, admin, second.Member.ID, account.MemberChange{RoleID: ptr(account.RoleMember)})
	env.must(err)
	if err := env.service.Members.Remove(ctx, second, victim.Member.ID); apperr.CodeOf(err) != apperr.CodeForbidden {
		t.Errorf("a demoted admin removes: %v", err)
	}
	env.must(env.service.Members.Remove(ctx, admin, second.Member.ID))
	if err := env.service.Members.Remove(ctx, second, victim.Member.ID); !errors.Is(err, apperr.ErrNotFound) {
		t.Errorf("a removed admin removes: %v", err)
	}
	if _, err := env.service.Organizations.Access(ctx, second.User.ID, org.id); !errors.Is(err, apperr.ErrNotFound) {
		t.Errorf("a removed member comes in: %v", err)
	}
	for name, act := range map[string]func(account.Access) error{
		"change": func(a account.Access) error {
			_, err := env.service.Members.Change(ctx, a, victim.Member.ID, account.MemberChange{Billable: ptr(false)})
			return err
		},
		"remove": func(a account.Access) error { return env.service.Members.Remove(ctx, a, victim.Member.ID) },
		"read": func(a account.Access) error {
			_, err := env.service.Members.Get(ctx, a, victim.Member.ID)
			return err
		},
	} {
		if err := act(env.access); !errors.Is(err, apperr.ErrNotFound) { // an admin, of another organization
			t.Errorf("a stranger: %s: %v", name, err)
		}
	}
}

// TestLastAdminStays lets two admins take each other out at the same moment, in every way there is.
func TestLastAdminCannotBeRemoved(t *testing.T) {
	env := newTestEnv(t)
	ctx := t.Context()
	remove := func(a, b account.Access) error { return env.service.Members.Remove(ctx, a, b.Member.ID) }
	demote := func(a, b account.Access) error {
		_, err := env.service.Members.Change(ctx, a, b.Member.ID, account.MemberChange{RoleID: ptr(account.RoleMember)})
		return err
	}
	suspend := func(a, b account.Access) error {
		_, err := env.service.Members.Change(ctx, a, b.Member.ID, account.MemberChange{Status: ptr(account.MemberSuspended)})
		return err
	}
	leave := func(a, _ account.Access) error { return env.service.Members.Leave(ctx, a) }
	ways := []func(a, b account.Access) error{remove, demote, suspend, leave}
	for race := range 20 {
		org, ana := env.insertOrganization()
		ben := org.insertMember(account.RoleAdmin, true)
		var group sync.WaitGroup
		group.Go(func() { _ = ways[race%4](ana, ben) })
		group.Go(func() { _ = ways[race/4%4](ben, ana) })
		group.Wait()
		left := env.queryInt(`select count(*) from organization_members where organization_id = $1 and role_id = 'admin' and status = 'active'`, org.id)
		if left != 1 {
			t.Errorf("race %d: %d admins are left", race, left)
		}
	}
	org, ana := env.insertOrganization()
	org.insertMember(account.RoleMember, true)
	for name, err := range map[string]error{"leaves": leave(ana, ana), "removes themselves": remove(ana, ana), "demotes themselves": demote(ana, ana)} {
		if apperr.MessageOf(err) != account.MessageLastAdmin {
			t.Errorf("the last admin %s: %v", name, err)
		}
	}
	if err := suspend(ana, ana); apperr.MessageOf(err) != account.MessageSuspendsSelf {
		t.Errorf("suspends themselves: %v", err)
	}
}

// TestEveryMembershipChangeIsCounted plays random membership changes and looks after each: what is wanted is the recount, a new number is a
// new version with a line in the ledger, and whoever is billed has a newest line that says since when.
func TestMembershipChangesUpdateSeats(t *testing.T) {
	env := newTestEnv(t)
	played := map[string]int{}
	for seed := range uint64(6) {
		org, admin := env.insertOrganization()
		// Where the admin is not billed the first billed person changes no number: one seat is wanted with nobody too.
		_, err := env.service.Members.Change(t.Context(), admin, admin.Member.ID, account.MemberChange{Billable: ptr(seed%2 == 0)})
		env.must(err)
		game := membershipScenario{testOrganization: org, admin: admin, random: rand.New(rand.NewPCG(seed, 5)), runs: played}
		for range 40 {
			before, _ := env.store.Seats().State(t.Context(), org.id)
			billed := game.countBillable()
			way := game.runRandomOperation()
			game.check(way, before, billed)
		}
	}
	for _, way := range (&membershipScenario{testOrganization: testOrganization{testEnv: env}}).operations() {
		if played[way.name] == 0 {
			t.Errorf("%q was never played", way.name)
		}
	}
}

type membershipScenario struct {
	testOrganization
	admin  account.Access
	random *rand.Rand
	runs   map[string]int
}

type membershipOperation struct {
	name string
	run  func(m account.Member) error
}

func (g *membershipScenario) countBillable() int {
	n, err := g.store.Members().CountBillable(g.t.Context(), g.id)
	g.must(err)
	return n
}

// ways lists every way a membership can change.
func (g *membershipScenario) operations() []membershipOperation {
	ctx, service := g.t.Context(), g.service
	change := func(c account.MemberChange) func(account.Member) error {
		return func(m account.Member) error {
			_, err := service.Members.Change(ctx, g.admin, m.ID, c)
			return err
		}
	}
	join := func(billable bool) func(account.Member) error {
		return func(account.Member) error {
			user := g.insertUser()
			if _, err := service.Invitations.Invite(ctx, g.admin, account.NewInvitation{Email: strings.ToUpper(user.Email), Billable: billable}); err != nil {
				return err
			}
			_, err := service.Invitations.Accept(ctx, g.invitationToken(strings.ToUpper(user.Email)), user.ID)
			return err
		}
	}
	return []membershipOperation{
		{"join, billed", join(true)},
		{"join, not billed", join(false)},
		{"bill", change(account.MemberChange{Billable: ptr(true)})},
		{"stop billing", change(account.MemberChange{Billable: ptr(false)})},
		{"suspend", change(account.MemberChange{Status: ptr(account.MemberSuspended)})},
		{"let in again", change(account.MemberChange{Status: ptr(account.MemberActive)})},
		{"another role", change(account.MemberChange{RoleID: ptr(account.RoleBillingAdmin)})},
		{"remove", func(m account.Member) error { return service.Members.Remove(ctx, g.admin, m.ID) }},
		{"leave", func(m account.Member) error {
			access, err := service.Organizations.Access(ctx, m.UserID, g.id)
			if errors.Is(err, apperr.ErrNotFound) {
				return nil // suspended: there is no way to leave
			}
			g.must(err)
			return service.Members.Leave(ctx, access)
		}},
		{"delete the account", func(m account.Member) error {
			_, err := g.store.DB().ExecContext(ctx, `update users set password_hash = (select password_hash from users where id = $2) where id = $1`,
				m.UserID, g.access.User.ID)
			g.must(err)
			return service.Users.DeleteAccount(ctx, m.UserID, "front of house")
		}},
		{"hand over and back", func(m account.Member) error {
			access, err := service.Organizations.Access(ctx, m.UserID, g.id)
			if errors.Is(err, apperr.ErrNotFound) {
				return nil // suspended: nobody to hand it to
			}
			g.must(err)
			g.must(service.Members.HandOver(ctx, g.admin, m.ID))
			return service.Members.HandOver(ctx, access, g.admin.Member.ID)
		}},
	}
}

// play takes a random way with a random member who is not the admin; joining where there is none.
func (g *membershipScenario) runRandomOperation() string {
	members, err := g.service.Members.List(g.t.Context(), g.admin)
	g.must(err)
	others := members[:0]
	for _, member := range members {
		if member.UserID != g.admin.User.ID {
			others = append(others, member)
		}
	}
	ways := g.operations()
	chosen, member := ways[g.random.IntN(2)], account.Member{}
	if len(others) > 0 {
		chosen, member = ways[g.random.IntN(len(ways))], others[g.random.IntN(len(others))]
	}
	g.runs[chosen.name]++
	g.must(chosen.run(member))
	return chosen.name
}

func (g *membershipScenario) check(way string, before billing.SeatState, billedBefore int) {
	g.t.Helper()
	ctx := g.t.Context()
	state, err := g.store.Seats().State(ctx, g.id)
	if errors.Is(err, apperr.ErrNotFound) && billedBefore == g.countBillable() {
		return // nothing was ever counted: nobody's billing changed yet
	}
	g.must(err)
	if want := max(1, g.countBillable()); state.DesiredSeats != want {
		g.t.Errorf("%s: wanted %d, billed %d", way, state.DesiredSeats, want)
	}
	if moved := state.DesiredSeats != before.DesiredSeats; moved != (state.SyncVersion > before.SyncVersion) {
		g.t.Errorf("%s: %d to %d seats, version %d to %d", way, before.DesiredSeats, state.DesiredSeats, before.SyncVersion, state.SyncVersion)
	}
	changes, _, err := g.service.SeatLedger.Search(ctx, g.admin, billing.LedgerSearch{Limit: 200})
	g.must(err)
	if len(changes) > 0 && changes[0].To != state.DesiredSeats {
		g.t.Errorf("%s: the ledger ends at %d, wanted are %d", way, changes[0].To, state.DesiredSeats)
	}
	for i := 1; i < len(changes); i++ {
		if changes[i-1].From != changes[i].To {
			g.t.Errorf("%s: the ledger jumps from %d to %d", way, changes[i].To, changes[i-1].From)
		}
	}
	g.checkLedgerReasons(way)
}

// checkWhy: the newest line about a person tells whether they are billed.
func (g *membershipScenario) checkLedgerReasons(way string) {
	g.t.Helper()
	members, err := g.service.Members.List(g.t.Context(), g.admin)
	g.must(err)
	for _, member := range members {
		if member.UserID == g.admin.User.ID {
			continue // made by hand
		}
		since, err := g.service.SeatLedger.BilledSince(g.t.Context(), g.admin, []string{member.UserID})
		g.must(err)
		line, known := since[member.UserID]
		begins := line.Reason == "accepted an invitation" || line.Reason == "was let in again" || line.Reason == "is billed from now on"
		if member.Billed() && (!known || !begins || line.ActorUserID == "") || !member.Billed() && known && begins {
			g.t.Errorf("%s: billed %v, and the ledger's newest line says %+v", way, member.Billed(), line)
		}
	}
}
