package handlers

import (
	"encoding/base32"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/pquerna/otp/totp"

	"usher/billing/account"
)

// authenticator is a person's app.
type authenticator struct {
	h     *testEnv
	key   string
	codes []string // recovery codes
}

// code returns a code of the app that was not shown before: the clock is put ahead by a step.
func (a *authenticator) code() string {
	a.h.t.Helper()
	a.h.wallOffset.Add(int64(30 * time.Second))
	return a.codeAt(0)
}

// codeAt returns the code that the app shows at an offset from now.
func (a *authenticator) codeAt(offset time.Duration) string {
	a.h.t.Helper()
	code, err := totp.GenerateCode(a.key, a.h.wallNow().Add(offset))
	if err != nil {
		a.h.t.Fatal(err)
	}
	return code
}

// setUpAuthenticator sets two-step verification up on its pages.
func (h *testEnv) setUpAuthenticator(b *browser) *authenticator {
	h.t.Helper()
	setup := b.follow(b.post("/settings/security/setup", url.Values{"password": {testPassword}})).wantStatus(http.StatusOK)
	app := &authenticator{h: h, key: strings.ReplaceAll(setup.text("p.font-mono"), " ", "")}
	done := b.post("/settings/security/confirm", url.Values{"code": {app.code()}}).wantStatus(http.StatusOK)
	done.doc().Find("#recovery-codes li").Each(func(_ int, s *goquery.Selection) { app.codes = append(app.codes, strings.TrimSpace(s.Text())) })
	if len(app.codes) != account.RecoveryCodes {
		h.t.Fatalf("%d recovery codes in %s", len(app.codes), done.body)
	}
	return app
}

// logIn sends the log-in form.
func (b *browser) logIn(name, next string) response {
	b.t.Helper()
	return b.post("/login", url.Values{"email": {email(name)}, "password": {testPassword}, "next": {next}})
}

func (b *browser) typeCode(code, next string) response {
	b.t.Helper()
	return b.post("/login/second-factor", url.Values{"code": {code}, "next": {next}})
}

func (b *browser) wantSignedIn(signedIn bool) {
	b.t.Helper()
	if got := b.get("/dashboard").status == http.StatusOK; got != signedIn {
		b.t.Errorf("signed in: %t, want %t", got, signedIn)
	}
}

func TestLogInWithAnAuthenticatorApp(t *testing.T) {
	h := newTestEnv(t)
	app := h.setUpAuthenticator(h.signIn("admin"))
	b := h.newBrowser()
	b.logIn("admin", "/billing/credits").wantRedirect("/login/second-factor?next=%2Fbilling%2Fcredits")
	first := b.session()

	// Half a log-in opens nothing.
	b.wantSignedIn(false)
	for _, path := range []string{"/dashboard", "/settings", "/settings/security", "/organization", "/admin/events"} {
		b.get(path).wantRedirect("/login?next=" + url.QueryEscape(path))
	}
	b.get("/billing/getSummary").wantError(http.StatusUnauthorized, "unauthenticated", errSignedOut.message)
	b.postJSON("/billing/retrySeatSync", `{}`).wantError(http.StatusUnauthorized, "unauthenticated", errSignedOut.message)

	wrong := b.typeCode("000000", "/billing/credits").wantStatus(http.StatusUnprocessableEntity)
	wrong.wantText("This code doesn't match")
	done := b.submit(wrong, `form[action="/login/second-factor"]`, url.Values{"code": {app.code()}})
	done.wantRedirect("/billing/credits")
	b.wantSignedIn(true)
	if second := b.session(); second == first || second == "" {
		t.Error("the session's token was not renewed by the second step")
	}
	if h.newBrowserWith(first).get("/dashboard").status == http.StatusOK {
		t.Error("the token of the first step is signed in")
	}
}

// A code is accepted once, even in another browser, and the code of a step before it never again.
func TestCodeIsAcceptedOnce(t *testing.T) {
	h := newTestEnv(t)
	app := h.setUpAuthenticator(h.signIn("admin"))
	first, second := h.newBrowser(), h.newBrowser()
	first.logIn("admin", "")
	second.logIn("admin", "")
	code := app.code()
	first.typeCode(code, "").wantRedirect("/dashboard")
	second.typeCode(code, "").wantStatus(http.StatusUnprocessableEntity)
	second.typeCode(app.codeAt(-30*time.Second), "").wantStatus(http.StatusUnprocessableEntity)
	second.wantSignedIn(false)
	second.typeCode(app.codeAt(60*time.Second), "").wantStatus(http.StatusUnprocessableEntity) // two steps ahead
	second.typeCode(app.codeAt(30*time.Second), "").wantRedirect("/dashboard")                 // a phone whose clock is ahead
}

// Of concurrent requests with one code, one signs in.
func TestConcurrentCodesSignInOnce(t *testing.T) {
	h := newTestEnv(t)
	app := h.setUpAuthenticator(h.signIn("admin"))
	code := app.code()
	for _, code := range []string{code, app.codes[3]} {
		browsers := make([]*browser, 8)
		for i := range browsers {
			browsers[i] = h.newBrowser()
			browsers[i].logIn("admin", "").wantRedirect(secondStepPath)
		}
		statuses := make(chan int, len(browsers))
		for _, b := range browsers {
			go func() { statuses <- b.typeCode(code, "").status }()
		}
		accepted := 0
		for range browsers {
			if <-statuses == http.StatusSeeOther {
				accepted++
			}
		}
		if accepted != 1 {
			t.Errorf("code %s was accepted %d times", code, accepted)
		}
	}
}

func TestRecoveryCode(t *testing.T) {
	h := newTestEnv(t)
	owner := h.signIn("admin")
	app := h.setUpAuthenticator(owner)
	b := h.newBrowser()
	b.logIn("admin", "")
	b.get("/login/second-factor?with=recovery-code").wantText("Recovery code")
	b.typeCode("  "+strings.ToUpper(strings.ReplaceAll(app.codes[0], "-", " ")), "").wantRedirect("/dashboard")
	owner.get("/settings/security").wantText("9 of 10 recovery codes left")

	again := h.newBrowser()
	again.logIn("admin", "")
	again.typeCode(app.codes[0], "").wantStatus(http.StatusUnprocessableEntity).wantText("not one of your unused recovery codes")
	// The codes of one person are nothing to another.
	h.setUpAuthenticator(h.signIn("member"))
	other := h.newBrowser()
	other.logIn("member", "")
	other.typeCode(app.codes[1], "").wantStatus(http.StatusUnprocessableEntity)

	renewed := owner.post("/settings/security/codes", url.Values{"password": {testPassword}}).wantStatus(http.StatusOK)
	if strings.Contains(renewed.body, app.codes[1]) {
		t.Error("an old code is shown again")
	}
	again.typeCode(app.codes[1], "").wantStatus(http.StatusUnprocessableEntity)
	if got := owner.get("/dev/mail").body; !strings.Contains(got, "A recovery code was used") || !strings.Contains(got, "You have new recovery codes") ||
		!strings.Contains(got, "You have 9 recovery codes left") {
		t.Error("the e-mails about recovery codes are missing")
	}
	for _, code := range app.codes {
		if n := h.count(`select count(*) from recovery_codes where position($1::bytea in code_hash) > 0`, []byte(code[:6])); n > 0 {
			t.Error("a recovery code is stored in clear")
		}
	}
}

// Half a log-in ends by time, by a new password, and by logging out.
func TestHalfALogInEnds(t *testing.T) {
	h := newTestEnv(t)
	app := h.setUpAuthenticator(h.signIn("admin"))
	for name, end := range map[string]func(*browser){
		"late": func(*browser) { h.clockOffset.Add(int64(secondStepLifetime)) },
		"new password": func(*browser) {
			if err := h.service.Users.ChangePassword(t.Context(), h.users["admin"].ID, testPassword, testPassword+" 2"); err != nil {
				t.Fatal(err)
			}
			if err := h.service.Users.ChangePassword(t.Context(), h.users["admin"].ID, testPassword+" 2", testPassword); err != nil {
				t.Fatal(err)
			}
		},
		"logged out": func(b *browser) { b.post("/logout", nil) },
	} {
		b := h.newBrowser()
		b.logIn("admin", "")
		b.get("/login/second-factor").wantStatus(http.StatusOK)
		end(b)
		if got := b.typeCode(app.code(), "").header.Get("Location"); !strings.HasPrefix(got, "/login") || strings.HasPrefix(got, secondStepPath) {
			t.Errorf("%s: redirected to %q", name, got)
		}
		b.wantSignedIn(false)
	}
}

// Whoever is signed in no longer is when another person's log-in begins in the same browser, and a
// log-in without a second factor forgets the half one.
func TestLogInsInOneBrowser(t *testing.T) {
	h := newTestEnv(t)
	app := h.setUpAuthenticator(h.signIn("admin"))
	b := h.signIn("member")
	b.logIn("admin", "").wantRedirect(secondStepPath)
	b.wantSignedIn(false)
	b.logIn("member", "").wantRedirect("/dashboard")
	b.typeCode(app.code(), "").wantRedirect("/login")
	if got := b.get("/settings").wantStatus(http.StatusOK).body; !strings.Contains(got, email("member")) {
		t.Error("the half log-in replaced the complete one")
	}
}

// A new password by e-mail does not skip the second step.
func TestPasswordResetKeepsTheSecondStep(t *testing.T) {
	h := newTestEnv(t)
	h.setUpAuthenticator(h.signIn("admin"))
	b := h.newBrowser()
	b.post("/forgot", url.Values{"email": {email("admin")}})
	b.post(b.mailedLink(email("admin"), "/reset/"), url.Values{"password": {"another long password"}}).wantRedirect("/login?notice=" + noticePasswordSet)
	b.post("/login", url.Values{"email": {email("admin")}, "password": {"another long password"}}).wantRedirect(secondStepPath)
	b.wantSignedIn(false)
}

// The seed is sealed wherever it is stored.
func TestSeedIsNotStoredInClear(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	setup := b.follow(b.post("/settings/security/setup", url.Values{"password": {testPassword}}))
	key := strings.ReplaceAll(setup.text("p.font-mono"), " ", "")
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	if err != nil || len(seed) != 20 {
		t.Fatalf("key %q, %v", key, err)
	}
	inClear := func() int {
		return h.count(`select (select count(*) from sessions where position($1::bytea in data) > 0 or position($2::bytea in data) > 0)
			+ (select count(*) from second_factors where position($1::bytea in seed) > 0)`, seed, []byte(key))
	}
	if n := inClear(); n > 0 {
		t.Error("the seed is in the session in clear")
	}
	app := &authenticator{h: h, key: key}
	b.post("/settings/security/confirm", url.Values{"code": {app.code()}}).wantStatus(http.StatusOK)
	if n := inClear(); n > 0 || h.count(`select count(*) from second_factors`) != 1 {
		t.Error("the seed is stored in clear")
	}
	if strings.Contains(h.log.String(), key) {
		t.Error("the seed is in the log")
	}
	if again := b.get("/settings/security/setup"); again.status != http.StatusSeeOther {
		t.Errorf("the key is shown again: %d", again.status)
	}
}

// Set-up needs the password, counts after a code only, and belongs to one session.
func TestSetUp(t *testing.T) {
	h := newTestEnv(t)
	b, other := h.signIn("admin"), h.signIn("admin")
	b.post("/settings/security/setup", url.Values{"password": {"wrong"}}).wantStatus(http.StatusUnprocessableEntity).wantText("This is not your password")
	b.get("/settings/security/setup").wantRedirect(securityPath)
	setup := b.follow(b.post("/settings/security/setup", url.Values{"password": {testPassword}}))
	if setup.doc().Find("[role=img] svg path").Length() != 1 || !strings.Contains(setup.body, "otpauth://totp/Usher") {
		t.Error("there is no QR code")
	}
	other.get("/settings/security/setup").wantRedirect(securityPath)
	b.post("/settings/security/confirm", url.Values{"code": {"123456"}}).wantStatus(http.StatusUnprocessableEntity).wantText("doesn't match")
	h.newBrowser().logIn("admin", "").wantRedirect("/dashboard")

	app := &authenticator{h: h, key: strings.ReplaceAll(setup.text("p.font-mono"), " ", "")}
	code := app.code()
	h.clockOffset.Store(int64(setupLifetime))
	b.post("/settings/security/confirm", url.Values{"code": {code}}).wantRedirect(securityPath + "?notice=" + noticeSetUpAgain)
	h.clockOffset.Store(0)
	b.post("/settings/security/confirm", url.Values{"code": {code}}).wantStatus(http.StatusOK).wantText("Save your recovery codes")
	other.wantSignedIn(false) // other sessions end
	// The first code was used to set it up.
	c := h.newBrowser()
	c.logIn("admin", "")
	c.typeCode(code, "").wantStatus(http.StatusUnprocessableEntity)

	b.post("/settings/security/disable", url.Values{"password": {"wrong"}}).wantStatus(http.StatusUnprocessableEntity)
	b.post("/settings/security/disable", url.Values{"password": {testPassword}}).wantRedirect(securityPath + "?notice=" + noticeSecondFactorOff)
	h.newBrowser().logIn("admin", "").wantRedirect("/dashboard")
	mails := b.get("/dev/mail").body
	if !strings.Contains(mails, "Two-step verification is on") || !strings.Contains(mails, "Two-step verification is off") {
		t.Error("the e-mails about two-step verification are missing")
	}
}

// Six digits cannot be guessed: attempts are limited per account, whatever the browser.
func TestSecondStepIsLimited(t *testing.T) {
	h := newTestEnv(t)
	app := h.setUpAuthenticator(h.signIn("admin"))
	h.server.rateLimits = h.service.RateLimits
	handler := h.server.handler()
	h.handler.Store(&handler)
	statuses := []int{}
	for range 2 {
		b := h.newBrowser()
		b.logIn("admin", "")
		for range secondStepAttempts.Max {
			statuses = append(statuses, b.typeCode("000000", "").status)
		}
	}
	if n := slices.Index(statuses, http.StatusTooManyRequests); n != secondStepAttempts.Max {
		t.Errorf("refused from attempt %d on, want %d: %v", n, secondStepAttempts.Max, statuses)
	}
	b := h.newBrowser()
	b.logIn("admin", "")
	if refused := b.typeCode(app.codeAt(30*time.Second), ""); refused.status != http.StatusTooManyRequests || refused.header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", refused.status, refused.header.Get("Retry-After"))
	}
}

// Where two-step verification is required, the page says why, and setting it up is enough.
// TestAccess compares every route with every requirement.
func TestRequiredSecondFactor(t *testing.T) {
	h := newTestEnv(t)
	h.signUp("operator", "The operators")
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("operator")); err != nil {
		t.Fatal(err)
	}
	h.server.secondFactor = account.SecondFactorOperators
	b := h.signIn("operator")
	b.get("/admin/events").wantRedirect(securityPath)
	b.get("/settings/security").wantText("Operators need it")
	h.setUpAuthenticator(b)
	b.get("/admin/events").wantStatus(http.StatusOK)
}

// Checkout after the sign-up is no way around the requirement.
func TestSavedCheckoutNeedsTheSecondFactor(t *testing.T) {
	h := newTestEnv(t)
	h.server.secondFactor = account.SecondFactorBilling
	b := h.newBrowser()
	b.post("/billing/checkout", url.Values{"plan": {"pro"}, "interval": {"month"}}).wantRedirect("/signup")
	b.post("/signup", url.Values{"name": {"Nora"}, "email": {"nora@example.com"}, "password": {testPassword}, "organization": {"Balcony Books"}}).wantRedirect(securityPath)
	if n := h.count(`select count(*) from checkout_sessions`); n > 0 {
		t.Errorf("%d Checkout sessions were opened", n)
	}
}

// An organization requires it of its members: in it, not in their other organizations.
func TestOrganizationRequiresSecondFactor(t *testing.T) {
	h := newTestEnv(t)
	h.addToOrganization("member", h.otherOrganization)
	admin, member := h.signIn("admin"), h.signIn("member")
	require := url.Values{"requireSecondFactor": {"on"}, "organizationId": {h.organization.ID}}
	admin.post("/organization/second-factor", require).wantStatus(http.StatusUnprocessableEntity).wantText("Set up two-step verification for yourself first")
	member.post("/organization/second-factor", require).wantStatus(http.StatusForbidden)
	member.get("/dashboard").wantStatus(http.StatusOK)

	h.setUpAuthenticator(admin)
	admin.post("/organization/second-factor", require).wantRedirect(generalPath + "&notice=" + noticeSecondFactorOrg)
	admin.get("/dashboard").wantStatus(http.StatusOK)
	member.get("/dashboard").wantRedirect(securityPath)
	member.get("/billing/getSummary").wantError(http.StatusForbidden, "second_factor_required", errSecondFactor.message)
	member.get("/settings/security").wantText("Lantern Theatre requires it of its members")
	member.get("/settings").wantStatus(http.StatusOK)
	member.post("/organization/switch", url.Values{"organizationId": {h.otherOrganization.ID}}).wantRedirect("/dashboard")
	member.get("/dashboard").wantStatus(http.StatusOK)
	member.post("/organization/switch", url.Values{"organizationId": {h.organization.ID}})
	h.setUpAuthenticator(member)
	member.get("/dashboard").wantStatus(http.StatusOK)
	admin.post("/organization/second-factor", url.Values{"organizationId": {h.organization.ID}})
	h.signIn("billing").get("/dashboard").wantStatus(http.StatusOK)
}

// Nothing signs a person in past the second step: signIn has two callers in second_step.go, and one
// that a developer uses, for people of scenarios.
func TestEverySignInGoesThroughTheSecondStep(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			calls[file] += strings.Count(string(source), ".signIn(") + strings.Count(string(source), "sessionUser, ")
		}
	}
	for file, n := range calls {
		// Session.go has the one statement that writes the user.
		if want := map[string]int{"second_step.go": 2, "session.go": 1, "dev_scenarios.go": 1}[file]; n != want {
			t.Errorf("%s signs in %d times, want %d", file, n, want)
		}
	}
}
