package handlers

import (
	"net/http"
	"net/url"
	"testing"
)

// requestEmailChange asks for a new address and returns the paths of the links to the present and
// to the new one.
func (b *browser) requestEmailChange(present, replacement string) (fromOld, fromNew string) {
	b.t.Helper()
	b.submit(b.get("/settings"), "form[action='/settings/email']", url.Values{"email": {replacement}, "current": {testPassword}}).
		wantRedirect("/settings?notice=email-requested")
	return b.mailedLink(present, "/email/"), b.mailedLink(replacement, "/email/")
}

func (h *testEnv) verifyAddresses() {
	h.t.Helper()
	if _, err := h.store.DB().ExecContext(h.t.Context(), `update users set email_verified_at = now()`); err != nil {
		h.t.Fatal(err)
	}
}

func TestEmailChangesOnceBothAddressesConfirm(t *testing.T) {
	h := newTestEnv(t)
	h.verifyAddresses()
	b, old := h.signIn("admin"), email("admin")
	fromOld, fromNew := b.requestEmailChange(old, "ana@new.example")
	b.get("/settings").wantText(old, "ana@new.example", "isn't confirmed yet")

	// Opening a link, having no session, and being somebody else confirm nothing.
	checkTokenPage(t, b.get(fromNew).wantStatus(http.StatusOK).wantText("ana@new.example"))
	h.newBrowser().get(fromNew).wantStatus(http.StatusOK).wantText("Sign in to confirm")
	h.newBrowser().post(fromNew, nil).wantStatus(http.StatusSeeOther)
	h.signIn("stranger").post(fromNew, nil).wantStatus(http.StatusForbidden)
	if n := h.count(`select count(*) from email_changes where new_confirmed_at is not null or old_confirmed_at is not null`); n != 0 {
		t.Fatal("confirmed")
	}

	for range 2 { // one address twice is not both
		b.submit(b.get(fromNew), "form[action^='/email/']:not([action$='/stop'])", nil).wantRedirect("/settings?notice=email-halfway")
	}
	b.get("/settings").wantText("Open the link we sent to " + old)
	b.submit(b.get(fromOld), "form[action^='/email/']:not([action$='/stop'])", nil).wantRedirect("/settings?notice=email-changed")
	b.get("/settings").wantText("Your address is ana@new.example").wantNoText("isn't confirmed yet")
	b.get(fromOld).wantStatus(http.StatusNotFound)
	if b.mailedLink(old, "/settings") == "" {
		t.Error("the former address is not told")
	}
	fresh := h.newBrowser()
	fresh.post("/login", url.Values{"email": {old}, "password": {testPassword}}).wantStatus(http.StatusUnprocessableEntity)
	fresh.post("/login", url.Values{"email": {"Ana@new.example"}, "password": {testPassword}}).wantStatus(http.StatusSeeOther)
}

func TestEmailChangeIsStoppedReplacedAndRefused(t *testing.T) {
	h := newTestEnv(t)
	h.verifyAddresses()
	b := h.signIn("admin")
	for _, c := range []struct{ email, password, message string }{
		{"ana@new.example", "wrong", "This is not your current password."},
		{"nobody", testPassword, "Enter an e-mail address"},
		{"ADMIN@example.com", testPassword, "This is your address already."},
	} {
		page := b.post("/settings/email", url.Values{"email": {c.email}, "current": {c.password}}).wantStatus(http.StatusUnprocessableEntity).wantText(c.message)
		if got := page.doc().Find("#email").AttrOr("value", ""); got != c.email {
			t.Errorf("%s: the field has %q", c.email, got)
		}
	}

	fromOld, fromNew := b.requestEmailChange(email("admin"), "ana@new.example")
	h.newBrowser().post(fromOld+"/stop", nil).wantStatus(http.StatusOK).wantText("The change was stopped")
	b.post(fromNew, nil).wantStatus(http.StatusNotFound)

	_, replaced := b.requestEmailChange(email("admin"), "ana@new.example")
	b.submit(b.get("/settings"), "form[action='/settings/email/withdraw']", nil).wantRedirect("/settings?notice=email-kept")
	b.post(replaced, nil).wantStatus(http.StatusNotFound)

	// An address with an account gets a word about it and no link; the answer is the same.
	b.post("/settings/email", url.Values{"email": {email("member")}, "current": {testPassword}}).wantRedirect("/settings?notice=email-requested")
	if n := h.count(`select count(*) from emails where recipient = $1 and kind in ('email_taken', 'new_email')`, email("member")); n != 1 {
		t.Errorf("%d e-mails", n)
	}
	if link := b.mailedLink(email("member"), "/login"); link == "" {
		t.Error("no link to sign in")
	}

	// Somebody signs up with the new address in between.
	b.post("/settings/email/withdraw", nil).wantStatus(http.StatusSeeOther)
	fromOld, fromNew = b.requestEmailChange(email("admin"), "noa@example.com")
	b.post(fromOld, nil).wantStatus(http.StatusSeeOther)
	h.newBrowser().post("/signup", url.Values{"name": {"Noa"}, "email": {"NOA@example.com"}, "password": {testPassword}, "organization": {"Lyric"}}).wantStatus(http.StatusSeeOther)
	b.post(fromNew, nil).wantStatus(http.StatusConflict).wantText("has an account of its own by now")
}

// An address that was never verified may be mistyped: nobody could confirm there.
func TestEmailChangeFromUnverifiedAddress(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("stranger")
	b.submit(b.get("/settings"), "form[action='/settings/email']", url.Values{"email": {"s@new.example"}, "current": {testPassword}}).wantStatus(http.StatusSeeOther)
	b.get("/settings").wantText("Open the link we sent to s@new.example")
	b.post(b.mailedLink("s@new.example", "/email/"), nil).wantRedirect("/settings?notice=email-changed")
	if n := h.count(`select count(*) from users where email = 's@new.example' and email_verified_at is not null`); n != 1 {
		t.Error("not verified")
	}
}
