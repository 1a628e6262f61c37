package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// mailedLink returns the first link to path in the newest e-mail to an address, read from the
// development mail page.
func (b *browser) mailedLink(to, path string) string {
	b.t.Helper()
	page := b.get("/dev/mail").wantStatus(http.StatusOK)
	link := ""
	page.doc().Find("main article").EachWithBreak(func(_ int, article *goquery.Selection) bool {
		if strings.TrimSpace(article.Find(".recipient").Text()) != to {
			return true
		}
		article.Find("a").EachWithBreak(func(_ int, a *goquery.Selection) bool {
			if strings.Contains(a.AttrOr("href", ""), path) {
				link = a.AttrOr("href", "")
			}
			return link == ""
		})
		return link == ""
	})
	if link == "" {
		b.t.Fatalf("no link to %s in a mail to %s: %s", path, to, page.text("main"))
	}
	return link
}

func TestPasswordReset(t *testing.T) {
	h := newTestEnv(t)
	otherBrowser, stranger := h.signIn("member"), h.signIn("stranger")
	otherBrowser.get("/dashboard").wantStatus(http.StatusOK)

	b := h.newBrowser()
	logIn := b.get("/login").wantStatus(http.StatusOK)
	if logIn.doc().Find("main a[href='/forgot']").Length() != 1 {
		t.Fatal("the log-in page has no link to /forgot")
	}
	requested := b.submit(b.get("/forgot").wantStatus(http.StatusOK), "main form", url.Values{"email": {strings.ToUpper(email("member"))}})
	b.follow(requested.wantRedirect("/forgot?sent=true")).wantStatus(http.StatusOK).wantText("Check your inbox.")

	link := b.mailedLink(email("member"), "/reset/")
	form := b.get(link).wantStatus(http.StatusOK).wantText("Choose a new password", email("member"))
	checkTokenPage(t, form)
	const fresh = "a new pair of glasses"
	short := b.submit(form, "main form", url.Values{"password": {"short"}}).wantStatus(http.StatusUnprocessableEntity)
	checkTokenPage(t, short)
	if short.doc().Find("input[name=password]").AttrOr("aria-invalid", "") != "true" {
		t.Error("the message is not beside the field")
	}
	set := b.submit(short, "main form", url.Values{"password": {fresh}}).wantRedirect("/login?notice=password-set")
	checkTokenPage(t, set)

	otherBrowser.get("/dashboard").wantRedirect("/login?next=%2Fdashboard") // other sessions have ended
	stranger.get("/dashboard").wantStatus(http.StatusOK)
	signIn := b.follow(set).wantStatus(http.StatusOK).wantText("Your new password is set.")
	b.post("/login", url.Values{"email": {email("member")}, "password": {testPassword}}).wantStatus(http.StatusUnprocessableEntity)
	b.submit(signIn, "main form", url.Values{"email": {email("member")}, "password": {fresh}}).wantRedirect("/dashboard")

	spent := h.newBrowser().get(link).wantStatus(http.StatusNotFound).wantText("This link is no longer valid")
	checkTokenPage(t, spent)
	b.post(link, url.Values{"password": {"yet another one"}}).wantStatus(http.StatusNotFound)
	if token := link[strings.LastIndex(link, "/")+1:]; strings.Contains(h.log.String(), token) {
		t.Error("the token is in the log")
	}
}

func checkTokenPage(t *testing.T, a response) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "strict-origin" {
		t.Errorf("%s: caching %q, referrer %q", a.request, a.header.Values("Cache-Control"), a.header.Values("Referrer-Policy"))
	}
}

// TestForgotPasswordDoesNotRevealAccounts: the responses for known and unknown addresses are
// identical.
func TestForgotPasswordDoesNotRevealAccounts(t *testing.T) {
	h := newTestEnv(t)
	var bodies []string
	for _, address := range []string{email("member"), "nobody@example.com"} {
		b := h.newBrowser()
		requested := b.post("/forgot", url.Values{"email": {address}}).wantRedirect("/forgot?sent=true")
		if len(requested.header.Values("Set-Cookie")) > 0 {
			t.Error("the request sets a cookie")
		}
		bodies = append(bodies, requested.body+b.follow(requested).wantStatus(http.StatusOK).body)
	}
	if bodies[0] != bodies[1] {
		t.Errorf("the responses differ:\n%s\n%s", bodies[0], bodies[1])
	}
	if page := h.newBrowser().get("/dev/mail"); strings.Contains(page.body, "nobody@example.com") {
		t.Error("an e-mail was sent to an unknown address")
	}
	wrong := h.newBrowser().post("/forgot", url.Values{"email": {"no address"}}).wantStatus(http.StatusUnprocessableEntity)
	if field := wrong.doc().Find("input[name=email]"); field.AttrOr("aria-invalid", "") != "true" || field.AttrOr("value", "") != "no address" {
		t.Error("the value or the message is lost")
	}
}

// Opening the link verifies nothing: mail scanners do. Only the session of the account can press
// the button.
func TestSignUpSendsVerificationLink(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	b.post("/signup", newPerson("noa@example.com")).wantRedirect("/dashboard")
	link := b.mailedLink("noa@example.com", "/verify/")
	verified := func() int {
		return h.count(`select count(*) from users where email = 'noa@example.com' and email_verified_at is not null`)
	}
	scanner := h.newBrowser()
	checkTokenPage(t, scanner.get(link).wantStatus(http.StatusOK).wantText("Confirm your address", "Sign in to confirm"))
	scanner.send(http.MethodHead, link, "").wantStatus(http.StatusOK)
	scanner.post(link, nil).wantStatus(http.StatusSeeOther)
	stranger := h.signIn("stranger")
	stranger.get(link).wantStatus(http.StatusOK).wantText("You're signed in with another account")
	stranger.post(link, nil).wantStatus(http.StatusForbidden).wantText("This link is for another account")
	if verified() != 0 {
		t.Fatal("the address is verified by somebody else")
	}
	page := b.get(link).wantStatus(http.StatusOK).wantText("Confirm your address", "noa@example.com")
	for range 2 {
		checkTokenPage(t, b.submit(page, "form[action^='/verify/']", nil).wantStatus(http.StatusOK).wantText("Your address is confirmed"))
	}
	if verified() != 1 {
		t.Error("the address is not verified")
	}
	checkTokenPage(t, h.newBrowser().get("/verify/made-up").wantStatus(http.StatusNotFound).wantText("This link is no longer valid"))
	h.newBrowser().get("/reset/" + link[strings.LastIndex(link, "/")+1:]).wantStatus(http.StatusNotFound) // not a reset token
}

func TestMailPage(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	b.post("/signup", newPerson("noa@example.com")).wantStatus(http.StatusSeeOther)
	page := h.newBrowser().get("/dev/mail").wantStatus(http.StatusOK)
	checkTokenPage(t, page)
	if first := page.doc().Find("main article").First(); strings.TrimSpace(first.Find(".recipient").Text()) != "noa@example.com" {
		t.Errorf("the newest e-mail is not first: %s", first.Text())
	}
	for name, change := range map[string]func(*Options){
		"production":       func(o *Options) { o.MailPage = true },
		"with a mail host": func(o *Options) { o.Development = true },
	} {
		for _, rt := range newTestServer(t, change).routes() {
			if rt.pattern == "/dev/mail" {
				t.Errorf("%s: the mail page exists", name)
			}
		}
	}
}
