package billing_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

func (env *testEnv) invite(a account.Access, email string, billable bool) account.Invitation {
	env.t.Helper()
	invitation, err := env.service.Invitations.Invite(env.t.Context(), a, account.NewInvitation{Email: email, Billable: billable})
	env.must(err)
	return invitation
}

// later is a replica whose clock is ahead.
func (env *testEnv) newServiceAhead(ahead time.Duration) *billing.Service {
	return billing.New(billing.Options{
		Store: env.store, Gateway: env.gateway(), Catalog: env.service.Prices.Catalog(), KeyFingerprint: "stage",
		Now: func() time.Time { return time.Now().Add(ahead) },
	})
}

var newAccount = account.NewAccount{Name: "Noa\nLevi", Password: "front of house"}

func TestInvitationIsBoundToAddressAndSingleUse(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	ctx := t.Context()
	env.invite(admin, " Noa@Example.com ", true)
	token := env.invitationToken("Noa@Example.com")
	if n := env.queryInt(`select count(*) from invitations where encode(token_hash, 'escape') like '%' || $1 || '%'`, token); n != 0 {
		t.Error("the token stands in the table")
	}
	if _, err := env.service.Invitations.Accept(ctx, token, env.insertUser().ID); apperr.MessageOf(err) != account.MessageInvitationOther {
		t.Errorf("accepted by somebody else: %v", err)
	}
	user, organization, err := env.service.Invitations.AcceptWithNewAccount(ctx, token, newAccount)
	env.must(err)
	if user.Email != "Noa@Example.com" || user.Name != "Noa Levi" || organization.ID != org.id {
		t.Errorf("%+v in %+v", user, organization)
	}
	if member := org.accessOf(user.ID).Member; member.Role.ID != account.RoleMember || !member.Billed() {
		t.Errorf("%+v", member)
	}
	if n := env.queryInt(`select count(*) from users where id = $1 and email_verified_at is not null`, user.ID); n != 1 {
		t.Error("the link proves the address")
	}
	for name, got := range map[string]string{"used": token, "made up": "made-up", "empty": ""} {
		if _, err := env.service.Invitations.Accept(ctx, got, user.ID); apperr.MessageOf(err) != account.MessageInvitationGone {
			t.Errorf("a token that is %s: %v", name, err)
		}
	}
	_, err = env.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "NOA@example.com"})
	if apperr.MessageOf(err) != account.MessageMemberAlready {
		t.Errorf("a member is invited: %v", err)
	}
}

func TestInvalidInvitations(t *testing.T) {
	env := newTestEnv(t)
	_, admin := env.insertOrganization()
	ctx := t.Context()
	open := func(service *billing.Service, token string) string {
		_, err := service.Invitations.Open(ctx, token)
		if err == nil {
			return ""
		}
		if _, _, accepted := service.Invitations.AcceptWithNewAccount(ctx, token, newAccount); accepted == nil {
			t.Error("accepted what does not open")
		}
		return apperr.MessageOf(err)
	}
	invitation := env.invite(admin, "noa@example.com", true)
	old := env.invitationToken("noa@example.com")
	if got := open(env.service, old); got != "" {
		t.Fatalf("a fresh one: %s", got)
	}
	if got := open(env.newServiceAhead(account.InvitationLifetime+time.Minute), old); got != account.MessageInvitationExpired {
		t.Errorf("after 7 days: %q", got)
	}
	if _, err := env.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "NOA@example.com"}); apperr.MessageOf(err) != account.MessageInvitedAlready {
		t.Errorf("invited twice: %v", err)
	}
	_, err := env.service.Invitations.Resend(ctx, admin, invitation.ID)
	env.must(err)
	renewed := env.invitationToken("noa@example.com")
	if old == renewed || open(env.service, old) != account.MessageInvitationGone || open(env.service, renewed) != "" {
		t.Error("sending again makes a new link, and the old one ends")
	}
	env.must(env.service.Invitations.Revoke(ctx, admin, invitation.ID))
	if got := open(env.service, renewed); got != account.MessageInvitationGone {
		t.Errorf("taken back: %q", got)
	}
	if err := env.service.Invitations.Revoke(ctx, admin, invitation.ID); apperr.CodeOf(err) != apperr.CodeNotFound {
		t.Errorf("taken back twice: %v", err)
	}
	if _, err := env.service.Invitations.Resend(ctx, env.access, invitation.ID); apperr.CodeOf(err) != apperr.CodeNotFound {
		t.Errorf("another organization's: %v", err)
	}
}

// TestInvitationEndsWithItsSender: an admin who was put out can't come back by the invitations they left behind.
func TestInvitationOfRemovedSenderIsInvalid(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	second := org.insertMember(account.RoleAdmin, true)
	invitation := env.invite(second, "friend@example.com", true)
	env.must(env.service.Members.Remove(t.Context(), admin, second.Member.ID))
	if _, _, err := env.service.Invitations.AcceptWithNewAccount(t.Context(), env.invitationToken("friend@example.com"), newAccount); apperr.MessageOf(err) != account.MessageInvitationVoid {
		t.Fatalf("accepted: %v", err)
	}
	_, err := env.service.Invitations.Resend(t.Context(), admin, invitation.ID)
	env.must(err)
	_, _, err = env.service.Invitations.AcceptWithNewAccount(t.Context(), env.invitationToken("friend@example.com"), newAccount)
	env.must(err)
}

// TestSeatMaximum: a plan that takes three is never over, however many accept at once.
func TestSeatMaximum(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	ctx := t.Context()
	const guests, most = 6, 3
	users := make([]account.User, guests)
	for i := range users {
		users[i] = env.insertUser()
		env.invite(env.access, users[i].Email, true)
	}
	capped := env.newServiceWithSeatMaximum(most)
	if _, err := capped.Invitations.Invite(ctx, env.access, account.NewInvitation{Email: "one@example.com", Billable: true}); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("promised a seat that is not there: %v", err)
	}
	if _, err := capped.Invitations.Invite(ctx, env.access, account.NewInvitation{Email: "two@example.com"}); err != nil {
		t.Errorf("who is not billed needs no seat: %v", err)
	}
	var group sync.WaitGroup
	errs := make([]error, guests)
	for i, user := range users {
		token := env.invitationToken(user.Email)
		group.Go(func() { _, errs[i] = capped.Invitations.Accept(ctx, token, user.ID) })
	}
	group.Wait()
	in := 0
	for _, err := range errs {
		if err == nil {
			in++
		} else if apperr.MessageOf(err) != account.MessageInvitationFull {
			t.Errorf("refused with %v", err)
		}
	}
	billed, err := env.store.Members().CountBillable(ctx, env.access.Organization.ID)
	env.must(err)
	if billed != most || in != most-1 {
		t.Errorf("%d billed, %d came in", billed, in)
	}
	if pending, _ := env.service.Invitations.Pending(ctx, env.access); len(pending) != guests-in+1 {
		t.Errorf("%d invitations are open still", len(pending))
	}
	env.checkSeatMaximum(capped)
}

// mustBeFull tries the other ways to a seat.
func (env *testEnv) checkSeatMaximum(service *billing.Service) {
	env.t.Helper()
	org := testOrganization{env, env.access.Organization.ID}
	member := org.insertMember(account.RoleMember, false).Member
	_, err := service.Members.Change(env.t.Context(), env.access, member.ID, account.MemberChange{Billable: ptr(true)})
	if apperr.CodeOf(err) != apperr.CodeConflict {
		env.t.Errorf("billed beyond the maximum: %v", err)
	}
}

// capped is a replica whose plans take so many people.
func (env *testEnv) newServiceWithSeatMaximum(most int) *billing.Service {
	env.t.Helper()
	plans := catalog.BuiltInPlans()
	for i := range plans.Plans {
		plans.Plans[i].SeatMaximum = most
	}
	service := billing.New(billing.Options{Store: env.store, Gateway: env.gateway(), Catalog: plans, KeyFingerprint: "stage", BaseURL: "http://usher.test"})
	env.must(service.Prices.Start(env.t.Context()))
	return service
}

func TestRoleInUseIsNotDeleted(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	ctx := t.Context()
	id := org.createRole(admin, "Ushers", false, false)
	delete := func() string {
		err := env.service.Roles.Delete(ctx, admin, id)
		if err == nil {
			return ""
		}
		return apperr.MessageOf(err)
	}
	holder := org.insertMember(id, true)
	invitation, err := env.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "u@example.com", RoleID: id})
	env.must(err)
	if got := delete(); got != "Ushers is held by 1 person and 1 invitation. Give them another role first." {
		t.Errorf("deleted: %q", got)
	}
	env.must(env.service.Members.Remove(ctx, admin, holder.Member.ID))
	if got := delete(); got != "Ushers is held by 1 invitation. Give them another role first." {
		t.Errorf("deleted: %q", got)
	}
	env.must(env.service.Invitations.Revoke(ctx, admin, invitation.ID))
	if got := delete(); got != "" {
		t.Errorf("nobody holds it: %q", got)
	}
	for i, name := range []string{"admin", " Billing  Admin", "", fmt.Sprintf("%061d", 1)} {
		if _, err := env.service.Roles.Create(ctx, admin, account.RoleDraft{Name: name}); apperr.CodeOf(err) != apperr.CodeUnprocessable {
			t.Errorf("name %d: %v", i, err)
		}
	}
}
