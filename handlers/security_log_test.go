package handlers

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"usher/billing/account"
)

// securityLines returns the log lines of an event.
func (h *testEnv) securityLines(event securityEvent) []map[string]any {
	h.t.Helper()
	var lines []map[string]any
	for line := range strings.SplitSeq(h.log.String(), "\n") {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == "security event" && fields["event"] == string(event) {
			lines = append(lines, fields)
		}
	}
	return lines
}

// wantSecurityEvent fails unless the event was logged once with these values, beside the request.
func (h *testEnv) wantSecurityEvent(event securityEvent, want map[string]any) {
	h.t.Helper()
	waitFor(h.t, "the line of "+string(event), func() bool { return len(h.securityLines(event)) > 0 })
	lines := h.securityLines(event)
	if len(lines) != 1 {
		h.t.Errorf("%d lines of %s, want 1", len(lines), event)
	}
	want = maps.Clone(want)
	if want["client_address"] == nil {
		want["client_address"] = "127.0.0.1"
	}
	for key, value := range want {
		if lines[0][key] != value {
			h.t.Errorf("%s: %s is %v, want %v", event, key, lines[0][key], value)
		}
	}
	if id, _ := lines[0]["request_id"].(string); !strings.HasPrefix(id, "req_") {
		h.t.Errorf("%s: request_id is %q", event, id)
	}
}

// A failed log-in says from where, about which account and why, without password and address.
func TestFailedLogInIsLogged(t *testing.T) {
	h := newTestEnv(t, behindProxy)
	b := h.newBrowser()
	wrong := url.Values{"email": {email("member")}, "password": {"hunter2-secret"}}
	b.post("/login", wrong, "X-Forwarded-For", "203.0.113.9").wantStatus(http.StatusUnprocessableEntity)
	h.wantSecurityEvent(eventLogInFailed, map[string]any{
		"client_address": "203.0.113.9", "user_id": h.users["member"].ID, "reason": account.ReasonWrongPassword, "email": "m…@example.com", "route": "/login", "level": "WARN",
	})
	b.post("/login", url.Values{"email": {"nobody@example.com"}, "password": {"hunter2-secret"}}).wantStatus(http.StatusUnprocessableEntity)
	b.post("/login", url.Values{"email": {"hunter2-secret"}, "password": {"hunter2-secret"}}).wantStatus(http.StatusUnprocessableEntity)
	waitFor(t, "the lines", func() bool { return len(h.securityLines(eventLogInFailed)) == 3 })
	unknown := h.securityLines(eventLogInFailed)[1]
	if unknown["reason"] != account.ReasonUnknownAddress || unknown["user_id"] != "" {
		t.Errorf("unknown address: %v", unknown)
	}
	for _, secret := range []string{"hunter2", email("member"), "nobody@example.com"} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	// The access log has the address too.
	if !strings.Contains(h.log.String(), `"msg":"request completed","request_id":"`) || !strings.Contains(h.log.String(), `"client_address":"203.0.113.9","method":"POST","route":"/login"`) {
		t.Error("the access log has no client address")
	}
	metrics := h.newBrowser().get("/metrics").wantStatus(http.StatusOK).body
	if !strings.Contains(metrics, `usher_security_events_total{event="authn_login_fail"} 3`) {
		t.Error("the failed log-ins are not counted")
	}
}

func TestSecurityEventsAreLogged(t *testing.T) {
	h := newTestEnv(t)
	h.server.rateLimits = h.service.RateLimits
	limited := h.server.handler()
	h.handler.Store(&limited)
	member := map[string]any{"user_id": h.users["member"].ID}

	b := h.newBrowser()
	b.post("/login", url.Values{"email": {email("member")}, "password": {testPassword}}).wantStatus(http.StatusSeeOther)
	h.wantSecurityEvent(eventLogIn, member)
	b.post("/settings/password", url.Values{"current": {"wrong"}, "password": {"another long one 9"}}).wantStatus(http.StatusUnprocessableEntity)
	h.wantSecurityEvent(eventPasswordUnchanged, member)
	b.post("/settings/password", url.Values{"current": {testPassword}, "password": {"another long one 9"}}).wantStatus(http.StatusSeeOther)
	h.wantSecurityEvent(eventPasswordChanged, member)
	b.post("/organization/roles", url.Values{"name": {"Mine"}}).wantStatus(http.StatusForbidden)
	h.wantSecurityEvent(eventForbidden, map[string]any{"user_id": h.users["member"].ID, "organization_id": h.organization.ID, "route": "/organization/roles"})
	b.post("/organization/leave", nil, "Origin", "https://evil.example/path?token=1", "Sec-Fetch-Site", "cross-site").wantStatus(http.StatusForbidden)
	h.wantSecurityEvent(eventCrossOrigin, map[string]any{"origin": "https://evil.example", "route": "/organization/leave"})
	b.post("/reset/unknown-token", url.Values{"password": {"another long one 9"}}).wantStatus(http.StatusNotFound)
	h.wantSecurityEvent(eventTokenRefused, map[string]any{"purpose": "reset"})
	b.post("/forgot", url.Values{"email": {email("member")}}).wantStatus(http.StatusSeeOther)
	h.wantSecurityEvent(eventTokenRequested, map[string]any{"purpose": "reset", "email": "m…@example.com"})
	b.post("/logout", nil).wantStatus(http.StatusSeeOther)
	h.wantSecurityEvent(eventSessionEnded, map[string]any{"reason": "log_out"})
	if strings.Contains(h.log.String(), "unknown-token") {
		t.Error("the log holds a token")
	}

	wrong := url.Values{"email": {"target@example.com"}, "password": {"wrong again"}}
	for range logInsByAccountAndNetwork.Max {
		b.post("/login", wrong)
	}
	b.post("/login", wrong).wantStatus(http.StatusTooManyRequests)
	h.wantSecurityEvent(eventLogInLimited, map[string]any{"email": "t…@example.com"})
}

func TestMaskEmail(t *testing.T) {
	for email, want := range map[string]string{
		"": "", " ada@example.com ": "a…@example.com", "a@example.com": "…@example.com", "é@example.com": "…@example.com",
		"correct horse battery": "invalid", "p@ss word": "invalid", "ada@": "invalid",
	} {
		if got := maskEmail(email); got != want {
			t.Errorf("%q: %q, want %q", email, got, want)
		}
	}
}

// Every event is documented, with nothing that no code logs.
func TestSecurityEventsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### Security events")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for line := range strings.SplitSeq(section, "\n") {
		if name, found := strings.CutPrefix(line, "| `"); found {
			name, _, _ = strings.Cut(name, "`")
			documented = append(documented, name)
		}
	}
	var logged []string
	for event := range securityEvents {
		logged = append(logged, string(event))
	}
	slices.Sort(documented)
	slices.Sort(logged)
	if !slices.Equal(documented, logged) {
		t.Errorf("documented %v\nlogged     %v", documented, logged)
	}
}
