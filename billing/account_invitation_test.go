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
	"usher/billing/mail"
)

// This file tests package account from outside, because accepted invitations change seats, which
// only the whole service has.

var newAccount = account.NewAccount{Name: "Noa\nLevi", Password: testPassword}

func TestInvitationIsBoundToAddressAndSingleUse(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	ctx := t.Context()
	env.must(env.service.Users.SetLanguage(ctx, admin.User.ID, "de"))
	env.invite(admin, " Noa@Example.com ", true)
	if sent := env.queuedMails(mail.KindInvitation); len(sent) != 1 || sent[0].SenderLanguage != "de" {
		t.Errorf("the invitation does not know the sender's language: %+v", sent)
	}
	token := env.invitationToken("Noa@Example.com")
	if n := env.queryInt(`select count(*) from invitations where encode(token_hash, 'escape') like '%' || $1 || '%'`, token); n != 0 {
		t.Error("the table contains the token")
	}
	if _, err := env.service.Invitations.Accept(ctx, token, env.insertUser().ID); apperr.MessageOf(err) != account.MessageInvitationOther {
		t.Errorf("accepted by another user: %v", err)
	}
	user, organization, err := env.service.Invitations.AcceptWithNewAccount(ctx, token, newAccount)
	env.must(err)
	if user.Email != "Noa@Example.com" || user.Name != "Noa Levi" || organization.ID != org.id {
		t.Errorf("joined as %+v in %+v", user, organization)
	}
	if member := org.accessOf(user.ID).Member; member.Role.ID != account.RoleMember || !member.Billed() {
		t.Errorf("joined as %+v", member)
	}
	if n := env.queryInt(`select count(*) from users where id = $1 and email_verified_at is not null`, user.ID); n != 1 {
		t.Error("accepting the invitation did not verify the address")
	}
	for name, got := range map[string]string{"used": token, "unknown": "made-up", "empty": ""} {
		if _, err := env.service.Invitations.Accept(ctx, got, user.ID); apperr.MessageOf(err) != account.MessageInvitationGone {
			t.Errorf("%s token: %v", name, err)
		}
	}
	_, err = env.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "NOA@example.com"})
	if apperr.MessageOf(err) != account.MessageMemberAlready {
		t.Errorf("invitation of a member: %v", err)
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
			t.Error("accepted an invitation that cannot be opened")
		}
		return apperr.MessageOf(err)
	}
	invitation := env.invite(admin, "noa@example.com", true)
	old := env.invitationToken("noa@example.com")
	if got := open(env.service, old); got != "" {
		t.Fatalf("new invitation: %s", got)
	}
	if got := open(env.newServiceAhead(account.InvitationLifetime+time.Minute), old); got != account.MessageInvitationExpired {
		t.Errorf("after 7 days: %q", got)
	}
	if _, err := env.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "NOA@example.com"}); apperr.MessageOf(err) != account.MessageInvitedAlready {
		t.Errorf("second invitation: %v", err)
	}
	_, err := env.service.Invitations.Resend(ctx, admin, invitation.ID)
	env.must(err)
	renewed := env.invitationToken("noa@example.com")
	if old == renewed || open(env.service, old) != account.MessageInvitationGone || open(env.service, renewed) != "" {
		t.Error("resending did not replace the token")
	}
	env.must(env.service.Invitations.Revoke(ctx, admin, invitation.ID))
	if got := open(env.service, renewed); got != account.MessageInvitationGone {
		t.Errorf("revoked: %q", got)
	}
	if err := env.service.Invitations.Revoke(ctx, admin, invitation.ID); apperr.CodeOf(err) != apperr.CodeNotFound {
		t.Errorf("revoked twice: %v", err)
	}
	if _, err := env.service.Invitations.Resend(ctx, env.access, invitation.ID); apperr.CodeOf(err) != apperr.CodeNotFound {
		t.Errorf("resent by another organization: %v", err)
	}
}

// An admin who was removed must not rejoin through an invitation they sent before.
func TestInvitationOfRemovedSenderIsInvalid(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	second := org.insertMember(account.RoleAdmin, true)
	invitation := env.invite(second, "friend@example.com", true)
	env.must(env.service.Members.Remove(t.Context(), admin, second.Member.ID))
	if _, _, err := env.service.Invitations.AcceptWithNewAccount(t.Context(), env.invitationToken("friend@example.com"), newAccount); apperr.MessageOf(err) != account.MessageInvitationVoid {
		t.Fatalf("accepted the invitation of a removed admin: %v", err)
	}
	_, err := env.service.Invitations.Resend(t.Context(), admin, invitation.ID)
	env.must(err)
	_, _, err = env.service.Invitations.AcceptWithNewAccount(t.Context(), env.invitationToken("friend@example.com"), newAccount)
	env.must(err)
}

// Concurrent acceptances must not exceed the seat maximum of the plan.
func TestSeatMaximum(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	ctx := t.Context()
	const invited, maximum = 6, 3
	users := make([]account.User, invited)
	for i := range users {
		users[i] = env.insertUser()
		env.invite(env.access, users[i].Email, true)
	}
	limited := env.newServiceWithSeatMaximum(maximum)
	if _, err := limited.Invitations.Invite(ctx, env.access, account.NewInvitation{Email: "one@example.com", Billable: true}); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("billed invitation beyond the maximum: %v", err)
	}
	if _, err := limited.Invitations.Invite(ctx, env.access, account.NewInvitation{Email: "two@example.com"}); err != nil {
		t.Errorf("unbilled invitation: %v", err)
	}
	var group sync.WaitGroup
	errs := make([]error, invited)
	for i, user := range users {
		token := env.invitationToken(user.Email)
		group.Go(func() { _, errs[i] = limited.Invitations.Accept(ctx, token, user.ID) })
	}
	group.Wait()
	joined := 0
	for _, err := range errs {
		if err == nil {
			joined++
		} else if apperr.MessageOf(err) != account.MessageInvitationFull {
			t.Errorf("unexpected error: %v", err)
		}
	}
	billed, err := env.store.Members().CountBillable(ctx, env.access.Organization.ID)
	env.must(err)
	if billed != maximum || joined != maximum-1 {
		t.Errorf("%d billed members, %d of them joined", billed, joined)
	}
	if pending, _ := env.service.Invitations.Pending(ctx, env.access); len(pending) != invited-joined+1 {
		t.Errorf("%d pending invitations", len(pending))
	}
	env.checkSeatMaximum(limited)
}

// checkSeatMaximum checks that no unbilled member can become billed.
func (env *testEnv) checkSeatMaximum(service *billing.Service) {
	env.t.Helper()
	org := testOrganization{env, env.access.Organization.ID}
	member := org.insertMember(account.RoleMember, false).Member
	_, err := service.Members.Change(env.t.Context(), env.access, member.ID, account.MemberChange{Billable: ptr(true)})
	if apperr.CodeOf(err) != apperr.CodeConflict {
		env.t.Errorf("billed beyond the maximum: %v", err)
	}
}

// newServiceWithSeatMaximum creates a replica whose plans have this seat maximum.
func (env *testEnv) newServiceWithSeatMaximum(maximum int) *billing.Service {
	env.t.Helper()
	plans := catalog.BuiltInPlans()
	for i := range plans.Plans {
		plans.Plans[i].SeatMaximum = maximum
	}
	service := billing.New(billing.Options{Store: env.store, Gateway: env.gateway(), Catalog: plans, KeyFingerprint: "test", BaseURL: "http://usher.test"})
	env.must(service.Prices.Start(env.t.Context()))
	return service
}

func TestRoleInUseIsNotDeleted(t *testing.T) {
	env := newTestEnv(t)
	org, admin := env.insertOrganization()
	ctx := t.Context()
	id := org.createRole(admin, "Ushers", false, false)
	deleteRole := func() string {
		err := env.service.Roles.Delete(ctx, admin, id)
		if err == nil {
			return ""
		}
		return apperr.MessageOf(err)
	}
	holder := org.insertMember(id, true)
	invitation, err := env.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "u@example.com", RoleID: id})
	env.must(err)
	if got := deleteRole(); got != "Ushers belongs to 1 person and 1 invitation. Give them another role first." {
		t.Errorf("deleting a role in use: message %q", got)
	}
	env.must(env.service.Members.Remove(ctx, admin, holder.Member.ID))
	if got := deleteRole(); got != "Ushers belongs to 1 invitation. Give them another role first." {
		t.Errorf("deleting a role in use: message %q", got)
	}
	env.must(env.service.Invitations.Revoke(ctx, admin, invitation.ID))
	if got := deleteRole(); got != "" {
		t.Errorf("deleting an unused role: %q", got)
	}
	for i, name := range []string{"admin", " Billing  Admin", "", fmt.Sprintf("%061d", 1)} {
		if _, err := env.service.Roles.Create(ctx, admin, account.RoleDraft{Name: name}); apperr.CodeOf(err) != apperr.CodeUnprocessable {
			t.Errorf("invalid name %d: %v", i, err)
		}
	}
}
