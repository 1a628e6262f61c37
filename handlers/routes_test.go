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
	for _, rt := range newEdge(t, func(o *Options) { o.Development = true }).routes() {
		key := rt.method + " " + rt.pattern
		if rt.needs == undeclared {
			t.Errorf("%s does not say what it needs", key)
		}
		if rt.handler == nil || seen[key] {
			t.Errorf("%s has no handler, or stands there twice", key)
		}
		if withoutSession := rt.form == machine || rt.form == asset; withoutSession && rt.needs != public && rt.needs != webhook && rt.needs != metricsToken {
			t.Errorf("%s needs a session and has none", key)
		}
		seen[key] = true
	}
}

func TestUndeclaredRoutesLetNobodyIn(t *testing.T) {
	s := newEdge(t, nil)
	entered := func(http.ResponseWriter, *http.Request) error {
		t.Error("somebody got in")
		return nil
	}
	for _, rt := range []route{
		{form: page}, {form: api}, {form: machine}, {form: asset}, {form: page, needs: webhook}, {form: machine, needs: member}, {form: asset, needs: signedIn},
	} {
		rt.pattern, rt.handler = "/x", entered
		if w := ask(s.observe(s.serve(rt)), get, "/x", ""); w.Code != http.StatusInternalServerError {
			t.Errorf("form %d: %d", rt.form, w.Code)
		}
	}
}

func TestNeeds(t *testing.T) {
	in := func(role account.Role) visit {
		return visit{userID: "usr_1", access: account.Access{
			Organization: account.Organization{ID: "org_1"}, Member: account.Member{Status: account.MemberActive, Role: role},
		}}
	}
	visits := map[string]visit{
		"nobody": {}, "in no organization": {userID: "usr_1"},
		"member": in(account.Role{ID: account.RoleMember}), "custom role": in(account.Role{ID: "role_1", CanManageBilling: true}),
		"operator":      {userID: "usr_2", operator: true},
		"people's role": in(account.Role{ID: "role_2", CanManageMembers: true}), "admin": in(account.Role{ID: account.RoleAdmin}),
	}
	for n, want := range map[need]map[string]int{
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
			if err := n.check(visits[who]); err != nil {
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
	h := openHouse(t)
	h.site.metricsToken = testMetricsToken
	h.found("operator", "The operators")
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("operator")); err != nil {
		t.Fatal(err)
	}
	// Leaving and signing out go last: they end what the other routes are asked with.
	last := func(rt route) int {
		return 2*strings.Count(rt.pattern, "/logout") + strings.Count(rt.pattern, "/leave")
	}
	routes := slices.SortedStableFunc(slices.Values(h.site.routes()), func(a, b route) int { return cmp.Compare(last(a), last(b)) })
	for _, who := range everybody {
		b := h.visitor()
		if who != "nobody" {
			b = h.signedIn(who)
		}
		for _, rt := range routes {
			t.Run(who+" "+rt.method+" "+rt.pattern, func(t *testing.T) {
				b.t = t
				checkDoor(t, rt, who, h.knock(b, rt))
			})
		}
	}
}

// knock asks a route about the house's organization.
func (h *house) knock(b *browser, rt route) answer {
	path := strings.TrimSuffix(rt.pattern, "{$}")
	switch {
	case rt.method == get:
		return b.get(path)
	case rt.form == page:
		return b.post(path, url.Values{"organizationId": {h.organization.ID}, "plan": {"pro"}})
	}
	return b.postJSON(path, `{"organizationId":"`+h.organization.ID+`"}`)
}

// checkDoor is the expectation that the map's words mean.
func checkDoor(t *testing.T, rt route, who string, got answer) {
	t.Helper()
	switch {
	case rt.needs == webhook:
		got.problem(http.StatusBadRequest, apperr.CodeInvalid, apperr.MessageSignatureFailed)
	case rt.needs == metricsToken:
		got.is(http.StatusUnauthorized)
	case rt.needs == public:
		if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden || got.status >= 500 {
			t.Errorf("public, but %d", got.status)
		}
	case who == "nobody":
		checkNobody(t, rt, got)
	case rt.needs == operator && who != "operator" && rt.form == api:
		got.problem(http.StatusForbidden, apperr.CodeForbidden, account.MessageOperatorsOnly)
	case rt.needs == operator && who != "operator":
		got.is(http.StatusForbidden).shows(account.MessageOperatorsOnly)
	case rt.needs == operator && strings.Contains(rt.pattern, "{id}"):
		got.is(http.StatusNotFound)
	case rt.needs == operator:
		checkEntered(t, rt, got)
	case who == "stranger" || who == "operator": // who runs the installation has no more rights in an organization than a stranger
		checkStranger(t, rt, got)
	case who == "member" && rt.needs == billingAdmin:
		checkForbidden(t, rt, got)
	case (who == "member" || who == "billing") && rt.needs == memberAdmin:
		got.is(http.StatusForbidden).shows(account.MessageMemberAccess)
	case strings.Contains(rt.pattern, "{id}"): // asks for an object that is not there
		got.is(http.StatusNotFound)
	default:
		checkEntered(t, rt, got)
	}
}

func checkNobody(t *testing.T, rt route, got answer) {
	t.Helper()
	switch {
	case rt.form == api:
		got.problem(http.StatusUnauthorized, apperr.CodeUnauthenticated, "Please sign in first.")
	case rt.signedOut != nil:
		got.leadsTo("/signup")
	case rt.method == get:
		got.leadsTo("/login?next=" + url.QueryEscape((&url.URL{Path: rt.pattern}).EscapedPath()))
	default:
		got.leadsTo("/login")
	}
}

// checkStranger: an admin of another organization never sees nor touches this one.
func checkStranger(t *testing.T, rt route, got answer) {
	t.Helper()
	switch {
	case rt.method == get && strings.Contains(rt.pattern, "{id}"):
		got.is(http.StatusNotFound)
	case rt.method == get:
		got.is(http.StatusOK)
		if strings.Contains(got.body, "Lantern") {
			t.Error("a stranger sees the organization")
		}
	case rt.form == api:
		got.problem(http.StatusNotFound, apperr.CodeNotFound, apperr.ErrNotFound.Message)
	case strings.HasPrefix(rt.pattern, "/settings"): // about themselves
		checkEntered(t, rt, got)
	case rt.needs == signedIn:
		got.is(http.StatusNotFound)
	default:
		got.is(http.StatusConflict).shows(apperr.MessageOtherOrganization)
	}
}

func checkForbidden(t *testing.T, rt route, got answer) {
	t.Helper()
	if rt.form == api {
		got.problem(http.StatusForbidden, apperr.CodeForbidden, "Only organization admins can manage billing")
		return
	}
	got.is(http.StatusForbidden).shows("Only organization admins can manage billing")
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

// checkEntered: whoever may is not turned away at the door; what the room says is another matter.
func checkEntered(t *testing.T, rt route, got answer) {
	t.Helper()
	said, listed := saysInside[rt.pattern]
	if got.status >= 400 && (!listed || rt.method != post || !strings.Contains(got.body, said)) {
		t.Errorf("%d: %s", got.status, got.body)
	}
	if strings.HasPrefix(got.header.Get("Location"), "/login") {
		t.Error("sent to log in")
	}
}
