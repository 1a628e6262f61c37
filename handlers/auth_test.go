package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func newPerson(email string) url.Values {
	return url.Values{"name": {"Noa Levi"}, "email": {email}, "password": {testPassword}, "organization": {"Noa's House"}}
}

func TestSignUp(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	b.get("/signup").wantStatus(http.StatusOK)
	b.post("/signup", newPerson("noa@example.com")).wantRedirect("/dashboard")
	b.get("/dashboard").wantStatus(http.StatusOK).wantText("Noa's House", "No plan yet")
	b.get("/").wantRedirect("/dashboard")
	b.get("/signup").wantRedirect("/dashboard")
	b.get("/login").wantRedirect("/dashboard")

	t.Run("taken address", func(t *testing.T) {
		got := h.newBrowser().post("/signup", newPerson("NOA@example.com")).wantStatus(http.StatusUnprocessableEntity)
		if field := got.doc().Find("input[name=email]"); field.AttrOr("aria-invalid", "") != "true" || field.AttrOr("value", "") != "NOA@example.com" {
			t.Errorf("e-mail field: %v", field.Nodes)
		}
	})
	t.Run("several errors, values kept except the password", func(t *testing.T) {
		got := h.newBrowser().post("/signup", url.Values{"name": {"<b>"}, "email": {"nobody"}, "password": {"short"}}).wantStatus(http.StatusUnprocessableEntity)
		doc := got.doc()
		if n := doc.Find("main [aria-invalid=true]").Length(); n != 3 { // any name is valid
			t.Errorf("%d fields marked as invalid", n)
		}
		if doc.Find("input[name=name]").AttrOr("value", "") != "<b>" || doc.Find("input[name=password]").AttrOr("value", "") != "" {
			t.Error("the values are lost, or the password is in the page")
		}
	})
}

func TestLogInAndOut(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	wrong := url.Values{"email": {email("admin")}, "password": {"not the password"}}
	b.post("/login", wrong).wantStatus(http.StatusUnprocessableEntity).wantText("That e-mail address and password do not belong together.")
	if b.session() != "" {
		t.Error("a failed log-in created a session")
	}
	b.post("/login", url.Values{"email": {email("admin")}, "password": {testPassword}}).wantRedirect("/dashboard")
	stolen := b.session()
	page := b.get("/dashboard").wantStatus(http.StatusOK)
	if page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a signed-in page is cacheable: %v", page.header)
	}
	if vary := strings.Join(page.header.Values("Vary"), ","); !strings.Contains(vary, "HX-Request") || !strings.Contains(vary, "Cookie") {
		t.Errorf("vary %q", vary)
	}
	out := b.post("/logout", nil).wantRedirect("/login?notice=signed-out")
	if got := out.header.Get("Clear-Site-Data"); got != `"storage"` {
		t.Errorf("Clear-Site-Data %q", got)
	}
	if b.session() != "" {
		t.Error("the cookie was not deleted")
	}
	b.get("/dashboard").wantRedirect("/login?next=%2Fdashboard")
	got := h.newBrowser().get("/dashboard", "Cookie", "usher_session="+stolen)
	got.wantRedirect("/login?next=%2Fdashboard") // the session is deleted from the table too
}

func TestLogInRenewsSession(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	b.post("/billing/checkout", url.Values{"plan": {"pro"}}).wantRedirect("/signup")
	planted := b.session()
	if planted == "" {
		t.Fatal("the selection is not kept")
	}
	b.post("/login", url.Values{"email": {email("member")}, "password": {testPassword}}).wantStatus(http.StatusSeeOther)
	if b.session() == planted {
		t.Error("the token from before the log-in is still valid")
	}
	h.newBrowser().get("/dashboard", "Cookie", "usher_session="+planted).wantRedirect("/login?next=%2Fdashboard")
	if n := h.count(`select count(*) from sessions where user_id = $1`, h.users["member"].ID); n != 1 {
		t.Errorf("the member has %d sessions", n)
	}
	if n := h.count(`select count(*) from sessions where encode(data, 'escape') like '%' || $1 || '%'`, b.session()); n != 0 {
		t.Error("the table contains the plain token")
	}
}

func TestVisitorsHaveNoSession(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	for _, path := range []string{"/", "/pricing", "/login", "/signup", "/dashboard", "/nowhere", "/billing/getSummary", "/healthz"} {
		if got := b.get(path, "Cookie", "usher_session=made-up"); len(got.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s sets a cookie", path)
		}
	}
	if n := h.count(`select count(*) from sessions`); n != 0 {
		t.Errorf("%d sessions were stored", n)
	}
}

func TestNextAcceptsLocalPathsOnly(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	requested := b.get("/organization?tab=members").wantRedirect("/login?next=%2Forganization%3Ftab%3Dmembers")
	form := b.get(requested.header.Get("Location")).wantStatus(http.StatusOK)
	b.submit(form, "main form", url.Values{"email": {email("member")}, "password": {testPassword}}).wantRedirect("/organization?tab=members")

	signedIn := h.signIn("member")
	for next, to := range map[string]string{
		"/organization?tab=billing": "/organization?tab=billing", "https://evil.example": "/dashboard", "//evil.example": "/dashboard",
		"/\\evil.example": "/dashboard", "/login": "/dashboard", "/signup?next=/login": "/dashboard", "": "/dashboard",
	} {
		signedIn.get("/login?" + url.Values{"next": {next}}.Encode()).wantRedirect(to)
	}
}

func TestSelectionIsKeptUntilCheckout(t *testing.T) {
	h := newTestEnv(t)
	for _, tt := range []struct{ name, page string }{{"sign-up", "/signup"}, {"log-in", "/login"}} {
		t.Run(tt.name, func(t *testing.T) {
			b := h.newBrowser()
			b.t = t
			b.post("/billing/checkout", url.Values{"plan": {"pro"}, "interval": {"year"}}).wantRedirect("/signup")
			form := b.get(tt.page).wantStatus(http.StatusOK).wantText("Pro, yearly", "continue to Checkout")
			typed := newPerson("noa@example.com")
			if tt.page == "/login" {
				typed = url.Values{"email": {email("billing")}, "password": {testPassword}}
			}
			opened := b.submit(form, "main form", typed).wantStatus(http.StatusSeeOther)
			b.get(opened.header.Get("Location")).wantStatus(http.StatusOK)
			if !strings.Contains(opened.header.Get("Location"), "/c/pay/") {
				t.Errorf("redirects to %s", opened.header.Get("Location"))
			}
			again := url.Values{"email": typed["email"], "password": {testPassword}}
			b.post("/login", again).wantRedirect("/dashboard") // the selection was cleared
		})
	}
	t.Run("after an hour", func(t *testing.T) {
		b := h.newBrowser()
		b.post("/billing/checkout", url.Values{"plan": {"pro"}}).wantRedirect("/signup")
		h.clockOffset.Store(int64(selectionLifetime))
		defer h.clockOffset.Store(0)
		if page := b.get("/login"); strings.Contains(page.body, "Checkout") {
			t.Error("the expired selection is used")
		}
	})
	t.Run("member without billing access", func(t *testing.T) {
		b := h.newBrowser()
		b.post("/billing/checkout", url.Values{"plan": {"pro"}}).wantRedirect("/signup")
		got := b.post("/login", url.Values{"email": {email("member")}, "password": {testPassword}})
		b.get(got.wantRedirect("/organization?tab=billing&notice=forbidden").header.Get("Location")).wantText("Only organization admins can manage billing")
	})
	t.Run("another page was requested meanwhile", func(t *testing.T) {
		b := h.newBrowser()
		b.post("/billing/checkout", url.Values{"plan": {"pro"}}).wantRedirect("/signup")
		form := b.get("/login?next=/organization")
		if strings.Contains(form.text("main"), "Checkout") {
			t.Error("the page mentions Checkout")
		}
		b.submit(form, "main form", url.Values{"email": {email("admin")}, "password": {testPassword}}).wantRedirect("/organization")
	})
}

func TestInvalidPlansAreRejected(t *testing.T) {
	h := newTestEnv(t)
	for _, b := range []*browser{h.newBrowser(), h.signIn("admin")} {
		for _, form := range []url.Values{
			{"plan": {"enterprise"}}, {}, {"plan": {"pro"}, "interval": {"week"}}, {"plan": {"price_123"}}, {"pack": {"small"}},
			{"plan": {"pro"}, "pack": {"small"}},
		} {
			b.post("/billing/checkout", form).wantStatus(http.StatusBadRequest).wantText("Invalid price ID")
		}
	}
}

// Forms do not cut a password: what is stored would differ from what was pasted. The server says
// that it is too long.
func TestPasswordFieldsDoNotCut(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("member")
	for path, browser := range map[string]*browser{"/signup": h.newBrowser(), "/login": h.newBrowser(), "/settings": b} {
		fields := browser.get(path).wantStatus(http.StatusOK).doc().Find("input[type=password]")
		if fields.Length() == 0 || fields.Filter("[maxlength]").Length() > 0 {
			t.Errorf("%s: %d password fields, %d cut", path, fields.Length(), fields.Filter("[maxlength]").Length())
		}
	}
	long := strings.Repeat("ö", 256)
	b.post("/settings/password", url.Values{"current": {testPassword}, "password": {long + "x"}}).wantStatus(http.StatusUnprocessableEntity).wantText("at most 256 characters. This one has 257.")
	b.post("/settings/password", url.Values{"current": {testPassword}, "password": {long[:254] + "öx"}}).wantRedirect("/settings?notice=password-changed")
}
