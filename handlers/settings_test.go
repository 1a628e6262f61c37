package handlers

import (
	"net/http"
	"net/url"
	"testing"
)

func TestSettings(t *testing.T) {
	h := openHouse(t)
	here, there := h.signedIn("member"), h.signedIn("member")
	old := here.session()
	page := here.get("/settings").is(http.StatusOK).shows("member@example.com", "This browser")
	if n := page.doc().Find("main li").Length(); n != 2 {
		t.Errorf("%d sessions", n)
	}
	here.submit(page, "form[action='/settings/profile']", url.Values{"name": {" Mia\tMember "}}).leadsTo("/settings?notice=name-saved")
	if name := here.get("/settings").doc().Find("#name").AttrOr("value", ""); name != "Mia Member" {
		t.Errorf("named %q", name)
	}
	here.post("/settings/profile", url.Values{"name": {""}}).is(http.StatusUnprocessableEntity).shows("Please give your name")

	wrong := here.post("/settings/password", url.Values{"current": {"not it"}, "password": {"short"}}).is(http.StatusUnprocessableEntity)
	if n := wrong.doc().Find("main [aria-invalid=true]").Length(); n != 2 {
		t.Errorf("%d fields marked", n)
	}
	there.get("/dashboard").is(http.StatusOK)
	here.post("/settings/password", url.Values{"current": {testPassword}, "password": {"a new password"}}).leadsTo("/settings?notice=password-changed")
	there.get("/dashboard").leadsTo("/login?next=%2Fdashboard")
	h.visitor().get("/dashboard", "Cookie", "usher_session="+old).leadsTo("/login?next=%2Fdashboard")
	here.get("/settings").is(http.StatusOK).shows("Nowhere else.")
	h.visitor().post("/login", url.Values{"email": {email("member")}, "password": {testPassword}}).is(http.StatusUnprocessableEntity)
	again := h.visitor()
	again.post("/login", url.Values{"email": {email("member")}, "password": {"a new password"}}).leadsTo("/dashboard")

	here.submit(here.get("/settings"), "form[action='/settings/sessions/end']", nil).leadsTo("/settings?notice=signed-out-elsewhere")
	again.get("/dashboard").leadsTo("/login?next=%2Fdashboard")
	here.get("/dashboard").is(http.StatusOK)
}
