package handlers

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher/billing/account"
	"usher/billing/catalog"
)

// unaudited are the POST routes about an organization that leave no audit entry, with the reason.
var unaudited = map[string]string{
	"/billing/preview":        "it calculates and changes nothing",
	"/api/v1/credits/consume": "the credit ledger has a line for each use",

	"/organization/webhooks/{id}/test": "it changes nothing, and the log of the webhook shows it",
	"/api/v1/webhooks/{id}/test":       "it changes nothing, and the log of the webhook shows it",
}

// auditedForms are the routes about an organization and a successful request for each, in an order
// in which they are possible.
var auditedForms = []struct {
	pattern string
	form    func(*auditWalk) (path string, values url.Values)
}{
	{"/organization", form("/organization", "name", "Lantern & Co")},
	{"/organization/invitations", form("/organization/invitations", "email", "grace@example.com", "roleId", account.RoleMember)},
	{"/organization/people", form("/organization/people", "email", "hedy@example.com, mary@example.com")},
	{"/organization/invitations/{id}/resend", (*auditWalk).resend},
	{"/organization/invitations/{id}/revoke", (*auditWalk).revoke},
	{"/organization/roles", form("/organization/roles", "name", "Usherette", "canManageBilling", "on")},
	{"/organization/roles/{id}", (*auditWalk).changeRole},
	{"/organization/roles/{id}/delete", (*auditWalk).deleteRole},
	{"/organization/members", (*auditWalk).takeSeats},
	{"/organization/members/{id}", (*auditWalk).changeMember},
	{"/organization/members/{id}/remove", (*auditWalk).removeMember},
	{"/api/v1/members", form("/api/v1/members", "json", `{"externalId":"1","email":"joan@example.com","name":"Joan"}`)},
	{"PUT /api/v1/members", (*auditWalk).putMembers},
	{"DELETE /api/v1/members/{id}", (*auditWalk).deleteMember},
	{"/scim/v2/Users", form("/scim/v2/Users", "json", `{"schemas":["`+scimUserSchema+`"],"externalId":"2","userName":"jean@example.com"}`)},
	{"PUT /scim/v2/Users/{id}", scimForm(`{"schemas":["` + scimUserSchema + `"],"userName":"jean@example.com","displayName":"Jean"}`)},
	{"PATCH /scim/v2/Users/{id}", scimForm(`{"schemas":["` + scimPatchSchema + `"],"Operations":[{"op":"replace","value":{"active":false}}]}`)},
	{"DELETE /scim/v2/Users/{id}", scimForm("")},
	{"/organization/contacts", form("/organization/contacts", "email", "accounts@example.com")},
	{"/organization/contacts/remove", form("/organization/contacts/remove", "email", "accounts@example.com")},
	{"/organization/notices", form("/organization/notices")},
	{"/billing/checkout", form("/billing/checkout", "plan", "pro", "interval", "month")},
	{"/billing/createSubscriptionCheckout", (*auditWalk).checkoutByPrice},
	{"/billing/portal", (*auditWalk).portalOfPlan},
	{"/billing/createCustomerPortal", form("/billing/createCustomerPortal")},
	{"/organization/seats/confirm", (*auditWalk).confirmPeople},
	{"/organization/seats/undo", pendingSeat("one", "/organization/seats/undo")},
	{"/organization/seats/retry", pendingSeat("two", "/organization/seats/retry")},
	{"/billing/retrySeatSync", pendingSeat("three", "/billing/retrySeatSync")},
	{"/billing/resync", form("/billing/resync")},
	{"/billing/plan", (*auditWalk).downgrade},
	{"/billing/plan/keep", form("/billing/plan/keep")},
	{"/billing/cancel", form("/billing/cancel")},
	{"/billing/resume", form("/billing/resume")},
	{"/billing/pay", (*auditWalk).payInvoice},
	{"/organization/api-keys", form("/organization/api-keys", "name", "production", "scopes", account.ScopeBillingRead)},
	{"/organization/api-keys/{id}/revoke", (*auditWalk).revokeKey},
	{"/organization/webhooks", form("/organization/webhooks", "url", "https://webhook.invalid/", "events", "seats.changed")},
	{"/organization/webhooks/{id}/rotate", webhookForm("/organization/webhooks/", "/rotate")},
	{"/organization/webhooks/{id}/resend", (*auditWalk).resendMessage},
	{"/organization/webhooks/{id}/enable", (*auditWalk).enableWebhook},
	{"/organization/webhooks/{id}/delete", webhookForm("/organization/webhooks/", "/delete")},
	{"/api/v1/webhooks", form("/api/v1/webhooks", "url", "https://webhook.invalid/")},
	{"/api/v1/webhooks/{id}/rotate", webhookForm("/api/v1/webhooks/", "/rotate")},
	{"/api/v1/webhooks/{id}/enable", (*auditWalk).enableByProgram},
	{"DELETE /api/v1/webhooks/{id}", webhookForm("/api/v1/webhooks/", "")},
	{"/organization/domains", form("/organization/domains", "domain", "example.com", "billable", "on")},
	{"/organization/domains/{id}", domainForm("")},
	{"/organization/domains/{id}/check", domainForm("/check")},
	{"/organization/domains/{id}/remove", domainForm("/remove")},
	{"/organization/second-factor", form("/organization/second-factor")},
	{"/organization/delete", form("/organization/delete", "name", "Lantern & Co")},
	{"/organization/keep", form("/organization/keep")},
	{"/organization/handover", (*auditWalk).handOver},
	{"/organization/leave", form("/organization/leave")},
}

// auditWalk calls the routes as the admin.
type auditWalk struct {
	*domainEnv
	admin *browser
}

func form(path string, pairs ...string) func(*auditWalk) (string, url.Values) {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return func(*auditWalk) (string, url.Values) { return path, values }
}

// webhookForm is a request about the webhook.
func webhookForm(before, after string) func(*auditWalk) (string, url.Values) {
	return func(w *auditWalk) (string, url.Values) {
		return before + w.id(`select id from webhook_endpoints`) + after, nil
	}
}

// domainForm is a request about the domain, whose record is there.
func domainForm(after string) func(*auditWalk) (string, url.Values) {
	return func(w *auditWalk) (string, url.Values) {
		value := w.id(`select 'usher-verification=' || token from organization_domains`)
		w.dns.SetTXT("_usher-verification.example.com", []string{value})
		return "/organization/domains/" + w.id(`select id from organization_domains`) + after, nil
	}
}

// resendMessage sends a message again that was delivered.
func (w *auditWalk) resendMessage() (string, url.Values) {
	w.exec(`insert into webhook_messages (id, organization_id, type, body, created_at)
		select 'msg_1', organization_id, 'seats.changed', '{}', now() from webhook_endpoints`)
	w.exec(`insert into webhook_deliveries (endpoint_id, message_id, status, created_at) select id, 'msg_1', 'delivered', now() from webhook_endpoints`)
	path, _ := webhookForm("/organization/webhooks/", "/resend")(w)
	return path, url.Values{"delivery": {w.id(`select min(id)::text from webhook_deliveries`)}}
}

// disableWebhook disables the webhook as its failures do.
func (w *auditWalk) disableWebhook() {
	w.exec(`update webhook_endpoints set disabled_at = now(), disabled_reason = 'failing', due_at = null`)
}

func (w *auditWalk) enableWebhook() (string, url.Values) {
	w.disableWebhook()
	return webhookForm("/organization/webhooks/", "/enable")(w)
}

func (w *auditWalk) enableByProgram() (string, url.Values) {
	w.disableWebhook()
	return webhookForm("/api/v1/webhooks/", "/enable")(w)
}

// TestEveryChangeIsAudited makes a successful request to every route that changes an organization.
// A route that leaves no audit entry fails, and so does one that is not listed here.
func TestEveryChangeIsAudited(t *testing.T) {
	h := newDomainEnv(t)
	h.exec(`update users set email_verified_at = now()`)
	h.addMember("second", account.RoleAdmin)
	walk := &auditWalk{domainEnv: h, admin: h.signIn("admin")}
	routes := map[string]route{}
	for _, rt := range h.server.routes() {
		if rt.method == get || !rt.policy.forOrganization() {
			continue
		}
		routes[strings.TrimPrefix(rt.key(), post+" ")] = rt
	}
	for _, step := range auditedForms {
		rt, exists := routes[step.pattern]
		if !exists {
			t.Errorf("%s is no such route", step.pattern)
			continue
		}
		path, values := step.form(walk)
		var got response
		if rt.response.forPrograms() {
			got = walk.admin.send(rt.method, path, cmp.Or(values.Get("json"), walk.body(values)), "Content-Type", "application/json")
		} else {
			got = walk.admin.post(path, values)
		}
		if got.status >= 400 || strings.HasPrefix(got.header.Get("Location"), "/login") {
			t.Errorf("%s: %d %s", step.pattern, got.status, got.body)
		}
		written := h.count(`select count(*) from audit_entries where actor_id = $1 and actor_kind = 'person' and organization_id = $2
			and address <> '' and request_id = $3`, h.users["admin"].ID, h.organization.ID, got.header.Get("X-Request-Id"))
		if written == 0 {
			t.Errorf("%s left no audit entry", step.pattern)
		}
		delete(routes, step.pattern)
	}
	for pattern := range routes {
		if unaudited[pattern] == "" {
			t.Errorf("%s has neither a request here nor a reason why it is not audited", pattern)
		}
	}
}

// body returns the values as a JSON object, with the organization.
func (w *auditWalk) body(values url.Values) string {
	text := `{"organizationId":"` + w.organization.ID + `"`
	for name := range values {
		text += `,"` + name + `":"` + values.Get(name) + `"`
	}
	return text + "}"
}

// putMembers renames Joan and keeps everybody else.
func (w *auditWalk) putMembers() (string, url.Values) {
	members, err := w.store.Members().List(w.t.Context(), w.organization.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var set []string
	for _, m := range members {
		set = append(set, fmt.Sprintf(`{"email":%q,"name":%q,"role":%q,"billable":%t}`, m.Email, strings.ReplaceAll(m.Name, "Joan", "Jo"), m.Role.ID, m.Billable))
	}
	return "/api/v1/members", url.Values{"json": {`{"members":[` + strings.Join(set, ",") + `]}`}}
}

func (w *auditWalk) deleteMember() (string, url.Values) {
	return "/api/v1/members/" + w.id(`select id from organization_members where external_id = '1'`), nil
}

// scimForm is a request about Jean.
func scimForm(body string) func(*auditWalk) (string, url.Values) {
	return func(w *auditWalk) (string, url.Values) {
		return scimUsersPath + "/" + w.id(`select id from organization_members where external_id = '2'`), url.Values{"json": {body}}
	}
}

func (w *auditWalk) resend() (string, url.Values) {
	return "/organization/invitations/" + w.id(`select min(id) from invitations where revoked_at is null`) + "/resend", nil
}

func (w *auditWalk) revoke() (string, url.Values) {
	return "/organization/invitations/" + w.id(`select min(id) from invitations where revoked_at is null`) + "/revoke", nil
}

func (w *auditWalk) revokeKey() (string, url.Values) {
	return "/organization/api-keys/" + w.id(`select id from api_keys`) + "/revoke", nil
}

func (w *auditWalk) changeRole() (string, url.Values) {
	return "/organization/roles/" + w.id(`select id from roles where name = 'Usherette'`), url.Values{"name": {"Usherette"}, "canManageMembers": {"on"}}
}

func (w *auditWalk) deleteRole() (string, url.Values) {
	return "/organization/roles/" + w.id(`select id from roles where name = 'Usherette'`) + "/delete", nil
}

func (w *auditWalk) takeSeats() (string, url.Values) {
	return "/organization/members", url.Values{"member": {w.memberID("member"), w.memberID("billing")}, "billable": {"false"}}
}

func (w *auditWalk) changeMember() (string, url.Values) {
	return "/organization/members/" + w.memberID("member"), url.Values{"roleId": {account.RoleBillingAdmin}, "status": {"suspended"}}
}

func (w *auditWalk) removeMember() (string, url.Values) {
	return "/organization/members/" + w.memberID("member") + "/remove", nil
}

func (w *auditWalk) handOver() (string, url.Values) {
	return "/organization/handover", url.Values{"memberId": {w.memberID("second")}, "name": {"Lantern & Co"}}
}

func (w *auditWalk) checkoutByPrice() (string, url.Values) {
	plan, _ := w.service.Prices.Catalog().Plan("pro")
	price, _ := plan.Price(catalog.Yearly)
	return "/billing/createSubscriptionCheckout", url.Values{"priceId": {price.ID}}
}

// portalOfPlan buys a plan first.
func (w *auditWalk) portalOfPlan() (string, url.Values) {
	w.admin.follow(w.admin.subscribe("pro", "month"))
	w.waitForSeats()
	return "/billing/portal", nil
}

func (w *auditWalk) waitForSeats() {
	waitFor(w.t, "the seats", func() bool { return strings.Contains(w.admin.get("/organization/seats").body, "In sync") })
}

// pendingSeat returns a request while an update of the seats is pending.
func pendingSeat(name, path string) func(*auditWalk) (string, url.Values) {
	return func(w *auditWalk) (string, url.Values) {
		w.waitForSeats()
		w.addMember(name, account.RoleMember)
		return path, nil
	}
}

// confirmPeople makes the subscription one that was imported with the same number of seats.
func (w *auditWalk) confirmPeople() (string, url.Values) {
	w.waitForSeats()
	w.exec(`update billing_seat_state set unconfirmed_subscription_id = (select id from subscriptions where is_current and organization_id = $1)
		where organization_id = $1`, w.organization.ID)
	return "/organization/seats/confirm", nil
}

func (w *auditWalk) downgrade() (string, url.Values) {
	w.waitForSeats()
	preview := w.admin.post("/billing/preview", url.Values{"plan": {"starter"}, "interval": {"month"}}).wantStatus(http.StatusOK)
	confirm := preview.doc().Find("input[name=confirm]").AttrOr("value", "")
	return "/billing/plan", url.Values{"plan": {"starter"}, "interval": {"month"}, "confirm": {confirm}}
}

func (w *auditWalk) payInvoice() (string, url.Values) {
	w.failRenewal("4000000000000341")
	return "/billing/pay", url.Values{
		"invoice": {w.openInvoiceID()}, "amount": {w.id(`select amount_due::text from invoices where status = 'open'`)}, "currency": {"usd"},
	}
}

// The page says in words who did what, filters, and is for those who manage members.
func TestAuditLogPage(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	path := "/organization/members/" + h.memberID("member")
	admin.post(path, url.Values{"roleId": {account.RoleBillingAdmin}, "status": {"active"}, "billable": {"on"}}).wantStatus(http.StatusSeeOther)
	admin.post("/organization/invitations", url.Values{"email": {"grace@example.com"}}).wantStatus(http.StatusSeeOther)

	page := admin.get("/organization?tab=audit").wantStatus(http.StatusOK)
	page.wantText("The admin made The member a billing admin instead of a member", "The admin invited grace@example.com as Member", "UTC", "127.0.0.1", "Download the newest 20,000 entries as CSV")
	if first := page.text("section li:first-child"); !strings.Contains(first, "invited grace@example.com") {
		t.Errorf("the first line is %q, want the newest", first)
	}
	admin.get("/organization?tab=audit&act=member.role_changed").wantText("made The member").wantNoText("invited grace")
	admin.get("/organization?tab=audit&q=grace").wantText("invited grace", "Download these entries").wantNoText("made The member")
	admin.get("/organization?tab=audit&by=nobody").wantText("No entries match.", "Show all")
	admin.get("/organization?tab=audit&until=2020-01-01").wantText("No entries match.")
	admin.get("/organization?tab=audit&from=2020-01-01").wantText("made The member")
	admin.get("/organization?tab=audit&from=yesterday").wantText("Please give dates such as 2026-12-01.")
	for _, odd := range []string{"x", "1-1", "9223372036854775807-9223372036854775807", "-1--1"} {
		admin.get("/organization?tab=audit&before=" + odd).wantStatus(http.StatusOK)
	}

	h.signIn("billing").get("/organization?tab=audit").wantStatus(http.StatusForbidden)
	if tabs := h.signIn("billing").get("/organization").body; strings.Contains(tabs, "tab=audit") {
		t.Error("the tab is offered to people who may not read it")
	}
	h.signIn("stranger").get("/organization?tab=audit").wantStatus(http.StatusOK).wantNoText("grace@example.com", "The member")
}

func TestAuditLogPages(t *testing.T) {
	h := newTestEnv(t)
	for range auditPerPage + 1 {
		entry := account.AuditEntry{Act: account.ActPortalOpened, OrganizationID: h.organization.ID}
		if err := h.service.Audit.Note(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	admin := h.signIn("admin")
	admin.post("/organization/roles", url.Values{"name": {"Newest"}}).wantStatus(http.StatusSeeOther)
	first := admin.get("/organization?tab=audit").wantText("created the role Newest")
	older := first.doc().Find("nav[aria-label=Pages] a").AttrOr("href", "")
	second := admin.get(older).wantText("opened the billing portal", "Newest").wantNoText("created the role Newest")
	if back := second.doc().Find("nav[aria-label=Pages] a").First().AttrOr("href", ""); back != "/organization?tab=audit" {
		t.Errorf("the newest page is %q", back)
	}
	if n := first.doc().Find("main section li").Length(); n != auditPerPage {
		t.Errorf("%d entries on a page, want %d", n, auditPerPage)
	}
}

// A spreadsheet runs no formula of the file, and the filter is that of the page.
func TestAuditLogAsCSV(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	for _, name := range []string{`=HYPERLINK("http://evil")`, "+1", "@SUM(A1)", "Plain"} {
		admin.post("/organization/roles", url.Values{"name": {name}}).wantStatus(http.StatusSeeOther)
	}
	got := admin.get("/organization/audit.csv?act=role.created").wantStatus(http.StatusOK)
	records, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || len(records) != 5 {
		t.Fatalf("%d records, %v: %s", len(records), err, got.body)
	}
	for _, record := range records[1:] {
		for _, field := range record {
			if strings.IndexAny(field, "=+-@") == 0 {
				t.Errorf("%q is a formula", field)
			}
		}
	}
	if records[1][7] != "Plain" || records[1][1] != "The admin" || records[1][4] != "role.created" {
		t.Errorf("newest record: %v", records[1])
	}
	h.signIn("billing").get("/organization/audit.csv").wantStatus(http.StatusForbidden)
}

// An operator who looks into an organization leaves an entry there, one per hour.
func TestOperatorsLookIsRecorded(t *testing.T) {
	h := newTestEnv(t)
	h.signUp("operator", "The operators")
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("operator")); err != nil {
		t.Fatal(err)
	}
	operator := h.signIn("operator")
	looks := func() int {
		return h.count(`select count(*) from audit_entries where act = 'operator.looked' and organization_id = $1 and actor_id = $2 and actor_kind = 'operator'`,
			h.organization.ID, h.users["operator"].ID)
	}
	path := "/admin/organizations/" + h.organization.ID
	operator.get(path).wantStatus(http.StatusOK)
	operator.get(path).wantStatus(http.StatusOK)
	if n := looks(); n != 1 {
		t.Errorf("%d entries after two looks, want 1", n)
	}
	if _, err := h.store.DB().Exec(`insert into audit_entries (at, organization_id, actor_kind, actor_id, act)
		values (now() - interval '2 hours', $1, 'operator', $2, 'operator.looked')`, h.otherOrganization.ID, h.users["operator"].ID); err != nil {
		t.Fatal(err)
	}
	operator.get("/admin/organizations/" + h.otherOrganization.ID).wantStatus(http.StatusOK)
	if n := h.count(`select count(*) from audit_entries where act = 'operator.looked' and organization_id = $1`, h.otherOrganization.ID); n != 2 {
		t.Errorf("%d entries two hours after a look, want 2", n)
	}
	operator.post(path+"/compare", nil).wantStatus(http.StatusSeeOther)
	operator.get("/admin/organizations/org_none").wantStatus(http.StatusNotFound)

	page := h.signIn("admin").get("/organization?tab=audit")
	page.wantText("The operator viewed the organization", "The operator compared the organization with Stripe", "Operator of this installation").wantNoText("127.0.0.1")
	operator.get("/admin/audit").wantText("The operator viewed the organization", "127.0.0.1", h.organization.ID, "made The operator an operator")
	operator.get("/admin/audit?q=" + h.otherOrganization.ID).wantText(h.otherOrganization.ID).wantNoText(h.organization.ID)
	h.signIn("admin").get("/admin/audit").wantStatus(http.StatusForbidden)
}

// A password belongs to the person: no organization of theirs sees when it was changed.
func TestAccountActsAreOfTheInstallation(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("member")
	b.post("/settings/profile", url.Values{"name": {"Meg Ember"}}).wantStatus(http.StatusSeeOther)
	b.post("/settings/password", url.Values{"current": {testPassword}, "password": {"battery horse staple 9"}}).wantStatus(http.StatusSeeOther)
	for _, act := range []account.Act{account.ActPersonRenamed, account.ActPasswordChanged} {
		if n := h.count(`select count(*) from audit_entries where act = $1 and actor_id = $2 and organization_id is null`, act, h.users["member"].ID); n != 1 {
			t.Errorf("%d entries of %s, want 1", n, act)
		}
	}
	h.signIn("admin").get("/organization?tab=audit").wantNoText("changed their password", "changed their name to")
}

func TestEveryActHasWords(t *testing.T) {
	acts := account.Acts()
	for i, act := range acts {
		if auditWords[act] == nil || auditLabels[act] == "" {
			t.Errorf("%s has no sentence or no label", act)
		}
		if slices.Contains(acts[i+1:], act) {
			t.Errorf("%s is listed twice", act)
		}
		sentence := auditSentence(t.Context(), account.AuditEntry{Act: act, TargetName: "Grace"})
		if strings.Contains(sentence, "%!") {
			t.Errorf("%s: %q", act, sentence)
		}
	}
	if len(auditWords) != len(acts) || len(auditLabels) != len(acts) {
		t.Errorf("%d acts, %d sentences, %d labels", len(acts), len(auditWords), len(auditLabels))
	}
}
