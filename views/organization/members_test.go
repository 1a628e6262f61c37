package organization_test

import (
	"strings"
	"testing"
	"time"

	"usher/billing/account"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
	"usher/views/viewtest"
)

var december = time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)

func TestMembersTable(t *testing.T) {
	doc := viewtest.Render(t, organizationviews.MembersPage(organizationviews.MembersPageProps{
		Filter:       organizationviews.MemberFilter(t.Context(), account.MemberSearch{}),
		Organization: layout.OrganizationHeader{ID: "org_1", Name: "Lyric", Current: layout.TabMembers},
		Members: []organizationviews.MemberRow{
			{Name: "<script>alert(1)</script>", Email: "a@lyric.example", Role: "Admin", Billed: true, Status: account.MemberActive, JoinedAt: december, You: true},
			{Name: "Ben", Email: "b@lyric.example", Role: "Member", Status: account.MemberSuspended, JoinedAt: december, LastSeenAt: december},
		},
		Pager: ui.PagerProps{From: 1, To: 2, Total: 40, NextHref: "/organization?tab=members&page=2"},
	}))
	rows := doc.Find("tbody tr")
	if rows.Length() != 2 || !strings.Contains(viewtest.Text(rows.First()), "<script>alert(1)</script> · you") || !strings.Contains(viewtest.Text(rows.First()), "Has a seat") || !strings.Contains(viewtest.Text(rows.First()), "Never") {
		t.Errorf("first row: %s", viewtest.Text(rows.First()))
	}
	if second := viewtest.Text(rows.Last()); !strings.Contains(second, "No seat") || !strings.Contains(second, "Suspended") || !strings.Contains(second, "1 Dec 2026") {
		t.Errorf("second row: %s", second)
	}
	if doc.Find("main table form, main table button, main table input").Length() != 0 {
		t.Error("a read-only list has controls")
	}
	if !strings.Contains(viewtest.Text(doc.Find("nav[aria-label=Pages]")), "1 to 2 of 40") || doc.Find("a[href='/organization?tab=members&page=2']").Length() != 1 {
		t.Error("the pager does not lead on")
	}
	if got := viewtest.Text(doc.Find("nav[aria-label=Organization] a[aria-current=page]")); got != "Members" {
		t.Errorf("current tab %q", got)
	}
}

// TestInvitePeopleSaysWhatTheyCost: nothing is charged in a trial, whoever joins.
func TestInvitePeopleSaysWhatTheyCost(t *testing.T) {
	form := organizationviews.InvitePeopleProps{Planned: 2, Missing: 1, SeatPrice: "$9 a month", Addresses: make([]organizationviews.InviteAddress, 1)}
	text := func() string {
		return viewtest.Text(viewtest.Render(t, organizationviews.InvitePeople(form)).Selection)
	}
	if got := text(); !strings.Contains(got, "Each person costs $9 a month from the day they join.") {
		t.Errorf("a paid plan: %s", got)
	}
	form.TrialEndsAt = december
	if got := text(); !strings.Contains(got, "Nothing is charged until your trial ends on 1 Dec 2026. After that each person costs $9 a month.") || strings.Contains(got, "from the day they join") {
		t.Errorf("a trial: %s", got)
	}
}
