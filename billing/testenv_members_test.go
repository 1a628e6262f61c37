package billing_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"usher/billing/account"
)

// testOrganization is another organization of the environment. Its users have no password.
type testOrganization struct {
	*testEnv
	id string
}

var userCounter atomic.Int64 // makes IDs and addresses unique across tests

// insertOrganization stores an organization with an admin and returns the admin's access.
func (env *testEnv) insertOrganization() (testOrganization, account.Access) {
	env.t.Helper()
	organization := account.Organization{ID: fmt.Sprintf("org_t%d", userCounter.Add(1)), Name: "Second", CreatedAt: time.Now()}
	env.must(env.store.Organizations().Insert(env.t.Context(), organization))
	org := testOrganization{env, organization.ID}
	return org, org.insertMember(account.RoleAdmin, true)
}

// insertMember stores a user and their membership directly, without seat changes.
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

// setBillable changes whether a member is billed.
func (org testOrganization) setBillable(admin account.Access, m account.Member, billable bool) {
	org.t.Helper()
	_, err := org.service.Members.Change(org.t.Context(), admin, m.ID, account.MemberChange{Billable: &billable})
	org.must(err)
}

// insertMembers stores n members of the environment's organization directly, without seat changes.
func (env *testEnv) insertMembers(n int, billable bool) []account.Member {
	env.t.Helper()
	org := testOrganization{env, env.access.Organization.ID}
	members := make([]account.Member, n)
	for i := range members {
		members[i] = org.insertMember(account.RoleMember, billable).Member
	}
	return members
}

// removeMembers removes n members other than the admin.
func (env *testEnv) removeMembers(n int) {
	env.t.Helper()
	members, err := env.store.Members().List(env.t.Context(), env.access.Organization.ID)
	if err != nil {
		env.t.Fatal(err)
	}
	for _, member := range members {
		if member.UserID == env.access.User.ID || n == 0 {
			continue
		}
		n--
		if err := env.service.Members.Remove(env.t.Context(), env.access, member.ID); err != nil {
			env.t.Fatal(err)
		}
	}
}

// reloadAccess reads the admin's access again, as every request does.
func (env *testEnv) reloadAccess() account.Access {
	env.t.Helper()
	access, err := env.service.Organizations.Access(env.t.Context(), env.access.User.ID, env.access.Organization.ID)
	env.must(err)
	return access
}

func (env *testEnv) invite(a account.Access, email string, billable bool) account.Invitation {
	env.t.Helper()
	invitation, err := env.service.Invitations.Invite(env.t.Context(), a, account.NewInvitation{Email: email, Billable: billable})
	env.must(err)
	return invitation
}

// invitationToken returns the token of the newest invitation mail to an address.
func (env *testEnv) invitationToken(email string) string {
	env.t.Helper()
	var link string
	env.must(env.store.DB().GetContext(env.t.Context(), &link,
		`select data->>'url' from emails where kind = 'invitation' and recipient = $1 order by seq desc limit 1`, email))
	return link[strings.LastIndex(link, "/")+1:]
}
