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

func (s *stage) invite(a account.Access, email string, billable bool) account.Invitation {
	s.t.Helper()
	invitation, err := s.service.Invitations.Invite(s.t.Context(), a, account.NewInvitation{Email: email, Billable: billable})
	s.must(err)
	return invitation
}

// later is a replica whose clock is ahead.
func (s *stage) later(ahead time.Duration) *billing.Service {
	return billing.New(billing.Options{
		Store: s.store, Gateway: s.gateway(), Catalog: s.service.Prices.Catalog(), KeyFingerprint: "stage",
		Now: func() time.Time { return time.Now().Add(ahead) },
	})
}

var newPerson = account.NewAccount{Name: "Noa\nLevi", Password: "front of house"}

func TestInvitationIsForOneAddressAndOneUse(t *testing.T) {
	s := openStage(t)
	tr, admin := s.found()
	ctx := t.Context()
	s.invite(admin, " Noa@Example.com ", true)
	token := s.token("Noa@Example.com")
	if n := s.one(`select count(*) from invitations where encode(token_hash, 'escape') like '%' || $1 || '%'`, token); n != 0 {
		t.Error("the token stands in the table")
	}
	if _, err := s.service.Invitations.Accept(ctx, token, s.user().ID); apperr.MessageOf(err) != account.MessageInvitationOther {
		t.Errorf("accepted by somebody else: %v", err)
	}
	user, organization, err := s.service.Invitations.AcceptWithNewAccount(ctx, token, newPerson)
	s.must(err)
	if user.Email != "Noa@Example.com" || user.Name != "Noa Levi" || organization.ID != tr.id {
		t.Errorf("%+v in %+v", user, organization)
	}
	if member := tr.enter(user.ID).Member; member.Role.ID != account.RoleMember || !member.Billed() {
		t.Errorf("%+v", member)
	}
	if n := s.one(`select count(*) from users where id = $1 and email_verified_at is not null`, user.ID); n != 1 {
		t.Error("the link proves the address")
	}
	for name, got := range map[string]string{"used": token, "made up": "made-up", "empty": ""} {
		if _, err := s.service.Invitations.Accept(ctx, got, user.ID); apperr.MessageOf(err) != account.MessageInvitationGone {
			t.Errorf("a token that is %s: %v", name, err)
		}
	}
	_, err = s.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "NOA@example.com"})
	if apperr.MessageOf(err) != account.MessageMemberAlready {
		t.Errorf("a member is invited: %v", err)
	}
}

func TestInvitationsThatDoNotCount(t *testing.T) {
	s := openStage(t)
	_, admin := s.found()
	ctx := t.Context()
	open := func(service *billing.Service, token string) string {
		_, err := service.Invitations.Open(ctx, token)
		if err == nil {
			return ""
		}
		if _, _, accepted := service.Invitations.AcceptWithNewAccount(ctx, token, newPerson); accepted == nil {
			t.Error("accepted what does not open")
		}
		return apperr.MessageOf(err)
	}
	invitation := s.invite(admin, "noa@example.com", true)
	old := s.token("noa@example.com")
	if got := open(s.service, old); got != "" {
		t.Fatalf("a fresh one: %s", got)
	}
	if got := open(s.later(account.InvitationLifetime+time.Minute), old); got != account.MessageInvitationExpired {
		t.Errorf("after 7 days: %q", got)
	}
	if _, err := s.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "NOA@example.com"}); apperr.MessageOf(err) != account.MessageInvitedAlready {
		t.Errorf("invited twice: %v", err)
	}
	_, err := s.service.Invitations.Resend(ctx, admin, invitation.ID)
	s.must(err)
	renewed := s.token("noa@example.com")
	if old == renewed || open(s.service, old) != account.MessageInvitationGone || open(s.service, renewed) != "" {
		t.Error("sending again makes a new link, and the old one ends")
	}
	s.must(s.service.Invitations.Revoke(ctx, admin, invitation.ID))
	if got := open(s.service, renewed); got != account.MessageInvitationGone {
		t.Errorf("taken back: %q", got)
	}
	if err := s.service.Invitations.Revoke(ctx, admin, invitation.ID); apperr.CodeOf(err) != apperr.CodeNotFound {
		t.Errorf("taken back twice: %v", err)
	}
	if _, err := s.service.Invitations.Resend(ctx, s.access, invitation.ID); apperr.CodeOf(err) != apperr.CodeNotFound {
		t.Errorf("another organization's: %v", err)
	}
}

// TestInvitationEndsWithItsSender: an admin who was put out can't come back by the invitations they left behind.
func TestInvitationEndsWithItsSender(t *testing.T) {
	s := openStage(t)
	tr, admin := s.found()
	second := tr.person(account.RoleAdmin, true)
	invitation := s.invite(second, "friend@example.com", true)
	s.must(s.service.Members.Remove(t.Context(), admin, second.Member.ID))
	if _, _, err := s.service.Invitations.AcceptWithNewAccount(t.Context(), s.token("friend@example.com"), newPerson); apperr.MessageOf(err) != account.MessageInvitationVoid {
		t.Fatalf("accepted: %v", err)
	}
	_, err := s.service.Invitations.Resend(t.Context(), admin, invitation.ID)
	s.must(err)
	_, _, err = s.service.Invitations.AcceptWithNewAccount(t.Context(), s.token("friend@example.com"), newPerson)
	s.must(err)
}

// TestSeatMaximum: a plan that takes three is never over, however many accept at once.
func TestSeatMaximum(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	ctx := t.Context()
	const guests, most = 6, 3
	users := make([]account.User, guests)
	for i := range users {
		users[i] = s.user()
		s.invite(s.access, users[i].Email, true)
	}
	capped := s.capped(most)
	if _, err := capped.Invitations.Invite(ctx, s.access, account.NewInvitation{Email: "one@example.com", Billable: true}); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("promised a seat that is not there: %v", err)
	}
	if _, err := capped.Invitations.Invite(ctx, s.access, account.NewInvitation{Email: "two@example.com"}); err != nil {
		t.Errorf("who is not billed needs no seat: %v", err)
	}
	var group sync.WaitGroup
	errs := make([]error, guests)
	for i, user := range users {
		token := s.token(user.Email)
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
	billed, err := s.store.Members().CountBillable(ctx, s.access.Organization.ID)
	s.must(err)
	if billed != most || in != most-1 {
		t.Errorf("%d billed, %d came in", billed, in)
	}
	if pending, _ := s.service.Invitations.Pending(ctx, s.access); len(pending) != guests-in+1 {
		t.Errorf("%d invitations are open still", len(pending))
	}
	s.mustBeFull(capped)
}

// mustBeFull tries the other ways to a seat.
func (s *stage) mustBeFull(service *billing.Service) {
	s.t.Helper()
	tr := troupe{s, s.access.Organization.ID}
	member := tr.person(account.RoleMember, false).Member
	_, err := service.Members.Change(s.t.Context(), s.access, member.ID, account.MemberChange{Billable: ptr(true)})
	if apperr.CodeOf(err) != apperr.CodeConflict {
		s.t.Errorf("billed beyond the maximum: %v", err)
	}
}

// capped is a replica whose plans take so many people.
func (s *stage) capped(most int) *billing.Service {
	s.t.Helper()
	plans := catalog.BuiltInPlans()
	for i := range plans.Plans {
		plans.Plans[i].SeatMaximum = most
	}
	service := billing.New(billing.Options{Store: s.store, Gateway: s.gateway(), Catalog: plans, KeyFingerprint: "stage", BaseURL: "http://usher.test"})
	s.must(service.Prices.Start(s.t.Context()))
	return service
}

func TestRoleThatIsHeldStays(t *testing.T) {
	s := openStage(t)
	tr, admin := s.found()
	ctx := t.Context()
	id := tr.role(admin, "Ushers", false, false)
	delete := func() string {
		err := s.service.Roles.Delete(ctx, admin, id)
		if err == nil {
			return ""
		}
		return apperr.MessageOf(err)
	}
	holder := tr.person(id, true)
	invitation, err := s.service.Invitations.Invite(ctx, admin, account.NewInvitation{Email: "u@example.com", RoleID: id})
	s.must(err)
	if got := delete(); got != "Ushers is held by 1 person and 1 invitation. Give them another role first." {
		t.Errorf("deleted: %q", got)
	}
	s.must(s.service.Members.Remove(ctx, admin, holder.Member.ID))
	if got := delete(); got != "Ushers is held by 1 invitation. Give them another role first." {
		t.Errorf("deleted: %q", got)
	}
	s.must(s.service.Invitations.Revoke(ctx, admin, invitation.ID))
	if got := delete(); got != "" {
		t.Errorf("nobody holds it: %q", got)
	}
	for i, name := range []string{"admin", " Billing  Admin", "", fmt.Sprintf("%061d", 1)} {
		if _, err := s.service.Roles.Create(ctx, admin, account.RoleDraft{Name: name}); apperr.CodeOf(err) != apperr.CodeUnprocessable {
			t.Errorf("name %d: %v", i, err)
		}
	}
}
