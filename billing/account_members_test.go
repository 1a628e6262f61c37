package billing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// This file tests package account from outside, because memberships change seats, which only the
// whole service has.

// TestPermissions checks every operation for every kind of role.
func TestPermissions(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	org.insertMember(account.RoleAdmin, false) // so that no operation concerns the last admin
	roles := map[string]string{
		"admin": account.RoleAdmin, "billing admin": account.RoleBillingAdmin, "member": account.RoleMember,
		"people": org.createRole(admin, "People", true, false), "both": org.createRole(admin, "Both", true, true),
	}
	permissions := map[string]string{ // columns in the order of actors
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
	for operation, want := range permissions {
		var got strings.Builder
		for i, actor := range actors {
			err := org.perform(operation, org.insertMember(roles[actor], true), roles)
			fmt.Fprintf(&got, "%-3s", map[bool]string{true: "yes", false: "no"}[err == nil])
			if i < len(actors)-1 {
				got.WriteString(" ")
			}
			if code := apperr.CodeOf(err); err != nil && code != apperr.CodeForbidden && code != apperr.CodeConflict {
				t.Errorf("%s as %s: %v", operation, actor, err)
			}
		}
		if got.String() != want {
			t.Errorf("%s:\n got %q\nwant %q, for %v", operation, got.String(), want, actors)
		}
	}
}

func (org testOrganization) perform(operation string, actor account.Access, roles map[string]string) error {
	ctx, service := org.t.Context(), org.service
	invite := func(role string) error {
		_, err := service.Invitations.Invite(ctx, actor, account.NewInvitation{Email: fmt.Sprintf("i%d@example.com", userCounter.Add(1)), RoleID: roles[role]})
		return err
	}
	change := func(role string, change account.MemberChange) error {
		_, err := service.Members.Change(ctx, actor, org.insertMember(roles[role], false).Member.ID, change)
		return err
	}
	makeRole := func(members, bills bool) error {
		_, err := service.Roles.Create(ctx, actor, account.RoleDraft{Name: fmt.Sprint("R", userCounter.Add(1)), CanManageMembers: members, CanManageBilling: bills})
		return err
	}
	changeRole := func(name string, bills bool) error {
		role, err := service.Roles.Change(ctx, actor, roles[name], account.RoleDraft{Name: "People", CanManageMembers: true, CanManageBilling: bills})
		if err == nil {
			role.CanManageBilling = false
			org.must(org.store.Roles().Update(ctx, role))
		}
		return err
	}
	switch operation {
	case "add a billing contact":
		return service.Contacts.Add(ctx, actor, "office@example.com")
	case "choose the notices":
		return service.Contacts.ChooseNotices(ctx, actor, billing.NoticeKinds())
	case "read who gets notices":
		_, err := service.Contacts.NoticeSettings(ctx, actor)
		return err
	case "hand the organization over":
		return service.Members.HandOver(ctx, actor, org.insertMember(roles["member"], false).Member.ID, actor.Organization.Name)
	case "delete the organization":
		err := service.Deletions.Request(ctx, actor, actor.Organization.Name)
		if err == nil {
			access, _ := service.Organizations.Access(ctx, actor.User.ID, actor.Organization.ID)
			org.must(service.Deletions.Withdraw(ctx, access))
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
		_, err := service.Organizations.Rename(ctx, actor, "Second")
		return err
	case "leave":
		return service.Members.Leave(ctx, actor)
	case "retry the seats at Stripe":
		_, err := service.SeatSyncer.Retry(ctx, actor)
		return err
	case "change the built-in member":
		return changeRole("member", false)
	}
	org.t.Fatalf("unknown operation: %s", operation)
	return nil
}

// The role is read again for every operation, so that an outdated access grants nothing.
func TestRevokedRoleTakesEffectImmediately(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	second := org.insertMember(account.RoleAdmin, true)
	target := org.insertMember(account.RoleMember, true)
	ctx := t.Context()
	_, err := env.service.Members.Change(ctx, admin, second.Member.ID, account.MemberChange{RoleID: ptr(account.RoleMember)})
	env.must(err)
	if err := env.service.Members.Remove(ctx, second, target.Member.ID); apperr.CodeOf(err) != apperr.CodeForbidden {
		t.Errorf("removal by a demoted admin: %v", err)
	}
	env.must(env.service.Members.Remove(ctx, admin, second.Member.ID))
	if err := env.service.Members.Remove(ctx, second, target.Member.ID); !errors.Is(err, apperr.ErrNotFound) {
		t.Errorf("removal by a removed admin: %v", err)
	}
	if _, err := env.service.Organizations.Access(ctx, second.User.ID, org.id); !errors.Is(err, apperr.ErrNotFound) {
		t.Errorf("access of a removed member: %v", err)
	}
	for name, operation := range map[string]func(account.Access) error{
		"change": func(a account.Access) error {
			_, err := env.service.Members.Change(ctx, a, target.Member.ID, account.MemberChange{Billable: ptr(false)})
			return err
		},
		"remove": func(a account.Access) error { return env.service.Members.Remove(ctx, a, target.Member.ID) },
		"read": func(a account.Access) error {
			_, err := env.service.Members.Get(ctx, a, target.Member.ID)
			return err
		},
	} {
		// The actor is an admin of another organization.
		if err := operation(env.access); !errors.Is(err, apperr.ErrNotFound) {
			t.Errorf("%s by another organization's admin: %v", name, err)
		}
	}
}

// Two admins end each other's role concurrently, with every pair of operations. One admin must
// remain.
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
	operations := []func(a, b account.Access) error{remove, demote, suspend, leave}
	for race := range 20 {
		org, ana := env.insertOrganization()
		ben := org.insertMember(account.RoleAdmin, true)
		var group sync.WaitGroup
		group.Go(func() { _ = operations[race%4](ana, ben) })
		group.Go(func() { _ = operations[race/4%4](ben, ana) })
		group.Wait()
		remaining := env.queryInt(`select count(*) from organization_members where organization_id = $1 and role_id = 'admin' and status = 'active'`, org.id)
		if remaining != 1 {
			t.Errorf("race %d: %d admins remain, want 1", race, remaining)
		}
	}
	org, ana := env.insertOrganization()
	org.insertMember(account.RoleMember, true)
	for name, err := range map[string]error{"leaving": leave(ana, ana), "removing themselves": remove(ana, ana), "demoting themselves": demote(ana, ana)} {
		if apperr.MessageOf(err) != account.MessageLastAdmin {
			t.Errorf("the last admin %s: %v", name, err)
		}
	}
	if err := suspend(ana, ana); apperr.MessageOf(err) != account.MessageSuspendsSelf {
		t.Errorf("suspending themselves: %v", err)
	}
}

// Random membership operations must keep three invariants: the desired seats equal a recount, a
// changed number has a new version and a ledger entry, and a billed member's newest ledger entry
// says since when.
func TestMembershipChangesUpdateSeats(t *testing.T) {
	env := newTestEnv(t)
	runs := map[string]int{}
	for seed := range uint64(6) {
		org, admin := env.insertOrganization()
		// Without a billed admin, the first billed member does not change the quantity: the minimum
		// is one seat.
		_, err := env.service.Members.Change(t.Context(), admin, admin.Member.ID, account.MemberChange{Billable: ptr(seed%2 == 0)})
		env.must(err)
		scenario := membershipScenario{testOrganization: org, admin: admin, random: rand.New(rand.NewPCG(seed, 5)), runs: runs}
		for range 40 {
			before, _ := env.store.Seats().State(t.Context(), org.id)
			billed := scenario.countBillable()
			operation := scenario.runRandomOperation()
			scenario.check(operation, before, billed)
		}
	}
	for _, operation := range (&membershipScenario{testOrganization: testOrganization{testEnv: env}}).operations() {
		if runs[operation.name] == 0 {
			t.Errorf("%q was never run", operation.name)
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

func (s *membershipScenario) countBillable() int {
	n, err := s.store.Members().CountBillable(s.t.Context(), s.id)
	s.must(err)
	return n
}

// operations lists every operation that changes a membership.
func (s *membershipScenario) operations() []membershipOperation {
	ctx, service := s.t.Context(), s.service
	change := func(c account.MemberChange) func(account.Member) error {
		return func(m account.Member) error {
			_, err := service.Members.Change(ctx, s.admin, m.ID, c)
			return err
		}
	}
	join := func(billable bool) func(account.Member) error {
		return func(account.Member) error {
			user := s.insertUser()
			if _, err := service.Invitations.Invite(ctx, s.admin, account.NewInvitation{Email: strings.ToUpper(user.Email), Billable: billable}); err != nil {
				return err
			}
			_, err := service.Invitations.Accept(ctx, s.invitationToken(strings.ToUpper(user.Email)), user.ID)
			return err
		}
	}
	return []membershipOperation{
		{"join, billed", join(true)},
		{"join, not billed", join(false)},
		{"bill", change(account.MemberChange{Billable: ptr(true)})},
		{"stop billing", change(account.MemberChange{Billable: ptr(false)})},
		{"suspend", change(account.MemberChange{Status: ptr(account.MemberSuspended)})},
		{"reactivate", change(account.MemberChange{Status: ptr(account.MemberActive)})},
		{"another role", change(account.MemberChange{RoleID: ptr(account.RoleBillingAdmin)})},
		{"remove", func(m account.Member) error { return service.Members.Remove(ctx, s.admin, m.ID) }},
		{"leave", func(m account.Member) error {
			access, err := service.Organizations.Access(ctx, m.UserID, s.id)
			if errors.Is(err, apperr.ErrNotFound) {
				return nil // a suspended member cannot leave
			}
			s.must(err)
			return service.Members.Leave(ctx, access)
		}},
		{"delete the account", func(m account.Member) error {
			_, err := s.store.DB().ExecContext(ctx, `update users set password_hash = (select password_hash from users where id = $2) where id = $1`,
				m.UserID, s.access.User.ID)
			s.must(err)
			return service.Users.Delete(ctx, m.UserID, testPassword)
		}},
		{"hand over and back", func(m account.Member) error {
			access, err := service.Organizations.Access(ctx, m.UserID, s.id)
			if errors.Is(err, apperr.ErrNotFound) {
				return nil // a suspended member cannot become admin
			}
			s.must(err)
			s.must(service.Members.HandOver(ctx, s.admin, m.ID, s.admin.Organization.Name))
			return service.Members.HandOver(ctx, access, s.admin.Member.ID, access.Organization.Name)
		}},
	}
}

// runRandomOperation runs an operation on a member other than the admin, or a join when there is
// none.
func (s *membershipScenario) runRandomOperation() string {
	members, err := s.service.Members.List(s.t.Context(), s.admin)
	s.must(err)
	others := members[:0]
	for _, member := range members {
		if member.UserID != s.admin.User.ID {
			others = append(others, member)
		}
	}
	operations := s.operations()
	chosen, member := operations[s.random.IntN(2)], account.Member{}
	if len(others) > 0 {
		chosen, member = operations[s.random.IntN(len(operations))], others[s.random.IntN(len(others))]
	}
	s.runs[chosen.name]++
	s.must(chosen.run(member))
	return chosen.name
}

func (s *membershipScenario) check(operation string, before billing.SeatState, billedBefore int) {
	s.t.Helper()
	ctx := s.t.Context()
	state, err := s.store.Seats().State(ctx, s.id)
	if errors.Is(err, apperr.ErrNotFound) && billedBefore == s.countBillable() {
		return // no billed membership has changed yet
	}
	s.must(err)
	if want := max(1, s.countBillable()); state.DesiredSeats != want {
		s.t.Errorf("%s: desired seats %d, want %d", operation, state.DesiredSeats, want)
	}
	if moved := state.DesiredSeats != before.DesiredSeats; moved != (state.SyncVersion > before.SyncVersion) {
		s.t.Errorf("%s: %d to %d seats, version %d to %d", operation, before.DesiredSeats, state.DesiredSeats, before.SyncVersion, state.SyncVersion)
	}
	changes, _, err := s.service.SeatLedger.Search(ctx, s.admin, billing.LedgerSearch{Limit: 200})
	s.must(err)
	if len(changes) > 0 && changes[0].To != state.DesiredSeats {
		s.t.Errorf("%s: newest ledger entry has %d seats, desired are %d", operation, changes[0].To, state.DesiredSeats)
	}
	for i := 1; i < len(changes); i++ {
		if changes[i-1].From != changes[i].To {
			s.t.Errorf("%s: ledger gap: %d seats, then %d", operation, changes[i].To, changes[i-1].From)
		}
	}
	s.checkLedgerReasons(operation)
}

// checkLedgerReasons checks that the newest ledger entry of each member matches their billing.
func (s *membershipScenario) checkLedgerReasons(operation string) {
	s.t.Helper()
	members, err := s.service.Members.List(s.t.Context(), s.admin)
	s.must(err)
	for _, member := range members {
		if member.UserID == s.admin.User.ID {
			continue // inserted directly, without a ledger entry
		}
		since, err := s.service.SeatLedger.BilledSince(s.t.Context(), s.admin, []string{member.UserID})
		s.must(err)
		entry, known := since[member.UserID]
		starts := entry.Reason == "accepted an invitation" || entry.Reason == "was reactivated" || entry.Reason == "was given a seat"
		if member.Billed() && (!known || !starts || entry.ActorUserID == "") || !member.Billed() && known && starts {
			s.t.Errorf("%s: billed %v, newest ledger entry %+v", operation, member.Billed(), entry)
		}
	}
}
