package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func (a response) language() string { return a.doc().Find("html").AttrOr("lang", "") }

// Visitors read the language that their browser accepts, until they choose another one.
func TestLanguageIsChosen(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	for accepted, want := range map[string]string{"": "en", "de-CH, en;q=0.7": "de", "fr": "en"} {
		answer := b.get("/pricing", "Accept-Language", accepted)
		if got := answer.language(); got != want {
			t.Errorf("accepting %q: the page is in %q, want %q", accepted, got, want)
		}
		if vary := strings.Join(answer.header.Values("Vary"), ", "); !strings.Contains(vary, "Accept-Language") {
			t.Errorf("Vary: %s", vary)
		}
	}
	b.post("/language", url.Values{"language": {"de"}}, "Referer", h.url+"/pricing?seats=3").wantRedirect("/pricing?seats=3")
	for _, path := range []string{"/pricing", "/login", "/nowhere"} {
		if got := b.get(path, "Accept-Language", "en").language(); got != "de" {
			t.Errorf("%s is in %q after German was chosen", path, got)
		}
	}
	if pressed := b.get("/login").doc().Find("form[action='/language'] [aria-pressed=true]").AttrOr("value", ""); pressed != "de" {
		t.Errorf("the form shows %q", pressed)
	}
	b.post("/language", url.Values{"language": {"xx"}}).wantRedirect("/")
	if got := b.get("/pricing").language(); got != "de" {
		t.Errorf("after an unknown language the page is in %q", got)
	}
}

// The choice of people who are signed in is kept in their account: other browsers and e-mails
// follow it.
func TestLanguageIsKeptInAccount(t *testing.T) {
	h := newTestEnv(t)
	first := h.signIn("admin")
	first.post("/language", url.Values{"language": {"de"}}).wantRedirect("/")
	other := h.signIn("admin")
	if got := other.get("/dashboard", "Accept-Language", "en").language(); got != "de" {
		t.Errorf("another browser shows %q", got)
	}
	other.post("/language", url.Values{"language": {"en"}}).wantRedirect("/")
	if got := first.get("/dashboard").language(); got != "de" {
		t.Errorf("the first browser shows %q after another one chose English", got)
	}
	if got := other.get("/api/v1/nowhere", "Accept-Language", "de").header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("the API answers %s", got)
	}
}

func TestOperatorPagesAreInEnglish(t *testing.T) {
	h := newTestEnv(t)
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("stranger")); err != nil {
		t.Fatal(err)
	}
	operator := h.signIn("stranger")
	operator.post("/language", url.Values{"language": {"de"}}).wantRedirect("/")
	if answer := operator.get("/admin/events"); answer.status != http.StatusOK || answer.language() != "en" {
		t.Errorf("%d in %q", answer.status, answer.language())
	}
}
