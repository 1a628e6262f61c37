package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing/account"
)

// The page with unsent e-mails links to the HTML part of each, which has a policy of its own.
func TestMailHTMLIsShown(t *testing.T) {
	h := newTestEnv(t)
	h.signIn("admin").post("/organization/people", url.Values{"emails": {"noa@example.com"}, "roleId": {account.RoleMember}})
	b := h.newBrowser()
	page := b.get("/dev/mail").wantStatus(http.StatusOK)
	href := page.doc().Find(`a[href^="/dev/mail?html="]`).First().AttrOr("href", "")
	if href == "" {
		t.Fatalf("no link: %s", page.body)
	}
	part := b.get(href).wantStatus(http.StatusOK)
	if policy := part.header.Get("Content-Security-Policy"); policy != mailPolicy {
		t.Errorf("policy %q", policy)
	}
	if part.doc().Find("main h1").Length() != 1 || !strings.Contains(part.body, "color-scheme") {
		t.Errorf("the HTML part: %s", part.body)
	}
	b.get("/dev/mail?html=eml_none").wantStatus(http.StatusNotFound)
}
