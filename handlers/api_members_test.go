package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/stripegw"
)

// program calls the API with a key.
type program struct {
	*browser
	secret string
}

func (h *testEnv) program(scopes ...string) program {
	h.t.Helper()
	return program{h.newBrowser(), h.signIn("admin").createKey(scopes...)}
}

func (p program) call(method, path, body string, headers ...string) response {
	p.t.Helper()
	return p.send(method, path, body, append(headers, "Content-Type", "application/json", "Authorization", "Bearer "+p.secret)...)
}

// put puts members and returns what was changed.
func (p program) put(query, members string) (changes memberChanges) {
	p.t.Helper()
	got := p.call(put, "/api/v1/members"+query, `{"members":[`+members+`]}`).wantStatus(http.StatusOK)
	if err := json.Unmarshal([]byte(got.body), &changes); err != nil {
		p.t.Fatal(err)
	}
	return changes
}

// everybody is the set of the test organization's members as they are.
var everybody = strings.Join([]string{
	`{"externalId":"1","email":"` + email("admin") + `","name":"Ada","role":"admin"}`,
	`{"externalId":"2","email":"` + email("billing") + `","name":"Bo","role":"Billing admin"}`,
	`{"externalId":"3","email":"` + email("member") + `","name":"Cy"}`,
}, ",")

// history is what a change of members leaves behind. Jobs are not counted: late webhooks make some.
func (h *testEnv) history() string {
	h.t.Helper()
	var text string
	err := h.store.DB().GetContext(h.t.Context(), &text, `select (select count(*) from seat_changes) || ' lines, ' || (select count(*) from audit_entries) || ' entries, '
		|| (select count(*) from emails where kind = 'invitation') || ' invitations, ' || (select sum(desired_seats) from billing_seat_state) || ' seats, '
		|| (select count(*) from users) || ' users, ' || (select md5(string_agg(m::text, ',' order by id)) from organization_members m)`)
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

func TestPutMembersIsTheWholeSet(t *testing.T) {
	h := newTestEnv(t)
	h.subscribed("pro")
	p := h.program(account.ScopeMembersWrite, account.ScopeMembersRead)

	first := p.put("", everybody)
	if len(first.Added)+len(first.Removed) != 0 || len(first.Changed) != 3 || !first.Members[0].Joined || *first.Members[0].External != "1" || first.Members[0].Name != "Ada" {
		t.Errorf("the people who are there: %+v", first)
	}
	more := everybody + `,{"externalId":"4","email":"New@Example.com","name":"Di","role":"member","billable":false},{"externalId":"5","email":"eve@example.com","name":"Eve"}`
	second := p.put("", more)
	if len(second.Added) != 2 || len(second.Changed)+len(second.Removed) != 0 || second.Seats != (seatChange{seatNumbers{3, 3}, seatNumbers{4, 4}}) || second.Preview != nil {
		t.Errorf("two more: %+v", second)
	}
	before := h.history()
	if again := p.put("", more); len(again.Added)+len(again.Changed)+len(again.Removed) != 0 || len(again.Members) != 5 || h.history() != before {
		t.Errorf("the same set again: %+v\n%s\n%s", again, before, h.history())
	}

	// Known by externalId: another address and role. Who is not named is gone, whoever they are.
	third := p.put("", strings.Split(everybody, ",{")[0]+`,{"externalId":"5","email":"eva@example.com","name":"Eva","role":"billing_admin"}`)
	if len(third.Added) != 0 || len(third.Changed) != 1 || third.Changed[0].Email != "eva@example.com" || third.Changed[0].ID != second.Added[1].ID || len(third.Removed) != 3 || third.Seats.After.BillableMembers != 2 {
		t.Errorf("%+v", third)
	}
	if h.signIn("member").get("/dashboard").status != http.StatusSeeOther && strings.Contains(h.signIn("member").get("/dashboard").body, "Lantern") {
		t.Error("who was removed still sees the organization")
	}
	if n := h.count(`select count(*) from seat_changes where reason like '% by the API key production'`); n != 3 { // Di has no seat
		t.Errorf("%d lines name the key", n)
	}
	if n := h.count(`select count(*) from audit_entries where actor_kind = 'api_key' and actor_name = 'production' and act in ('member.added', 'member.removed', 'member.described', 'member.role_changed')`); n != 3+2+3+2 {
		t.Errorf("%d entries name the key", n)
	}
	waitFor(t, "the seats", func() bool { return h.quantity() == 2 })
	h.signIn("admin").get("/organization?tab=members").wantText("Eva", "has not joined yet")
	h.signIn("admin").get("/organization/seats").wantText("Eva was added by the API key production", "The member was removed by the API key production")
}

func TestPutMembersRefuses(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite)
	before := h.history()
	admin := strings.Split(everybody, ",{")[0]
	for body, message := range map[string]string{
		`{}`: "members is missing: the list of all members.",
		`{"members":[` + admin + `,` + admin + `]}`:                                          "members[1] has the same e-mail address as members[0].",
		`{"members":[` + admin + `,{"externalId":"1","email":"x@example.com","name":"X"}]}`:  "members[1] has the same externalId as members[0].",
		`{"members":[` + admin + `,{"email":"x@example.com"}]}`:                              "members[1]: name has to have between 1 and 100 characters.",
		`{"members":[` + admin + `,{"email":"x","name":"X"}]}`:                               "members[1]: email has to be an e-mail address such as ana@example.com.",
		`{"members":[` + admin + `,{"email":"x@example.com","name":"X","role":"boss"}]}`:     "members[1]: role has to be one of admin, billing_admin, member, or the name of a role.",
		`{"members":[` + admin + `,{"email":"x@example.com","name":"X","billable":"yes"}]}`:  `members[1]: The field "billable" has to be true or false.`,
		`{"members":[` + admin + `,{"email":"x@example.com","name":"X","status":"active"}]}`: `members[1]: Unknown field "status". Known are externalId, email, name, role, billable.`,
		`{"members":[` + admin + `,null]}`:                                                   "members[1]: The body has to be one JSON object.",
		`{"members":[` + admin + `,{"externalId":" 7","email":"x@example.com","name":"X"}]}`: "members[1]: externalId can have at most 255 bytes, no control characters, and no spaces at its ends.",
		`{"members":"all"}`: `The field "members" has to be a list.`,
	} {
		p.call(put, "/api/v1/members", body).wantError(http.StatusBadRequest, apperr.CodeInvalid, message)
	}
	many := strings.Repeat(`{"email":"x@example.com","name":"X"},`, account.MaxMemberSet) + admin
	p.call(put, "/api/v1/members", `{"members":[`+many+`]}`).wantError(http.StatusBadRequest, apperr.CodeInvalid, "A request takes at most 5000 members; this one has 5001.")
	p.call(put, "/api/v1/members", `{"members":"`+strings.Repeat("x", maxMembersBody)+`"}`).wantStatus(http.StatusRequestEntityTooLarge)
	p.call(put, "/api/v1/members?dry_run=yes", `{"members":[]}`).wantError(http.StatusBadRequest, apperr.CodeInvalid, "dry_run must be true or false.")
	for _, set := range []string{``, `{"email":"new@example.com","name":"New","role":"admin"}`, strings.Replace(admin, `"role":"admin"`, `"role":"member"`, 1)} {
		p.call(put, "/api/v1/members", `{"members":[`+set+`]}`).wantError(http.StatusConflict, apperr.CodeConflict, account.MessageLastAdmin)
	}
	p.call(remove, "/api/v1/members/"+h.memberID("admin"), "").wantError(http.StatusConflict, apperr.CodeConflict, account.MessageLastAdmin)
	if after := h.history(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
}

// A member of another organization is not found, and a key reaches none but its own.
func TestMembersOfOtherOrganizationsAreOutOfReach(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite)
	other := h.id(`select id from organization_members where organization_id = $1`, h.otherOrganization.ID)
	p.call(remove, "/api/v1/members/"+other, "").wantStatus(http.StatusNotFound)
	p.call(put, "/api/v1/members", `{"members":[]}`, "Usher-Organization", h.otherOrganization.ID).wantStatus(http.StatusNotFound)
	role := h.id(`insert into roles values ('role_other', $1, 'Secret', true, true) returning id`, h.otherOrganization.ID)
	for _, name := range []string{role, "Secret"} {
		p.call(post, "/api/v1/members", `{"email":"x@example.com","name":"X","role":"`+name+`"}`).wantStatus(http.StatusBadRequest)
	}
	h.exec(`insert into roles values ('role_own', $1, 'Support', false, false)`, h.organization.ID)
	if got := p.call(post, "/api/v1/members", `{"email":"x@example.com","name":"X","role":"support"}`).wantStatus(http.StatusCreated); !strings.Contains(got.body, `"role":"role_own"`) {
		t.Error(got.body)
	}
	h.program(account.ScopeMembersRead).call(put, "/api/v1/members", `{"members":[]}`).wantStatus(http.StatusForbidden)
	manager := h.signIn("billing")
	manager.send(put, "/api/v1/members", `{"members":[]}`, "Content-Type", "application/json").wantError(http.StatusForbidden, apperr.CodeForbidden, account.MessageMemberAccess)
}

func (h *testEnv) id(query string, args ...any) (id string) {
	h.t.Helper()
	if err := h.store.DB().GetContext(h.t.Context(), &id, query, args...); err != nil {
		h.t.Fatal(err)
	}
	return id
}

// 500 people are one recount, one job and one update at Stripe.
func TestManyMembersAreOneSeatSync(t *testing.T) {
	h := newTestEnv(t)
	h.subscribed("pro")
	p := h.program(account.ScopeMembersWrite)
	set := new(strings.Builder)
	set.WriteString(everybody)
	for i := range 500 {
		fmt.Fprintf(set, `,{"externalId":"p%d","email":"p%d@example.com","name":"Person %d"}`, i, i, i)
	}
	version, attempts := h.count(`select sync_version from billing_seat_state where organization_id = $1`, h.organization.ID), h.count(`select count(*) from seat_attempts where key not like 'bought:%'`)
	changes := p.put("", set.String())
	if len(changes.Added) != 500 || changes.Seats.After != (seatNumbers{503, 503}) {
		t.Errorf("%d added, %+v", len(changes.Added), changes.Seats)
	}
	if after := h.count(`select sync_version from billing_seat_state where organization_id = $1`, h.organization.ID); after != version+1 {
		t.Errorf("version %d, before %d", after, version)
	}
	if n := h.count(`select count(*) from seat_changes where version = $1 and to_seats = from_seats + 1 and subject_user_id is not null`, version+1); n != 500 {
		t.Errorf("%d lines", n)
	}
	waitFor(t, "the seats", func() bool { return h.quantity() == 503 })
	if n := h.count(`select count(*) from seat_attempts where key not like 'bought:%'`); n != attempts+1 {
		t.Errorf("%d updates at Stripe", n-attempts)
	}
	back := p.put("", everybody)
	if len(back.Removed) != 500 || back.Seats.After != (seatNumbers{3, 3}) || h.count(`select to_seats from seat_changes order by id desc limit 1`) != 3 {
		t.Errorf("%d removed, %+v", len(back.Removed), back.Seats)
	}
}

func TestConcurrentSetsEndAsOneOfThem(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite, account.ScopeMembersRead)
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			set := everybody
			for n := range i + 1 {
				set += fmt.Sprintf(`,{"externalId":"%d-%d","email":"p%d-%d@example.com","name":"P"}`, i, n, i, n)
			}
			if got := p.call(put, "/api/v1/members", `{"members":[`+set+`]}`); got.status != http.StatusOK {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	group.Wait()
	var prefixes []string
	if err := h.store.DB().SelectContext(t.Context(), &prefixes, `select distinct split_part(external_id, '-', 1) from organization_members where external_id like '%-%'`); err != nil || len(prefixes) != 1 {
		t.Errorf("people of %v, %v", prefixes, err)
	}
	billed, desired := h.seated(), h.count(`select desired_seats from billing_seat_state where organization_id = $1`, h.organization.ID)
	if billed != desired || billed != h.count(`select to_seats from seat_changes where organization_id = $1 order by id desc limit 1`, h.organization.ID) {
		t.Errorf("%d people, %d seats", billed, desired)
	}
}

func TestPutMembersKeepsTheMaximum(t *testing.T) {
	h := newTestEnv(t)
	plans := catalog.BuiltInPlans()
	for i := range plans.Plans {
		plans.Plans[i].SeatMaximum = 4
	}
	h.startService(stripegw.New(stripegw.Options{SecretKey: "sk_test_handlertests", APIBase: h.origin, WebhookSecrets: []string{testSecret}}), plans)
	h.startServer(h.origin, 15*time.Second)
	h.subscribed("pro")
	p := h.program(account.ScopeMembersWrite)
	p.put("", everybody)
	before := h.history()
	const message = "Pro has seats for at most 4 people, and 5 would need one. Choose a larger plan, or free a seat."
	two := everybody + `,{"email":"d@example.com","name":"D"},{"email":"e@example.com","name":"E"}`
	p.call(put, "/api/v1/members", `{"members":[`+two+`]}`).wantError(http.StatusConflict, apperr.CodeConflict, message)
	p.call(put, "/api/v1/members?dry_run=true", `{"members":[`+two+`]}`).wantError(http.StatusConflict, apperr.CodeConflict, message)
	if after := h.history(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	p.put("", everybody+`,{"email":"d@example.com","name":"D"}`)
	p.call(post, "/api/v1/members", `{"email":"e@example.com","name":"E"}`).wantError(http.StatusConflict, apperr.CodeConflict, message)
	p.call(post, "/api/v1/members", `{"email":"e@example.com","name":"E","billable":false}`).wantStatus(http.StatusCreated)
	swapped := p.put("", everybody+`,{"email":"f@example.com","name":"F"}`) // one for another
	if len(swapped.Added) != 1 || len(swapped.Removed) != 2 || swapped.Seats.After.DesiredSeats != 4 {
		t.Errorf("%+v", swapped)
	}
}

func TestPutMembersDryRun(t *testing.T) {
	h := newTestEnv(t)
	h.subscribed("pro")
	p := h.program(account.ScopeMembersWrite)
	before := h.history()
	var tried memberChanges
	waitFor(t, "the amounts", func() bool { // Stripe may be slow on a busy machine
		tried = p.put("?dry_run=true", everybody+`,{"email":"d@example.com","name":"D"}`)
		return tried.Preview == nil || tried.Preview.Renewal != nil
	})
	if !tried.DryRun || len(tried.Added) != 1 || tried.Seats.After != (seatNumbers{4, 4}) || h.history() != before {
		t.Errorf("%+v\n%s\n%s", tried, before, h.history())
	}
	if tried.Preview == nil || tried.Preview.Currency != "usd" || tried.Preview.Quantity != 4 || tried.Preview.Renewal == nil || *tried.Preview.Renewal != 2900 {
		t.Errorf("%+v", tried.Preview)
	}
}

// What a key is answered about an address with an account, verified or not, and about one without
// is the same, whatever the account's name and spelling; and the account is not touched.
func TestMembersAPIDoesNotShowAccounts(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite, account.ScopeMembersRead)
	h.exec(`update users set email = 'STRANGER@example.com' where id = $1`, h.users["stranger"].ID)
	people := func(address string) []string {
		t.Helper()
		var answers []string
		add := func(got response) {
			text := strings.ReplaceAll(got.body, address, "ADDRESS")
			answers = append(answers, fmt.Sprint(got.status, " ", idPattern.ReplaceAllString(text, "ID")))
		}
		add(p.call(put, "/api/v1/members?dry_run=true", `{"members":[`+everybody+`,{"externalId":"9","email":"`+address+`","name":"X"}]}`))
		add(p.call(post, "/api/v1/members", `{"externalId":"9","email":"`+address+`","name":"X","invite":true}`))
		add(p.call(post, "/api/v1/members", `{"externalId":"9","email":"`+address+`","name":"X"}`))
		add(p.call(post, "/api/v1/members", `{"email":"`+address+`","name":"Y"}`))
		add(p.call(get, "/api/v1/members", ""))
		add(p.call(put, "/api/v1/members", `{"members":[`+everybody+`,{"externalId":"9","email":"`+address+`","name":"Y","role":"admin"}]}`))
		add(p.call(put, "/api/v1/members", `{"members":[`+everybody+`]}`))
		return answers
	}
	p.put("", everybody)
	known, unknown := people(email("stranger")), people("nobody@example.com")
	for i := range known {
		if known[i] != unknown[i] {
			t.Errorf("with an account: %s\nwithout: %s", known[i], unknown[i])
		}
	}
	if n := h.count(`select count(*) from organization_members m where user_id = $1 and organization_id = $2`, h.users["stranger"].ID, h.organization.ID); n != 0 {
		t.Error("the account is a member")
	}
	if body := h.signIn("stranger").get("/dashboard").wantStatus(http.StatusOK).body; strings.Contains(body, "Lantern") {
		t.Error("the account sees the organization")
	}
}

// A person without an account joins by the link in the e-mail; one with an account signs in and
// accepts. Both take over the seat that they have.
func TestPersonAddedByProgramJoins(t *testing.T) {
	h := newTestEnv(t)
	h.subscribed("pro")
	p := h.program(account.ScopeMembersWrite, account.ScopeMembersRead)
	p.put("", everybody)
	for _, address := range []string{"new@example.com", email("stranger")} {
		p.call(post, "/api/v1/members", `{"externalId":"`+address+`","email":"`+address+`","name":"As sent","role":"billing_admin","invite":true}`).wantStatus(http.StatusCreated)
	}
	seats, lines := h.seated(), h.count(`select count(*) from seat_changes`)

	// Neither a password nor a reset leads in.
	visitor := h.newBrowser()
	visitor.logIn("new", "").wantStatus(http.StatusUnprocessableEntity)
	visitor.post("/forgot", url.Values{"email": {"new@example.com"}}).wantRedirect("/forgot?sent=true")
	if h.count(`select count(*) from users where lower(email) = 'new@example.com'`) != 0 {
		t.Fatal("there is an account")
	}
	link := visitor.mailedLink("new@example.com", "/invite/")
	visitor.get(link).wantStatus(http.StatusOK).wantText("Lantern Theatre invited you", "Billing admin")
	visitor.post(link, url.Values{"name": {"Nia"}, "password": {testPassword}}).wantRedirect("/dashboard?notice=joined")
	visitor.get("/dashboard").wantStatus(http.StatusOK).wantText("Lantern")

	stranger := h.signIn("stranger")
	stranger.post(stranger.mailedLink(email("stranger"), "/invite/"), nil).wantRedirect("/dashboard?notice=joined")
	stranger.get("/organization?tab=billing").wantStatus(http.StatusOK).wantText("Lantern")

	var list memberList
	if err := json.Unmarshal([]byte(p.call(get, "/api/v1/members", "").body), &list); err != nil {
		t.Fatal(err)
	}
	joined := 0
	for _, m := range list.Members {
		if m.Name == "As sent" && m.Joined && *m.External == m.Email && m.Role == account.RoleBillingAdmin {
			joined++
		}
	}
	if joined != 2 || h.seated() != seats || h.count(`select count(*) from seat_changes`) != lines {
		t.Errorf("%d joined, %d seats, %+v", joined, h.seated(), list)
	}
	// Their accounts stay theirs: another address is another person, who has not joined.
	moved := p.put("", everybody+`,{"externalId":"`+email("stranger")+`","email":"other@example.com","name":"Other"},{"externalId":"new@example.com","email":"new@example.com","name":"As sent","role":"billing_admin"}`)
	if len(moved.Added) != 1 || moved.Added[0].Joined || len(moved.Removed) != 1 || moved.Seats.Before != moved.Seats.After {
		t.Errorf("%+v", moved)
	}
	if h.count(`select count(*) from users where lower(email) = lower($1) and id = $2`, email("stranger"), h.users["stranger"].ID) != 1 {
		t.Error("the account has another address")
	}
}

// An invitation ends with the membership that it is for.
func TestInvitationOfProgramEndsWithTheMembership(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite)
	visitor := h.newBrowser()
	for _, end := range []string{everybody, everybody + `,{"externalId":"9","email":"other@example.com","name":"X"}`} {
		p.call(post, "/api/v1/members", `{"externalId":"9","email":"x@example.com","name":"X","role":"admin","invite":true}`).wantStatus(http.StatusCreated)
		link := visitor.mailedLink("x@example.com", "/invite/")
		p.put("", end)
		visitor.get(link).wantStatus(http.StatusNotFound)
		visitor.post(link, url.Values{"name": {"X"}, "password": {testPassword}}).wantStatus(http.StatusNotFound)
		p.put("", everybody)
	}
	if n := h.count(`select count(*) from users where lower(email) = 'x@example.com'`); n != 0 {
		t.Errorf("%d accounts", n)
	}
}

// Who has not joined is no admin, cannot be handed the organization, and gets no notices.
func TestProvisionalAdminIsNoAdmin(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite)
	p.call(post, "/api/v1/members", `{"email":"x@example.com","name":"X","role":"admin"}`).wantStatus(http.StatusCreated)
	admin := h.signIn("admin")
	admin.post("/organization/leave", nil).wantStatus(http.StatusConflict)
	added := h.id(`select id from organization_members where provisional`)
	admin.post("/organization/handover", url.Values{"memberId": {added}, "name": {h.organization.Name}}).wantStatus(http.StatusUnprocessableEntity)
	managers, err := h.store.Members().BillingManagers(t.Context(), h.organization.ID)
	if err != nil || len(managers) != 2 {
		t.Errorf("%+v, %v", managers, err)
	}
	// An admin invites by the page; the person takes the seat over.
	admin.post("/organization/invitations", url.Values{"email": {"x@example.com"}, "roleId": {account.RoleMember}, "billable": {"on"}}).wantStatus(http.StatusSeeOther)
	visitor := h.newBrowser()
	visitor.post(visitor.mailedLink("x@example.com", "/invite/"), url.Values{"name": {"Xi"}, "password": {testPassword}}).wantRedirect("/dashboard?notice=joined")
	if n := h.count(`select count(*) from organization_members where organization_id = $1 and role_id = 'admin' and not provisional`, h.organization.ID); n != 2 {
		t.Errorf("%d admins", n)
	}
	admin.post("/organization/leave", nil).wantStatus(http.StatusSeeOther)
}

func TestSeatReasonsNameTheKey(t *testing.T) {
	for reason, text := range map[string]string{
		account.ReasonKeyAdded + "p": "was added by the API key p", account.ReasonKeyRemoved + "p": "was removed by the API key p",
		account.ReasonKeySeatGiven + "p": "was given a seat by the API key p", account.ReasonKeySeatTaken + "p": "lost their seat by the API key p",
	} {
		if got := billing.ReasonPhrase(reason).String(); got != text {
			t.Errorf("%s: %s", reason, got)
		}
	}
}

var idPattern = regexp.MustCompile(`(mem|usr)_[0-9a-z]+|"joinedAt":\d+`)
