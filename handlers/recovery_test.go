package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// mailedLink finds the first link to path in the newest mail to somebody, on the page that shows mail.
func (b *browser) mailedLink(to, path string) string {
	b.t.Helper()
	page := b.get("/dev/mail").is(http.StatusOK)
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

func TestForgottenPassword(t *testing.T) {
	h := openHouse(t)
	elsewhere, stranger := h.signedIn("member"), h.signedIn("stranger")
	elsewhere.get("/dashboard").is(http.StatusOK)

	b := h.visitor()
	logIn := b.get("/login").is(http.StatusOK)
	if logIn.doc().Find("main a[href='/forgot']").Length() != 1 {
		t.Fatal("the log-in page does not lead to /forgot")
	}
	asked := b.submit(b.get("/forgot").is(http.StatusOK), "main form", url.Values{"email": {strings.ToUpper(email("member"))}})
	b.follow(asked.leadsTo("/forgot?sent=true")).is(http.StatusOK).shows("Look into your inbox.")

	link := b.mailedLink(email("member"), "/reset/")
	form := b.get(link).is(http.StatusOK).shows("Choose a new password", email("member"))
	checkSecret(t, form)
	const fresh = "a new pair of glasses"
	short := b.submit(form, "main form", url.Values{"password": {"short"}}).is(http.StatusUnprocessableEntity)
	checkSecret(t, short)
	if short.doc().Find("input[name=password]").AttrOr("aria-invalid", "") != "true" {
		t.Error("the message is not beside the field")
	}
	set := b.submit(short, "main form", url.Values{"password": {fresh}}).leadsTo("/login?notice=password-set")
	checkSecret(t, set)

	elsewhere.get("/dashboard").leadsTo("/login?next=%2Fdashboard") // whoever was signed in with the old one is out
	stranger.get("/dashboard").is(http.StatusOK)
	signIn := b.follow(set).is(http.StatusOK).shows("Your new password is set.")
	b.post("/login", url.Values{"email": {email("member")}, "password": {testPassword}}).is(http.StatusUnprocessableEntity)
	b.submit(signIn, "main form", url.Values{"email": {email("member")}, "password": {fresh}}).leadsTo("/dashboard")

	spent := h.visitor().get(link).is(http.StatusNotFound).shows("This link does not work any more")
	checkSecret(t, spent)
	b.post(link, url.Values{"password": {"yet another one"}}).is(http.StatusNotFound)
	if token := link[strings.LastIndex(link, "/")+1:]; strings.Contains(h.log.String(), token) {
		t.Error("the token stands in the log")
	}
}

func checkSecret(t *testing.T, a answer) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "strict-origin" {
		t.Errorf("%s: caching %q, referrer %q", a.what, a.header.Values("Cache-Control"), a.header.Values("Referrer-Policy"))
	}
}

// Who asks does not learn whether there is an account: answers for known and unknown addresses are the same to the byte.
func TestForgotAnswersAlike(t *testing.T) {
	h := openHouse(t)
	var bodies []string
	for _, address := range []string{email("member"), "nobody@example.com"} {
		b := h.visitor()
		asked := b.post("/forgot", url.Values{"email": {address}}).leadsTo("/forgot?sent=true")
		if len(asked.header.Values("Set-Cookie")) > 0 {
			t.Error("asking leaves a cookie")
		}
		bodies = append(bodies, asked.body+b.follow(asked).is(http.StatusOK).body)
	}
	if bodies[0] != bodies[1] {
		t.Errorf("the answers differ:\n%s\n%s", bodies[0], bodies[1])
	}
	if page := h.visitor().get("/dev/mail"); strings.Contains(page.body, "nobody@example.com") {
		t.Error("a stranger's address was mailed")
	}
	wrong := h.visitor().post("/forgot", url.Values{"email": {"no address"}}).is(http.StatusUnprocessableEntity)
	if field := wrong.doc().Find("input[name=email]"); field.AttrOr("aria-invalid", "") != "true" || field.AttrOr("value", "") != "no address" {
		t.Error("the value or the message is lost")
	}
}

func TestSignUpMailsALinkToConfirmTheAddress(t *testing.T) {
	h := openHouse(t)
	b := h.visitor()
	b.post("/signup", newPerson("noa@example.com")).leadsTo("/dashboard")
	link := b.mailedLink("noa@example.com", "/verify/")
	for range 2 {
		got := h.visitor().get(link).is(http.StatusOK).shows("Your address is confirmed")
		checkSecret(t, got)
	}
	if n := h.count(`select count(*) from users where email = 'noa@example.com' and email_verified_at is not null`); n != 1 {
		t.Error("not confirmed")
	}
	checkSecret(t, h.visitor().get("/verify/made-up").is(http.StatusNotFound).shows("This link does not work any more"))
	h.visitor().get("/reset/" + link[strings.LastIndex(link, "/")+1:]).is(http.StatusNotFound) // it is good for one thing
}

func TestMailPage(t *testing.T) {
	h := openHouse(t)
	b := h.visitor()
	b.post("/signup", newPerson("noa@example.com")).is(http.StatusSeeOther)
	page := h.visitor().get("/dev/mail").is(http.StatusOK)
	checkSecret(t, page)
	if first := page.doc().Find("main article").First(); strings.TrimSpace(first.Find(".recipient").Text()) != "noa@example.com" {
		t.Errorf("the newest is not the first: %s", first.Text())
	}
	for name, change := range map[string]func(*Options){
		"production":       func(o *Options) { o.MailPage = true },
		"with a mail host": func(o *Options) { o.Development = true },
	} {
		for _, rt := range newEdge(t, change).routes() {
			if rt.pattern == "/dev/mail" {
				t.Errorf("%s: mail is shown", name)
			}
		}
	}
}
