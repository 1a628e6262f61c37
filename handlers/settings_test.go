package handlers

import (
	"net/http"
	"net/url"
	"testing"
)

func TestSettings(t *testing.T) {
	h := newTestEnv(t)
	here, there := h.signIn("member"), h.signIn("member")
	old := here.session()
	page := here.get("/settings").wantStatus(http.StatusOK).wantText("member@example.com", "This device")
	if n := page.doc().Find("main li").Length(); n != 2 {
		t.Errorf("%d sessions", n)
	}
	here.submit(page, "form[action='/settings/profile']", url.Values{"name": {" Mia\tMember "}}).wantRedirect("/settings?notice=name-saved")
	if name := here.get("/settings").doc().Find("#name").AttrOr("value", ""); name != "Mia Member" {
		t.Errorf("name %q", name)
	}
	here.post("/settings/profile", url.Values{"name": {""}}).wantStatus(http.StatusUnprocessableEntity).wantText("Please give your name")

	wrong := here.post("/settings/password", url.Values{"current": {"not it"}, "password": {"short"}}).wantStatus(http.StatusUnprocessableEntity)
	if n := wrong.doc().Find("main [aria-invalid=true]").Length(); n != 2 {
		t.Errorf("%d fields marked as invalid", n)
	}
	there.get("/dashboard").wantStatus(http.StatusOK)
	here.post("/settings/password", url.Values{"current": {testPassword}, "password": {"a new password"}}).wantRedirect("/settings?notice=password-changed")
	there.get("/dashboard").wantRedirect("/login?next=%2Fdashboard")
	h.newBrowser().get("/dashboard", "Cookie", "usher_session="+old).wantRedirect("/login?next=%2Fdashboard")
	here.get("/settings").wantStatus(http.StatusOK).wantText("You're not signed in anywhere else.")
	h.newBrowser().post("/login", url.Values{"email": {email("member")}, "password": {testPassword}}).wantStatus(http.StatusUnprocessableEntity)
	again := h.newBrowser()
	again.post("/login", url.Values{"email": {email("member")}, "password": {"a new password"}}).wantRedirect("/dashboard")

	here.submit(here.get("/settings"), "form[action='/settings/sessions/end']", nil).wantRedirect("/settings?notice=signed-out-elsewhere")
	again.get("/dashboard").wantRedirect("/login?next=%2Fdashboard")
	here.get("/dashboard").wantStatus(http.StatusOK)
}
