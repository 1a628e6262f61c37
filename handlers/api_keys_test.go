package handlers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/billing/account"
	"usher/billing/apperr"
)

var keyPattern = regexp.MustCompile(`uk_(test|live)_[0-9A-Za-z]{38}`)

// createKey creates a key of the admin's organization with the form and returns the secret.
func (b *browser) createKey(scopes ...string) string {
	b.t.Helper()
	page := b.post("/organization/api-keys", url.Values{"name": {"production"}, "scopes": scopes, "expires": {"90"}}).wantStatus(http.StatusCreated)
	return keyPattern.FindString(page.body)
}

// installationKey creates a key of the installation and returns the secret.
func (h *testEnv) installationKey(scopes ...string) string {
	h.t.Helper()
	_, secret, err := h.service.APIKeys.CreateByOperator(h.t.Context(), "", account.APIKeyDraft{Name: "product", Scopes: scopes})
	if err != nil {
		h.t.Fatal(err)
	}
	return secret
}

// withKey calls a route with a key.
func (h *testEnv) withKey(t *testing.T, rt route, secret string, header ...string) response {
	t.Helper()
	path := strings.NewReplacer("{$}", "", "{id}", "x", "{token}", "x").Replace(rt.pattern)
	b := h.newBrowser()
	b.t = t
	header = append([]string{"Authorization", "Bearer " + secret}, header...)
	if rt.method == get {
		return b.get(path, header...)
	}
	return b.send(rt.method, path, `{"organizationId":"`+h.organization.ID+`"}`, append(header, "Content-Type", "application/json")...)
}

func entitlementsRoute(h *testEnv) route {
	return h.server.routes()[slices.IndexFunc(h.server.routes(), func(rt route) bool { return rt.pattern == "/api/v1/entitlements" })]
}

func TestAPIKeyIsRevokedExpiresAndBelongsToItsOrganization(t *testing.T) {
	h := newTestEnv(t)
	admin, rt := h.signIn("admin"), entitlementsRoute(h)
	secret := admin.createKey(account.ScopeEntitlementsRead)
	call := func(secret string, header ...string) response { return h.withKey(t, rt, secret, header...) }
	var answer struct{ OrganizationID string }
	if err := json.Unmarshal([]byte(call(secret).wantStatus(http.StatusOK).body), &answer); err != nil || answer.OrganizationID != h.organization.ID {
		t.Fatalf("%+v, %v", answer, err)
	}
	page := admin.get("/organization/api-keys").wantStatus(http.StatusOK).wantText("production", "entitlements:read", "Revoke", "Last used on", "Created by The admin")
	if strings.Contains(page.body, secret) || h.count(`select count(*) from api_keys where key_hash = sha256($1::bytea)`, secret) != 1 {
		t.Error("the key is shown again, or not hashed")
	}
	if strings.Contains(h.log.String(), secret) {
		t.Error("the key is in the log")
	}
	call(secret, "Usher-Organization", h.otherOrganization.ID).wantStatus(http.StatusNotFound)

	_, installation, err := h.service.APIKeys.CreateByOperator(t.Context(), "", account.APIKeyDraft{Name: "all", Scopes: []string{account.ScopeEntitlementsRead}})
	if err != nil {
		t.Fatal(err)
	}
	call(installation).wantError(http.StatusBadRequest, apperr.CodeInvalid, "A key of the installation needs the header Usher-Organization: org_….")
	call(installation, "Usher-Organization", "org_none").wantStatus(http.StatusNotFound)
	for _, organization := range []account.Organization{h.organization, h.otherOrganization} {
		if got := call(installation, "Usher-Organization", organization.ID).wantStatus(http.StatusOK); !strings.Contains(got.body, organization.ID) {
			t.Errorf("answer about another organization: %s", got.body)
		}
	}

	live := strings.Replace(secret, "uk_test_", "uk_live_", 1)
	for _, wrong := range []string{"", "uk_test_", secret[:len(secret)-1], secret + "x", strings.ToUpper(secret), live, "sk_test_1"} {
		got := call(wrong).wantStatus(http.StatusUnauthorized)
		if got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: no WWW-Authenticate", wrong)
		}
	}

	expiring := admin.createKey(account.ScopeEntitlementsRead)
	call(expiring).wantStatus(http.StatusOK)
	if _, err := h.store.DB().ExecContext(t.Context(), `update api_keys set expires_at = now() where expires_at > now() + interval '89 days' and key_hash = sha256($1::bytea)`, expiring); err != nil {
		t.Fatal(err)
	}
	call(expiring).wantStatus(http.StatusUnauthorized)
	admin.get("/organization/api-keys").wantText("Expired")

	form := "form[action$='/revoke']"
	admin.submit(admin.get("/organization/api-keys"), form, nil).wantRedirect("/organization/api-keys?notice=key-revoked")
	call(secret).wantStatus(http.StatusUnauthorized)
	var id string
	if err := h.store.DB().GetContext(t.Context(), &id, `select id from api_keys where revoked_at is not null`); err != nil {
		t.Fatal(err)
	}
	h.signIn("stranger").post("/organization/api-keys/"+id+"/revoke", nil).wantStatus(http.StatusNotFound)
	h.signIn("billing").get("/organization/api-keys").wantStatus(http.StatusForbidden)
}

func TestAPIKeyFormRefusesWhatIsMissing(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	for message, form := range map[string]url.Values{
		"Enter a name":             {"scopes": {account.ScopeBillingRead}},
		"Choose what":              {"name": {"production"}},
		"There is no such scope":   {"name": {"production"}, "scopes": {"everything"}},
		"a day in the future":      {"name": {"production"}, "scopes": {account.ScopeBillingRead}, "expires": {"2020-01-31"}},
		"a day such as 2027-01-31": {"name": {"production"}, "scopes": {account.ScopeBillingRead}, "expires": {"soon"}},
		"at most 60 characters":    {"name": {strings.Repeat("x", 61)}, "scopes": {account.ScopeBillingRead}},
	} {
		page := admin.post("/organization/api-keys", form).wantStatus(http.StatusUnprocessableEntity).wantText(message)
		if got := page.doc().Find("#name").AttrOr("value", ""); got != form.Get("name") {
			t.Errorf("%s: the name is %q", message, got)
		}
	}
	if n := h.count(`select count(*) from api_keys`); n != 0 {
		t.Errorf("%d keys", n)
	}
}

// A program has no second factor: requiring one of people does not stop it.
func TestAPIKeyNeedsNoSecondFactor(t *testing.T) {
	h := newTestEnv(t)
	secret := h.signIn("admin").createKey(account.ScopeEntitlementsRead)
	h.server.secondFactor = account.SecondFactorAll
	h.withKey(t, entitlementsRoute(h), secret).wantStatus(http.StatusOK)
}
