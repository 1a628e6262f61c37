package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Whoever lacks a right sees who has it. What counts is the right, not the role of the viewer.
func TestErrorPageNamesWhoCanHelp(t *testing.T) {
	h := newTestEnv(t)
	for _, tt := range []struct {
		person, path string
		says         string
	}{
		{"member", "/organization/contacts", "Ask The admin (Admin) or The billing (Billing admin)."},
		{"member", "/organization/people", "Ask The admin (Admin)."},
		{"billing", "/organization/people", "Ask The admin (Admin)."},
		{"billing", apiKeysPath, "Ask The admin (Admin)."},
	} {
		h.signIn(tt.person).get(tt.path).wantStatus(http.StatusForbidden).wantText("You don't have access", tt.says)
	}
	h.signIn("admin").get("/admin/events").wantStatus(http.StatusForbidden).wantText(account.MessageOperatorsOnly).wantNoText("Ask The")
	crossOrigin := h.signIn("member").post("/organization/leave", nil, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	crossOrigin.wantStatus(http.StatusForbidden).wantNoText("Ask The")
}

// An address that only receives forms leads to the page with the form.
func TestFormAddressesLeadToTheirPages(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	for path, want := range map[string]string{
		"/organization/members":              membersTab,
		"/organization/members/mem_1/remove": membersTab,
		"/organization/invitations":          membersTab,
		"/organization/roles":                "/organization?tab=roles",
		"/organization/leave":                generalPath,
		"/billing/checkout":                  "/pricing",
		"/billing/plan":                      billingPath,
		"/settings/password":                 "/settings",
		"/settings/security/codes":           securityPath,
		"/admin/events/evt_1/replay":         "/admin/events",
	} {
		b.get(path).wantRedirect(want)
	}
	b.get("/logout").wantStatus(http.StatusMethodNotAllowed).wantText("This address can't be opened")
	b.get("/billing/retrySeatSync").wantError(http.StatusMethodNotAllowed, "method_not_allowed", errMethod.message)
	for _, rt := range h.server.routes() {
		if forms, found := formPageOf(rt.pattern); found && rt.method == post {
			if page := b.get(forms.path); page.status >= http.StatusBadRequest && !strings.HasPrefix(forms.path, "/admin") {
				t.Errorf("the page of %s is %s, which has status %d", rt.pattern, forms.path, page.status)
			}
		}
	}
}

// The first thing that an error page offers is the way on: the same page again, or the form.
func TestErrorPageOffersTheWayOn(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	b.follow(b.subscribe("pro", "month")).wantStatus(http.StatusOK)
	first := func(r response) string {
		t.Helper()
		link := r.doc().Find("main a").First()
		return strings.TrimSpace(link.Text()) + " " + link.AttrOr("href", "")
	}
	conflict := b.post("/organization/members/mem_none/remove", url.Values{"organizationId": {"org_other"}}).wantStatus(http.StatusConflict)
	if got := first(conflict.wantText("This form is for another organization")); got != "Back to members "+membersTab {
		t.Errorf("after a conflict: %s", got)
	}
	invoice := "/billing/invoices/" + h.invoiceID() + "/pdf"
	h.disconnectStripe()
	if got := first(b.get(invoice).wantStatus(http.StatusBadGateway).wantText("Stripe isn't responding", "Back to billing")); got != "Try again "+invoice {
		t.Errorf("while Stripe is away: %s", got)
	}
	checkout := h.signIn("stranger").post("/billing/checkout", url.Values{"plan": {"pro"}}).wantStatus(http.StatusBadGateway)
	if got := first(checkout); got != "Back to pricing /pricing" || strings.Count(checkout.text("main"), apperr.MessageStripeUnreachable) > 0 {
		t.Errorf("a form while Stripe is away: %s, %s", got, checkout.text("main"))
	}
}

func (h *testEnv) invoiceID() string {
	h.t.Helper()
	var id string
	if err := h.store.DB().GetContext(h.t.Context(), &id, `select id from invoices limit 1`); err != nil {
		h.t.Fatal(err)
	}
	return id
}
