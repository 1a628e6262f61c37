package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing/account"
	"usher/billing/account/oidc"
	"usher/billing/account/oidc/oidctest"
	"usher/billing/catalog"
	"usher/billing/stripegw"
)

// oidcProvider returns the client of the test's provider.
func (h *testEnv) oidcProvider() *oidc.Provider {
	if h.provider == nil {
		return nil
	}
	return oidc.New(oidc.Options{
		Issuer: h.provider.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, RedirectURL: h.url + oidcCallbackPath,
	})
}

// newOIDCEnv starts a test environment with a provider and a mail server.
func newOIDCEnv(t *testing.T) *testEnv {
	t.Helper()
	return newTestEnv(t, func(h *testEnv) {
		h.provider, h.mailer = oidctest.New(t), &recordingMailer{}
		h.signInPolicy.Issuer = h.provider.URL
	})
}

// restart restarts the site with another policy, on the same database.
func (h *testEnv) restart(policy account.SignInPolicy) {
	h.t.Helper()
	policy.Issuer = h.provider.URL
	h.signInPolicy = policy
	h.startService(stripegw.New(stripegw.Options{SecretKey: "sk_test_handlertests", APIBase: h.origin, WebhookSecrets: []string{testSecret}}), catalog.BuiltInPlans())
	h.startServer(h.origin, busyLimit)
}

var noa = oidctest.Person{Subject: "noa-1", Email: "noa@example.com", Name: "Noa Dahl", Verified: true}

// approve answers the authorization request of a page that leads to the provider, and returns the
// address to go back to.
func (h *testEnv) approve(begun response, agree bool) string {
	h.t.Helper()
	begun.wantStatus(http.StatusOK)
	_, address, found := strings.Cut(begun.header.Get("Refresh"), "url=")
	if !found || begun.doc().Find("main a[href]").First().AttrOr("href", "") != address {
		h.t.Fatalf("%s leads nowhere: %v\n%s", begun.request, begun.header, begun.body)
	}
	back, err := h.provider.Approve(mustParse(h.t, address).Query(), agree)
	if err != nil {
		h.t.Fatal(err)
	}
	return back
}

// signInAs signs a person in at the provider and comes back.
func (b *browser) signInAs(h *testEnv, person oidctest.Person, next string) response {
	h.t.Helper()
	h.provider.SignIn(person)
	return b.get(h.approve(b.post(oidcPath, url.Values{"next": {next}}), true))
}

// signUpAs signs a new person up with their identity.
func (b *browser) signUpAs(h *testEnv, person oidctest.Person) {
	h.t.Helper()
	form := b.follow(b.signInAs(h, person, "")).wantStatus(http.StatusOK).wantText(person.Email)
	b.submit(form, `form[action="/login/oidc/signup"]`, url.Values{"name": {person.Name}, "organization": {"Of " + person.Name}}).wantRedirect("/dashboard")
	b.wantSignedIn(true)
}

func TestSignUpAndInWithOIDC(t *testing.T) {
	h := newOIDCEnv(t)
	b := h.newBrowser()
	b.get("/login").wantText("Continue with 127.0.0.1", "Or with your password")
	b.get(oidcPath).wantText("Continue with 127.0.0.1")
	form := b.follow(b.signInAs(h, noa, "/settings")).wantText("You're new here", "noa@example.com")
	if got := form.doc().Find("input[name=name]").AttrOr("value", ""); got != "Noa Dahl" {
		t.Errorf("the name is %q", got)
	}
	b.wantSignedIn(false)
	b.submit(form, "main form", url.Values{"name": {"Noa"}, "organization": {""}}).wantStatus(http.StatusUnprocessableEntity).wantText("Please name your organization")
	before := b.session()
	b.submit(form, "main form", url.Values{"name": {"Noa"}, "organization": {"Lyric"}}).wantRedirect("/settings")
	if b.session() == before {
		t.Error("the session's token was not renewed")
	}
	if n := h.count(`select count(*) from users u join identities i on i.user_id = u.id
		where u.email = 'noa@example.com' and u.email_verified_at is not null and i.issuer = $1 and i.subject = 'noa-1'`, h.provider.URL); n != 1 {
		t.Fatal("no verified account with the identity")
	}
	b.submit(form, "main form", url.Values{"name": {"Noa"}, "organization": {"Lyric"}}).wantRedirect("/login?next=%2Fsettings") // sent twice

	// Again, from another browser, whatever the address is by now and however the token is signed.
	moved := noa
	moved.Email = "dahl@example.com"
	h.provider.UseES256(true)
	second := h.newBrowser()
	second.signInAs(h, moved, "/billing/credits").wantRedirect("/billing/credits")
	second.get("/settings").wantText("noa@example.com")
	second.get(securityPath).wantText("dahl@example.com", "Unlink")
	for _, line := range h.securityLines(eventLogIn) {
		if line["method"] != "oidc" {
			t.Errorf("the log has %v", line)
		}
	}
	// Without a password, none fits.
	h.newBrowser().post("/login", url.Values{"email": {"noa@example.com"}, "password": {""}}).wantStatus(http.StatusUnprocessableEntity)
	for _, person := range []string{"noa@example.com", "nobody@example.com"} {
		h.newBrowser().post("/login", url.Values{"email": {person}, "password": {testPassword}}).wantStatus(http.StatusUnprocessableEntity)
	}

	// Address and name may be at the UserInfo endpoint only.
	h.provider.HideFromToken(true)
	third := h.newBrowser()
	third.signUpAs(h, oidctest.Person{Subject: "ben", Email: "ben@example.com", Name: "Ben", Verified: true})
}

// Nobody is signed in by an answer that is not the provider's to this browser's own question.
func TestAnswersOfTheProviderAreVerified(t *testing.T) {
	h := newOIDCEnv(t)
	h.newBrowser().signUpAs(h, noa)
	claim := func(name string, value any) func() {
		return func() { h.provider.Change(func(claims map[string]any) { claims[name] = value }) }
	}
	for name, wrong := range map[string]func(){
		"nonce":             claim("nonce", "another"),
		"no nonce":          claim("nonce", ""),
		"audience":          claim("aud", "another client"),
		"several audiences": claim("aud", []string{oidctest.ClientID, "another client"}),
		"party":             claim("azp", "another client"),
		"issuer":            claim("iss", "https://accounts.example.com"),
		"expired":           claim("exp", time.Now().Add(-time.Minute).Unix()),
		"no subject":        claim("sub", ""),
		"key":               func() { h.provider.Forge(true) },
	} {
		wrong()
		b := h.newBrowser()
		b.signInAs(h, noa, "").wantStatus(http.StatusBadRequest).wantText("wasn't valid", "Try again")
		b.wantSignedIn(false)
		h.provider.Change(nil)
		h.provider.Forge(false)
		b.signInAs(h, noa, "").wantRedirect("/dashboard")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if lines := h.securityLines(eventLogInFailed); len(lines) != 9 || lines[0]["reason"] != "identity_provider" {
		t.Errorf("the log has %v", lines)
	}
}

// A state counts once, for ten minutes, in the session that began.
func TestStateOfAFlow(t *testing.T) {
	h := newOIDCEnv(t)
	h.newBrowser().signUpAs(h, noa)
	begin := func(b *browser) string { return h.approve(b.post(oidcPath, nil), true) }
	const expired = "Please sign in again"

	attacker, victim := h.newBrowser(), h.newBrowser()
	planted := begin(attacker)
	victim.get(planted).wantStatus(http.StatusBadRequest).wantText(expired) // log-in CSRF
	begin(victim)
	victim.get(planted).wantStatus(http.StatusBadRequest).wantText(expired)
	victim.wantSignedIn(false)

	b := h.newBrowser()
	back := begin(b)
	if got := b.send(http.MethodHead, back, ""); got.status != http.StatusOK {
		t.Errorf("HEAD: %d", got.status)
	}
	b.wantSignedIn(false)
	b.get(strings.Replace(back, "state=", "state=x", 1)).wantStatus(http.StatusBadRequest).wantText(expired)
	b.get(strings.Replace(back, "iss=", "iss=https%3A%2F%2Fmixed.example&was=", 1)).wantStatus(http.StatusBadRequest).wantText("wasn't valid")
	b.get(back).wantStatus(http.StatusBadRequest).wantText(expired) // used
	first, second := begin(b), begin(b)                             // two tabs
	b.get(second).wantRedirect("/dashboard")
	b.get(first).wantRedirect("/dashboard")
	b.get(first).wantStatus(http.StatusBadRequest).wantText(expired)

	late := h.newBrowser()
	back = begin(late)
	h.clockOffset.Store(int64(flowLifetime))
	late.get(back).wantStatus(http.StatusBadRequest).wantText(expired)
	h.clockOffset.Store(0)
	canceled := h.approve(late.post(oidcPath, nil), false)
	late.get(canceled).wantStatus(http.StatusOK).wantText("You canceled", "Sign in with your password")
	late.wantSignedIn(false)
	late.send(post, oidcPath, "", "Content-Type", formType, "Sec-Fetch-Site", "cross-site").wantStatus(http.StatusForbidden)
}

// An identity gets an account by its address only if both sides have verified that, and the account
// has no other identity there.
func TestIdentityWithTheAddressOfAnAccount(t *testing.T) {
	h := newOIDCEnv(t)
	identities := func() int { return h.count(`select count(*) from identities`) }
	person := oidctest.Person{Subject: "m-1", Email: "Member@example.com", Name: "M", Verified: true}

	// The account's address is not verified: whoever signed up with it may not be its owner.
	victim := h.newBrowser()
	link := victim.signInAs(h, person, "/settings").wantRedirect("/login/oidc/link?next=%2Fsettings")
	shown := victim.follow(link).wantText("There is an account with this address", "Sign in with your password", "Choose a new one")
	victim.post(oidcLinkPath, nil).wantRedirect("/login")
	if identities() != 0 {
		t.Fatal("an unverified account got the identity")
	}
	// Its owner knows the password, and links it once.
	back := shown.doc().Find(`main a[href^="/login?"]`).AttrOr("href", "")
	form := victim.get(back).wantStatus(http.StatusOK)
	confirmed := victim.follow(victim.submit(form, `form[action="/login"]`, url.Values{"email": {"member@example.com"}, "password": {testPassword}}))
	confirmed.wantText("It will sign in to your account here, member@example.com")
	victim.submit(confirmed, `form[action="/login/oidc/link"]`, nil).wantRedirect("/settings")
	if h.count(`select count(*) from identities where user_id = $1`, h.users["member"].ID) != 1 {
		t.Fatal("the identity is not linked")
	}
	mailer := h.mailer.(*recordingMailer)
	waitFor(t, "the notice", func() bool { return len(mailer.linksTo("member@example.com", "/settings/security")) == 1 })
	h.newBrowser().signInAs(h, person, "").wantRedirect("/dashboard")

	// The address was given to somebody else at the provider.
	successor := person
	successor.Subject = "m-2"
	h.newBrowser().signInAs(h, successor, "").wantRedirect("/login/oidc/link")
	// An operator says that it is the same person.
	if _, err := h.service.Identities.UnlinkAll(t.Context(), "member@example.com"); err != nil {
		t.Fatal(err)
	}
	h.newBrowser().signInAs(h, successor, "").wantRedirect("/dashboard")
	h.newBrowser().signInAs(h, person, "").wantRedirect("/login/oidc/link")

	// Verified at both sides.
	h.exec(`update users set email_verified_at = now() where email in ('billing@example.com', 'admin@example.com')`)
	unverified := oidctest.Person{Subject: "b-1", Email: "billing@example.com"}
	h.newBrowser().signInAs(h, unverified, "").wantRedirect("/login/oidc/link")
	unverified.Verified = true
	h.newBrowser().signInAs(h, unverified, "").wantRedirect("/dashboard")
	waitFor(t, "the notice", func() bool { return len(mailer.linksTo("billing@example.com", "/settings/security")) == 1 })
	// A letter that only looks the same is another address.
	h.newBrowser().signInAs(h, oidctest.Person{Subject: "x", Email: "a\u1E0Dmin@example.com", Verified: true}, "").wantRedirect("/login/oidc/signup")
	if n := h.count(`select count(*) from identities where user_id = $1`, h.users["admin"].ID); n != 0 {
		t.Error("another address was matched")
	}
}

// Whoever signs up first with somebody's address, in any way, has no part in the account once its
// owner has it.
func TestPreHijackedAccount(t *testing.T) {
	h := newOIDCEnv(t)
	attacker := h.newBrowser()
	// The attacker's identity claims the victim's address; the provider has not verified it.
	attacker.signUpAs(h, oidctest.Person{Subject: "attacker", Email: "victim@example.com", Name: "Attacker"})
	attacker.post("/settings/security/identity", nil).wantStatus(http.StatusOK)
	h.provider.SignIn(oidctest.Person{Subject: "attacker-2", Email: "attacker@example.com", Verified: true})
	second := attacker.get(h.approve(attacker.post("/settings/security/identity", nil), true))
	second.wantStatus(http.StatusForbidden).wantText("Confirm your e-mail address first")

	victim := h.newBrowser()
	victim.signInAs(h, oidctest.Person{Subject: "victim", Email: "victim@example.com", Verified: true}, "").wantRedirect("/login/oidc/link")
	victim.wantSignedIn(false)
	victim.post("/forgot", url.Values{"email": {"victim@example.com"}}).wantStatus(http.StatusSeeOther)
	mailer := h.mailer.(*recordingMailer)
	waitFor(t, "the link", func() bool { return len(mailer.linksTo("victim@example.com", "/reset/")) == 1 })
	reset := strings.TrimPrefix(mailer.linksTo("victim@example.com", "/reset/")[0], h.url)
	victim.post(reset, url.Values{"password": {testPassword + " of the victim"}}).wantRedirect("/login?notice=password-set")
	attacker.wantSignedOut()
	h.newBrowser().signInAs(h, oidctest.Person{Subject: "attacker", Email: "victim@example.com"}, "").wantRedirect("/login/oidc/link")
	victim.signInAs(h, oidctest.Person{Subject: "victim", Email: "victim@example.com", Verified: true}, "").wantRedirect("/dashboard")
}

// The addresses of operators count once they are verified, by the provider or by e-mail.
func TestOperatorByOIDC(t *testing.T) {
	h := newOIDCEnv(t)
	h.operatorEmails = []string{"ops@example.com", "root@example.com"}
	h.restart(account.SignInPolicy{})
	for person, want := range map[oidctest.Person]int{
		{Subject: "1", Name: "O", Email: "ops@example.com", Verified: true}:      http.StatusOK,
		{Subject: "2", Name: "R", Email: "root@example.com"}:                     http.StatusForbidden,
		{Subject: "3", Name: "L", Email: "op\u017f@example.com", Verified: true}: http.StatusForbidden,
	} {
		b := h.newBrowser()
		b.signUpAs(h, person)
		b.get("/admin/events").wantStatus(want)
	}
}

func TestSignUpByInvitationOnly(t *testing.T) {
	h := newOIDCEnv(t)
	h.restart(account.SignInPolicy{InviteOnly: true})
	h.exec(`update users set email_verified_at = now() where email = 'admin@example.com'`)
	signUp := url.Values{"name": {"Eve"}, "email": {"eve@example.com"}, "password": {testPassword}, "organization": {"Eve's"}}
	page := h.newBrowser().get("/signup").wantText("You need an invitation to sign up", "Continue with 127.0.0.1")
	if page.doc().Find("input[name=password]").Length() != 0 {
		t.Error("the page asks for a password")
	}
	h.newBrowser().post("/signup", signUp).wantStatus(http.StatusForbidden).wantText("by invitation")
	h.newBrowser().signUpAs(h, noa) // an identity of the provider

	// Invited, with a password and with an identity that has another address.
	for _, address := range []string{"ines@example.com", "ivo@example.com"} {
		h.signIn("admin").post("/organization/invitations", url.Values{"email": {address}, "roleId": {account.RoleMember}}).wantStatus(http.StatusSeeOther)
	}
	mailer := h.mailer.(*recordingMailer)
	link := func(address string) string {
		waitFor(t, "the invitation", func() bool { return len(mailer.linksTo(address, "/invite/")) == 1 })
		return strings.TrimPrefix(mailer.linksTo(address, "/invite/")[0], h.url)
	}
	h.newBrowser().post(link("ines@example.com"), url.Values{"name": {"Ines"}, "password": {testPassword}}).wantRedirect("/dashboard?notice=joined")
	b, invitation := h.newBrowser(), link("ivo@example.com")
	shown := b.get(invitation).wantText("Continue with 127.0.0.1", "Or with a password")
	h.provider.SignIn(oidctest.Person{Subject: "ivo", Email: "ivo@work.example", Name: "Ivo", Verified: true})
	joined := b.get(h.approve(b.submit(shown, `form[action="/login/oidc"]`, nil), true)).wantRedirect(invitation)
	form := b.follow(joined).wantText("ivo@work.example", "Your account will use ivo@example.com")
	b.submit(form, "main form", url.Values{"name": {"Ivo"}}).wantRedirect("/dashboard?notice=joined")
	b.get("/dashboard").wantStatus(http.StatusOK)
	if n := h.count(`select count(*) from users u join identities i on i.user_id = u.id where u.email = 'ivo@example.com' and u.email_verified_at is not null`); n != 1 {
		t.Error("no verified account with the identity")
	}
	h.newBrowser().signInAs(h, oidctest.Person{Subject: "ivo", Email: "ivo@work.example", Verified: true}, "").wantRedirect("/dashboard")
}

func TestPasswordsAreOff(t *testing.T) {
	h := newOIDCEnv(t)
	reset := func() int { return h.count(`select count(*) from recovery_requests`) }
	h.exec(`update users set email_verified_at = now() where email = 'admin@example.com'`)
	h.restart(account.SignInPolicy{PasswordsOff: true})
	for _, path := range []string{"/login", "/signup"} {
		page := h.newBrowser().get(path).wantText("Continue with 127.0.0.1")
		if page.doc().Find("input[type=password]").Length() != 0 {
			t.Errorf("%s asks for a password", path)
		}
	}
	b := h.newBrowser()
	b.get("/forgot").wantRedirect("/login?notice=passwords-off")
	b.get("/reset/token").wantRedirect("/login?notice=passwords-off")
	for path, form := range map[string]url.Values{
		"/login":       {"email": {email("admin")}, "password": {testPassword}},
		"/signup":      {"name": {"Eve"}, "email": {"eve@example.com"}, "password": {testPassword}, "organization": {"Eve's"}},
		"/forgot":      {"email": {email("admin")}},
		"/reset/token": {"password": {testPassword}},
	} {
		b.post(path, form).wantStatus(http.StatusForbidden).wantText(account.MessagePasswordsOff)
	}
	if reset() != 0 {
		t.Error("a reset was requested")
	}
	// A person with a former password signs in at the provider, and proves there who they are.
	person := oidctest.Person{Subject: "a-1", Email: email("admin"), Name: "A", Verified: true}
	b.signInAs(h, person, "").wantRedirect("/dashboard")
	settings := b.get("/settings").wantStatus(http.StatusOK)
	if settings.doc().Find("input[type=password]").Length() != 0 || b.get(securityPath).doc().Find("input[type=password]").Length() != 0 {
		t.Error("the settings ask for a password")
	}
	b.post("/settings/security/setup", nil).wantRedirect("/settings/security/setup")
	b.post(recentPath, url.Values{"password": {testPassword}}).wantStatus(http.StatusForbidden)
	unlink := b.submit(b.get(securityPath), `form[action="/settings/security/identity/unlink"]`, nil)
	b.follow(unlink)
	if h.count(`select count(*) from identities`) != 1 {
		t.Error("the only way to sign in was removed")
	}
}

func TestProviderIsAway(t *testing.T) {
	h := newOIDCEnv(t)
	h.provider.Away(true)
	b := h.newBrowser()
	b.post(oidcPath, url.Values{"next": {"/settings"}}).wantStatus(http.StatusServiceUnavailable).wantText("isn't responding", "Try again", "Sign in with your password")
	b.logIn("admin", "").wantRedirect("/dashboard")
	h.provider.Away(false) // nothing to restart
	other := h.newBrowser()
	other.signUpAs(h, noa)
	begun := h.newBrowser()
	back := h.approve(begun.post(oidcPath, nil), true)
	h.provider.Away(true)
	begun.get(back).wantStatus(http.StatusServiceUnavailable).wantText("isn't responding")
	begun.wantSignedIn(false)
}

// A second factor that is set up here is needed too, and the provider's word is no recent
// authentication unless the person was authenticated there recently.
func TestSecondFactorAndRecentAuthenticationWithOIDC(t *testing.T) {
	h := newOIDCEnv(t)
	b := h.newBrowser()
	b.signUpAs(h, noa)
	app := h.setUpAuthenticatorOf(b)

	// The session at the provider is old.
	h.provider.Change(func(claims map[string]any) { claims["auth_time"] = time.Now().Add(-time.Hour).Unix() })
	second := h.newBrowser()
	second.signInAs(h, noa, "/settings").wantRedirect("/login/second-factor?next=%2Fsettings")
	second.wantSignedIn(false)
	second.typeCode(app.code(), "/settings").wantRedirect("/settings")
	shown := second.post("/settings/sessions/end", nil).wantStatus(http.StatusSeeOther)
	form := second.follow(shown).wantText("Confirm that it's you", "Continue with 127.0.0.1")
	if form.doc().Find("input[type=password]").Length() != 0 {
		t.Error("it asks for a password that does not exist")
	}
	confirm := func() response {
		return second.get(h.approve(second.submit(form, `form[action="/login/confirm/oidc"]`, nil), true))
	}
	confirm().wantStatus(http.StatusForbidden).wantText("didn't confirm that you signed in again")
	h.provider.Change(func(claims map[string]any) { delete(claims, "auth_time") })
	confirm().wantStatus(http.StatusForbidden)
	h.provider.Change(nil)
	h.provider.SignIn(oidctest.Person{Subject: "other", Email: "other@example.com", Verified: true})
	confirm().wantStatus(http.StatusForbidden).wantText("as somebody else")
	second.post("/settings/sessions/end", nil).wantRedirect(shown.header.Get("Location"))

	h.provider.SignIn(noa)
	code := second.follow(confirm()).wantText("Your code is missing", "Six-digit code")
	second.post("/settings/sessions/end", nil).wantRedirect(shown.header.Get("Location")) // half of it is nothing
	second.submit(code, "main form", url.Values{"code": {app.code()}}).wantRedirect("/settings?notice=confirmed#sessions")
	second.post("/settings/sessions/end", nil).wantRedirect("/settings?notice=signed-out-elsewhere")
	b.wantSignedOut()

	query := mustParse(t, strings.SplitN(second.post("/login/confirm/oidc", nil).header.Get("Refresh"), "url=", 2)[1]).Query()
	if query.Get("prompt") != "login" || query.Get("max_age") != "0" || query.Get("code_challenge_method") != "S256" {
		t.Errorf("the request is %v", query)
	}
}

// setUpAuthenticatorOf sets two-step verification up for a person without a password.
func (h *testEnv) setUpAuthenticatorOf(b *browser) *authenticator {
	h.t.Helper()
	setup := b.follow(b.post("/settings/security/setup", nil)).wantStatus(http.StatusOK)
	app := &authenticator{h: h, key: strings.ReplaceAll(setup.text("p.font-mono"), " ", "")}
	b.post("/settings/security/confirm", url.Values{"code": {app.code()}}).wantStatus(http.StatusOK)
	return app
}

func TestUnlinkFirstPasswordAndDeletion(t *testing.T) {
	h := newOIDCEnv(t)
	b := h.newBrowser()
	b.signUpAs(h, noa)
	unlink := func() response {
		return b.submit(b.get(securityPath), `form[action="/settings/security/identity/unlink"]`, nil)
	}
	unlink().wantRedirect(securityPath + "?notice=identity-kept")
	b.submit(b.get(securityPath), `form[action="/settings/security/password"]`, nil).wantRedirect(securityPath + "?notice=password-link-sent")
	mailer := h.mailer.(*recordingMailer)
	waitFor(t, "the link", func() bool { return len(mailer.linksTo("noa@example.com", "/reset/")) == 1 })
	reset := strings.TrimPrefix(mailer.linksTo("noa@example.com", "/reset/")[0], h.url)
	b.post(reset, url.Values{"password": {testPassword}}).wantRedirect("/login?notice=password-set")
	b.signInAs(h, noa, "").wantRedirect("/dashboard")
	unlink().wantRedirect(securityPath + "?notice=identity-unlinked")
	waitFor(t, "the notice", func() bool { return len(mailer.linksTo("noa@example.com", "/settings/security")) == 1 })
	h.provider.SignIn(noa)
	b.get(h.approve(b.post("/settings/security/identity", nil), true)).wantRedirect(securityPath + "?notice=identity-linked")
	// Nobody else gets it.
	other := h.signIn("admin")
	h.exec(`update users set email_verified_at = now() where email = 'admin@example.com'`)
	other.post(recentPath, url.Values{"password": {testPassword}}).wantStatus(http.StatusSeeOther)
	other.get(h.approve(other.post("/settings/security/identity", nil), true)).wantStatus(http.StatusConflict).wantText(account.MessageIdentityTaken)

	// The identity of a deleted account is that of a new person, also if the previous release has
	// deleted the account.
	b.post("/settings/delete", url.Values{"confirmation": {testPassword}}).wantStatus(http.StatusUnprocessableEntity) // the last admin
	h.exec(`update users set email = 'deleted:' || id, password_hash = '' where email = 'noa@example.com'`)
	h.newBrowser().signUpAs(h, noa)
	if n := h.count(`select count(*) from identities`); n != 1 {
		t.Errorf("%d identities", n)
	}
}
