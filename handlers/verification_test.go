package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/billing/stripegw"
)

// recordingMailer keeps the e-mails that it is given to send.
type recordingMailer struct {
	lock sync.Mutex
	sent []mail.Outgoing
}

func (m *recordingMailer) Send(_ context.Context, out mail.Outgoing) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.sent = append(m.sent, out)
	return nil
}

// linksTo returns the links with a path in the e-mails to an address.
func (m *recordingMailer) linksTo(address, path string) (links []string) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, out := range m.sent {
		for word := range strings.FieldsSeq(out.Text) {
			if out.To == address && strings.Contains(word, path) {
				links = append(links, word)
			}
		}
	}
	return links
}

// Where e-mails are sent, a person who has not verified their address invites nobody.
func TestInvitingRequiresVerifiedAddress(t *testing.T) {
	h := newTestEnv(t)
	mailer := &recordingMailer{}
	h.mailer = mailer
	h.startService(stripegw.New(stripegw.Options{SecretKey: "sk_test_handlertests", APIBase: h.origin, WebhookSecrets: []string{testSecret}}), catalog.BuiltInPlans())
	h.startServer(h.origin, busyLimit)
	b := h.newBrowser()
	b.post("/signup", url.Values{"name": {"Noa"}, "email": {"noa@example.com"}, "password": {testPassword}, "organization": {"Lyric"}}).wantStatus(http.StatusSeeOther)
	invite := func() response {
		return b.post("/organization/invitations", url.Values{"email": {"victim@example.com"}, "roleId": {account.RoleMember}})
	}
	const first = "Confirm your e-mail address to invite people"
	b.get(membersPagePath).wantStatus(http.StatusOK).wantText(first, "noa@example.com")
	invite().wantStatus(http.StatusUnprocessableEntity).wantText(first)
	b.post("/organization/people", url.Values{"email": {"victim@example.com"}}).wantStatus(http.StatusUnprocessableEntity).wantText("Confirm your e-mail address first")
	if n := h.count(`select count(*) from invitations where email = 'victim@example.com'`); n != 0 {
		t.Fatalf("%d invitations", n)
	}

	b.submit(b.get("/settings"), "form[action='/settings/verification']", nil).wantRedirect("/settings?notice=verification-sent")
	waitFor(t, "the link", func() bool { return len(mailer.linksTo("noa@example.com", "/verify/")) > 0 })
	if links := mailer.linksTo("noa@example.com", "/verify/"); len(links) != 1 { // the first is younger than a minute
		t.Errorf("%d links", len(links))
	}
	link := strings.TrimPrefix(mailer.linksTo("noa@example.com", "/verify/")[0], h.url)
	b.submit(b.get(link), "form[action^='/verify/']", nil).wantStatus(http.StatusOK)
	b.get("/settings").wantNoText("isn't confirmed yet")
	b.get(membersPagePath).wantNoText(first)
	invite().wantStatus(http.StatusSeeOther)
	waitFor(t, "the invitation", func() bool { return len(mailer.linksTo("victim@example.com", "/invite/")) == 1 })
	b.post("/settings/verification", nil).wantRedirect("/settings?notice=verification-sent")
	if n := h.count(`select count(*) from account_tokens where purpose = 'verify' and email = 'noa@example.com'`); n != 1 {
		t.Errorf("%d links after the address is verified", n)
	}

	// An invitation of somebody else is not sent again either.
	if _, err := h.store.DB().ExecContext(t.Context(), `update users set email_verified_at = null where email = 'noa@example.com'`); err != nil {
		t.Fatal(err)
	}
	resend := b.get(membersPagePath).doc().Find("form[action$='/resend']").AttrOr("action", "")
	b.post(resend, nil).wantStatus(http.StatusForbidden).wantText("Confirm your own e-mail address first")
}
