package handlers

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing/account"
)

// confirmWith sends the form that asks to authenticate again.
func (b *browser) confirmWith(password, code string) response {
	b.t.Helper()
	return b.post(recentPath, url.Values{"password": {password}, "code": {code}, "next": {"/settings"}})
}

// With two-step verification, the password alone is no authentication: it needs a code too, or a
// recovery code, each of them once.
func TestRecentAuthenticationNeedsTheSecondFactor(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	app := h.setUpAuthenticator(b)
	other := h.signIn("admin")
	h.clockOffset.Store(int64(account.RecentAuthentication))
	end := func(b *browser) response { return b.post("/settings/sessions/end", nil) }
	form := b.follow(end(b)).wantText("Enter your password and a code", "Six-digit code", "Use a recovery code")
	code := app.code()

	b.submit(form, "main form", url.Values{"password": {testPassword}}).wantStatus(http.StatusUnprocessableEntity)
	b.confirmWith("not it", code).wantStatus(http.StatusUnprocessableEntity).wantText("not your current password").wantNoText("doesn't match")
	b.confirmWith(testPassword, "000000").wantStatus(http.StatusUnprocessableEntity).wantText("This code doesn't match")
	end(b).wantRedirect(withNext(recentPath, recentRoutes["/settings/sessions/end"]))
	other.get("/dashboard").wantStatus(http.StatusOK)
	reasons := map[any]int{}
	for _, line := range h.securityLines(eventLogInFailed) {
		reasons[line["reason"]]++
	}
	if reasons["wrong_code"] != 2 || reasons[account.ReasonWrongPassword] != 1 {
		t.Errorf("the log has %v", reasons)
	}

	// A wrong password has not spent the code.
	again := b.submit(form, "main form", url.Values{"password": {testPassword}, "code": {code}})
	again.wantRedirect(recentRoutes["/settings/sessions/end"])
	h.wantSecurityEvent(eventLogIn, map[string]any{"user_id": h.users["admin"].ID, "route": recentPath})
	other.confirmWith(testPassword, code).wantStatus(http.StatusUnprocessableEntity)
	recovery := other.get(recentPath+"?with=recovery-code&next=%2Fsettings").wantText("24 letters and digits", "Use your app")
	wrong := other.submit(recovery, "main form", url.Values{"password": {testPassword}, "code": {"no such code"}})
	wrong.wantStatus(http.StatusUnprocessableEntity).wantText("24 letters and digits", "not one of your unused recovery codes")
	other.submit(wrong, "main form", url.Values{"password": {testPassword}, "code": {app.codes[2]}}).wantRedirect("/settings")
	end(b).wantRedirect("/settings?notice=signed-out-elsewhere")
	other.wantSignedOut()

	h.clockOffset.Add(int64(account.RecentAuthentication))
	b.confirmWith(testPassword, app.codes[2]).wantStatus(http.StatusUnprocessableEntity)
	// Two-step verification cannot be turned off, or renewed, with the password alone.
	for _, path := range []string{"/settings/security/disable", "/settings/security/codes"} {
		b.post(path, url.Values{"password": {testPassword}}).wantRedirect(withNext(recentPath, recentRoutes[path]))
	}
}

// Codes typed there count with the second steps of the account. Wrong passwords do not: whoever
// finds a session open cannot keep the owner from logging in.
func TestCodesOfARecentAuthenticationAreLimited(t *testing.T) {
	h := newTestEnv(t)
	thief := h.signIn("admin")
	app := h.setUpAuthenticator(thief)
	h.clockOffset.Store(int64(account.RecentAuthentication + time.Second))
	h.server.rateLimits = h.service.RateLimits
	handler := h.server.handler()
	h.handler.Store(&handler)
	for range passwordConfirmations.Max {
		thief.confirmWith("a guess", app.codeAt(30*time.Second)).wantStatus(http.StatusUnprocessableEntity)
	}
	thief.confirmWith("a guess", "").wantStatus(http.StatusTooManyRequests)
	owner := h.newBrowser()
	owner.logIn("admin", "").wantRedirect(secondStepPath)
	owner.typeCode(app.codeAt(30*time.Second), "").wantRedirect("/dashboard")

	withPassword := h.signIn("admin")
	h.clockOffset.Add(int64(account.RecentAuthentication))
	for range secondStepAttempts.Max - 1 { // the owner's was the first
		withPassword.confirmWith(testPassword, "000000").wantStatus(http.StatusUnprocessableEntity)
	}
	refused := h.signIn("admin")
	h.clockOffset.Add(int64(account.RecentAuthentication))
	if got := refused.confirmWith(testPassword, app.codes[0]); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
}
