package handlers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"usher/billing/account"
	"usher/billing/apperr"
	webhooks "usher/billing/webhook"
	"usher/billing/webhook/sender"
)

var webhookSecretPattern = regexp.MustCompile(`whsec_[0-9A-Za-z+/]{43}=`)

// product is a receiver of webhooks that checks signatures as docs/api.md says.
type product struct {
	*httptest.Server
	lock     sync.Mutex
	secret   string
	messages []productMessage
	refused  int
}

type productMessage struct {
	Type           string          `json:"type"`
	OrganizationID string          `json:"organizationId"`
	Data           json.RawMessage `json:"data"`
}

func newProduct(t *testing.T) *product {
	t.Helper()
	p := &product{}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *product) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.lock.Lock()
	defer p.lock.Unlock()
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
	var m productMessage
	wanted := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if !slices.Contains(strings.Fields(r.Header.Get("webhook-signature")), wanted) || json.Unmarshal(body, &m) != nil {
		p.refused++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	p.messages = append(p.messages, m)
}

// last returns the data of the last message of a type.
func (p *product) last(eventType string) string {
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, m := range slices.Backward(p.messages) {
		if m.Type == eventType {
			return string(m.Data)
		}
	}
	return ""
}

func (p *product) useSecret(page string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.secret = webhookSecretPattern.FindString(page)
}

// A product is sent what the API shows, byte for byte.
func TestWebhooksCarryWhatTheAPIShows(t *testing.T) {
	h := newTestEnv(t, func(h *testEnv) { h.webhookClient = sender.New(sender.Options{AllowPrivate: true}) })
	p, admin := newProduct(t), h.signIn("admin")
	form := url.Values{"url": {p.URL + "/hook"}}
	for _, event := range webhooks.EventTypes() {
		form.Add("events", string(event))
	}
	p.useSecret(admin.post("/organization/webhooks", form).wantStatus(http.StatusCreated).body)
	admin.follow(admin.subscribe("pro", "month")).wantText("Active")
	same := func(eventType, path string) {
		t.Helper()
		waitFor(t, eventType, func() bool { return p.last(eventType) == strings.TrimSpace(admin.get(path).body) })
	}
	same("seats.changed", "/api/v1/seats")
	parts := func(eventType, path string, areSame func(sent, shown map[string]json.RawMessage) bool) {
		t.Helper()
		waitFor(t, eventType, func() bool {
			var sent, shown map[string]json.RawMessage
			_ = json.Unmarshal([]byte(p.last(eventType)), &sent)
			admin.getInto(path, &shown)
			return len(sent) == len(shown) && areSame(sent, shown)
		})
	}
	samePart := func(eventType, path, part string) { // the rest may have changed since
		t.Helper()
		parts(eventType, path, func(sent, shown map[string]json.RawMessage) bool {
			return len(sent[part]) > 0 && string(sent[part]) == string(shown[part])
		})
	}
	// A grant of credits after it is not sent with this type.
	parts("entitlements.changed", "/api/v1/entitlements", func(sent, shown map[string]json.RawMessage) bool {
		delete(sent, "credits")
		delete(shown, "credits")
		return maps.EqualFunc(sent, shown, func(a, b json.RawMessage) bool { return string(a) == string(b) })
	})
	samePart("subscription.changed", "/billing/getSummary", "subscription")
	samePart("credits.changed", "/api/v1/entitlements", "credits")
	waitFor(t, "invoice.paid", func() bool {
		invoice := p.last("invoice.paid")
		return invoice != "" && strings.Contains(admin.get("/api/v1/invoices").body, invoice)
	})
	h.addMember("new", account.RoleMember)
	waitFor(t, "member.changed", func() bool {
		member := p.last("member.changed")
		return strings.Contains(member, email("new")) && strings.Contains(admin.get("/api/v1/members").body, member)
	})
	same("seats.changed", "/api/v1/seats")
	var memberID string
	if err := h.store.DB().GetContext(t.Context(), &memberID, `select id from organization_members where user_id = $1`, h.users["new"].ID); err != nil {
		t.Fatal(err)
	}
	if err := h.service.Members.Remove(t.Context(), h.accessOf("admin"), memberID); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the removal", func() bool { return strings.Contains(p.last("member.changed"), `"status":"removed"`) })
	if p.refused > 0 || p.last("invoice.payment_failed") != "" {
		t.Errorf("%d messages were refused", p.refused)
	}
	for _, m := range p.messages {
		if m.OrganizationID != h.organization.ID {
			t.Errorf("a message about %s", m.OrganizationID)
		}
	}
}

func (h *testEnv) accessOf(name string) account.Access {
	h.t.Helper()
	access, err := h.service.Organizations.Access(h.t.Context(), h.users[name].ID, h.organization.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return access
}

func TestWebhookPages(t *testing.T) {
	h := newTestEnv(t, func(h *testEnv) { h.webhookClient = sender.New(sender.Options{AllowPrivate: true}) })
	p, admin := newProduct(t), h.signIn("admin")
	admin.get("/organization?tab=general").wantText("Manage webhooks")
	admin.get("/organization/webhooks").wantStatus(http.StatusOK).wantText("No webhooks yet")
	for message, form := range map[string]url.Values{
		"Enter a complete address":  {"url": {"example"}, "events": {"seats.changed"}},
		"Choose at least one event": {"url": {p.URL}},
		"There is no event all":     {"url": {p.URL}, "events": {"all"}},
	} {
		page := admin.post("/organization/webhooks", form).wantStatus(http.StatusUnprocessableEntity).wantText(message)
		if got := page.doc().Find("#url").AttrOr("value", ""); got != form.Get("url") {
			t.Errorf("%s: the address is %q", message, got)
		}
	}
	created := admin.post("/organization/webhooks", url.Values{"url": {p.URL}, "events": {"seats.changed"}}).wantStatus(http.StatusCreated)
	p.useSecret(created.body)
	list := admin.get("/organization/webhooks").wantText(p.URL, "seats.changed", "Nothing sent yet")
	if webhookSecretPattern.MatchString(list.body) || strings.Contains(h.log.String(), p.secret) {
		t.Error("the secret is shown again, or logged")
	}
	path := list.doc().Find("main a[href^='/organization/webhooks/']").AttrOr("href", "")
	admin.submit(admin.get(path), "form[action$='/test']", nil).wantRedirect(path + "?notice=webhook-tested")
	waitFor(t, "the test event", func() bool { return strings.Contains(admin.get(path).body, "Delivered") })
	admin.get(path).wantText("webhook.test", "The address answered 200.")
	admin.submit(admin.get(path), "form[action$='/resend']", nil).wantRedirect(path + "?notice=webhook-resent")
	waitFor(t, "the second attempt", func() bool { return strings.Count(admin.get(path).body, "Send again") == 2 })
	former := p.secret
	rotated := admin.submit(admin.get(path), "form[action$='/rotate']", nil).wantStatus(http.StatusOK).wantText("The former secret signs too until")
	if p.useSecret(rotated.body); p.secret == former || p.secret == "" {
		t.Error("the secret is not replaced")
	}
	admin.submit(admin.get(path), "form[action$='/test']", nil)
	waitFor(t, "the third message", func() bool { return strings.Count(admin.get(path).body, "Send again") == 3 })

	h.signIn("billing").get(path).wantStatus(http.StatusForbidden)
	stranger := h.signIn("stranger")
	stranger.get(path).wantStatus(http.StatusNotFound)
	for _, act := range []string{"/test", "/rotate", "/enable", "/resend", "/delete"} {
		stranger.post(path+act, url.Values{"delivery": {"1"}}).wantStatus(http.StatusNotFound)
	}

	if _, err := h.store.DB().ExecContext(t.Context(), `update webhook_endpoints set disabled_at = now(), disabled_reason = 'failing'`); err != nil {
		t.Fatal(err)
	}
	admin.get("/dashboard").wantText("A webhook is off")
	admin.post(path+"/test", nil).wantStatus(http.StatusConflict).wantText("This webhook is off")
	admin.submit(admin.get(path), "form[action$='/enable']", nil).wantRedirect(path + "?notice=webhook-on")
	if strings.Contains(admin.get("/dashboard").body, "A webhook is off") {
		t.Error("the notice stays")
	}
	admin.submit(admin.get(path), "form[action$='/delete']", nil).wantRedirect("/organization/webhooks?notice=webhook-deleted")
	admin.get(path).wantStatus(http.StatusNotFound)
	if p.refused > 0 {
		t.Errorf("%d messages were refused", p.refused)
	}
}

// A program that has made an organization adds its webhook over the API.
func TestWebhooksOfPrograms(t *testing.T) {
	h := newTestEnv(t)
	_, key, err := h.service.APIKeys.CreateByOperator(t.Context(), "", account.APIKeyDraft{Name: "product", Scopes: []string{account.ScopeWebhooksWrite}})
	if err != nil {
		t.Fatal(err)
	}
	program := h.newBrowser()
	call := func(method, path, body, organizationID string) response {
		return program.send(method, path, body, "Content-Type", "application/json", "Authorization", "Bearer "+key, "Usher-Organization", organizationID)
	}
	var created webhookWithSecret
	text := call(post, "/api/v1/webhooks", `{"url":"https://webhook.invalid/"}`, h.organization.ID).wantStatus(http.StatusOK).body
	if err := json.Unmarshal([]byte(text), &created); err != nil || len(created.Events) != len(webhooks.EventTypes()) || !webhookSecretPattern.MatchString(created.Secret) {
		t.Fatalf("%s, %v", text, err)
	}
	list := call(get, "/api/v1/webhooks", "", h.organization.ID).wantStatus(http.StatusOK)
	if !strings.Contains(list.body, created.ID) || strings.Contains(list.body, "whsec_") {
		t.Errorf("the list: %s", list.body)
	}
	call(remove, "/api/v1/webhooks/"+created.ID, "", h.otherOrganization.ID).wantStatus(http.StatusNotFound)
	call(post, "/api/v1/webhooks", `{"url":"https://webhook.invalid/","organizationId":"`+h.otherOrganization.ID+`"}`, h.organization.ID).wantStatus(http.StatusNotFound)
	call(post, "/api/v1/webhooks", `{"url":"nowhere"}`, h.organization.ID).wantStatus(http.StatusUnprocessableEntity)
	h.signIn("member").postJSON("/api/v1/webhooks", `{"url":"https://webhook.invalid/"}`).wantError(http.StatusForbidden, apperr.CodeForbidden, account.MessageAdminsOnly)
	call(remove, "/api/v1/webhooks/"+created.ID, "", h.organization.ID).wantStatus(http.StatusNoContent)
	if n := h.count(`select count(*) from audit_entries where act in ('webhook.created', 'webhook.deleted') and actor_kind = 'api_key' and actor_name = 'product'`); n != 2 {
		t.Errorf("%d audit entries", n)
	}
}
