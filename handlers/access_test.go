package handlers

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/account/oidc/oidctest"
	"usher/billing/apperr"
)

// caller is a column of the access table: who calls every route.
type caller struct {
	name   string
	person string   // signed in; empty: nobody
	admits []policy // what the policies mean for this caller
	scope  string   // of the API key; empty: a person
	// A key that counts no more.
	revoked bool
	// A key of the installation.
	everywhere bool
	// outside: what the caller gets must not show the test organization.
	outside bool
	// required is REQUIRE_2FA; nobody but "secured" has a second factor.
	required account.SecondFactorPolicy
	halfway  bool // the log-in waits for the second step
	stale    bool // the log-in is a while ago
	// again: the person calls every route in a later column too, see calledOnce.
	again bool
}

// The policies that admit each role.
var (
	ofMember      = []policy{signedIn, member}
	ofBilling     = []policy{signedIn, member, billingAdmin}
	ofMemberAdmin = []policy{signedIn, member, memberAdmin}
	ofAdmin       = []policy{signedIn, member, billingAdmin, memberAdmin, organizationAdmin}
	// An operator is the admin of an organization of their own, and nothing in others.
	ofOperator = append(slices.Clone(ofAdmin), operator)
)

// callers returns the columns of the access table.
func callers() []caller {
	var columns []caller
	for _, required := range []account.SecondFactorPolicy{account.SecondFactorOperators, account.SecondFactorBilling, account.SecondFactorAll} {
		name := ", REQUIRE_2FA=" + string(required)
		columns = append(columns,
			caller{name: "member" + name, person: "member", admits: ofMember, required: required, again: true},
			caller{name: "billing" + name, person: "billing", admits: ofBilling, required: required, again: true},
			caller{name: "operator" + name, person: "operator", admits: ofOperator, required: required, outside: true, again: true})
	}
	for _, scope := range account.Scopes() {
		columns = append(columns, caller{name: "key " + scope, scope: scope, required: account.SecondFactorAll, again: true}) // a program has no second factor
	}
	return append(columns,
		caller{name: "key of the installation", scope: account.ScopeMembersWrite, everywhere: true, required: account.SecondFactorAll, again: true},
		caller{name: "revoked key", scope: account.ScopeBillingRead, revoked: true, outside: true, again: true},
		caller{name: "admin with a stale log-in", person: "admin", admits: ofAdmin, stale: true, again: true},
		caller{name: "operator with a stale log-in", person: "operator", admits: ofOperator, outside: true, stale: true, again: true},
		caller{name: "admin before the second step", person: "secured", halfway: true, outside: true, again: true},
		caller{name: "signed out", outside: true},
		caller{name: "stranger", person: "stranger", admits: ofAdmin, outside: true},
		caller{name: "in no organization", person: "alone", admits: []policy{signedIn}, outside: true},
		caller{name: "operator", person: "operator", admits: ofOperator, outside: true},
		caller{name: "member", person: "member", admits: ofMember},
		caller{name: "billing", person: "billing", admits: ofBilling},
		caller{name: "member admin", person: "manager", admits: ofMemberAdmin},
		caller{name: "admin after the second step", person: "secured", admits: ofAdmin, required: account.SecondFactorAll},
		caller{name: "admin", person: "admin", admits: ofAdmin},
	)
}

// calledOnce lists the routes that each person calls in their last column only: they hash a
// password, which takes long, or end what the other columns need.
var calledOnce = []string{
	"POST /login", "POST /login/confirm", "POST /settings/email", "POST /settings/password", "POST /settings/delete", "POST /settings/security/setup",
	"POST /settings/security/codes", "POST /settings/security/disable", "POST /settings/sessions/end", "POST /organization/leave",
}

// verdict is what a route answers to a caller.
type verdict string

const (
	admitted       verdict = "admitted"
	atLogIn        verdict = "signed out"
	refused        verdict = "refused by the policy"
	noOrganization verdict = "in no organization"
	foreign        verdict = "another organization's object"
	atSecondFactor verdict = "has to set up two-step verification"
	atConfirm      verdict = "has to authenticate again"
	lacksScope     verdict = "the key lacks the scope"
	takesNoKey     verdict = "takes no key"
	badKey         verdict = "the key counts no more"
)

// What the routes must not decide for themselves: a route that is new in one of these sets, or not
// in it any more, fails.
var (
	publicRoutes = []string{
		"GET /{$}", "GET /pricing", "POST /theme", "POST /language", "GET /signup", "POST /signup", "GET /login", "POST /login", "GET /login/second-factor", "POST /login/second-factor",
		"POST /logout", "GET /forgot", "POST /forgot", "GET /reset/{token}", "POST /reset/{token}", "GET /verify/{token}", "GET /email/{token}",
		"POST /email/{token}/stop", "GET /invite/{token}", "POST /invite/{token}", "GET /api/openapi.json", "GET /healthz", "GET /readyz", "GET /static/",
		"POST /login/passkey", "POST /login/passkey/options", "POST /login/second-factor/passkey", "POST /login/second-factor/passkey/options",
		"GET /login/oidc", "POST /login/oidc", "GET /login/oidc/callback", "GET /login/oidc/signup", "POST /login/oidc/signup", "GET /login/oidc/link", "GET /handover", "POST /handover",
		"GET /dev/ui", "GET /dev/mail", "GET /dev/clock", "POST /dev/clock",
		"GET /dev/scenarios", "POST /dev/scenarios", "POST /dev/scenarios/open",
	}
	routesBeforeSecondFactor = []string{
		"GET /settings/security", "GET /settings/security/setup", "POST /settings/security/setup", "POST /settings/security/confirm",
		"POST /settings/security/codes", "POST /settings/security/disable", "POST /organization/switch",
		"GET /login/confirm", "POST /login/confirm", "POST /login/confirm/passkey", "POST /login/confirm/passkey/options", "POST /login/confirm/oidc",
		"GET /settings/security/passkeys/new", "POST /settings/security/passkeys", "POST /settings/security/passkeys/options",
		"POST /settings/security/passkeys/{id}/rename", "POST /settings/security/passkeys/{id}/remove",
		"POST /login/oidc/link", "POST /settings/security/identity", "POST /settings/security/identity/unlink", "POST /settings/security/password",
	}
	scopesOfRoutes = map[string]string{
		"PUT /api/v1/members": account.ScopeMembersWrite, "POST /api/v1/members": account.ScopeMembersWrite, "DELETE /api/v1/members/{id}": account.ScopeMembersWrite,
		"GET /scim/v2/ServiceProviderConfig": account.ScopeMembersRead, "GET /scim/v2/ResourceTypes": account.ScopeMembersRead,
		"GET /scim/v2/ResourceTypes/{id}": account.ScopeMembersRead, "GET /scim/v2/Schemas": account.ScopeMembersRead,
		"GET /scim/v2/Schemas/{id}": account.ScopeMembersRead, "GET /scim/v2/Users": account.ScopeMembersRead,
		"GET /scim/v2/Users/{id}": account.ScopeMembersRead, "POST /scim/v2/Users": account.ScopeMembersWrite,
		"PUT /scim/v2/Users/{id}": account.ScopeMembersWrite, "PATCH /scim/v2/Users/{id}": account.ScopeMembersWrite,
		"DELETE /scim/v2/Users/{id}": account.ScopeMembersWrite,
		"GET /api/v1/organizations":  account.ScopeMembersRead, "GET /api/v1/organizations/{id}": account.ScopeMembersRead,
		"POST /api/v1/organizations": account.ScopeMembersWrite,
		"GET /api/v1/members":        account.ScopeMembersRead, "GET /api/v1/seats": account.ScopeBillingRead, "GET /api/v1/invoices": account.ScopeBillingRead,
		"GET /api/v1/entitlements": account.ScopeEntitlementsRead, "POST /api/v1/credits/consume": account.ScopeCreditsWrite,
		"GET /billing/getSummary": account.ScopeBillingRead, "POST /billing/createSubscriptionCheckout": account.ScopeBillingWrite,
		"GET /api/v1/webhooks": account.ScopeWebhooksWrite, "POST /api/v1/webhooks": account.ScopeWebhooksWrite,
		"POST /api/v1/webhooks/{id}/test": account.ScopeWebhooksWrite, "POST /api/v1/webhooks/{id}/enable": account.ScopeWebhooksWrite,
		"POST /api/v1/webhooks/{id}/rotate": account.ScopeWebhooksWrite, "DELETE /api/v1/webhooks/{id}": account.ScopeWebhooksWrite,
		"POST /billing/createCustomerPortal": account.ScopeBillingWrite, "POST /billing/retrySeatSync": account.ScopeBillingWrite,
	}
)

func (rt route) key() string { return rt.method + " " + rt.pattern }

// expect returns what a route answers to a caller who names the test organization and its objects.
func expect(rt route, c caller) verdict {
	isAPI := rt.response.forPrograms()
	switch {
	case slices.Contains(publicRoutes, rt.key()) || rt.policy == webhook || rt.policy == metricsToken:
		return admitted
	case c.scope != "" && isAPI && c.revoked:
		return badKey
	case c.scope != "" && isAPI && scopesOfRoutes[rt.key()] == "":
		return takesNoKey
	case c.scope != "" && rt.policy == installation && !c.everywhere:
		return refused
	case c.scope != "" && isAPI && scopesOfRoutes[rt.key()] != c.scope:
		return lacksScope
	case c.scope != "" && isAPI:
		return admitted
	case len(c.admits) == 0: // pages ignore keys
		return atLogIn
	case !slices.Contains(c.admits, rt.policy) && rt.policy != operator && rt.policy != installation && len(c.admits) == 1:
		return noOrganization
	case !slices.Contains(c.admits, rt.policy):
		return refused
	case !slices.Contains(routesBeforeSecondFactor, rt.key()) && c.mustSetUp(rt):
		return atSecondFactor
	case c.stale && rt.needsRecent() && isAPI: // before the body is read, which may name another organization
		return atConfirm
	case c.outside && ofOrganization(rt) && !slices.Contains(ofCaller, rt.key()) && (rt.method == post || strings.Contains(rt.pattern, "{id}")):
		return foreign
	case c.stale && rt.needsRecent():
		return atConfirm
	case c.outside && rt.pattern == "/organization/switch":
		return foreign
	}
	return admitted
}

// ofCaller lists the routes that take no other organization than the caller's own.
var ofCaller = []string{
	"PUT /api/v1/members", "POST /api/v1/members", "POST /scim/v2/Users", "GET /scim/v2/ResourceTypes/{id}", "GET /scim/v2/Schemas/{id}",
}

// needsRecent reports whether recentRoutes names the route. Pages with a form need no recent
// authentication, but the one that begins a passkey.
func (rt route) needsRecent() bool {
	return recentRoutes[rt.pattern] != "" && (rt.method == post || rt.pattern == newPasskeyPath)
}

func ofOrganization(rt route) bool {
	return rt.policy != signedIn && rt.policy != operator && rt.policy != installation
}

// mustSetUp reports whether a caller without a second factor needs one for a route.
func (c caller) mustSetUp(rt route) bool {
	switch {
	case c.person == "secured":
		return false
	case c.required == account.SecondFactorAll:
		return true
	case rt.policy == operator:
		return c.required != ""
	}
	return c.required == account.SecondFactorBilling && ofOrganization(rt) && slices.Contains(c.admits, billingAdmin)
}

// TestAccess calls every route as every caller: the signed out, other organizations, each role,
// operators, API keys of each scope, each state of two-step verification, and an old log-in. What
// is refused shows nothing of the organization, and changes nothing.
func TestAccess(t *testing.T) {
	a := newAccessTest(t)
	before := a.fingerprint()
	a.call(func(c caller, rt route, want verdict) bool { return want != admitted })
	for table, rows := range a.fingerprint() {
		if rows != before[table] {
			a.changes++
			t.Errorf("a refused request changed the table %s", table)
		}
	}
	a.call(func(c caller, rt route, want verdict) bool {
		return want == admitted && !(c.again && slices.Contains(calledOnce, rt.key()))
	})
	t.Logf("%d requests: %d routes as %d callers; %d leaks, %d changes", a.requests, len(a.routes), len(callers()), a.leaks, a.changes)
}

type accessTest struct {
	*testEnv
	t                        *testing.T
	routes                   []route
	objects                  map[string]string   // pattern up to {id} -> id of an object of the test organization
	browsers                 map[string]*browser // by the caller's name
	headers                  map[string][]string
	secured                  *browser // after the second step
	requests, leaks, changes int
}

func newAccessTest(t *testing.T) *accessTest {
	t.Helper()
	h := newTestEnv(t, func(h *testEnv) { h.provider = oidctest.New(t) }) // with the pages about domains
	h.server.system.metricsToken = testMetricsToken
	a := &accessTest{testEnv: h, t: t, browsers: map[string]*browser{}, headers: map[string][]string{}}
	// Leaving and logging out come last, since they end the session or the membership.
	last := func(rt route) int {
		return 2*strings.Count(rt.pattern, "/logout") + strings.Count(rt.pattern, "/leave")
	}
	a.routes = slices.SortedStableFunc(slices.Values(h.server.routes()), func(x, y route) int { return cmp.Compare(last(x), last(y)) })
	a.checkSets()
	admin := h.signIn("admin")
	admin.createKey(account.ScopeBillingRead)
	// One that is off, so that background work does not write the tables of webhooks.
	a.exec(`insert into webhook_endpoints (id, organization_id, url, events, secret, created_by, created_at, disabled_at, disabled_reason)
		values ('whe_1', $1, 'https://webhook.invalid/', '["seats.changed"]', 'x', 'The admin', now(), now(), 'failing')`, h.organization.ID)
	a.exec(`insert into organization_domains (id, organization_id, domain, token, billable, created_by, created_at, verified_at)
		values ('dom_1', $1, 'lantern.example', 'x', true, 'The admin', now(), now())`, h.organization.ID)
	admin.post("/organization/roles", url.Values{"name": {"Members"}, "canManageMembers": {"on"}}).wantStatus(http.StatusSeeOther)
	admin.post("/organization/invitations", url.Values{"email": {"invited@example.com"}, "roleId": {account.RoleMember}}).wantStatus(http.StatusSeeOther)
	customRole := a.id(`select id from roles where organization_id = $1`, h.organization.ID)
	ofMember := h.users["member"].ID
	a.objects = map[string]string{
		"/organization/invitations/": a.id(`select id from invitations where organization_id = $1`, h.organization.ID),
		"/organization/members/":     a.id(`select id from organization_members where user_id = $1`, ofMember),
		"/organization/roles/":       customRole,
		"/api/v1/members/":           a.id(`select id from organization_members where user_id = $1`, ofMember),
		"/scim/v2/Users/":            a.id(`select id from organization_members where user_id = $1`, ofMember),
		"/scim/v2/ResourceTypes/":    "User",
		"/scim/v2/Schemas/":          scimUserSchema,
		"/api/v1/organizations/":     h.organization.ID,
		"/organization/api-keys/":    a.id(`select id from api_keys where organization_id = $1`, h.organization.ID),
		"/organization/webhooks/":    a.id(`select id from webhook_endpoints where organization_id = $1`, h.organization.ID),
		"/organization/domains/":     "dom_1",
		"/api/v1/webhooks/":          a.id(`select id from webhook_endpoints where organization_id = $1`, h.organization.ID),
		"/billing/invoices/":         "in_of_the_organization",
		"/admin/events/":             "evt_1",
		"/admin/organizations/":      h.organization.ID,
		"/admin/people/":             ofMember,
		"/admin/profiles/":           "goroutine",
		passkeysPath + "/":           "pky_of_the_admin",
		"/settings/sessions/":        a.id(`select 'ses_' || encode(substring(token_hash for 12), 'hex') from sessions where user_id = $1`, h.users["admin"].ID),
	}
	a.createPeople(customRole)
	for _, c := range callers() {
		a.signInAs(c)
	}
	return a
}

// createPeople creates the callers that the environment lacks.
func (a *accessTest) createPeople(customRole string) {
	a.t.Helper()
	a.addMember("manager", customRole)
	a.addMember("secured", account.RoleAdmin)
	a.signUp("alone", "Deserted")
	a.exec(`delete from organization_members where user_id = $1`, a.users["alone"].ID)
	a.signUp("operator", "The operators")
	if _, err := a.service.Users.PromoteOperator(a.t.Context(), email("operator")); err != nil {
		a.t.Fatal(err)
	}
	a.secured = a.signIn("secured")
	a.setUpAuthenticator(a.secured)
}

// checkSets compares what the routes declare with the sets above.
func (a *accessTest) checkSets() {
	a.t.Helper()
	for _, rt := range a.routes {
		if rt.policy == public != slices.Contains(publicRoutes, rt.key()) {
			a.t.Errorf("%s: public is %t; put it into publicRoutes or change its policy", rt.key(), rt.policy == public)
		}
		if rt.beforeSecondFactor != slices.Contains(routesBeforeSecondFactor, rt.key()) {
			a.t.Errorf("%s: beforeSecondFactor is %t", rt.key(), rt.beforeSecondFactor)
		}
		if rt.scope != scopesOfRoutes[rt.key()] {
			a.t.Errorf("%s: the scope is %q", rt.key(), rt.scope)
		}
		if (rt.recent != nil) != rt.needsRecent() {
			a.t.Errorf("%s: a recent authentication is required: %t", rt.key(), rt.recent != nil)
		}
	}
}

// call sends the requests that are asked for, as every caller.
func (a *accessTest) call(wanted func(caller, route, verdict) bool) {
	for _, c := range callers() {
		a.server.secondFactor = cmp.Or(c.required, account.SecondFactorOptional)
		a.clockOffset.Store(0)
		if c.stale {
			a.clockOffset.Store(int64(account.RecentAuthentication))
		}
		for _, rt := range a.routes {
			if want := expect(rt, c); wanted(c, rt, want) {
				a.check(c, rt, want)
			}
		}
	}
}

// check sends a request and compares the answer.
func (a *accessTest) check(c caller, rt route, want verdict) {
	a.t.Run(c.name+" "+rt.key(), func(t *testing.T) {
		a.requests++
		id := "x" // what a caller with rights does is tested elsewhere
		if prefix, _, hasID := strings.Cut(rt.pattern, "{id}"); hasID && want != admitted {
			if id = a.objects[prefix]; id == "" {
				t.Fatalf("name an object of the test organization for %s", rt.pattern)
			}
		}
		b := a.browsers[c.name]
		b.t = t
		got := a.sendTo(b, rt, id, a.headers[c.name])
		checkVerdict(t, rt, want, got, id)
		if c.outside && rt.policy != operator && !strings.HasPrefix(rt.pattern, "/dev/") && (strings.Contains(got.body, "Lantern") || strings.Contains(got.body, email("member"))) {
			a.leaks++
			t.Error("the response shows another organization")
		}
	})
}

// signInAs signs a caller in, or creates the key.
func (a *accessTest) signInAs(c caller) {
	a.t.Helper()
	b := a.newBrowser()
	switch {
	case c.scope != "":
		secret := a.createKeyFor(c)
		if c.revoked {
			a.exec(`update api_keys set revoked_at = now() where key_hash = sha256($1::bytea)`, secret)
		}
		a.headers[c.name] = []string{"Authorization", "Bearer " + secret, "Usher-Organization", a.organization.ID}
	case c.halfway:
		b.logIn(c.person, "").wantRedirect(secondStepPath)
	case c.person == "secured":
		b = a.secured
	case c.person != "":
		b = a.signIn(c.person)
	}
	a.browsers[c.name] = b
}

func (a *accessTest) createKeyFor(c caller) string {
	a.t.Helper()
	if c.everywhere {
		return a.installationKey(c.scope)
	}
	return a.signIn("admin").createKey(c.scope)
}

// sendTo calls a route with the test organization and one of its objects.
func (a *accessTest) sendTo(b *browser, rt route, id string, headers []string) response {
	path := strings.NewReplacer("{$}", "", "{id}", id).Replace(rt.pattern)
	switch {
	case rt.key() == "GET /api/v1/organizations":
		return b.get(path+"?externalId=none", headers...)
	case rt.method == get:
		return b.get(path, headers...)
	case rt.response == page:
		return b.post(path, url.Values{"organizationId": {a.organization.ID}, "plan": {"pro"}}, headers...)
	}
	body := `{"organizationId":"` + a.organization.ID + `"}`
	if strings.HasPrefix(rt.pattern, scimUsersPath+"/") {
		body = `{"schemas":["` + scimUserSchema + `","` + scimPatchSchema + `"],"userName":"new@example.com","Operations":[{"op":"replace","path":"active","value":false}]}`
	}
	return b.send(rt.method, path, body, append(slices.Clone(headers), "Content-Type", "application/json")...)
}

// volatile are the tables that every request, or work in the background, may write.
var volatile = regexp.MustCompile(`^(sessions|rate_limits|emails|recovery_requests|billing_customers|billing_seat_state|seat_attempts|reconcile_states|` +
	`drift_reports|upcoming_invoices|portal_problems|(goose|river|stripe)_.*)$`)

// fingerprint returns a hash of the rows of every table but the volatile ones.
func (a *accessTest) fingerprint() map[string]string {
	a.t.Helper()
	var tables, parts []string
	err := a.store.DB().SelectContext(a.t.Context(), &tables, `select tablename from pg_tables where schemaname = 'public'`)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, table := range tables {
		if !volatile.MatchString(table) {
			parts = append(parts, fmt.Sprintf(`select '%[1]s' as name, md5(coalesce(string_agg(line, ',' order by line), '')) as rows from (select (to_jsonb(t) - 'last_seen_at' - 'last_used_at')::text as line from %[1]s t) as %[1]s`, table))
		}
	}
	var hashes []struct{ Name, Rows string }
	if err := a.store.DB().SelectContext(a.t.Context(), &hashes, strings.Join(parts, " union all ")); err != nil {
		a.t.Fatal(err)
	}
	byTable := map[string]string{}
	for _, h := range hashes {
		byTable[h.Name] = h.Rows
	}
	return byTable
}

// refusals are the messages of the policies.
var refusals = map[policy]string{
	billingAdmin: "Only organization admins can manage billing", memberAdmin: account.MessageMemberAccess,
	organizationAdmin: account.MessageAdminsOnly, operator: account.MessageOperatorsOnly, installation: account.MessageInstallationKey,
}

// checkVerdict compares an answer with what is expected of it.
func checkVerdict(t *testing.T, rt route, want verdict, got response, id string) {
	t.Helper()
	isAPI := rt.response.forPrograms()
	switch want {
	case admitted:
		checkAdmitted(t, rt, got)
	case atLogIn:
		checkSignedOut(t, rt, got, id)
	case refused:
		checkRefused(t, rt, got)
	case noOrganization:
		got.wantStatus(http.StatusNotFound)
	case foreign:
		checkForeign(t, rt, got)
	case atSecondFactor:
		if isAPI {
			got.wantError(http.StatusForbidden, "second_factor_required", errSecondFactor.message)
			return
		}
		got.wantRedirect(securityPath)
	case atConfirm:
		if isAPI {
			got.wantError(http.StatusForbidden, errNotRecent.code, errNotRecent.message)
			return
		}
		if to := got.header.Get("Location"); got.status != http.StatusSeeOther || !strings.HasPrefix(to, recentPath+"?next=") {
			t.Errorf("status %d to %q, want the form that asks to authenticate again", got.status, to)
		}
	case lacksScope:
		got.wantError(http.StatusForbidden, "missing_scope", "This API key lacks the scope "+rt.scope+".")
	case takesNoKey:
		got.wantError(http.StatusForbidden, apperr.CodeForbidden, errNoAPIKeys.message)
	case badKey:
		got.wantStatus(http.StatusUnauthorized)
	}
}

func checkSignedOut(t *testing.T, rt route, got response, id string) {
	t.Helper()
	switch {
	case rt.response.forPrograms():
		got.wantError(http.StatusUnauthorized, apperr.CodeUnauthenticated, "Please sign in first.")
	case rt.signedOut != nil:
		got.wantRedirect("/signup")
	case rt.method == get:
		path := (&url.URL{Path: strings.Replace(rt.pattern, "{id}", id, 1)}).EscapedPath()
		got.wantRedirect("/login?next=" + url.QueryEscape(path))
	default:
		got.wantRedirect("/login")
	}
}

func checkRefused(t *testing.T, rt route, got response) {
	t.Helper()
	message := refusals[rt.policy]
	switch {
	case message == "":
		t.Fatalf("no message of policy %d: complete the table", rt.policy)
	case rt.response.forPrograms():
		got.wantError(http.StatusForbidden, apperr.CodeForbidden, message)
	default:
		got.wantStatus(http.StatusForbidden).wantText(message)
	}
}

// checkForeign checks that somebody of another organization can neither see nor change this one.
func checkForeign(t *testing.T, rt route, got response) {
	t.Helper()
	switch {
	case rt.method == get || rt.policy == signedIn:
		got.wantStatus(http.StatusNotFound)
	case rt.response.forPrograms():
		got.wantError(http.StatusNotFound, apperr.CodeNotFound, apperr.ErrNotFound.Message)
	default:
		got.wantStatus(http.StatusConflict).wantText(apperr.MessageOtherOrganization)
	}
}

// allowedErrors are the errors of handlers that ran: the request has little content and the
// organization no plan. Any other error for a permitted caller is wrong.
var allowedErrors = map[string]string{
	"/billing/pay":                        "The form names no amount.",
	"/billing/portal":                     apperr.MessageNoCustomer,
	"/billing/createCustomerPortal":       apperr.MessageNoCustomer,
	"/billing/createSubscriptionCheckout": apperr.MessageInvalidPrice,
	"/api/v1/credits/consume":             "amount must be",
	"/api/v1/members":                     `Unknown field \"organizationId\"`,
	scimUsersPath:                         "schemas has to contain",
	"/api/v1/organizations":               `Unknown field \"organizationId\"`,
	"/organization/seats/confirm":         billing.MessageSeatsConfirmed,
	"/organization/seats/undo":            billing.MessageNothingPending,
	"/organization/leave":                 account.MessageLastAdmin,
	"/organization":                       "Please name your organization",
	"/organization/invitations":           "e-mail address",
	"/organization/members":               "select between 1 and",
	"/organization/people":                "e-mail address",
	"/organization/roles":                 "name",
	"/organization/contacts":              "e-mail address",
	"/organization/api-keys":              "Enter a name",
	"/organization/webhooks":              "Enter a complete address",
	"/organization/domains":               "Enter a domain",
	"/api/v1/webhooks":                    "Enter a complete address",
	"/organization/handover":              "another member",
	"/organization/delete":                "exactly as shown",
	"/organization/keep":                  account.MessageNotDeleting,
	"/billing/cancel":                     billing.MessageNoPlan,
	"/billing/preview":                    "There is no such plan.",
	"/billing/plan":                       "There is no such plan.",
	"/billing/plan/keep":                  billing.MessageNoPlan,
	"/billing/resume":                     billing.MessageNoPlan,
	recentPath:                            "not your current password",
	"/settings/delete":                    "This is not your password",
	"/settings/profile":                   "name",
	"/settings/password":                  "password",
	"/settings/email":                     "not your current password",
	"/settings/security/setup":            "This is not your password",
	"/settings/security/codes":            "This is not your password",
	"/settings/security/disable":          "This is not your password",
}

// checkAdmitted checks that a permitted caller is admitted. The handler itself may still refuse the
// request.
func checkAdmitted(t *testing.T, rt route, got response) {
	t.Helper()
	message, listed := allowedErrors[rt.pattern]
	switch {
	case rt.policy == webhook:
		got.wantError(http.StatusBadRequest, apperr.CodeInvalid, apperr.MessageSignatureFailed)
	case rt.policy == metricsToken:
		got.wantStatus(http.StatusUnauthorized)
	case rt.policy == public:
		if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden || got.status >= 500 {
			t.Errorf("public route: status %d", got.status)
		}
	case rt.policy == signedIn && strings.Contains(rt.pattern, "/passkey"):
		checkOwnPasskeys(t, rt, got)
	case rt.pattern == "/settings/sessions/{id}/end": // the answer does not show which exist
		got.wantStatus(http.StatusSeeOther)
	case strings.Contains(rt.pattern, "{id}"), strings.Contains(rt.pattern, "{token}"): // the object does not exist
		got.wantStatus(http.StatusNotFound)
	case rt.pattern == "/organization/switch" && got.status == http.StatusNotFound: // in no organization
	case got.status >= 400 && (!listed || rt.method == get || !strings.Contains(got.body, message)):
		t.Errorf("%d: %s", got.status, got.body)
	case strings.HasPrefix(got.header.Get("Location"), "/login"):
		t.Error("redirected to the log-in page")
	case rt.pattern == oidcLinkPath: // there is nothing to link
		got.wantRedirect(securityPath)
	case got.header.Get("Location") == securityPath && !strings.HasPrefix(rt.pattern, securityPath), strings.Contains(got.body, `"second_factor_required"`):
		t.Error("led to set up two-step verification")
	}
}

// checkOwnPasskeys checks the routes about the caller's own passkeys. No caller has any, nor can
// have: the test server's origin is an IP address.
func checkOwnPasskeys(t *testing.T, rt route, got response) {
	t.Helper()
	switch {
	case rt.response.forPrograms():
		got.wantError(http.StatusConflict, apperr.CodeConflict, account.MessageNoPasskeys)
	case strings.Contains(rt.pattern, "{id}"):
		got.wantStatus(http.StatusNotFound)
	case rt.method == get:
		got.wantRedirect(securityPath)
	default: // nothing was begun
		got.wantStatus(http.StatusUnprocessableEntity)
	}
}
