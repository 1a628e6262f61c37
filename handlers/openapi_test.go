package handlers

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// TestOpenAPI compares the document with the routes that programs may call, and calls each of them
// with a key: the answers must be as the document says.
func TestOpenAPI(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	admin.follow(admin.subscribe("pro", "month")).wantText("Active")
	waitFor(t, "the invoice", func() bool { return h.count(`select count(*) from invoices where status = 'paid'`) == 1 })
	d := apiDocument{t: t, document: loadOpenAPI(t, h.newBrowser().get("/api/openapi.json").wantStatus(http.StatusOK).body)}

	keys := map[string]string{}
	for _, scope := range account.Scopes() {
		keys[scope] = admin.createKey(scope)
	}
	pack := h.service.Prices.Catalog().Packs[0]
	bodies := map[string]string{
		"/billing/createSubscriptionCheckout": `{"organizationId":"` + h.organization.ID + `","priceId":"` + pack.Price.ID + `","mode":"payment"}`,
		"/billing/createCustomerPortal":       `{"organizationId":"` + h.organization.ID + `"}`,
		"/billing/retrySeatSync":              `{}`,
		"/api/v1/webhooks":                    `{"url":"https://webhook.invalid/","events":["seats.changed"]}`,
		"/api/v1/credits/consume":             `{"amount":1,"reason":"export","idempotencyKey":"openapi"}`,
		"PUT /api/v1/members":                 `{"members":[{"externalId":"1","email":"` + email("admin") + `","name":"Ada","role":"admin"}]}`,
		"POST /api/v1/members":                `{"email":"new@example.com","name":"New","invite":true}`,
		"/api/v1/organizations":               `{"name":"Beacon","externalId":"b/1","admin":{"email":"boss@beacon.example","name":"Bo"}}`,
	}
	queries := map[string]string{"GET /api/v1/organizations": "?externalId=b%2F1", "PUT /api/v1/members": "?dry_run=true"}
	paths := strings.NewReplacer("/api/v1/members/{id}", "/api/v1/members/"+h.memberID("member"), "/api/v1/organizations/{id}", "/api/v1/organizations/"+h.organization.ID)
	created := []string{"POST /api/v1/members", "POST /api/v1/organizations"}
	program := h.newBrowser()
	webhookID := ""
	call := func(rt route, key, body string, headers ...string) response {
		pattern := strings.Replace(paths.Replace(rt.pattern), "/api/v1/webhooks/{id}", "/api/v1/webhooks/"+webhookID, 1)
		return program.send(rt.method, pattern+queries[rt.key()], body, append(headers, "Content-Type", "application/json", "Authorization", "Bearer "+key)...)
	}
	var described []string
	for _, rt := range h.server.routes() {
		if rt.scope == "" || rt.response == scim { // SCIM has schemas of its own
			continue
		}
		described = append(described, rt.key())
		key, body, want := keys[rt.scope], cmp.Or(bodies[rt.key()], bodies[rt.pattern]), http.StatusOK
		switch {
		case rt.policy == installation:
			d.validate(rt, call(rt, key, body).wantStatus(http.StatusForbidden))
			key = h.installationKey(rt.scope)
		case rt.method == remove:
			want = http.StatusNoContent
		case strings.HasPrefix(rt.pattern, "/api/v1/webhooks/") && webhookID == "":
			if err := h.store.DB().GetContext(t.Context(), &webhookID, `select id from webhook_endpoints`); err != nil {
				t.Fatal(err)
			}
		}
		if slices.Contains(created, rt.key()) {
			want = http.StatusCreated
		}
		d.validate(rt, call(rt, key, body).wantStatus(want))
		switch want {
		case http.StatusCreated: // the same again
			d.validate(rt, call(rt, key, body).wantStatus(http.StatusOK))
		case http.StatusNoContent:
			d.validate(rt, call(rt, key, body).wantStatus(http.StatusNotFound))
		}
		good := call(rt, key, body)
		if tag := good.header.Get("ETag"); tag != "" {
			d.validate(rt, call(rt, key, "", "If-None-Match", tag).wantStatus(http.StatusNotModified))
		}
		if rt.method == post || rt.method == put {
			d.validate(rt, call(rt, key, `{"unknown":1}`).wantStatus(http.StatusBadRequest))
		}
		if rt.method == post {
			d.validate(rt, call(rt, key, body, "Idempotency-Key", "1"))
			d.validate(rt, call(rt, key, `{"other":1}`, "Idempotency-Key", "1").wantStatus(http.StatusUnprocessableEntity))
		}
		d.validate(rt, call(rt, "uk_test_unknown", body).wantStatus(http.StatusUnauthorized))
	}
	slices.Sort(described)
	if documented := d.operations(); !slices.Equal(documented, described) {
		t.Errorf("the document describes %v, programs may call %v", documented, described)
	}
}

// apiDocument validates answers.
type apiDocument struct {
	t        *testing.T
	document *openapi3.T
}

func loadOpenAPI(t *testing.T, text string) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return document
}

func (d apiDocument) operations() (keys []string) {
	for path, item := range d.document.Paths.Map() {
		for method := range item.Operations() {
			keys = append(keys, method+" "+path)
		}
	}
	slices.Sort(keys)
	return keys
}

func (d apiDocument) validate(rt route, got response) {
	d.t.Helper()
	item := d.document.Paths.Value(rt.pattern)
	if item == nil || item.GetOperation(rt.method) == nil {
		d.t.Errorf("%s is not described", rt.key())
		return
	}
	described := item.GetOperation(rt.method).Responses.Status(got.status)
	if described == nil {
		d.t.Errorf("%s: status %d is not described", rt.key(), got.status)
		return
	}
	content := described.Value.Content.Get("application/json")
	if content == nil {
		if got.body != "" {
			d.t.Errorf("%s: status %d has a body", rt.key(), got.status)
		}
		return
	}
	var value any
	if err := json.Unmarshal([]byte(got.body), &value); err != nil {
		d.t.Errorf("%s: %v", rt.key(), err)
		return
	}
	if err := content.Schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
		d.t.Errorf("%s, status %d: %v\n%s", rt.key(), got.status, err, got.body)
	}
}

func TestAPILists(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	admin.follow(admin.subscribe("pro", "month")).wantText("Active")
	waitFor(t, "the invoice", func() bool { return h.count(`select count(*) from invoices where status = 'paid'`) == 1 })
	var members memberList
	admin.getInto("/api/v1/members", &members)
	if len(members.Members) != 3 || members.Members[0].Role == "" || !strings.Contains(members.Members[0].Email, "@") {
		t.Errorf("%+v", members)
	}
	var seats billing.SeatsObject
	admin.getInto("/api/v1/seats", &seats)
	if seats.BillableMembers != 3 || seats.Quantity == nil || *seats.Quantity != 3 {
		t.Errorf("%+v", seats)
	}
	var invoices invoiceList
	admin.getInto("/api/v1/invoices?limit=1", &invoices)
	if invoices.Total != 1 || len(invoices.Invoices) != 1 || invoices.Invoices[0].Total != 8700 || len(invoices.Invoices[0].Lines) == 0 {
		t.Errorf("%+v", invoices)
	}
	admin.getInto("/api/v1/invoices?offset=1", &invoices)
	if invoices.Total != 1 || len(invoices.Invoices) != 0 {
		t.Errorf("after the last: %+v", invoices)
	}
	for query, message := range map[string]string{
		"limit=0": "limit must be a whole number from 1 to 1000.", "limit=x": "limit must be a whole number from 1 to 1000.",
		"year=26": "year must be a whole number from 1000 to 9999.", "offset=-1": "offset must be a whole number from 0 to 1000000.",
	} {
		admin.get("/api/v1/invoices?"+query).wantError(http.StatusBadRequest, apperr.CodeInvalid, message)
	}
	h.signIn("member").get("/api/v1/invoices").wantError(http.StatusForbidden, apperr.CodeForbidden, apperr.MessageBillingAccess)
}

func (b *browser) getInto(path string, into any) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.get(path).wantStatus(http.StatusOK).body), into); err != nil {
		b.t.Fatal(err)
	}
}
