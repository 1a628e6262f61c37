package handlers

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

func TestEveryRouteHasAPolicy(t *testing.T) {
	seen := map[string]bool{}
	for _, rt := range newTestServer(t, func(o *Options) { o.Development = true }).routes() {
		key := rt.method + " " + rt.pattern
		if rt.policy == undeclared {
			t.Errorf("%s has no access policy", key)
		}
		if rt.handler == nil || seen[key] {
			t.Errorf("%s has no handler or is declared twice", key)
		}
		if withoutSession := rt.response == stateless || rt.response == asset; withoutSession && rt.policy != public && rt.policy != webhook && rt.policy != metricsToken {
			t.Errorf("the policy of %s needs a session, which its response type does not have", key)
		}
		seen[key] = true
	}
}

func TestUndeclaredPolicyAdmitsNoOne(t *testing.T) {
	s := newTestServer(t, nil)
	handler := func(http.ResponseWriter, *http.Request) error {
		t.Error("the handler ran")
		return nil
	}
	for _, rt := range []route{
		{response: page}, {response: api}, {response: stateless}, {response: asset}, {response: page, policy: webhook}, {response: stateless, policy: member}, {response: asset, policy: signedIn},
	} {
		rt.pattern, rt.handler = "/x", handler
		if w := serve(s.observe(s.serve(rt)), get, "/x", ""); w.Code != http.StatusInternalServerError {
			t.Errorf("response type %d: status %d", rt.response, w.Code)
		}
	}
}

func TestPolicies(t *testing.T) {
	memberWith := func(role account.Role) identity {
		return identity{userID: "usr_1", access: account.Access{
			Organization: account.Organization{ID: "org_1"}, Member: account.Member{Status: account.MemberActive, Role: role},
		}}
	}
	viewers := map[string]identity{
		"signed out": {}, "no organization": {userID: "usr_1"},
		"member": memberWith(account.Role{ID: account.RoleMember}), "custom role": memberWith(account.Role{ID: "role_1", CanManageBilling: true}),
		"operator":     {userID: "usr_2", operator: true},
		"member admin": memberWith(account.Role{ID: "role_2", CanManageMembers: true}), "admin": memberWith(account.Role{ID: account.RoleAdmin}),
	}
	for p, want := range map[policy]map[string]int{
		undeclared:        {"signed out": 500, "no organization": 500, "member": 500, "custom role": 500, "admin": 500},
		webhook:           {"signed out": 500, "no organization": 500, "member": 500, "custom role": 500, "admin": 500},
		operator:          {"signed out": 401, "no organization": 403, "member": 403, "admin": 403, "operator": 200},
		metricsToken:      {"signed out": 500, "admin": 500, "operator": 500},
		public:            {"signed out": 200, "no organization": 200, "member": 200, "custom role": 200, "admin": 200},
		signedIn:          {"signed out": 401, "no organization": 200, "member": 200, "custom role": 200, "admin": 200},
		member:            {"signed out": 401, "no organization": 404, "member": 200, "custom role": 200, "admin": 200},
		billingAdmin:      {"signed out": 401, "no organization": 404, "member": 403, "custom role": 200, "member admin": 403, "admin": 200},
		organizationAdmin: {"signed out": 401, "no organization": 404, "member": 403, "custom role": 403, "member admin": 403, "admin": 200},
		memberAdmin:       {"signed out": 401, "no organization": 404, "member": 403, "custom role": 403, "member admin": 200, "admin": 200},
	} {
		for who, status := range want {
			got := 200
			if err := p.authorize(viewers[who]); err != nil {
				got = problemOf(err).status
			}
			if got != status {
				t.Errorf("policy %d, %s: status %d, want %d", p, who, got, status)
			}
		}
	}
}

// callers are the users that call every route in TestAccess.
var callers = []string{"signed out", "stranger", "member", "billing", "admin", "operator"}

// TestAccess calls every route as every caller, with the id of the test organization, and compares
// the response with the route's policy.
func TestAccess(t *testing.T) {
	h := newTestEnv(t)
	h.server.system.metricsToken = testMetricsToken
	h.signUp("operator", "The operators")
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("operator")); err != nil {
		t.Fatal(err)
	}
	// Leaving and logging out come last, since they end the session or the membership.
	last := func(rt route) int {
		return 2*strings.Count(rt.pattern, "/logout") + strings.Count(rt.pattern, "/leave")
	}
	routes := slices.SortedStableFunc(slices.Values(h.server.routes()), func(a, b route) int { return cmp.Compare(last(a), last(b)) })
	for _, who := range callers {
		b := h.newBrowser()
		if who != "signed out" {
			b = h.signIn(who)
		}
		for _, rt := range routes {
			t.Run(who+" "+rt.method+" "+rt.pattern, func(t *testing.T) {
				b.t = t
				checkAccess(t, rt, who, h.request(b, rt))
			})
		}
	}
}

// request calls a route with the id of the test organization.
func (h *testEnv) request(b *browser, rt route) response {
	path := strings.TrimSuffix(rt.pattern, "{$}")
	switch {
	case rt.method == get:
		return b.get(path)
	case rt.response == page:
		return b.post(path, url.Values{"organizationId": {h.organization.ID}, "plan": {"pro"}})
	}
	return b.postJSON(path, `{"organizationId":"`+h.organization.ID+`"}`)
}

// checkAccess checks the response against the route's policy.
func checkAccess(t *testing.T, rt route, who string, got response) {
	t.Helper()
	switch {
	case rt.policy == webhook:
		got.wantError(http.StatusBadRequest, apperr.CodeInvalid, apperr.MessageSignatureFailed)
	case rt.policy == metricsToken:
		got.wantStatus(http.StatusUnauthorized)
	case rt.policy == public:
		if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden || got.status >= 500 {
			t.Errorf("public route: status %d", got.status)
		}
	case who == "signed out":
		checkSignedOut(t, rt, got)
	case rt.pattern == recentPath, rt.pattern == recentPath+"/oidc", rt.pattern == oidcLinkPath, rt.pattern == "/settings/sessions/{id}/end": // about the own sessions; the answer does not show which exist
		checkAllowed(t, rt, got)
	case strings.Contains(rt.pattern, "/passkey"):
		checkOwnPasskeys(t, rt, got)
	case rt.policy == operator && who != "operator" && rt.response == api:
		got.wantError(http.StatusForbidden, apperr.CodeForbidden, account.MessageOperatorsOnly)
	case rt.policy == operator && who != "operator":
		got.wantStatus(http.StatusForbidden).wantText(account.MessageOperatorsOnly)
	case rt.policy == operator && strings.Contains(rt.pattern, "{id}"):
		got.wantStatus(http.StatusNotFound)
	case rt.policy == operator:
		checkAllowed(t, rt, got)
	case who == "stranger" || who == "operator": // operators have no rights in other organizations
		checkOtherOrganization(t, rt, got)
	case who == "member" && rt.policy == billingAdmin:
		checkForbidden(t, rt, got)
	case (who == "member" || who == "billing") && rt.policy == memberAdmin:
		got.wantStatus(http.StatusForbidden).wantText(account.MessageMemberAccess)
	case who != "admin" && rt.policy == organizationAdmin:
		got.wantStatus(http.StatusForbidden).wantText(account.MessageAdminsOnly)
	case strings.Contains(rt.pattern, "{id}"), strings.Contains(rt.pattern, "{token}"): // the object does not exist
		got.wantStatus(http.StatusNotFound)
	default:
		checkAllowed(t, rt, got)
	}
}

// checkOwnPasskeys checks the routes about the caller's own passkeys. No caller has any, nor can
// have: the test server's origin is an IP address.
func checkOwnPasskeys(t *testing.T, rt route, got response) {
	t.Helper()
	switch {
	case rt.response == api:
		got.wantError(http.StatusConflict, apperr.CodeConflict, account.MessageNoPasskeys)
	case strings.Contains(rt.pattern, "{id}"):
		got.wantStatus(http.StatusNotFound)
	case rt.method == get:
		got.wantRedirect(securityPath)
	default:
		got.wantStatus(http.StatusUnprocessableEntity).wantText(messageCeremonyLate)
	}
}

func checkSignedOut(t *testing.T, rt route, got response) {
	t.Helper()
	switch {
	case rt.response == api:
		got.wantError(http.StatusUnauthorized, apperr.CodeUnauthenticated, "Please sign in first.")
	case rt.signedOut != nil:
		got.wantRedirect("/signup")
	case rt.method == get:
		got.wantRedirect("/login?next=" + url.QueryEscape((&url.URL{Path: rt.pattern}).EscapedPath()))
	default:
		got.wantRedirect("/login")
	}
}

// checkOtherOrganization checks that an admin of another organization can neither see nor change
// this one.
func checkOtherOrganization(t *testing.T, rt route, got response) {
	t.Helper()
	switch {
	case rt.method == get && strings.Contains(rt.pattern, "{id}"):
		got.wantStatus(http.StatusNotFound)
	case rt.method == get && slices.Contains([]string{"/billing/cancel", "/billing/resume", "/billing/forecast"}, rt.pattern):
		got.wantRedirect(billingPath) // the own organization has no plan
	case rt.pattern == "/settings/security/setup" && rt.method == get:
		got.wantRedirect(securityPath) // nothing is being set up
	case rt.method == get:
		got.wantStatus(http.StatusOK)
		if strings.Contains(got.body, "Lantern") {
			t.Error("the response contains another organization")
		}
	case rt.response == api:
		got.wantError(http.StatusNotFound, apperr.CodeNotFound, apperr.ErrNotFound.Message)
	case strings.HasPrefix(rt.pattern, "/settings"): // about the own account
		checkAllowed(t, rt, got)
	case rt.policy == signedIn:
		got.wantStatus(http.StatusNotFound)
	default:
		got.wantStatus(http.StatusConflict).wantText(apperr.MessageOtherOrganization)
	}
}

func checkForbidden(t *testing.T, rt route, got response) {
	t.Helper()
	if rt.response == api {
		got.wantError(http.StatusForbidden, apperr.CodeForbidden, "Only organization admins can manage billing")
		return
	}
	got.wantStatus(http.StatusForbidden).wantText("Only organization admins can manage billing")
}

// allowedErrors are the errors of handlers that ran: the request has little content and the
// organization no plan. Any other error for a permitted caller is wrong.
var allowedErrors = map[string]string{
	"/billing/pay":                        "The form names no amount.",
	"/billing/portal":                     apperr.MessageNoCustomer,
	"/billing/createCustomerPortal":       apperr.MessageNoCustomer,
	"/billing/createSubscriptionCheckout": apperr.MessageInvalidPrice,
	"/api/v1/credits/consume":             "amount must be",
	"/organization/seats/undo":            billing.MessageNothingPending,
	"/organization/leave":                 account.MessageLastAdmin,
	"/organization":                       "Please name your organization",
	"/organization/invitations":           "e-mail address",
	"/organization/members":               "select between 1 and",
	"/organization/people":                "e-mail address",
	"/organization/roles":                 "name",
	"/organization/contacts":              "e-mail address",
	"/organization/api-keys":              "name the key",
	"/organization/handover":              "another member",
	"/organization/delete":                "exactly as it stands",
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
}

// checkAllowed checks that a permitted caller is admitted. The handler itself may still refuse the
// request.
func checkAllowed(t *testing.T, rt route, got response) {
	t.Helper()
	message, listed := allowedErrors[rt.pattern]
	if got.status >= 400 && (!listed || rt.method != post || !strings.Contains(got.body, message)) {
		t.Errorf("%d: %s", got.status, got.body)
	}
	if strings.HasPrefix(got.header.Get("Location"), "/login") {
		t.Error("redirected to the log-in page")
	}
}
