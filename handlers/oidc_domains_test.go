package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"usher/billing/account"
	"usher/billing/account/oidc/oidctest"
	"usher/billing/catalog"
	"usher/billing/stripegw"
)

var rosa = oidctest.Person{Subject: "rosa-1", Email: "Rosa@Lyric.example", Name: "Rosa Bell", Verified: true}

// membership describes the memberships of the account with an address.
func (e *domainEnv) membership(address string) string {
	e.t.Helper()
	return e.id(`select coalesce(nullif(string_agg(concat_ws(' ', m.organization_id = $1, m.role_id, m.billable, m.status, m.provisional), '; '), ''), 'none')
		from users u left join organization_members m on m.user_id = u.id where lower(u.email) = lower($2)`, e.organization.ID, address)
}

const joinedWithSeat = "t member t active f"

func (e *domainEnv) wantMembership(address, want string) {
	e.t.Helper()
	if got := e.membership(address); got != want {
		e.t.Fatalf("%s: %q, want %q", address, got, want)
	}
}

// A new person joins with a seat, without a form and without an organization of their own.
func TestNewPersonJoinsByTheDomain(t *testing.T) {
	e := newDomainEnv(t)
	admin := e.subscribed("pro")
	e.verify("lyric.example", "on")
	organizations := e.count(`select count(*) from organizations`)
	b := e.newBrowser()
	b.follow(b.signInAs(e.testEnv, rosa, "").wantRedirect("/dashboard?notice=joined")).wantStatus(http.StatusOK).wantText("You are a member now")
	e.wantMembership("rosa@lyric.example", joinedWithSeat)
	waitFor(t, "the seat at Stripe", func() bool { return e.quantity() == 4 })
	if e.count(`select count(*) from organizations`) != organizations || e.count(`select count(*) from users where email_verified_at is not null and name = 'Rosa Bell'`) != 1 {
		t.Error("an organization was founded, or the address is not verified")
	}
	admin.get("/organization?tab=activity").wantText("Rosa Bell joined by the domain lyric.example")
	admin.get("/organization?tab=audit").wantText("Rosa Bell joined by the domain lyric.example as Member")
	admin.get("/organization?tab=members").wantText("Rosa Bell")
	admin.get("/organization/members/" + e.id(`select m.id from organization_members m join users u on u.id = m.user_id where u.name = 'Rosa Bell'`)).
		wantText("joined by the domain lyric.example")

	// The page that was asked for comes first, and signing in again adds nothing.
	second := e.newBrowser()
	second.signInAs(e.testEnv, rosa, "/settings").wantRedirect("/settings")
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "ida", Email: "ida@lyric.example", Name: "Ida", Verified: true}, "/settings").wantRedirect("/settings")
	e.wantMembership("ida@lyric.example", joinedWithSeat)

	// An address that the provider has not verified, another domain, and one below.
	for i, person := range []oidctest.Person{
		{Email: "unverified@lyric.example"}, {Email: "eve@evil.example", Verified: true}, {Email: "eve@sub.lyric.example", Verified: true}, {Email: "eve@lyric.example.evil.example", Verified: true},
	} {
		person.Subject, person.Name = "stranger-"+string(rune('a'+i)), "Eve"
		e.newBrowser().signInAs(e.testEnv, person, "").wantRedirect(oidcSignUpPath)
	}
	// Removing the domain ends it; members stay.
	e.exec(`delete from organization_domains`)
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "late", Email: "late@lyric.example", Name: "L", Verified: true}, "").wantRedirect(oidcSignUpPath)
	e.wantMembership("rosa@lyric.example", joinedWithSeat)
}

func TestNewPersonWithoutANameJoinsByTheDomain(t *testing.T) {
	e := newDomainEnv(t)
	e.verify("lyric.example", "")
	nameless := rosa
	nameless.Name = ""
	b := e.newBrowser()
	form := b.follow(b.signInAs(e.testEnv, nameless, "/settings").wantRedirect(oidcSignUpPath+"?next=%2Fsettings")).
		wantText("You become a member of Lantern Theatre", "Join Lantern Theatre", "Rosa@Lyric.example")
	if form.doc().Find("input[name=organization]").Length() != 0 {
		t.Error("it asks for an organization")
	}
	e.wantNobody("rosa@lyric.example")
	b.submit(form, "main form", url.Values{"name": {" "}}).wantStatus(http.StatusUnprocessableEntity).wantText("Please give your name", "Join Lantern Theatre")
	b.submit(form, "main form", url.Values{"name": {"Rosa"}}).wantRedirect("/settings")
	e.wantMembership("rosa@lyric.example", "t member f active f")

	// The domain is gone when the form is sent: the person founds an organization.
	gone := e.newBrowser()
	form = gone.follow(gone.signInAs(e.testEnv, oidctest.Person{Subject: "2", Email: "two@lyric.example", Verified: true}, ""))
	e.exec(`delete from organization_domains`)
	form = gone.submit(form, "main form", url.Values{"name": {"Two"}}).wantStatus(http.StatusUnprocessableEntity).wantText("Please name your organization")
	gone.submit(form, "main form", url.Values{"name": {"Two"}, "organization": {"Two's"}}).wantRedirect("/dashboard")
	e.wantMembership("two@lyric.example", "f admin t active f")
}

// wantNobody fails if there is an account with an address, or an identity with it.
func (e *domainEnv) wantNobody(address string) {
	e.t.Helper()
	if n := e.count(`select (select count(*) from users where lower(email) = lower($1)) + (select count(*) from identities where lower(email) = lower($1))`, address); n != 0 {
		e.t.Fatalf("%s has an account", address)
	}
}

// provision makes a person a member by a program.
func (e *domainEnv) provision(address, more string) {
	e.t.Helper()
	e.program(account.ScopeMembersWrite).call(post, "/api/v1/members", `{"email":"`+address+`","name":"Of the program"`+more+`}`).wantStatus(http.StatusCreated)
}

// The membership that a program made becomes the person's, with its role and seat.
func TestProvisionalMembershipIsTakenOver(t *testing.T) {
	e := newDomainEnv(t)
	e.subscribed("pro")
	e.verify("lyric.example", "on")
	e.provision("rosa@lyric.example", `,"role":"billing_admin"`)
	waitFor(t, "the seat", func() bool { return e.quantity() == 4 })
	seats := e.count(`select count(*) from seat_changes`)
	b := e.newBrowser()
	b.follow(b.signInAs(e.testEnv, rosa, "")).wantStatus(http.StatusOK)
	e.wantMembership("rosa@lyric.example", "t billing_admin t active f")
	if e.count(`select count(*) from seat_changes`) != seats || e.quantity() != 4 {
		t.Error("another seat is taken")
	}

	// Suspended: the account is theirs, and gives no access.
	e.provision("sam@lyric.example", "")
	e.exec(`update organization_members set status = 'suspended' where managed_email = 'sam@lyric.example'`)
	sam := e.newBrowser()
	sam.follow(sam.signInAs(e.testEnv, oidctest.Person{Subject: "sam", Email: "sam@lyric.example", Name: "Sam", Verified: true}, "")).
		wantStatus(http.StatusNotFound).wantText("not in an organization")
	e.wantMembership("sam@lyric.example", "t member t suspended f")

	// Somebody with an account, elsewhere and with another address: whose the identity's is, the
	// provider knows.
	tess := oidctest.Person{Subject: "tess", Email: "tess@home.example", Name: "Tess", Verified: true}
	other := e.newBrowser()
	other.signUpAs(e.testEnv, tess)
	tess.Email = "tess@lyric.example"
	other = e.newBrowser()
	other.signInAs(e.testEnv, tess, "").wantRedirect("/dashboard") // nothing waits
	e.provision("tess@lyric.example", "")
	tess.Verified = false
	e.newBrowser().signInAs(e.testEnv, tess, "").wantRedirect("/dashboard")
	e.wantMembership("tess@home.example", "f admin t active f")
	tess.Verified = true
	e.newBrowser().signInAs(e.testEnv, tess, "").wantRedirect("/dashboard?notice=joined")
	for _, half := range []string{"f admin t active f", "t member t active f"} {
		if !strings.Contains(e.membership("tess@home.example"), half) {
			t.Errorf("the memberships are %s", e.membership("tess@home.example"))
		}
	}
	// Once.
	e.newBrowser().signInAs(e.testEnv, tess, "").wantRedirect("/dashboard")
	// A membership of another organization is none of the domain's.
	e.exec(`update organization_domains set organization_id = $1`, e.otherOrganization.ID)
	e.provision("uma@lyric.example", "")
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "uma", Email: "uma@lyric.example", Name: "Uma", Verified: true}, "").wantStatus(http.StatusSeeOther)
	e.wantMembership("uma@lyric.example", "f member t active f")
}

// Whoever was removed does not come back by signing in.
func TestPersonWithAnAccountDoesNotJoinByTheDomain(t *testing.T) {
	e := newDomainEnv(t)
	before := e.newBrowser()
	before.signUpAs(e.testEnv, oidctest.Person{Subject: "old", Email: "old@lyric.example", Name: "Old", Verified: true})
	e.exec(`insert into users (id, email, name, password_hash, created_at, email_verified_at) values ('usr_alone', 'alone@lyric.example', 'Alone', '', now(), now())`)
	e.verify("lyric.example", "on")
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "old", Email: "old@lyric.example", Name: "Old", Verified: true}, "").wantRedirect("/dashboard")
	e.wantMembership("old@lyric.example", "f admin t active f")
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "alone", Email: "alone@lyric.example", Name: "Alone", Verified: true}, "").wantRedirect("/dashboard")
	e.wantMembership("alone@lyric.example", "none")
	// The address was given to somebody else at the provider.
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "successor", Email: "old@lyric.example", Name: "New", Verified: true}, "").wantRedirect(oidcLinkPath)

	b := e.newBrowser()
	b.signInAs(e.testEnv, rosa, "").wantRedirect("/dashboard?notice=joined")
	admin := e.signIn("admin")
	member := e.id(`select m.id from organization_members m join users u on u.id = m.user_id where u.name = 'Rosa Bell'`)
	admin.post("/organization/members/"+member+"/remove", nil).wantStatus(http.StatusSeeOther)
	e.wantMembership("rosa@lyric.example", "none")
	again := e.newBrowser()
	again.follow(again.signInAs(e.testEnv, rosa, "")).wantStatus(http.StatusNotFound)
	e.wantMembership("rosa@lyric.example", "none")

	// Whoever deletes the account is a new person afterwards: the provider has to keep them out.
	again.post("/settings/delete", url.Values{}).wantStatus(http.StatusSeeOther)
	e.wantNobody("rosa@lyric.example")
	e.newBrowser().signInAs(e.testEnv, rosa, "").wantRedirect("/dashboard?notice=joined")
	e.wantMembership("rosa@lyric.example", joinedWithSeat)
}

// A plan without a free seat, and a deleted organization.
func TestNobodyJoinsWithoutASeat(t *testing.T) {
	e := newDomainEnv(t)
	e.subscribed("pro")
	e.verify("lyric.example", "on")
	e.exec(`update users set email_verified_at = now() where email = 'admin@example.com'`)
	e.limitSeats(4)
	if _, err := e.service.Invitations.Invite(t.Context(), e.adminAccess(), account.NewInvitation{Email: "ines@example.com", Billable: true}); err != nil {
		t.Fatal(err)
	}
	full := "You belong to Lantern Theatre, but its plan has no free seat right now."
	b := e.newBrowser()
	b.signInAs(e.testEnv, rosa, "").wantStatus(http.StatusConflict).wantText(full, "Try again") // the free one is promised
	b.wantSignedIn(false)
	e.wantNobody("rosa@lyric.example")
	nameless := rosa
	nameless.Name = ""
	form := b.follow(b.signInAs(e.testEnv, nameless, ""))
	b.submit(form, "main form", url.Values{"name": {"Rosa"}}).wantStatus(http.StatusConflict).wantText(full)
	e.wantNobody("rosa@lyric.example")
	e.exec(`update organization_domains set billable = false`)
	b.signInAs(e.testEnv, rosa, "").wantRedirect("/dashboard?notice=joined")
	e.wantMembership("rosa@lyric.example", "t member f active f")

	e.exec(`update organization_domains set billable = true`)
	e.limitSeats(5)
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "s", Email: "s@lyric.example", Name: "S", Verified: true}, "").wantRedirect("/dashboard?notice=joined")
	e.exec(`update organizations set deleted_at = now() where id = $1`, e.organization.ID)
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "t", Email: "t@lyric.example", Name: "T", Verified: true}, "").wantRedirect(oidcSignUpPath)
}

// limitSeats restarts the site with plans of so many seats.
func (e *domainEnv) limitSeats(maximum int) {
	e.t.Helper()
	plans := catalog.BuiltInPlans()
	for i := range plans.Plans {
		plans.Plans[i].SeatMaximum = maximum
	}
	e.startService(stripegw.New(stripegw.Options{SecretKey: "sk_test_handlertests", APIBase: e.origin, WebhookSecrets: []string{testSecret}}), plans)
	e.startServer(e.origin, busyLimit)
}

func (e *domainEnv) adminAccess() account.Access {
	e.t.Helper()
	access, err := e.service.Organizations.Access(e.t.Context(), e.users["admin"].ID, e.organization.ID)
	if err != nil {
		e.t.Fatal(err)
	}
	return access
}

// A pending invitation counts as accepted, with its role and seat; one that could not be accepted
// does not count.
func TestInvitedPersonJoinsByTheDomain(t *testing.T) {
	e := newDomainEnv(t)
	e.verify("lyric.example", "on")
	e.exec(`update users set email_verified_at = now() where email = 'admin@example.com'`)
	invite := func(address string) {
		t.Helper()
		invitation := account.NewInvitation{Email: address, RoleID: account.RoleBillingAdmin}
		if _, err := e.service.Invitations.Invite(t.Context(), e.adminAccess(), invitation); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{"rosa@lyric.example", "late@lyric.example", "prov@lyric.example", "link@lyric.example"} {
		invite(address)
	}
	e.newBrowser().signInAs(e.testEnv, rosa, "").wantRedirect("/dashboard?notice=joined")
	e.wantMembership("rosa@lyric.example", "t billing_admin f active f")
	if e.count(`select count(*) from invitations where accepted_at is not null`) != 1 {
		t.Error("the invitation is still open")
	}
	e.exec(`update invitations set expires_at = now() - interval '1 minute' where email = 'late@lyric.example'`)
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "late", Email: "late@lyric.example", Name: "Late", Verified: true}, "").wantRedirect("/dashboard?notice=joined")
	e.wantMembership("late@lyric.example", joinedWithSeat)

	// With a membership of a program for the same address, that one is theirs.
	e.provision("prov@lyric.example", "")
	e.newBrowser().signInAs(e.testEnv, oidctest.Person{Subject: "prov", Email: "prov@lyric.example", Name: "Prov", Verified: true}, "").wantRedirect("/dashboard?notice=joined")
	e.wantMembership("prov@lyric.example", joinedWithSeat)
	if e.count(`select count(*) from invitations where email = 'prov@lyric.example' and accepted_at is not null`) != 1 {
		t.Error("the invitation is still open")
	}

	// Whoever comes by the link of an invitation accepts that one.
	mailer := e.mailer.(*recordingMailer)
	waitFor(t, "the invitation", func() bool { return len(mailer.linksTo("link@lyric.example", "/invite/")) == 1 })
	link := strings.TrimPrefix(mailer.linksTo("link@lyric.example", "/invite/")[0], e.url)
	b := e.newBrowser()
	b.signInAs(e.testEnv, oidctest.Person{Subject: "link", Email: "link@lyric.example", Name: "Link", Verified: true}, link).wantRedirect(link)
	e.wantNobody("link@lyric.example")
}

// Where accounts are by invitation, and where two-step verification is required of members.
func TestDomainWithOtherPolicies(t *testing.T) {
	e := newDomainEnv(t)
	e.verify("lyric.example", "on")
	e.restart(account.SignInPolicy{InviteOnly: true, PasswordsOff: true})
	e.exec(`update organizations set require_second_factor = true`)
	b := e.newBrowser()
	b.signInAs(e.testEnv, rosa, "").wantRedirect("/dashboard?notice=joined")
	e.wantMembership("rosa@lyric.example", joinedWithSeat)
	b.get("/dashboard").wantRedirect(securityPath)
}

// Many tabs at once make one account and one membership.
func TestPersonJoinsOnce(t *testing.T) {
	e := newDomainEnv(t)
	e.subscribed("pro")
	e.verify("lyric.example", "on")
	e.limitSeats(5)
	const tabs = 8
	people := []oidctest.Person{rosa, {Subject: "sam", Email: "sam@lyric.example", Name: "Sam", Verified: true}, {Subject: "tess", Email: "tess@lyric.example", Name: "Tess", Verified: true}}
	said := func(p oidctest.Person) account.Assertion {
		return account.Assertion{Issuer: e.provider.URL, Subject: p.Subject, Email: p.Email, EmailVerified: true, Name: p.Name}
	}
	ids := make([][tabs]string, len(people))
	var wait sync.WaitGroup
	for i, person := range people {
		for tab := range tabs {
			wait.Go(func() {
				user, err := e.service.DomainMembers.Join(t.Context(), said(person), person.Name)
				if err == nil {
					ids[i][tab] = user.ID
				}
			})
		}
	}
	wait.Wait()
	joined := 0
	for i := range people {
		for _, id := range ids[i] {
			if id != ids[i][0] {
				t.Errorf("%s: %q", people[i].Name, ids[i])
			}
		}
		if ids[i][0] != "" {
			joined++
			e.wantMembership(people[i].Email, joinedWithSeat)
		} else {
			e.wantNobody(people[i].Email)
		}
	}
	if joined != 2 || e.seated() != 5 {
		t.Errorf("%d people joined two free seats; %d are billed", joined, e.seated())
	}
	waitFor(t, "the seats", func() bool { return e.quantity() == 5 })
}
