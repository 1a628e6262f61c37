package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"usher/billing/account/oidc/oidctest"
	"usher/db"
)

const (
	firefoxOnLinux = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safariOnIPhone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// logIn signs in with the form, as a client with this User-Agent.
func (h *testEnv) logIn(name, userAgent string) *browser {
	h.t.Helper()
	b := h.newBrowser()
	b.post("/login", url.Values{"email": {email(name)}, "password": {testPassword}}, "User-Agent", userAgent).wantRedirect("/dashboard")
	return b
}

// exec changes the database.
func (h *testEnv) exec(query string, args ...any) {
	h.t.Helper()
	if _, err := h.store.DB().ExecContext(h.t.Context(), query, args...); err != nil {
		h.t.Fatal(err)
	}
}

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// wantSignedOut fails unless the session of the browser has ended.
func (b *browser) wantSignedOut() {
	b.t.Helper()
	b.get("/dashboard").wantRedirect("/login?next=%2Fdashboard")
}

func TestSessionsAreListedAndEndedOneByOne(t *testing.T) {
	h := newTestEnv(t)
	here, there, third, stranger := h.logIn("member", firefoxOnLinux), h.logIn("member", safariOnIPhone), h.signIn("member"), h.signIn("stranger")
	page := here.get("/settings", "User-Agent", firefoxOnLinux).wantStatus(http.StatusOK).
		wantText("Firefox on Linux", "Safari on an iPhone", "An unknown device", "from 127.0.0.1", "Last used", "Signed in")
	items := page.doc().Find("#sessions li")
	if first := items.First().Text(); items.Length() != 3 || items.First().Find("form").Length() != 0 || !containsAll(first, "Firefox on Linux", "This device") {
		t.Errorf("%d sessions, the first is %s", items.Length(), first)
	}
	action := items.FilterFunction(func(_ int, s *goquery.Selection) bool { return containsAll(s.Text(), "iPhone") }).Find("form").AttrOr("action", "")
	for range 2 { // a replay changes nothing more
		here.post(action, nil).wantRedirect("/settings?notice=session-ended#sessions")
	}
	there.wantSignedOut()
	stranger.post(h.sessionAction(here), nil).wantRedirect("/settings?notice=session-ended#sessions")
	for _, b := range []*browser{here, third, stranger} {
		b.get("/dashboard").wantStatus(http.StatusOK)
	}
}

// sessionAction returns the action that ends the session of a browser.
func (h *testEnv) sessionAction(b *browser) string {
	h.t.Helper()
	session, _, _, err := db.NewSessionStore(h.store.DB()).Load(h.t.Context(), b.session())
	if err != nil {
		h.t.Fatal(err)
	}
	return "/settings/sessions/" + session.ID + "/end"
}

func TestSessionEndsWithoutUse(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("member")
	h.exec(`update sessions set last_used_at = now() - interval '7 days' + interval '1 minute'`)
	b.get("/dashboard").wantStatus(http.StatusOK)
	if n := h.count(`select count(*) from sessions where last_used_at > now() - interval '1 minute'`); n != 1 {
		t.Error("the use is not recorded")
	}
	h.exec(`update sessions set last_used_at = now() - interval '7 days'`)
	b.wantSignedOut()
	h.exec(`update sessions set last_used_at = now(), expiry = now()`)
	b.wantSignedOut()
}

// Use is written once a minute at most, by a statement that does not bring an ended session back.
func TestSessionUseIsWrittenOnceAMinute(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("member")
	var before string
	for range 3 {
		var version string
		if err := h.store.DB().GetContext(t.Context(), &version, `select xmin::text || ctid::text from sessions`); err != nil {
			t.Fatal(err)
		}
		if before != "" && version != before {
			t.Error("a request writes the session within the minute")
		}
		before = version
		b.get("/dashboard").wantStatus(http.StatusOK)
	}
	h.exec(`update sessions set last_used_at = now() - interval '61 seconds', client_address = 'elsewhere'`)
	b.get("/dashboard").wantStatus(http.StatusOK)
	if n := h.count(`select count(*) from sessions where last_used_at > now() - interval '60 seconds' and client_address = '127.0.0.1'`); n != 1 {
		t.Error("the use is not written after a minute")
	}
}

// A request that runs while its session is ended may write the session's data once more. That must
// not sign in again, on any replica.
func TestEndedSessionIsNotBroughtBack(t *testing.T) {
	h := newTestEnv(t)
	here, there := h.signIn("member"), h.signIn("member")
	replica := db.NewSessionStore(h.store.DB())
	data, found, err := replica.FindCtx(t.Context(), there.session())
	if err != nil || !found {
		t.Fatal(err)
	}
	here.post("/settings/sessions/end", nil).wantRedirect("/settings?notice=signed-out-elsewhere")
	there.wantSignedOut()
	if err := replica.CommitCtx(t.Context(), there.session(), data, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	there.wantSignedOut()
	here.get("/settings").wantStatus(http.StatusOK).wantText("You're not signed in anywhere else.")
}

// Sessions that the previous release has written go on, and their beginning is known.
func TestSessionOfPreviousRelease(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	ctx, err := h.server.sessions.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	h.server.sessions.Put(ctx, sessionUser, h.users["member"].ID)
	h.server.sessions.SetDeadline(ctx, time.Date(2037, 3, 15, 12, 0, 0, 0, time.UTC))
	token, _, err := h.server.sessions.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h.exec(`update sessions set user_id = $1`, h.users["member"].ID)
	b.client.Jar.SetCookies(mustParse(t, h.url), []*http.Cookie{{Name: "usher_session", Value: token, Path: "/"}})
	b.get("/settings").wantStatus(http.StatusOK).wantText("Signed in 1 Mar 2037")
	b.post("/settings/sessions/end", nil).wantStatus(http.StatusSeeOther)
	if n := h.count(`select count(*) from sessions where last_used_at is not null and started_at is null`); n != 1 {
		t.Error("the session is not used on")
	}
	b.post("/settings/sessions/end", nil).wantRedirect("/login/confirm?next=%2Fsettings%3Fnotice%3Dconfirmed%23sessions")
}

// recentRoutes are the routes that need a recent authentication, and the pages that lead to them.
var recentRoutes = map[string]string{
	"/settings/sessions/end":                  "/settings?notice=confirmed#sessions",
	"/settings/sessions/{id}/end":             "/settings?notice=confirmed#sessions",
	"/organization/handover":                  "/organization?notice=confirmed&tab=general#handover",
	"/organization/api-keys":                  "/organization/api-keys?notice=confirmed",
	"/organization/webhooks":                  "/organization/webhooks?notice=confirmed",
	"/organization/domains":                   "/organization/domains?notice=confirmed",
	"/organization/webhooks/{id}/rotate":      "/organization/webhooks/%7Bid%7D?notice=confirmed",
	"/api/v1/webhooks":                        "/organization/webhooks?notice=confirmed", // for programs with a session, which get 403
	"/api/v1/webhooks/{id}/rotate":            "/organization/webhooks?notice=confirmed",
	"/organization/delete":                    "/organization?notice=confirmed&tab=general#delete",
	"/settings/security/codes":                "/settings/security?notice=confirmed",
	"/settings/security/disable":              "/settings/security?notice=confirmed",
	"/settings/security/identity":             "/settings/security?notice=confirmed#identities",
	"/settings/security/identity/unlink":      "/settings/security?notice=confirmed#identities",
	oidcLinkPath:                              "/login/oidc/link?notice=confirmed",
	"/admin/people/{id}/sessions/end":         "/admin/people/%7Bid%7D?notice=confirmed",
	"/settings/security/passkeys/new":         "/settings/security/passkeys/new",
	"/settings/security/passkeys":             "/settings/security/passkeys/new?notice=confirmed",
	"/settings/security/passkeys/options":     "/settings/security/passkeys/new?notice=confirmed", // for the script, which gets 403
	"/settings/security/passkeys/{id}/remove": "/settings/security?notice=confirmed#passkeys",
}

// TestRecentAuthentication calls every such route a while after the log-in. Nothing happens
// before the password was typed, and the request is not repeated afterwards.
func TestRecentAuthentication(t *testing.T) {
	h := newTestEnv(t, func(h *testEnv) { h.provider = oidctest.New(t) }) // with the pages about domains
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("admin")); err != nil {
		t.Fatal(err)
	}
	admin, other := h.signIn("admin"), h.signIn("admin")
	h.clockOffset.Store(int64(15 * time.Minute))
	var found []string
	for _, rt := range h.server.routes() {
		if rt.recent == nil {
			continue
		}
		found = append(found, rt.pattern)
		form := url.Values{"organizationId": {h.organization.ID}, "name": {h.organization.Name}}
		switch {
		case rt.response == api:
			admin.post(rt.pattern, form).wantError(http.StatusForbidden, errNotRecent.code, errNotRecent.message)
		case rt.method == get:
			admin.get(rt.pattern).wantRedirect(withNext(recentPath, recentRoutes[rt.pattern]))
		default:
			admin.post(rt.pattern, form).wantRedirect(withNext(recentPath, recentRoutes[rt.pattern]))
		}
	}
	if len(found) != len(recentRoutes) || slices.ContainsFunc(found, func(pattern string) bool { return recentRoutes[pattern] == "" }) {
		t.Errorf("routes that need a recent authentication: %q", found)
	}
	if h.count(`select (select count(*) from deletions) + (select count(*) from api_keys)`) != 0 {
		t.Error("something happened without a recent authentication")
	}
	other.get("/dashboard").wantStatus(http.StatusOK)

	old := admin.session()
	stopped := admin.post("/settings/sessions/end", nil)
	form := admin.get(stopped.header.Get("Location")).wantStatus(http.StatusOK).wantText("Confirm that it's you", email("admin"))
	again := admin.submit(form, "main form", url.Values{"password": {"not it"}}).wantStatus(http.StatusUnprocessableEntity)
	if next := again.doc().Find("input[name=next]").AttrOr("value", ""); next != recentRoutes["/settings/sessions/end"] {
		t.Errorf("a wrong password loses the page: %q", next)
	}
	admin.post("/settings/sessions/end", nil).wantRedirect(withNext(recentPath, recentRoutes["/settings/sessions/end"]))
	admin.submit(again, "main form", url.Values{"password": {testPassword}}).wantRedirect(recentRoutes["/settings/sessions/end"])
	if admin.session() == old {
		t.Error("the token is the same")
	}
	h.newBrowser().get("/dashboard", "Cookie", "usher_session="+old).wantRedirect("/login?next=%2Fdashboard")
	page := admin.get("/settings?notice=confirmed").wantText("Nothing has changed yet")
	other.get("/dashboard").wantStatus(http.StatusOK) // not repeated
	admin.submit(page, "form[action='/settings/sessions/end']", nil).wantRedirect("/settings?notice=signed-out-elsewhere")
	other.wantSignedOut()
	admin.get(recentPath + "?next=https://evil.example").wantRedirect("/dashboard")
}

// A page that needs a recent authentication is shown after it.
func TestRecentAuthenticationForPages(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("member")
	rt := route{method: get, pattern: "/secret", policy: signedIn, recent: requestedPage, handler: func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}}
	call := func(rt route) (int, string) {
		w := serve(h.server.observe(h.server.serve(rt)), get, "/secret?page=2", "", "Cookie", "usher_session="+b.session())
		return w.Code, w.Header().Get("Location")
	}
	if status, _ := call(rt); status != http.StatusNoContent {
		t.Errorf("status %d after the log-in", status)
	}
	h.clockOffset.Store(int64(15 * time.Minute))
	if status, to := call(rt); status != http.StatusSeeOther || to != "/login/confirm?next=%2Fsecret%3Fpage%3D2" {
		t.Errorf("status %d to %q", status, to)
	}
	rt.response = api
	if status, _ := call(rt); status != http.StatusForbidden {
		t.Errorf("status %d for a program", status)
	}
}

func TestOperatorEndsSessions(t *testing.T) {
	h := newTestEnv(t)
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("stranger")); err != nil {
		t.Fatal(err)
	}
	operator, one, two := h.signIn("stranger"), h.signIn("member"), h.signIn("member")
	path := "/admin/people/" + h.users["member"].ID
	operator.get("/admin/people?q=nobody@example.com").wantStatus(http.StatusOK).wantText("No one has this address or ID.")
	operator.get("/admin/people?q=" + h.users["member"].ID).wantRedirect(path)
	page := operator.follow(operator.get("/admin/people?q=MEMBER@example.com")).wantText("The member", "Lantern Theatre", "Open sessions2")
	operator.submit(page, "form[action$='/sessions/end']", nil).wantRedirect(path + "?notice=person-signed-out")
	one.wantSignedOut()
	two.wantSignedOut()
	operator.get(path).wantText("Open sessions0")
}

func TestHandOverIsChosenAndTyped(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	page := admin.get("/organization?tab=general").wantStatus(http.StatusOK)
	if chosen := page.doc().Find("#memberId option[selected]").AttrOr("value", "none"); chosen != "" {
		t.Errorf("%q is chosen beforehand", chosen)
	}
	var member string
	if err := h.store.DB().GetContext(t.Context(), &member, `select id from organization_members where user_id = $1`, h.users["member"].ID); err != nil {
		t.Fatal(err)
	}
	const form = "form[action='/organization/handover']"
	admin.submit(page, form, url.Values{"memberId": {""}, "name": {"Lantern Theatre"}}).wantStatus(http.StatusUnprocessableEntity).wantText("Choose another member")
	refused := admin.submit(page, form, url.Values{"memberId": {member}, "name": {"Lantern"}}).wantStatus(http.StatusUnprocessableEntity).wantText("exactly as shown")
	if chosen := refused.doc().Find("#memberId option[selected]").AttrOr("value", ""); chosen != member {
		t.Errorf("the choice is lost: %q", chosen)
	}
	admin.submit(refused, form, url.Values{"memberId": {member}, "name": {"Lantern Theatre"}}).wantRedirect("/organization?tab=general&notice=handed-over")
}

func TestSessionsEndWithTheAccount(t *testing.T) {
	h := newTestEnv(t)
	here, there := h.signIn("member"), h.signIn("member")
	here.post("/settings/delete", url.Values{"confirmation": {testPassword}}).wantRedirect("/login?notice=account-deleted")
	there.wantSignedOut()
	if n := h.count(`select count(*) from sessions`); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// Whoever signs in again is in the organization that they were in last.
func TestSignInLeadsToLastOrganization(t *testing.T) {
	h := newTestEnv(t)
	h.addToOrganization("admin", h.otherOrganization)
	b := h.signIn("admin")
	b.post("/organization/switch", url.Values{"organizationId": {h.otherOrganization.ID}}).wantRedirect("/dashboard")
	b.get("/dashboard").wantStatus(http.StatusOK)
	again := h.newBrowser()
	again.post("/login", url.Values{"email": {email("admin")}, "password": {testPassword}}).wantRedirect("/dashboard")
	if current := again.get("/dashboard").doc().Find("main h1").Text(); current != "Elsewhere" {
		t.Errorf("the dashboard is that of %s", current)
	}
}
