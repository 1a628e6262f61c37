package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const productOrigin = "https://app.lyric.example"

// inFrame are the headers of a page that a browser loads into a frame.
var inFrame = []string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin"}

// newFrame returns a site that the product may frame.
func newFrame(t *testing.T) *testEnv {
	t.Helper()
	return newTestEnv(t, withHandovers, func(h *testEnv) { h.embedOrigins = []string{productOrigin} })
}

// handOverInFrame signs in in a frame of the product, as a browser says that it is on that site.
func (h *testEnv) handOverInFrame(name, site string) *browser {
	h.t.Helper()
	b := h.newBrowser()
	page := b.get(handoverPath+"?token="+h.newToken(name).sign(h.t), "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", site)
	page.wantStatus(http.StatusOK).wantFramedBy(productOrigin)
	b.submit(page, "form[action='/handover']", nil, inFrame...).wantRedirect(billingPath)
	return b
}

// wantFramedBy fails unless this source alone may frame the response.
func (a response) wantFramedBy(source string) {
	a.t.Helper()
	policy := a.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "; frame-ancestors "+source+"; ") || strings.Count(policy, "frame-ancestors") != 1 {
		a.t.Errorf("%s: %s, want to be framed by %s", a.request, policy, source)
	}
}

func TestBillingInFrame(t *testing.T) {
	h := newFrame(t)
	b := h.handOverInFrame("admin", "cross-site")
	page := b.get(billingPath, inFrame...).wantStatus(http.StatusOK).wantText("Lantern Theatre")
	page.wantFramedBy(productOrigin)
	if n := page.doc().Find("body > header, body > footer").Length(); n != 0 {
		t.Errorf("%d of header and footer are shown", n)
	}
	// In a window of its own the same session has the whole page, which nothing frames.
	whole := b.get(billingPath)
	whole.wantFramedBy("'none'")
	if whole.doc().Find("body > header").Length() != 1 {
		t.Error("there is no header")
	}

	to := b.post("/billing/checkout", url.Values{"plan": {"pro"}, "interval": {"month"}}, inFrame...).wantStatus(http.StatusOK).wantText("Continue at Stripe")
	to.wantFramedBy(productOrigin)
	link := to.doc().Find("main a")
	if href := link.AttrOr("href", ""); !strings.HasPrefix(href, h.origin) || link.AttrOr("target", "") != "_top" {
		t.Errorf("link to %s in %s", href, link.AttrOr("target", ""))
	}
	b.get("/billing/invoices/in_none", inFrame...).wantStatus(http.StatusNotFound).wantFramedBy(productOrigin)
}

func TestOnlyNamedOriginsFrameBilling(t *testing.T) {
	h := newFrame(t)
	b := h.signIn("admin")
	for _, path := range []string{"/settings", "/settings/security", "/login", "/signup", recentPath, "/dashboard", "/forgot", "/admin/events"} {
		page := b.get(path, inFrame...).wantStatus(http.StatusOK).wantText("needs a tab of its own")
		page.wantFramedBy(productOrigin)
		if link := page.doc().Find("main a"); link.AttrOr("href", "") != path || link.AttrOr("target", "") != "_blank" || page.doc().Find("form").Length() != 0 {
			t.Errorf("%s: %s", path, page.body)
		}
		b.get(path).wantFramedBy("'none'")
	}
	b.post("/login", nil, inFrame...).wantFramedBy("'none'")
	signedOut := h.newBrowser().get(billingPath, inFrame...).wantStatus(http.StatusUnauthorized).wantText("You're not signed in here any more")
	signedOut.wantFramedBy(productOrigin)
	if signedOut.doc().Find("main a, form").Length() != 0 {
		t.Errorf("a frame without a session has a link: %s", signedOut.body)
	}
}

func TestNothingIsFramedByDefault(t *testing.T) {
	newTestEnv(t, withHandovers).signIn("admin").get(billingPath, inFrame...).wantStatus(http.StatusOK).wantFramedBy("'none'")
}

// sessionCookie returns the attributes of the session cookie that a response sets.
func (a response) sessionCookie() string {
	for _, cookie := range a.header.Values("Set-Cookie") {
		if strings.HasPrefix(cookie, "usher_session=") {
			_, attributes, _ := strings.Cut(cookie, "; ")
			return attributes
		}
	}
	return ""
}

// Only a session that began in a frame of another site has the cookie of such frames.
func TestCookieOfFrame(t *testing.T) {
	h := newFrame(t)
	for site, want := range map[string]string{
		"cross-site": "HttpOnly; Secure; SameSite=None; Partitioned",
		"same-site":  "HttpOnly; SameSite=Lax",
	} {
		b := h.newBrowser()
		page := b.get(handoverPath+"?token="+h.newToken("billing").sign(t), "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", site)
		if got := b.submit(page, "form[action='/handover']", nil, inFrame...).sessionCookie(); !strings.HasSuffix(got, "; "+want) {
			t.Errorf("%s: %s, want %s", site, got, want)
		}
	}
	outside := h.newBrowser().post(handoverPath, url.Values{"token": {h.newToken("billing").sign(t)}, partitionedField: {"true"}})
	logIn := h.newBrowser().post("/login", url.Values{"email": {email("admin")}, "password": {testPassword}, partitionedField: {"true"}})
	for _, a := range []response{outside, logIn} {
		if got := a.sessionCookie(); !strings.HasSuffix(got, "; HttpOnly; SameSite=Lax") {
			t.Errorf("%s: %s", a.request, got)
		}
	}
}
