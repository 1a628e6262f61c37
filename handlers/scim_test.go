package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/stripegw"
)

// scim calls SCIM with the key.
func (p program) scim(method, path, body string, headers ...string) response {
	p.t.Helper()
	return p.send(method, scimPath+path, body, append(headers, "Content-Type", scimMediaType, "Authorization", "Bearer "+p.secret)...)
}

// find returns the users that match a filter.
func (p program) find(filter string) []scimUser {
	p.t.Helper()
	var list struct {
		Resources []scimUser `json:"Resources"`
	}
	got := p.scim(get, "/Users?"+url.Values{"filter": {filter}}.Encode(), "").wantStatus(http.StatusOK)
	if err := json.Unmarshal([]byte(got.body), &list); err != nil {
		p.t.Fatal(err)
	}
	return list.Resources
}

// user returns the user of a response.
func (a response) user() (user scimUser) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), &user); err != nil || a.header.Get("Content-Type") != scimMediaType {
		a.t.Errorf("%s: %v in %s", a.request, err, a.body)
	}
	return user
}

// wantSCIMError fails unless the response is this error of SCIM.
func (a response) wantSCIMError(status int, kind, detail string) response {
	a.t.Helper()
	var got scimProblem
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || !slices.Equal(got.Schemas, []string{scimErrorSchema}) || got.Status != fmt.Sprint(a.status) {
		a.t.Errorf("%s: %v in %s", a.request, err, a.body)
	}
	if a.status != status || got.Type != kind || !strings.Contains(got.Detail, detail) || detail == "" {
		a.t.Errorf("%s: %d %+v, want %d %s %q", a.request, a.status, got, status, kind, detail)
	}
	return a
}

func newUser(attributes string) string {
	return `{"schemas":["` + scimUserSchema + `"],` + attributes + `}`
}

func patchOf(operations string) string {
	return `{"schemas":["` + scimPatchSchema + `"],"Operations":[` + operations + `]}`
}

// keyActs lists what keys did to members, in its order.
func (h *testEnv) keyActs() string {
	h.t.Helper()
	return h.id(`select coalesce(string_agg(act, ' ' order by id), '') from audit_entries where actor_kind = 'api_key' and act like 'member.%'`)
}

// wantSeats waits until Stripe has a number of seats.
func (h *testEnv) wantSeats(quantity int) {
	h.t.Helper()
	waitFor(h.t, fmt.Sprint(quantity, " seats"), func() bool { return h.quantity() == quantity })
}

func TestSCIMWithOkta(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)

	connected := p.scim(get, "/Users?startIndex=1&count=2", "").wantStatus(http.StatusOK)
	if !strings.Contains(connected.body, `"totalResults":3,"startIndex":1,"itemsPerPage":2`) {
		t.Error(connected.body)
	}
	if found := p.find(`userName eq "Ana.Silva@example.com"`); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	body := newUser(`"userName":"ana.silva@example.com","name":{"givenName":"Ana","familyName":"Silva"},
		"emails":[{"primary":true,"value":"ana.silva@example.com","type":"work"}],"displayName":"Ana Silva","locale":"en-US",
		"externalId":"00ujl29u0le5T6Aj10h7","groups":[],"password":"1mz050nq","active":true`)
	created := p.scim(post, "/Users", body).wantStatus(http.StatusCreated)
	ana := created.user()
	want := scimUser{
		[]string{scimUserSchema}, ana.ID, "00ujl29u0le5T6Aj10h7", "ana.silva@example.com", "Ana Silva", scimName{"Ana Silva", "Ana", "Silva"},
		[]scimEmail{{"ana.silva@example.com", "work", true}}, true, scimMeta{"User", h.server.baseURL.String() + scimUsersPath + "/" + ana.ID},
	}
	if fmt.Sprint(ana) != fmt.Sprint(want) || created.header.Get("Location") != want.Meta.Location || !strings.HasPrefix(ana.ID, "mem_") {
		t.Errorf("%+v at %q, want %+v", ana, created.header.Get("Location"), want)
	}
	p.scim(post, "/Users", body).wantSCIMError(http.StatusConflict, "uniqueness", "has this externalId")
	h.wantSeats(4)
	if got := p.scim(get, "/Users/"+ana.ID, "").wantStatus(http.StatusOK).user(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v", got)
	}

	// The whole user, as Okta read it, with another family name and no externalId.
	renamed := newUser(`"id":"` + ana.ID + `","userName":"ana.silva@example.com","name":{"givenName":"Ana","familyName":"Souza"},
		"emails":[{"primary":true,"value":"ana.silva@example.com","type":"work"}],"active":true,"groups":[],"meta":{"resourceType":"User"}`)
	if got := p.scim(put, "/Users/"+ana.ID, renamed).wantStatus(http.StatusOK).user(); got.DisplayName != "Ana Souza" || got.ExternalID != ana.ExternalID {
		t.Errorf("%+v", got)
	}
	off := patchOf(`{"op":"replace","value":{"active":false}}`)
	if got := p.scim(patch, "/Users/"+ana.ID, off).wantStatus(http.StatusOK).user(); got.Active {
		t.Error("still active")
	}
	h.wantSeats(3)
	before := h.history()
	if p.scim(patch, "/Users/"+ana.ID, off).wantStatus(http.StatusOK).user().Active || h.history() != before {
		t.Error("the same request changed something")
	}
	if got := p.scim(put, "/Users/"+ana.ID, renamed).wantStatus(http.StatusOK).user(); !got.Active {
		t.Error("not active")
	}
	h.wantSeats(4)
	if acts := h.keyActs(); acts != "member.added member.described member.suspended member.reactivated" {
		t.Error(acts)
	}
	admin.get("/organization/seats").wantText("Ana Souza was added by the API key production", "Ana Souza was suspended by the API key production", "Ana Souza was reactivated by the API key production")
	admin.get("/organization?tab=members").wantText("Ana Souza", "has not joined yet")
	if n := h.count(`select count(*) from emails where recipient = 'ana.silva@example.com'`); n != 0 {
		t.Errorf("%d e-mails", n)
	}
}

func TestSCIMWithEntra(t *testing.T) {
	h := newTestEnv(t)
	h.subscribed("pro")
	p := program{h.newBrowser(), h.installationKey(account.ScopeMembersRead, account.ScopeMembersWrite)}
	call := func(method, path, body string) response {
		t.Helper()
		return p.scim(method, path, body, "Usher-Organization", h.organization.ID)
	}
	p.scim(get, "/Users", "").wantSCIMError(http.StatusBadRequest, "invalidValue", "Usher-Organization")
	nobody := call(get, `/Users?filter=userName+eq+%22ab6c91bb-2214-48a1-9d80-9f1b7e0d9c3b%22`, "").wantStatus(http.StatusOK)
	if nobody.body != `{"schemas":["`+scimListSchema+`"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}` {
		t.Error(nobody.body)
	}
	bo := call(post, "/Users", `{"schemas":["`+scimUserSchema+`","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"Bo@example.com","active":true,"addresses":null,"displayName":"Bo Berg",
		"emails":[{"type":"work","value":"other@example.com","primary":true}],"meta":{"resourceType":"User"},
		"name":{"formatted":"Bo B. Berg","familyName":"Berg","givenName":"Bo"},"roles":[],"title":"Usher",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Stalls"}}`).wantStatus(http.StatusCreated).user()
	if bo.UserName != "Bo@example.com" || bo.DisplayName != "Bo Berg" || bo.Emails[0].Value != "Bo@example.com" {
		t.Errorf("%+v", bo)
	}
	h.wantSeats(4)
	changed := call(patch, "/Users/"+bo.ID, patchOf(`
		{"op":"Replace","path":"emails[type eq \"work\"].value","value":"third@example.com"},
		{"op":"Replace","path":"`+scimUserSchema+`:name.familyName","value":"Borg"},
		{"op":"Add","path":"name.formatted","value":"Bo Borg"},
		{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Balcony"},
		{"op":"Replace","path":"userName","value":"bo.borg@example.com"}`)).wantStatus(http.StatusOK).user()
	if changed.UserName != "bo.borg@example.com" || changed.DisplayName != "Bo Borg" || changed.Name.FamilyName != "Borg" || changed.ID != bo.ID {
		t.Errorf("%+v", changed)
	}
	if call(patch, "/Users/"+bo.ID, patchOf(`{"op":"Replace","path":"active","value":"False"}`)).wantStatus(http.StatusOK).user().Active {
		t.Error("still active")
	}
	h.wantSeats(3)
	if !call(patch, "/Users/"+bo.ID, patchOf(`{"op":"Replace","path":"active","value":"True"}`)).wantStatus(http.StatusOK).user().Active {
		t.Error("not active")
	}
	h.wantSeats(4)
	call(remove, "/Users/"+bo.ID, "").wantStatus(http.StatusNoContent)
	call(remove, "/Users/"+bo.ID, "").wantSCIMError(http.StatusNotFound, "", "could not find")
	call(get, "/Users/"+bo.ID, "").wantSCIMError(http.StatusNotFound, "", "could not find")
	h.wantSeats(3)
	if acts := h.keyActs(); acts != "member.added member.described member.suspended member.reactivated member.removed" {
		t.Error(acts)
	}
}

// A suspension that an admin made stays; one of the identity provider does not outlive an admin's
// decision, not even one that a program of the release before made without the column.
func TestSCIMKeepsWhatAdminsDecided(t *testing.T) {
	h := newTestEnv(t)
	p, admin, id := h.program(account.ScopeMembersWrite), h.signIn("admin"), h.memberID("member")
	choose := func(status string) {
		t.Helper()
		admin.post("/organization/members/"+id, url.Values{"roleId": {account.RoleMember}, "status": {status}, "billable": {"on"}}).wantStatus(http.StatusSeeOther)
	}
	send := func(active, want bool) {
		t.Helper()
		body := patchOf(fmt.Sprintf(`{"op":"replace","path":"active","value":%t}`, active))
		if got := p.scim(patch, "/Users/"+id, body).wantStatus(http.StatusOK).user(); got.Active != want {
			t.Errorf("active is %t, want %t", got.Active, want)
		}
	}
	send(false, false)
	send(true, true)
	choose("suspended")
	send(true, false)
	send(false, false) // is suspended already
	send(true, false)
	choose("active")
	send(false, false)
	choose("active")
	choose("suspended")
	send(true, false)
	choose("active")
	send(false, false)
	for _, status := range []string{"active", "suspended"} {
		h.exec(`update organization_members set status = $1 where id = $2`, status, id)
	}
	send(true, false)
}

func TestSCIMKeepsTheLastAdmin(t *testing.T) {
	h := newTestEnv(t)
	p, path := h.program(account.ScopeMembersWrite), "/Users/"+h.memberID("admin")
	before := h.history()
	p.scim(patch, path, patchOf(`{"op":"replace","value":{"active":false}}`)).wantSCIMError(http.StatusForbidden, "", account.MessageLastAdmin)
	p.scim(put, path, newUser(`"userName":"`+email("admin")+`","active":false`)).wantSCIMError(http.StatusForbidden, "", account.MessageLastAdmin)
	p.scim(remove, path, "").wantSCIMError(http.StatusForbidden, "", account.MessageLastAdmin)
	if after := h.history(); after != before {
		t.Errorf("%s\n%s", before, after)
	}
}

func TestSCIMKeepsTheMaximum(t *testing.T) {
	h := newTestEnv(t)
	plans := catalog.BuiltInPlans()
	for i := range plans.Plans {
		plans.Plans[i].SeatMaximum = 4
	}
	h.startService(stripegw.New(stripegw.Options{SecretKey: "sk_test_handlertests", APIBase: h.origin, WebhookSecrets: []string{testSecret}}), plans)
	h.startServer(h.origin, 15*time.Second)
	h.subscribed("pro")
	p := h.program(account.ScopeMembersWrite)
	p.scim(post, "/Users", newUser(`"userName":"d@example.com"`)).wantStatus(http.StatusCreated)
	p.scim(post, "/Users", newUser(`"userName":"e@example.com"`)).wantSCIMError(http.StatusForbidden, "", "Pro has seats for at most 4 people")
	idle := p.scim(post, "/Users", newUser(`"userName":"e@example.com","active":"False"`)).wantStatus(http.StatusCreated).user()
	if idle.Active || idle.DisplayName != "e@example.com" {
		t.Errorf("%+v", idle)
	}
	on := patchOf(`{"op":"replace","path":"active","value":true}`)
	p.scim(patch, "/Users/"+idle.ID, on).wantSCIMError(http.StatusForbidden, "", "Pro has seats for at most 4 people")
	p.scim(patch, "/Users/"+h.memberID("member"), patchOf(`{"op":"replace","path":"active","value":false}`)).wantStatus(http.StatusOK)
	if !p.scim(patch, "/Users/"+idle.ID, on).wantStatus(http.StatusOK).user().Active {
		t.Error("not active though a seat is free")
	}
	h.wantSeats(4)
}

// One request of several that add the same person at once wins.
func TestConcurrentSCIMUsersAreOne(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite)
	statuses := make([]int, 6)
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() {
			statuses[i] = p.scim(post, "/Users", newUser(`"userName":"x@example.com","externalId":"1"`)).status
		})
	}
	group.Wait()
	slices.Sort(statuses)
	if statuses[0] != http.StatusCreated || statuses[1] != http.StatusConflict || statuses[5] != http.StatusConflict {
		t.Error(statuses)
	}
}
