package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The theme is in the HTML that a browser gets first, error pages included.
func TestThemeIsKept(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	theme := func(path string) string { return b.get(path).doc().Find("html").AttrOr("data-theme", "system") }
	if got := theme("/pricing"); got != "system" {
		t.Errorf("a new browser has the theme %s", got)
	}
	b.post("/theme", url.Values{"theme": {"dark"}}, "Referer", h.url+"/pricing?seats=3").wantRedirect("/pricing?seats=3")
	for _, path := range []string{"/pricing", "/login", "/nowhere"} {
		if got := theme(path); got != "dark" {
			t.Errorf("%s has the theme %s", path, got)
		}
	}
	if pressed := b.get("/login").doc().Find("form[action='/theme'] [aria-pressed=true]").AttrOr("value", ""); pressed != "dark" {
		t.Errorf("the form shows %q", pressed)
	}
	b.post("/theme", url.Values{"theme": {"system"}}).wantRedirect("/")
	if got := theme("/pricing"); got != "system" {
		t.Errorf("the system's theme: %s", got)
	}
}

func TestThemeRefusesOtherValuesAndSites(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.BaseURL = mustParse(t, "https://usher.example") })
	form := "application/x-www-form-urlencoded"
	for _, referrer := range []string{"https://evil.example/pricing", "https://usher.example//evil.example", "https://usher.example.evil.example/", "/pricing", ":"} {
		if got := serve(s.handler(), post, "/theme", "theme=dark", "Content-Type", form, "Referer", referrer).Header().Get("Location"); got != "/" {
			t.Errorf("from %s the form leads to %s", referrer, got)
		}
	}
	w := serve(s.handler(), post, "/theme", "theme=dark", "Content-Type", form)
	cookie := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" || len(cookie) != 1 {
		t.Fatalf("%d to %q with %d cookies", w.Code, w.Header().Get("Location"), len(cookie))
	}
	if c := cookie[0]; c.Name != "__Host-usher_theme" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.MaxAge != choiceLifetime {
		t.Errorf("cookie %+v", c)
	}
	w = serve(s.handler(), post, "/theme", "theme=%22onload", "Content-Type", form)
	if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, "Max-Age=0") {
		t.Errorf("an unknown theme sets %q", got)
	}
}
