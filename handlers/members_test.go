package handlers

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/billing/account"
)

const (
	inviteFormSelector = "form[action='/organization/invitations']"
	membersPagePath    = "/organization?tab=members"
)

// memberID returns the id of a user's membership in the organization.
func (h *testEnv) memberID(name string) string {
	h.t.Helper()
	member, err := h.store.Members().ByUser(h.t.Context(), h.organization.ID, h.users[name].ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return member.ID
}

// invitationLink returns the link in the newest invitation e-mail, read from the development mail
// page.
func (h *testEnv) invitationLink(to string) string {
	h.t.Helper()
	page := h.newBrowser().get("/dev/mail").wantStatus(http.StatusOK)
	for _, link := range page.doc().Find("a[href*='/invite/']").Nodes {
		for _, attribute := range link.Attr {
			if attribute.Key == "href" && strings.Contains(page.body, to) {
				return strings.TrimPrefix(attribute.Val, h.url)
			}
		}
	}
	h.t.Fatalf("no invitation to %s in %s", to, page.text("main"))
	return ""
}

// TestInvitedMemberGetsASeat: an invitation is accepted with a new account, and the seat reaches
// Stripe.
func TestInvitedMemberGetsASeat(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	admin.follow(admin.subscribe("pro", "month"))
	waitFor(t, "the plan", func() bool { return strings.Contains(admin.get("/organization/seats").body, "In sync") })

	members := admin.get(membersPagePath).wantStatus(http.StatusOK).wantText("A seat costs $29 a month, from the day the person joins.", "$29 a month each", "Seats needed", "Seats paid for")
	typed := url.Values{"email": {"noa@example.com"}, "roleId": {"billing_admin"}, "billable": {"on"}}
	shown := admin.submit(members, inviteFormSelector, typed).wantText("Invite noa@example.com", "On your next invoice")
	sent := admin.submit(shown, confirmSeatsForm, nil)
	admin.follow(sent.wantRedirect(membersPagePath+"&notice=invited")).wantText("The invitation is on its way", "noa@example.com", "Invited by The admin", "When they join")
	if n := admin.get(membersPagePath).doc().Find("td .seat-pending").Length(); n != 1 {
		t.Errorf("%d dashed seats in the table", n)
	}

	guest := h.newBrowser()
	link := h.invitationLink("noa@example.com")
	invitation := guest.get(link).wantStatus(http.StatusOK).wantText("Join Lantern Theatre", "The admin invited you.", "Role: Billing admin", "noa@example.com")
	if invitation.header.Get("Cache-Control") != "no-store" || invitation.header.Get("Referrer-Policy") != "strict-origin" {
		t.Errorf("headers %v", invitation.header)
	}
	wrong := guest.submit(invitation, "main form", url.Values{"name": {"Noa Levi"}, "password": {"short"}}).wantStatus(http.StatusUnprocessableEntity)
	if wrong.doc().Find("input[name=name]").AttrOr("value", "") != "Noa Levi" || wrong.doc().Find("input[name=password][aria-invalid=true]").Length() != 1 {
		t.Error("the values are lost, or the message is not beside the password")
	}
	joined := guest.submit(wrong, "main form", url.Values{"name": {"Noa Levi"}, "password": {testPassword}})
	guest.follow(joined.wantRedirect("/dashboard?notice=joined")).wantText("Welcome. You are a member now.", "Lantern Theatre")
	guest.get("/organization?tab=general").wantText("Billing admin")
	guest.get(link).wantStatus(http.StatusNotFound).wantText("This invitation is no longer valid")

	waitFor(t, "four seats at Stripe", func() bool {
		panel := guest.get("/organization/seats")
		return strings.Contains(panel.body, "In sync") && strings.Contains(panel.text("#seat-panel"), "4 people, 4 seats")
	})
	admin.get("/organization?tab=activity").wantText("Noa Levi accepted an invitation")
	noa := admin.get(membersPagePath+"&q=noa").doc().Find("a[data-drawer]").AttrOr("href", "")
	why := regexp.MustCompile(`Since \d+ \w+ \d+: accepted an invitation \(by The admin\)\.`)
	if text := admin.get(noa).text("#member"); !why.MatchString(text) {
		t.Errorf("no reason why Noa has a seat: %s", text)
	}
}

func TestInvitationWithAnAccount(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	admin.post("/organization/invitations", url.Values{"email": {"STRANGER@example.com"}, "roleId": {"member"}}).wantStatus(http.StatusSeeOther)
	link := h.invitationLink("STRANGER@example.com")

	visitor := h.newBrowser()
	page := visitor.get(link).wantStatus(http.StatusOK).wantText("STRANGER@example.com already has an account.")
	visitor.post(link, url.Values{"name": {"Mallory"}, "password": {testPassword}}).wantStatus(http.StatusConflict).wantText(account.MessageInvitationSignIn)
	if to := page.doc().Find("main a[href^='/login']").AttrOr("href", ""); to != "/login?next="+url.QueryEscape(link) {
		t.Errorf("log-in link: %q", to)
	}
	other := h.signIn("member")
	other.get(link).wantStatus(http.StatusOK).wantText("This invitation is for STRANGER@example.com, but you're signed in as member@example.com.")
	other.post(link, nil).wantStatus(http.StatusForbidden).wantText(account.MessageInvitationOther)

	stranger := h.signIn("stranger")
	joined := stranger.submit(stranger.get(link).wantText("You're signed in as"), "main form", nil)
	stranger.follow(joined.wantRedirect("/dashboard?notice=joined")).wantText("Lantern Theatre")
	switcher := stranger.get("/dashboard").doc().Find("header form[action='/organization/switch']")
	if switcher.Length() != 1 || switcher.Find("input[name=organizationId]").AttrOr("value", "") != h.otherOrganization.ID {
		t.Error("the header has no link to the other organization")
	}
	if n := h.signIn("admin").get("/dashboard").doc().Find("header form[action='/organization/switch']").Length(); n != 0 {
		t.Error("a switch is shown for a single organization")
	}
}

func TestInvitationsAreListedResentAndRevoked(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	for email, message := range map[string]string{
		"nobody": account.MessageInvitationAddress, "": account.MessageInvitationAddress, "MEMBER@example.com": account.MessageMemberAlready,
	} {
		got := admin.post("/organization/invitations", url.Values{"email": {email}, "roleId": {"billing_admin"}, "billable": {"on"}})
		got.wantStatus(http.StatusUnprocessableEntity).wantText(message)
		if got.text("#invite-role option[selected]") != "Billing admin" || got.text("#invite-email") != email {
			t.Errorf("%q: the submitted value is lost", email)
		}
	}
	admin.post("/organization/invitations", url.Values{"email": {"noa@example.com"}, "roleId": {"role_none"}}).wantStatus(http.StatusUnprocessableEntity)
	admin.post("/organization/invitations", url.Values{"email": {"noa@example.com"}}).wantStatus(http.StatusSeeOther)
	first := h.invitationLink("noa@example.com")
	admin.submit(admin.get(membersPagePath), "form[action$='/resend']", nil).wantStatus(http.StatusSeeOther)
	second := h.invitationLink("noa@example.com")
	if first == second {
		t.Error("resent with the old link")
	}
	h.newBrowser().get(first).wantStatus(http.StatusNotFound)
	h.newBrowser().get(second).wantStatus(http.StatusOK)
	revoke := admin.submit(admin.get(membersPagePath), "form[action$='/revoke']", nil)
	if page := admin.follow(revoke); strings.Contains(page.body, "noa@example.com") {
		t.Error("still listed")
	}
	h.newBrowser().get(second).wantStatus(http.StatusNotFound)
	if strings.Contains(h.log.String(), second) {
		t.Error("a token is in the log")
	}
}

func TestMemberUpdateSuspendAndRemove(t *testing.T) {
	h := newTestEnv(t)
	admin, path := h.signIn("admin"), "/organization/members/"+h.memberID("member")
	member := h.signIn("member")
	page := admin.get(path).wantStatus(http.StatusOK).wantText("The member", "Has a seat", "They are active and their seat is switched on.")
	admin.submit(page, "form[action$='"+path+"']", url.Values{"roleId": {"billing_admin"}, "status": {"active"}}).wantRedirect(membersPagePath + "&changed=more&member=" + h.memberID("member"))
	changed := admin.get(path).wantText("Their seat is switched off.", "lost their seat (by The admin)")
	if changed.text("select[name=roleId] option[selected]") != "Billing admin" || changed.doc().Find("#billable[checked]").Length() != 0 {
		t.Error("an unchecked box is read as true")
	}
	switched := admin.submit(admin.get(membersPagePath), "form[action$='"+path+"']:has(button[role=switch][aria-checked=false])", nil)
	admin.follow(switched.wantStatus(http.StatusSeeOther)).wantText("The member now has a seat.")
	if admin.get(path).doc().Find("#billable[checked]").Length() != 1 {
		t.Error("the switch in the row does not change the seat")
	}
	if admin.get(path).text("select[name=roleId] option[selected]") != "Billing admin" {
		t.Error("the switch in the row changes the role")
	}
	member.get("/dashboard").wantStatus(http.StatusOK)
	admin.post(path, url.Values{"status": {"suspended"}}).wantStatus(http.StatusSeeOther)
	member.get("/dashboard").wantStatus(http.StatusNotFound)
	admin.post(path, url.Values{"status": {"active"}}).wantStatus(http.StatusSeeOther)
	member.get("/dashboard").wantStatus(http.StatusOK)
	admin.submit(admin.get(path), "form[action$='/remove']", nil).wantRedirect(membersPagePath + "&notice=member-removed")
	member.get("/dashboard").wantStatus(http.StatusNotFound)
	admin.get(path).wantStatus(http.StatusNotFound)
	admin.post(path, url.Values{"status": {"paused"}}).wantStatus(http.StatusNotFound)
}

func TestRefusedChangesKeepSubmittedValues(t *testing.T) {
	h := newTestEnv(t)
	admin, own := h.signIn("admin"), "/organization/members/"+h.memberID("admin")
	admin.post(own, url.Values{"roleId": {"member"}, "status": {"active"}, "billable": {"on"}}).wantStatus(http.StatusConflict).wantText(account.MessageLastAdmin)
	admin.post(own, url.Values{"status": {"suspended"}}).wantStatus(http.StatusConflict).wantText(account.MessageSuspendsSelf)
	admin.post(own+"/remove", nil).wantStatus(http.StatusConflict).wantText(account.MessageLastAdmin)
	admin.post("/organization/leave", nil).wantStatus(http.StatusConflict).wantText(account.MessageLastAdmin)
	wrong := admin.post("/organization/members/"+h.memberID("member"), url.Values{"status": {"paused"}, "roleId": {"billing_admin"}})
	wrong.wantStatus(http.StatusUnprocessableEntity)
	if wrong.text("select[name=roleId] option[selected]") != "Billing admin" || wrong.doc().Find("#status[aria-invalid=true]").Length() != 1 {
		t.Error("the submitted value is lost")
	}
	// A member of another organization is not found.
	foreign := h.signIn("stranger").post("/organization/members/"+h.memberID("member"), url.Values{"billable": {"false"}})
	foreign.wantStatus(http.StatusNotFound)
	h.signIn("stranger").post("/organization/members/"+h.memberID("member")+"/remove", nil).wantStatus(http.StatusNotFound)
}

func TestLeave(t *testing.T) {
	h := newTestEnv(t)
	h.addToOrganization("member", h.otherOrganization)
	member := h.signIn("member")
	page := member.get("/organization?tab=general")
	member.follow(member.submit(page, "form[action='/organization/leave']", nil).wantRedirect("/dashboard?notice=left")).wantText("Elsewhere", "You have left the organization.")
	bill := h.signIn("billing")
	bill.follow(bill.post("/organization/leave", nil).wantRedirect("/pricing?notice=left")).wantText("You have left the organization.")
	bill.get("/dashboard").wantStatus(http.StatusNotFound)
}

func TestCustomRoles(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	made := admin.submit(admin.get("/organization?tab=roles"), "form[action='/organization/roles']", url.Values{"name": {"Box office"}, "canManageMembers": {"on"}})
	roles := admin.follow(made.wantRedirect("/organization?tab=roles&notice=role-saved")).wantText("Box office")
	path := roles.doc().Find("a[href^='/organization/roles/']").AttrOr("href", "")
	again := admin.post("/organization/roles", url.Values{"name": {"BOX OFFICE"}, "canManageBilling": {"on"}}).wantStatus(http.StatusUnprocessableEntity).wantText(account.MessageRoleTaken)
	if again.doc().Find("#canManageBilling[checked]").Length() != 1 {
		t.Error("the checked box is lost")
	}
	role := strings.TrimPrefix(path, "/organization/roles/")
	admin.post("/organization/members/"+h.memberID("member"), url.Values{"roleId": {role}}).wantStatus(http.StatusSeeOther)
	admin.post(path+"/delete", nil).wantStatus(http.StatusConflict).wantText("Box office belongs to 1 person.")

	holder := h.signIn("member") // manages members but not billing
	holder.get(membersPagePath).wantText("Invite people", "You can't edit this person")
	holder.post("/organization/roles", url.Values{"name": {"Treasury"}, "canManageBilling": {"on"}}).wantStatus(http.StatusForbidden)
	holder.post(path, url.Values{"name": {"Box office"}, "canManageMembers": {"on"}, "canManageBilling": {"on"}}).wantStatus(http.StatusForbidden)
	holder.post("/organization/members/"+h.memberID("member"), url.Values{"roleId": {"admin"}}).wantStatus(http.StatusForbidden)
	holder.post("/organization/members/"+h.memberID("admin")+"/remove", nil).wantStatus(http.StatusForbidden)
	holder.post("/organization/invitations", url.Values{"email": {"x@example.com"}, "roleId": {"admin"}}).wantStatus(http.StatusUnprocessableEntity).wantText(account.MessageGrantsMore)

	admin.submit(admin.get(path).wantText("This role belongs to 1 person."), "main form", url.Values{"name": {"Cloakroom"}}).wantStatus(http.StatusSeeOther)
	holder.post("/organization/invitations", url.Values{"email": {"x@example.com"}}).wantStatus(http.StatusForbidden) // the permission was revoked
	admin.post("/organization/roles/member", url.Values{"name": {"Everybody"}}).wantStatus(http.StatusConflict).wantText(account.MessageRoleBuiltIn)
	admin.get("/organization/roles/admin").wantStatus(http.StatusConflict)
	h.signIn("stranger").get(path).wantStatus(http.StatusNotFound)
	admin.post("/organization/members/"+h.memberID("member"), url.Values{"roleId": {"member"}}).wantStatus(http.StatusSeeOther)
	admin.submit(admin.get(path), "form[action$='/delete']", nil).wantRedirect("/organization?tab=roles&notice=role-deleted")
}

func TestRename(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	admin.post("/organization", url.Values{"name": {" \t "}}).wantStatus(http.StatusUnprocessableEntity).wantText("Please name your organization")
	admin.follow(admin.post("/organization", url.Values{"name": {" The\nGrand "}}).wantStatus(http.StatusSeeOther)).wantText("The Grand")
}

func TestSeatLedgerAsCSV(t *testing.T) {
	h := newTestEnv(t)
	if _, err := h.store.DB().ExecContext(t.Context(), `update users set name = '=HYPERLINK("http://evil.example")' where id = $1`, h.users["member"].ID); err != nil {
		t.Fatal(err)
	}
	got := h.signIn("member").get("/billing/seats.csv").wantStatus(http.StatusOK)
	if got.header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" || got.header.Get("Cache-Control") != "no-store" ||
		got.header.Get("Content-Disposition") != `attachment; filename="seats-`+time.Now().UTC().Format(time.DateOnly)+`.csv"` {
		t.Errorf("headers %v", got.header)
	}
	lines, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || len(lines) != 4 {
		t.Fatalf("%v, %v", lines, err)
	}
	if newest := lines[1]; newest[1] != `'=HYPERLINK("http://evil.example")` || newest[2] != "was added" || newest[4] != "2" || newest[5] != "3" {
		t.Errorf("%q", newest)
	}
}

func TestMemberSearch(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	for query, want := range map[string][2]string{ // shown and hidden member
		"q=" + url.QueryEscape("MEMBER@"): {h.users["member"].Email, h.users["admin"].Email + "</bdi>"},
		"q=nobody-here":                   {"No members match “nobody-here”.", h.users["member"].Email},
		"show=suspended":                  {"No members match.", h.users["member"].Email},
		"show=billed":                     {h.users["member"].Email, "No members match"},
		"q=%3Cscript%3Ealert&show=x":      {"No members match “<script>alert”.", "<script>\x00"},
	} {
		got := admin.get("/organization?tab=members&"+query).wantStatus(http.StatusOK).wantText(want[0], "Show all")
		if strings.Contains(got.body, want[1]) {
			t.Errorf("%s shows %q", query, want[1])
		}
	}
}

func TestSeatLedgerSearch(t *testing.T) {
	h := newTestEnv(t)
	member := h.signIn("member")
	member.get("/organization?tab=activity").wantText("was added", "Download all changes as CSV")
	member.get("/organization?tab=activity&seats=fewer").wantText("No changes match.", "Show all")
	if narrowed := member.get("/organization?tab=activity&q=added&seats=more").wantText("was added", "Download these changes as CSV"); !strings.Contains(
		narrowed.body, `href="/billing/seats.csv?q=added&amp;seats=more"`) {
		t.Error("the file differs from the page")
	}
	lines, err := csv.NewReader(strings.NewReader(member.get("/billing/seats.csv?seats=fewer").body)).ReadAll()
	if err != nil || len(lines) != 1 {
		t.Errorf("%v, %v", lines, err)
	}
}

func TestEscapeFormula(t *testing.T) {
	for _, text := range []string{"=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "a\tb", "a\r=1", "|cmd", "＝1", "%0A"} {
		if escapeFormula(text) != "'"+text {
			t.Errorf("%q is not escaped", text)
		}
	}
	for _, text := range []string{"", "Ana", "Jean-Luc", "1 = 1", "ليلى"} {
		if escapeFormula(text) != text {
			t.Errorf("%q becomes %q", text, escapeFormula(text))
		}
	}
}
