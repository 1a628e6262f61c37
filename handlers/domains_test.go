package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing/account"
	"usher/billing/account/dns"
	"usher/billing/account/dns/dnstest"
	"usher/billing/account/oidc/oidctest"
)

// domainEnv is an environment with an identity provider and a DNS server.
type domainEnv struct {
	*testEnv
	dns *dnstest.Server
}

func newDomainEnv(t *testing.T) *domainEnv {
	t.Helper()
	e := &domainEnv{}
	e.testEnv = newTestEnv(t, func(h *testEnv) {
		e.dns = dnstest.New(t)
		h.provider, h.mailer, h.resolver = oidctest.New(t), &recordingMailer{}, dns.New(e.dns.Resolver())
		h.signInPolicy.Issuer = h.provider.URL
	})
	return e
}

// authenticated signs a person in who was authenticated recently.
func (e *domainEnv) authenticated(name string) *browser {
	e.t.Helper()
	b := e.signIn(name)
	b.post(recentPath, url.Values{"password": {testPassword}}).wantStatus(http.StatusSeeOther)
	return b
}

// claim adds a domain and returns its id and the value of its record.
func (e *domainEnv) claim(b *browser, domain, billable string) (id, value string) {
	e.t.Helper()
	before := e.ids(`select id from organization_domains`)
	b.post(domainsPath, url.Values{"domain": {domain}, "billable": {billable}}).wantRedirect(domainsPath)
	for added := range e.ids(`select id from organization_domains`) {
		if !before[added] {
			return added, e.id(`select 'usher-verification=' || token from organization_domains where id = $1`, added)
		}
	}
	e.t.Fatalf("%s is not added", domain)
	return "", ""
}

func (e *domainEnv) ids(query string) map[string]bool {
	e.t.Helper()
	var list []string
	if err := e.store.DB().SelectContext(e.t.Context(), &list, query); err != nil {
		e.t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, id := range list {
		ids[id] = true
	}
	return ids
}

// verify adds a domain of the admin's organization and proves it.
func (e *domainEnv) verify(domain, billable string) (id string) {
	e.t.Helper()
	admin := e.authenticated("admin")
	id, value := e.claim(admin, domain, billable)
	e.dns.SetTXT("_usher-verification."+domain, []string{value})
	admin.post(domainsPath+"/"+id+"/check", nil).wantRedirect(domainsPath + "?notice=domain-verified")
	return id
}

func TestDomainIsProvedByADNSRecord(t *testing.T) {
	e := newDomainEnv(t)
	admin := e.authenticated("admin")
	admin.get(generalPath).wantText("Manage domains")
	admin.get(domainsPath).wantText("No domains yet", "Everyone who joins takes a seat, and each seat is billed")
	id, value := e.claim(admin, "Bücher.example ", "on")
	if len(value) < len("usher-verification=")+22 { // 128 bits in base64
		t.Errorf("the value is %s", value)
	}
	listed := admin.get(domainsPath).wantText("bücher.example", "xn--bcher-kva.example", "Not verified", "_usher-verification.xn--bcher-kva.example", value, "takes a seat, which is billed", "Added by The admin")
	check := func() response {
		return admin.submit(listed, fmt.Sprintf(`form[action="%s/%s/check"]`, domainsPath, id), nil)
	}
	wantNot := func(message string) {
		t.Helper()
		check().wantStatus(http.StatusConflict).wantText(message, "Not verified")
	}
	record := "_usher-verification.xn--bcher-kva.example"
	wantNot(account.MessageDomainNoRecord)
	e.dns.SetTXT(record)
	wantNot(account.MessageDomainNoRecord)
	e.dns.SetTXT(record, []string{"usher-verification=another"}, []string{value + "x"})
	wantNot(account.MessageDomainOther)
	e.dns.Fail(true)
	wantNot(account.MessageDomainNoDNS)
	e.dns.Fail(false)
	e.dns.SetTXT("xn--bcher-kva.example", []string{value}) // beside it
	wantNot(account.MessageDomainOther)
	if e.count(`select count(*) from organization_domains where verified_at is not null`) != 0 {
		t.Fatal("it is verified")
	}
	e.dns.SetTXT(record, []string{"another"}, []string{value[:30], value[30:]})
	admin.follow(check()).wantText("The domain is verified", "Verified on").wantNoText("Check now", value)
	check().wantRedirect(domainsPath + "?notice=domain-verified") // once more

	admin.post(domainsPath+"/"+id, url.Values{"billable": {""}}).wantRedirect(domainsPath + "?notice=domain-saved")
	admin.get(domainsPath).wantText("take no seat and cost nothing", "Give seats to people who join")
	removal := admin.submit(admin.get(domainsPath), fmt.Sprintf(`form[action="%s/%s/remove"]`, domainsPath, id), nil)
	admin.follow(removal).wantText("The domain is removed", "No domains yet")
	for _, path := range []string{"", "/check", "/remove"} {
		admin.post(domainsPath+"/"+id+path, nil).wantStatus(http.StatusNotFound)
	}
	admin.get("/organization?tab=audit").wantText("added the domain xn--bcher-kva.example", "verified the domain", "turned seats off for people who join by the domain", "removed the domain")
}

func TestDomainsThatCannotBeClaimed(t *testing.T) {
	e := newDomainEnv(t)
	e.signIn("admin").get(domainsPath).wantStatus(http.StatusOK)
	admin := e.authenticated("admin")
	refuse := func(domain, message string) {
		t.Helper()
		form := url.Values{"domain": {domain}}
		page := admin.post(domainsPath, form).wantText(message)
		if page.status != http.StatusUnprocessableEntity && page.status != http.StatusConflict || page.doc().Find("input[name=domain]").AttrOr("value", "") != domain {
			t.Errorf("%s: status %d", domain, page.status)
		}
		if page.doc().Find("input[name=billable][checked]").Length() != 0 {
			t.Error("the choice is lost")
		}
	}
	refuse("", "Enter a domain such as example.com")
	refuse("ana@example.com", "Enter the domain alone")
	refuse("co.uk", "co.uk is open to everybody")
	refuse("gmail.com", "Everybody can get an address at gmail.com")
	e.claim(admin, "example.com", "on")
	refuse("EXAMPLE.com", account.MessageDomainListed)
	for i := range 19 {
		e.claim(admin, fmt.Sprintf("a%d.example.com", i), "")
	}
	refuse("more.example.com", "An organization can have 20 domains")
	for name, status := range map[string]int{"member": http.StatusForbidden, "billing": http.StatusForbidden, "stranger": http.StatusOK} {
		page := e.signIn(name).get(domainsPath).wantStatus(status)
		if strings.Contains(page.body, "a1.example.com") {
			t.Errorf("%s sees the domains", name)
		}
	}
}

func TestNoDomainsWithoutAProvider(t *testing.T) {
	h := newTestEnv(t)
	h.signIn("admin").get(domainsPath).wantStatus(http.StatusNotFound)
	h.signIn("admin").get(generalPath).wantNoText("Manage domains")
}

// A second organization learns that a domain is taken once it has proved the record.
func TestDomainOfAnotherOrganization(t *testing.T) {
	e := newDomainEnv(t)
	id := e.verify("example.com", "on")
	stranger := e.authenticated("stranger")
	second, value := e.claim(stranger, "example.com", "on")
	check := func() response { return stranger.post(domainsPath+"/"+second+"/check", nil) }
	check().wantStatus(http.StatusConflict).wantText(account.MessageDomainOther).wantNoText("another organization")
	first := e.id(`select 'usher-verification=' || token from organization_domains where id = $1`, id)
	if first == value {
		t.Fatal("two organizations have the same token")
	}
	e.dns.SetTXT("_usher-verification.example.com", []string{first}, []string{value})
	check().wantStatus(http.StatusConflict).wantText(account.MessageDomainTaken).wantNoText("Lantern")
	stranger.post(domainsPath+"/"+id+"/remove", url.Values{"organizationId": {e.otherOrganization.ID}}).wantStatus(http.StatusNotFound)

	e.authenticated("admin").post(domainsPath+"/"+id+"/remove", nil).wantStatus(http.StatusSeeOther)
	check().wantRedirect(domainsPath + "?notice=domain-verified")
}
