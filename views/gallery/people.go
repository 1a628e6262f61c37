package gallery

import (
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// Names that test a layout: short, long, without spaces, and right to left.
const (
	organizationName = "Lyric Street Theatre"
	longName         = "The Royal and Ancient Society for the Advancement of Provincial Stagecraft, Lighting and Allied Trades"
	rightToLeft      = "مسرح المدينة القديمة"
	unbroken         = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
)

// now is the time of everything in the gallery.
var now = time.Date(2026, time.November, 19, 14, 2, 5, 0, time.UTC)

func days(n int) time.Time { return now.AddDate(0, 0, n) }

func dollars(cents int64) catalog.Money { return catalog.Money{Minor: cents, Currency: "usd"} }

func signedIn(section layout.Section) layout.Props {
	return layout.Props{
		Viewer:  &layout.Viewer{Name: "Ana Lima", Organization: organizationName, OrganizationID: "org_4h2k9x"},
		Section: section,
		Remark:  "Local Stripe: no money moves.",
		Links:   []ui.LinkButtonProps{{Label: "Gallery", Href: "/dev/ui"}},
	}
}

func visitor(section layout.Section) layout.Props {
	return layout.Props{Section: section}
}

func header(tab layout.OrganizationTab) layout.OrganizationHeader {
	return layout.OrganizationHeader{ID: "org_4h2k9x", Name: organizationName, Current: tab}
}

func members() []organizationviews.MemberRow {
	return []organizationviews.MemberRow{
		{ID: "mem_a", RoleID: account.RoleAdmin, Name: "Ana Lima", Email: "ana@lyric.example", Role: "Admin", Billed: true, Status: account.MemberActive, JoinedAt: days(-420), LastSeenAt: days(0), You: true},
		{ID: "mem_b", RoleID: account.RoleBillingAdmin, Name: "Ben Okafor", Email: "ben@lyric.example", Role: "Billing admin", Status: account.MemberActive, JoinedAt: days(-300), LastSeenAt: days(-2)},
		{ID: "mem_c", RoleID: account.RoleMember, Name: "ليلى حداد", Email: "layla@lyric.example", Role: "Member", Billed: true, Status: account.MemberActive, JoinedAt: days(-90), LastSeenAt: days(-1)},
		{ID: "mem_d", RoleID: "role_1", Name: unbroken, Email: "elfriede.von-und-zu-hohenzollern-sigmaringen@donaudampfschifffahrt.example", Role: "Front of house and cloakroom supervision", Billed: true, Status: account.MemberActive, JoinedAt: days(-60), LastSeenAt: days(-20)},
		{ID: "mem_e", RoleID: account.RoleMember, Name: "Jo", Email: "jo@lyric.example", Role: "Member", Status: account.MemberSuspended, JoinedAt: days(-33)},
	}
}

func crowd(n int) []organizationviews.MemberRow {
	rows := make([]organizationviews.MemberRow, 0, n)
	for i := range n {
		rows = append(rows, organizationviews.MemberRow{
			ID: fmt.Sprintf("mem_%d", i+1), Name: fmt.Sprintf("Person %d", i+1), Email: fmt.Sprintf("person%d@lyric.example", i+1), Role: "Member",
			Billed: i%50 != 0, Status: account.MemberActive, JoinedAt: days(-i % 700), LastSeenAt: days(-i % 9),
		})
	}
	return rows
}
