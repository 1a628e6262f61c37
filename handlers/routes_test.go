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

func TestEveryRouteSaysWhatItNeeds(t *testing.T) {
	seen := map[string]bool{}
	for _, rt := range newTestServer(t, func(o *Options) { o.Development = true }).routes() {
		key := rt.method + " " + rt.pattern
		if rt.policy == undeclared {
			t.Errorf("%s does not say what it needs", key)
		}
		if rt.handler == nil || seen[key] {
			t.Errorf("%s has no handler, or stands there twice", key)
		}
		if withoutSession := rt.response == stateless || rt.response == asset; withoutSession && rt.policy != public && rt.policy != webhook && rt.policy != metricsToken {
			t.Errorf("%s needs a session and has none", key)
		}
		seen[key] = true
	}
}

func TestUndeclaredRoutesLetNobodyIn(t *testing.T) {
	s := newTestServer(t, nil)
	entered := func(http.ResponseWriter, *http.Request) error {
		t.Error("somebody got in")
		return nil
	}
	for _, rt := range []route{
		{response: page}, {response: api}, {response: stateless}, {response: asset}, {response: page, policy: webhook}, {response: stateless, policy: member}, {response: asset, policy: signedIn},
	} {
		rt.pattern, rt.handler = "/x", entered
		if w := serve(s.observe(s.serve(rt)), get, "/x", ""); w.Code != http.StatusInternalServerError {
			t.Errorf("form %d: %d", rt.response, w.Code)
		}
	}
}

func TestNeeds(t *testing.T) {
	in := func(role account.Role) identity {
		return identity{userID: "usr_1", access: account.Access{
			Organization: account.Organization{ID: "org_1"}, Member: account.Member{Status: account.MemberActive, Role: role},
		}}
	}
	visits := map[string]identity{
		"nobody": {}, "in no organization": {userID: "usr_1"},
		"member": in(account.Role{ID: account.RoleMember}), "custom role": in(account.Role{ID: "role_1", CanManageBilling: true}),
		"operator":      {userID: "usr_2", operator: true},
		"people's role": in(account.Role{ID: "role_2", CanManageMembers: true}), "admin": in(account.Role{ID: account.RoleAdmin}),
	}
	for n, want := range map[policy]map[string]int{
		undeclared:   {"nobody": 500, "in no organization": 500, "member": 500, "custom role": 500, "admin": 500},
		webhook:      {"nobody": 500, "in no organization": 500, "member": 500, "custom role": 500, "admin": 500},
		operator:     {"nobody": 401, "in no organization": 403, "member": 403, "admin": 403, "operator": 200},
		metricsToken: {"nobody": 500, "admin": 500, "operator": 500},
		public:       {"nobody": 200, "in no organization": 200, "member": 200, "custom role": 200, "admin": 200},
		signedIn:     {"nobody": 401, "in no organization": 200, "member": 200, "custom role": 200, "admin": 200},
		member:       {"nobody": 401, "in no organization": 404, "member": 200, "custom role": 200, "admin": 200},
		billingAdmin: {"nobody": 401, "in no organization": 404, "member": 403, "custom role": 200, "people's role": 403, "admin": 200},
		memberAdmin:  {"nobody": 401, "in no organization": 404, "member": 403, "custom role": 403, "people's role": 200, "admin": 200},
	} {
		for who, status := range want {
			got := 200
			if err := n.authorize(visits[who]); err != nil {
				got = problemOf(err).status
			}
			if got != status {
				t.Errorf("need %d, %s: %d, want %d", n, who, got, status)
			}
		}
	}
}

// everybody who knocks in the test of the door.
var everybody = []string{"nobody", "stranger", "member", "billing", "admin", "operator"}

// TestDoor asks every route as everybody, about the house's organization, and holds the answer against what the map says.
func TestDoor(t *testing.T) {
	h := newTestEnv(t)
	h.server.system.metricsToken = testMetricsToken
	h.signUp("operator", "The operators")
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("operator")); err != nil {
		t.Fatal(err)
	}
	// Leaving and signing out go last: they end what the other routes are asked with.
	last := func(rt route) int {
		return 2*strings.Count(rt.pattern, "/logout") + strings.Count(rt.pattern, "/leave")
	}
	routes := slices.SortedStableFunc(slices.Values(h.server.routes()), func(a, b route) int { return cmp.Compare(last(a), last(b)) })
	for _, who := range everybody {
		b := h.newBrowser()
		if who != "nobody" {
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

// knock asks a route about the house's organization.
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

// checkAccess is the expectation that the map's words mean.
func checkAccess(t *testing.T, rt route, who string, got response) {
	t.Helper()
	switch {
	case rt.policy == webhook:
		got.wantError(http.StatusBadRequest, apperr.CodeInvalid, apperr.MessageSignatureFailed)
	case rt.policy == metricsToken:
		got.wantStatus(http.StatusUnauthorized)
	case rt.policy == public:
		if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden || got.status >= 500 {
			t.Errorf("public, but %d", got.status)
		}
	case who == "nobody":
		checkSignedOut(t, rt, got)
	case rt.policy == operator && who != "operator" && rt.response == api:
		got.wantError(http.StatusForbidden, apperr.CodeForbidden, account.MessageOperatorsOnly)
	case rt.policy == operator && who != "operator":
		got.wantStatus(http.StatusForbidden).wantText(account.MessageOperatorsOnly)
	case rt.policy == operator && strings.Contains(rt.pattern, "{id}"):
		got.wantStatus(http.StatusNotFound)
	case rt.policy == operator:
		checkAllowed(t, rt, got)
	case who == "stranger" || who == "operator": // who runs the installation has no more rights in an organization than a stranger
		checkOtherOrganization(t, rt, got)
	case who == "member" && rt.policy == billingAdmin:
		checkForbidden(t, rt, got)
	case (who == "member" || who == "billing") && rt.policy == memberAdmin:
		got.wantStatus(http.StatusForbidden).wantText(account.MessageMemberAccess)
	case strings.Contains(rt.pattern, "{id}"): // asks for an object that is not there
		got.wantStatus(http.StatusNotFound)
	default:
		checkAllowed(t, rt, got)
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

// checkOtherOrganization: an admin of another organization never sees nor touches this one.
func checkOtherOrganization(t *testing.T, rt route, got response) {
	t.Helper()
	switch {
	case rt.method == get && strings.Contains(rt.pattern, "{id}"):
		got.wantStatus(http.StatusNotFound)
	case rt.method == get:
		got.wantStatus(http.StatusOK)
		if strings.Contains(got.body, "Lantern") {
			t.Error("a stranger sees the organization")
		}
	case rt.response == api:
		got.wantError(http.StatusNotFound, apperr.CodeNotFound, apperr.ErrNotFound.Message)
	case strings.HasPrefix(rt.pattern, "/settings"): // about themselves
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

// saysInside is what a room says to the knock, which brings little and comes to an organization without a plan. Every other refusal of a
// caller who may enter is a fault of the door.
var saysInside = map[string]string{
	"/billing/portal":                     apperr.MessageNoCustomer,
	"/billing/createCustomerPortal":       apperr.MessageNoCustomer,
	"/billing/createSubscriptionCheckout": apperr.MessageInvalidPrice,
	"/api/v1/credits/consume":             "amount must be",
	"/organization/seats/undo":            billing.MessageNothingPending,
	"/organization/leave":                 account.MessageLastAdmin,
	"/organization":                       "Please name your organization",
	"/organization/invitations":           "e-mail address",
	"/organization/roles":                 "name",
	"/organization/contacts":              "e-mail address",
	"/organization/handover":              "another member",
	"/organization/delete":                "exactly as it stands",
	"/organization/keep":                  account.MessageNotDeleting,
	"/billing/cancel":                     billing.MessageNoPlan,
	"/billing/resume":                     billing.MessageNoPlan,
	"/settings/delete":                    "This is not your password",
	"/settings/profile":                   "name",
	"/settings/password":                  "password",
}

// checkAllowed: whoever may is not turned away at the door; what the room says is another matter.
func checkAllowed(t *testing.T, rt route, got response) {
	t.Helper()
	said, listed := saysInside[rt.pattern]
	if got.status >= 400 && (!listed || rt.method != post || !strings.Contains(got.body, said)) {
		t.Errorf("%d: %s", got.status, got.body)
	}
	if strings.HasPrefix(got.header.Get("Location"), "/login") {
		t.Error("sent to log in")
	}
}
