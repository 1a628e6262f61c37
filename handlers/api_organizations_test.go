package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// A product creates an organization, puts its people, and opens Checkout, all before anybody has
// joined; then the admin joins by e-mail.
func TestProgramCreatesOrganization(t *testing.T) {
	h := newTestEnv(t)
	p := program{h.newBrowser(), h.installationKey(account.ScopeMembersRead, account.ScopeMembersWrite, account.ScopeBillingRead, account.ScopeBillingWrite)}
	const body = `{"name":"Beacon","externalId":"b/1","admin":{"email":"boss@beacon.example","name":"Bo"}}`
	var created, again billing.OrganizationObject
	read := func(got response, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(got.body), into); err != nil {
			t.Fatal(err)
		}
	}
	read(p.call(post, "/api/v1/organizations", body).wantStatus(http.StatusCreated), &created)
	read(p.call(post, "/api/v1/organizations", body).wantStatus(http.StatusOK), &again)
	if created.ID != again.ID || *created.ExternalID != "b/1" || created.Name != "Beacon" {
		t.Errorf("%+v, %+v", created, again)
	}
	p.call(post, "/api/v1/organizations", strings.Replace(body, "Beacon", "Other", 1)).wantStatus(http.StatusConflict)
	var found organizationList
	read(p.call(get, "/api/v1/organizations?externalId=b%2F1", ""), &found)
	if len(found.Organizations) != 1 || found.Organizations[0].ID != created.ID {
		t.Errorf("%+v", found)
	}
	if got := p.call(get, "/api/v1/organizations?externalId=none", "").wantStatus(http.StatusOK); got.body != `{"organizations":[]}`+"\n" {
		t.Error(got.body)
	}
	p.call(get, "/api/v1/organizations", "").wantError(http.StatusBadRequest, apperr.CodeInvalid, "externalId is missing.")
	p.call(get, "/api/v1/organizations/"+created.ID, "").wantStatus(http.StatusOK)
	p.call(get, "/api/v1/organizations/org_none", "").wantStatus(http.StatusNotFound)
	p.call(put, "/api/v1/members", `{"members":[]}`).wantStatus(http.StatusBadRequest) // it names no organization
	of := []string{"Usher-Organization", created.ID}
	p.call(put, "/api/v1/members", `{"members":[]}`, of...).wantError(http.StatusConflict, apperr.CodeConflict, account.MessageLastAdmin)

	set := `{"email":"boss@beacon.example","name":"Bo","role":"admin"},{"email":"a@beacon.example","name":"A"},{"email":"b@beacon.example","name":"B"}`
	p.call(put, "/api/v1/members", `{"members":[`+set+`]}`, of...).wantStatus(http.StatusOK)
	var checkout checkoutResponse
	read(p.call(post, "/billing/createSubscriptionCheckout", `{"organizationId":"`+created.ID+`","priceId":"`+h.priceID()+`"}`, of...).wantStatus(http.StatusOK), &checkout)
	visitor := h.newBrowser()
	visitor.submit(visitor.get(checkout.URL).wantStatus(http.StatusOK), "form", goodCard)
	waitFor(t, "the plan", func() bool {
		return h.count(`select count(*) from subscriptions where organization_id = $1 and status = 'active' and quantity = 3`, created.ID) == 1
	})

	link := visitor.mailedLink("boss@beacon.example", "/invite/")
	visitor.get(link).wantStatus(http.StatusOK).wantText("Beacon invited you", "Admin")
	visitor.post(link, url.Values{"name": {"Bo"}, "password": {testPassword}}).wantRedirect("/dashboard?notice=joined")
	visitor.get("/organization?tab=billing").wantStatus(http.StatusOK).wantText("Beacon", "Pro, monthly")
	var act struct {
		Kind string `db:"actor_kind"`
		Name string `db:"actor_name"`
	}
	if err := h.store.DB().GetContext(t.Context(), &act, `select actor_kind, actor_name from audit_entries where act = 'organization.created' and organization_id = $1`, created.ID); err != nil || act.Kind != "api_key" || act.Name != "product" {
		t.Errorf("%+v, %v", act, err)
	}
}

func TestCreateOrganizationRefuses(t *testing.T) {
	h := newTestEnv(t)
	p := program{h.newBrowser(), h.installationKey(account.ScopeMembersWrite)}
	before := h.count(`select count(*) from organizations`)
	for body, message := range map[string]string{
		`{"name":"X"}`: "admin is missing: an object with email and name.",
		`{"name":"X","admin":{"email":"x@example.com","name":"X","role":"y"}}`: `admin: Unknown field "role". Known are email, name.`,
		`{"name":"","admin":{"email":"x@example.com","name":"X"}}`:             "name has to have between 1 and 100 characters.",
		`{"name":"X","admin":{"email":"x@example.com","name":""}}`:             "admin.name has to have between 1 and 100 characters.",
		`{"name":"X","admin":{"email":"x","name":"X"}}`:                        "admin.email has to be an e-mail address such as ana@example.com.",
	} {
		p.call(post, "/api/v1/organizations", body).wantError(http.StatusBadRequest, apperr.CodeInvalid, message)
	}
	h.program(account.ScopeMembersWrite).call(post, "/api/v1/organizations", `{}`).wantError(http.StatusForbidden, apperr.CodeForbidden, account.MessageInstallationKey)
	h.signIn("admin").postJSON("/api/v1/organizations", `{}`).wantError(http.StatusForbidden, apperr.CodeForbidden, account.MessageInstallationKey)
	if after := h.count(`select count(*) from organizations`); after != before {
		t.Errorf("%d organizations, before %d", after, before)
	}
}

// Of the same requests at once, one creates the organization and the others get it.
func TestOrganizationIsCreatedOnce(t *testing.T) {
	h := newTestEnv(t)
	p := program{h.newBrowser(), h.installationKey(account.ScopeMembersWrite)}
	var group sync.WaitGroup
	var mutex sync.Mutex
	statuses, ids := map[int]int{}, map[string]bool{}
	for range 6 {
		group.Go(func() {
			got := p.call(post, "/api/v1/organizations", `{"name":"Beacon","externalId":"b","admin":{"email":"b@example.com","name":"B"}}`)
			var o billing.OrganizationObject
			_ = json.Unmarshal([]byte(got.body), &o)
			mutex.Lock()
			defer mutex.Unlock()
			statuses[got.status]++
			ids[o.ID] = true
		})
	}
	group.Wait()
	if fmt.Sprint(statuses) != "map[200:5 201:1]" || len(ids) != 1 {
		t.Errorf("%v, %v", statuses, ids)
	}
}
