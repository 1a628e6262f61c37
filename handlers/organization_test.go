package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

func TestPricing(t *testing.T) {
	h := newTestEnv(t)
	visitor := h.newBrowser()
	for _, tt := range []struct{ query, seats, total string }{
		{"", "5", "$45 a month for 5"},
		{"?interval=year&seats=3", "3", "$270 a year for 3"},
		{"?interval=year", "5", "$450 a year for 5"},
		{"?interval=week&seats=1", "1", "$9 a month for 1"},
		{"?seats=0", "5", "from 1 to 10,000"},
		{"?seats=-3", "5", "from 1 to 10,000"},
		{"?seats=10001", "5", "from 1 to 10,000"},
		{"?seats=10000", "10000", "$90,000 a month for 10,000"},
		{"?seats=many", "5", "from 1 to 10,000"},
		{"?seats=99999999999999999999", "5", "from 1 to 10,000"},
	} {
		got := visitor.get("/pricing" + tt.query).wantStatus(http.StatusOK).wantText(tt.total)
		if seats := got.doc().Find("input[name=seats]").AttrOr("value", ""); seats != tt.seats {
			t.Errorf("%s: %s people", tt.query, seats)
		}
	}
	page := visitor.get("/pricing").wantText("2 months free", "Compare plans", "Most popular")
	if n := page.doc().Find("form[action='/billing/checkout']").Length(); n != 4 {
		t.Errorf("%d plans and packs to choose", n)
	}
	if page.doc().Find("input[name=organizationId]").Length() != 0 {
		t.Error("the form of a visitor names an organization")
	}
	member := h.signIn("member").get("/pricing").wantText("$27 a month for 3", "An admin or billing manager")
	if n := member.doc().Find("form[action='/billing/checkout']").Length(); n != 0 {
		t.Errorf("%d buttons for a member without billing access", n)
	}
	own := h.signIn("admin").get("/pricing").doc().Find("form[action='/billing/checkout'] input[name=organizationId]")
	if own.Length() != 4 || own.AttrOr("value", "") != h.organization.ID {
		t.Error("the forms do not contain the organization id")
	}
}

func TestComparisonResolvesInheritedFeatures(t *testing.T) {
	rows := map[string]string{}
	for _, row := range comparison(t.Context(), catalog.BuiltInPlans().Plans) {
		for _, cell := range row.Cells {
			rows[row.Label] += cell.Text + map[bool]string{true: "+", false: "-"}[cell.Included]
		}
	}
	want := map[string]string{"Credits each month": "100-1,000-", "Feature A": "++", "Feature B": "++", "Feature C": "-+", "Feature D": "-+"}
	if len(rows) != len(want) {
		t.Errorf("rows %v", rows)
	}
	for label, cells := range want {
		if rows[label] != cells {
			t.Errorf("%s: %q, want %q", label, rows[label], cells)
		}
	}
	circle := []catalog.Plan{{Name: "A", Features: []string{"Everything in B", "x"}}, {Name: "B", Features: []string{"Everything in A"}}}
	if got := comparison(t.Context(), circle); len(got) != 1 || !got[0].Cells[0].Included || !got[0].Cells[1].Included {
		t.Errorf("plans that refer to each other: %+v", got)
	}
}

func TestOrganizationTabs(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("member")
	for tab, texts := range map[string][]string{
		"":         {"Lantern Theatre", "3 people", "Member", "The admin", h.organization.ID},
		"nonsense": {"3 people"},
		"members":  {"admin@example.com", "billing@example.com", "member@example.com", "· you"},
		"roles":    {"Built in"},
		"billing":  {"No plan yet", "The admin"},
		"activity": {"The admin founded the organization", "The member was added"},
	} {
		page := b.get("/organization?tab=" + tab).wantStatus(http.StatusOK).wantText(texts...)
		if n := page.doc().Find("main form[method=post]:not([action='/organization/leave']), main button").
			Not("form[action='/organization/leave'] button, form[role=search] button").Length(); n != 0 {
			t.Errorf("%s: %d forms or buttons for a member without permissions", tab, n)
		}
		if strings.Contains(page.body, "stranger@example.com") {
			t.Errorf("%s shows a member of another organization", tab)
		}
	}
}

func TestSwitchOrganization(t *testing.T) {
	h := newTestEnv(t)
	h.addToOrganization("admin", h.otherOrganization)
	b := h.signIn("admin")
	b.get("/dashboard").wantText("Lantern Theatre")
	b.post("/organization/switch", url.Values{"organizationId": {h.otherOrganization.ID}}).wantRedirect("/dashboard")
	b.get("/dashboard").wantText("Elsewhere")
	// A form that another tab loaded before the switch.
	stale := url.Values{"organizationId": {h.organization.ID}, "plan": {"pro"}}
	b.post("/billing/checkout", stale).wantStatus(http.StatusConflict).wantText(apperr.MessageOtherOrganization)
	b.postJSON("/billing/createCustomerPortal", `{"organizationId":"`+h.organization.ID+`"}`).
		wantError(http.StatusConflict, apperr.CodeConflict, apperr.MessageOtherOrganization)
	b.post("/organization/switch", url.Values{"organizationId": {"org_made_up"}}).wantStatus(http.StatusNotFound)
	b.get("/dashboard").wantText("Elsewhere")
}

func TestRemovalEndsAccessImmediately(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("member")
	b.get("/dashboard").wantStatus(http.StatusOK)
	if _, err := h.store.DB().ExecContext(t.Context(), `delete from organization_members where user_id = $1`, h.users["member"].ID); err != nil {
		t.Fatal(err)
	}
	b.get("/dashboard").wantStatus(http.StatusNotFound).wantText("You're not in an organization", "Ask an admin to invite you.")
	b.get("/billing/getSummary").wantError(http.StatusNotFound, apperr.CodeNotFound, errNoOrganization.message)
	b.get("/pricing").wantStatus(http.StatusOK)
	b.post("/logout", nil).wantStatus(http.StatusSeeOther)
}

func TestSeatPanel(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("admin")
	page := b.get("/organization/seats").wantStatus(http.StatusOK).wantText("No plan", "Billing starts when you choose a plan.")
	if page.doc().Find("html body #seat-panel").Length() != 1 || page.doc().Find("head > title").Length() != 1 {
		t.Error("the response is not a whole page")
	}
	panel := b.get("/organization/seats", "HX-Request", "true").wantStatus(http.StatusOK)
	if !strings.HasPrefix(strings.TrimSpace(panel.body), `<section id="seat-panel"`) {
		t.Errorf("the fragment contains more than the panel: %.80s", panel.body)
	}
	b.post("/organization/seats/retry", nil).wantRedirect("/organization/seats")
	b.post("/organization/seats/retry", nil, "HX-Request", "true").wantStatus(http.StatusOK)
	got := h.newBrowser().get("/organization/seats", "HX-Request", "true", "HX-Current-URL", h.url+"/organization?tab=billing")
	if to := got.wantStatus(http.StatusOK).header.Get("HX-Redirect"); to != "/login?next=%2Forganization%3Ftab%3Dbilling" {
		t.Errorf("a signed-out fragment request redirects to %q", to)
	}
	got = h.newBrowser().get("/organization/seats", "HX-Request", "true", "HX-Current-URL", "https://evil.example//evil.example/")
	if to := got.header.Get("HX-Redirect"); to != "/login" {
		t.Errorf("redirects to %q", to)
	}
	refused := h.signIn("member").post("/organization/seats/retry", nil, "HX-Request", "true").wantStatus(http.StatusForbidden)
	if strings.Contains(refused.body, "<") || strings.TrimSpace(refused.body) != apperr.MessageBillingAccess {
		t.Errorf("an error for htmx: %s", refused.body)
	}
}

func TestSeatStates(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	later, earlier := now.Add(time.Second), now.Add(-time.Second)
	for _, tt := range []struct {
		seats billing.SeatsOverview
		want  string
		polls bool
	}{
		{billing.SeatsOverview{Status: billing.SyncOK}, "nothing", false},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncOK}, "in_sync", false},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncPending, DueAt: &later, Debouncing: true}, "debouncing", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncPending, DueAt: &earlier, Debouncing: true}, "queued", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncPending, DueAt: &earlier}, "queued", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncPending}, "queued", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncPending, DueAt: &earlier, Syncing: true}, "syncing", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncPending, DueAt: &later, Drift: true}, "drift", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncPending, DueAt: &earlier, Drift: true}, "queued", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncError, DueAt: &later}, "retrying", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncError, DueAt: &earlier}, "queued", true},
		{billing.SeatsOverview{Synced: true, Status: billing.SyncError}, "failed", false},
	} {
		panel := seatPanel(t.Context(), billing.Overview{Seats: tt.seats}, account.Access{}, now)
		if string(panel.State) != tt.want || (panel.PollEvery > 0) != tt.polls {
			t.Errorf("%+v: %s, polls every %v", tt.seats, panel.State, panel.PollEvery)
		}
	}
}

func TestMembersPager(t *testing.T) {
	for _, tt := range []struct {
		page           string
		total          int
		from, to       int
		previous, next string
	}{
		{"", 3, 0, 3, "", ""},
		{"", 50, 0, 50, "", ""},
		{"", 101, 0, 50, "", "/organization?page=2&tab=members"},
		{"3", 101, 100, 101, "/organization?page=2&tab=members", ""},
		{"99", 101, 100, 101, "/organization?page=2&tab=members", ""},
		{"-1", 0, 0, 0, "", ""},
		{"x", 250, 0, 50, "", "/organization?page=2&tab=members"},
	} {
		r, _ := http.NewRequest(get, "/organization?tab=members&page="+tt.page, http.NoBody)
		from, to, pager := paginate(r, tt.total, membersPerPage)
		if from != tt.from || to != tt.to || pager.PreviousHref != tt.previous || pager.NextHref != tt.next {
			t.Errorf("page %q of %d: %d to %d, %+v", tt.page, tt.total, from, to, pager)
		}
	}
}
