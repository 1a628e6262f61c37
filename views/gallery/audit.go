package gallery

import (
	adminviews "usher/views/admin"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

func auditHeader() layout.OrganizationHeader {
	h := header(layout.TabAudit)
	h.Audit = true
	return h
}

func auditFilter() ui.AuditFilterProps {
	return ui.AuditFilterProps{
		Action: "/organization", AllHref: "/organization?tab=audit", Fields: []ui.Hidden{{Name: "tab", Value: "audit"}}, TextLabel: "Search for",
		Act: ui.SelectProps{Label: "What", Name: "act", Options: []ui.Option{{Label: "Everything"}, {Value: "member.role_changed", Label: "Role of a member changed"}}},
	}
}

func auditRows() []ui.AuditRow {
	return []ui.AuditRow{
		{At: now, By: "Ana Lima", What: "made Ben Okafor a billing admin instead of a member", From: "203.0.113.9", RequestID: "req_8fq2mz81cc09b7d1"},
		{At: days(-1), By: "ليلى حداد", What: "invited mina@lantern.example as Front of house and cloakroom supervision", From: "2001:db8:85a3:8d3:1319:8a2e:370:7348", RequestID: "req_02b1aa"},
		{At: days(-1), By: "Usher", Kind: "Automatic", What: "ended a second subscription and refunded $290.00"},
		{At: days(-2), By: "Stripe", Kind: "Change at Stripe", What: "changed the number of seats from 40 to 9", RequestID: "req_51e0"},
		{At: days(-3), By: "Olga Petrova", Kind: "Operator of this installation", What: "viewed the organization", RequestID: "req_77a1"},
		{At: days(-9), By: unbroken, What: "changed the role Usherette, which can no longer manage billing", From: "203.0.113.9", RequestID: "req_9d"},
	}
}

func auditLog(frame layout.Props) organizationviews.AuditPageProps {
	return organizationviews.AuditPageProps{
		Layout: frame, Organization: auditHeader(), Filter: auditFilter(), Entries: auditRows(), CSVHref: "/organization/audit.csv",
		Pages: ui.AuditPagesProps{NewestHref: "/organization?tab=audit", OlderHref: "/organization?tab=audit&before=1-1"},
	}
}

func auditNarrowed(frame layout.Props) organizationviews.AuditPageProps {
	p := auditLog(frame)
	p.Entries, p.Pages = nil, ui.AuditPagesProps{}
	p.Filter.Text, p.Filter.From, p.Filter.Until, p.Filter.Narrowed = "zzz", "2026-12-02", "2026-12-01", true
	p.Filter.Error = "This day is before the first one."
	return p
}

func auditForOperators() adminviews.AuditPageProps {
	p := adminviews.AuditPageProps{Layout: signedIn(layout.SectionOperations), Filter: auditFilter(), Entries: auditRows()}
	p.Filter.Action, p.Filter.AllHref, p.Filter.Fields = "/admin/audit", "/admin/audit", nil
	for i := range p.Entries {
		p.Entries[i].Organization, p.Entries[i].OrganizationHref = "org_4h2k9x", "/admin/organizations/org_4h2k9x"
	}
	p.Entries[1].Organization, p.Entries[1].OrganizationHref = "", ""
	p.Entries[1].What = "changed their password"
	return p
}
