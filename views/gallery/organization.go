package gallery

import (
	"strconv"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/mail"
	adminviews "usher/views/admin"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

func organizationSpecimens() []Specimen {
	frame := signedIn(layout.SectionOrganization)
	longLayout, longHeader := frame, header(layout.TabGeneral)
	longLayout.Viewer = &layout.Viewer{Name: unbroken, Organization: longName, OrganizationID: "org_4h2k9x"}
	longHeader.Name = longName
	return []Specimen{
		{Name: "general", Title: "General", Page: organizationviews.GeneralPage(general(frame, header(layout.TabGeneral)))},
		{Name: "general-long", Title: "General, long names", Page: organizationviews.GeneralPage(general(longLayout, longHeader))},
		{Name: "general-rename", Title: "General, renaming", Page: organizationviews.GeneralPage(renaming(frame))},
		{Name: "members", Title: "Members", Page: organizationviews.MembersPage(organizationviews.MembersPageProps{Filter: organizationviews.MemberFilter(english, account.MemberSearch{}), Layout: frame, Organization: header(layout.TabMembers),
			Seats: memberSeats(5, ui.SeatRowProps{Billed: 3, Free: 1}), Members: members(), Pager: ui.PagerProps{From: 1, To: 5, Total: 5}})},
		{Name: "members-2000", Title: "2,000 members", Page: organizationviews.MembersPage(organizationviews.MembersPageProps{Filter: organizationviews.MemberFilter(english, account.MemberSearch{}), Layout: frame, Organization: header(layout.TabMembers),
			Seats: memberSeats(2000, ui.SeatRowProps{Billed: 1948, Pending: 12}), Members: crowd(50),
			Pager: ui.PagerProps{From: 1, To: 50, Total: 2000, NextHref: "/organization?tab=members&page=2"}})},
		{Name: "roles", Title: "Roles", Page: organizationviews.RolesPage(organizationviews.RolesPageProps{Layout: frame, Organization: header(layout.TabRoles), Roles: []organizationviews.RoleRow{
			{Name: "Admin", BuiltIn: true, CanManageMembers: true, CanManageBilling: true, People: 1},
			{Name: "Billing admin", BuiltIn: true, CanManageBilling: true, People: 1},
			{Name: "Member", BuiltIn: true, People: 3},
			{Name: "Front of house and cloakroom supervision", CanManageMembers: true},
		}})},
		{Name: "contacts", Title: "Billing contacts, none yet", Page: organizationviews.ContactsPage(contacts(frame))},
		{Name: "contacts-mend", Title: "Billing contacts, to be mended", Page: organizationviews.ContactsPage(contactsFixed(frame))},
		{Name: "activity", Title: "Activity", Page: organizationviews.ActivityPage(organizationviews.ActivityPageProps{Filter: organizationviews.ActivityFilter(english, billing.LedgerSearch{}), CSVHref: "/billing/seats.csv", Layout: frame, Organization: header(layout.TabActivity), Changes: []ui.SeatChangeRow{
			{At: now, Subject: "ليلى حداد", What: "joined", By: "Ana Lima", From: 8, To: 9},
			{At: days(-1), Subject: "Jo", What: "was suspended", By: "Ben Okafor", From: 9, To: 8, RequestID: "req_8fQ2mZ", Invoiced: "−$9.00", Invoice: "RZK9MHU1-0002", InvoiceHref: "/billing/invoices/in_1"},
			{At: days(-3), What: "The plan changed to Pro, yearly", By: "Ana Lima", From: 9, To: 9},
			{At: days(-30), What: "The number at Stripe was corrected", From: 40, To: 9},
		}})},
		{Name: "audit", Title: "Audit log", Page: organizationviews.AuditPage(auditLog(frame))},
		{Name: "audit-narrowed", Title: "Audit log, nothing matches", Page: organizationviews.AuditPage(auditNarrowed(frame))},
		{Name: "audit-empty", Title: "Audit log, nothing yet", Page: organizationviews.AuditPage(organizationviews.AuditPageProps{Layout: frame, Organization: auditHeader(), Filter: auditFilter(), CSVHref: "/organization/audit.csv"})},
		{Name: "audit-operators", Title: "Audit log, for operators", Page: adminviews.AuditPage(auditForOperators())},
		{Name: "activity-empty", Title: "Activity, nothing yet", Page: organizationviews.ActivityPage(organizationviews.ActivityPageProps{Filter: organizationviews.ActivityFilter(english, billing.LedgerSearch{}), CSVHref: "/billing/seats.csv", Layout: frame, Organization: header(layout.TabActivity)})},
	}
}

func general(frame layout.Props, h layout.OrganizationHeader) organizationviews.GeneralPageProps {
	return organizationviews.GeneralPageProps{
		Layout: frame, Organization: h, CreatedAt: days(-420), People: 12, YourRole: "Admin", BillingNames: []string{"Ana Lima", "Ben Okafor", "ليلى حداد"},
	}
}

func errorSpecimens() []Specimen {
	page := func(status int, message string, frame layout.Props) Specimen {
		props := layout.ErrorPageProps{Layout: frame, Status: status, Message: message, RequestID: "req_8fQ2mZ"}
		if status >= 500 {
			props.RetryHref = "/billing/invoices/in_1/pdf"
		}
		if status == 502 {
			props.Link = &ui.LinkButtonProps{Label: "Back to billing", Href: "/organization?tab=billing", Kind: ui.Secondary}
		}
		return Specimen{Page: layout.ErrorPage(props)}
	}
	in, out := signedIn(layout.SectionNone), visitor(layout.SectionNone)
	named := func(name, title string, s Specimen) Specimen {
		s.Name, s.Title = name, title
		return s
	}
	return []Specimen{
		named("error-404", "404", page(404, "", out)),
		named("error-403", "403", asking("Only organization admins can manage billing", in,
			ui.NameWithRole{Name: "Ana Lima", Role: "Admin"}, ui.NameWithRole{Name: "Ben Okafor", Role: "Billing admin"}, ui.NameWithRole{Name: "ليلى حداد", Role: "Admin"})),
		named("error-403-nobody", "403, no one to ask", page(403, "Only operators of this installation can see this", in)),
		named("error-409", "409", page(409, "", in)),
		named("error-429", "429", page(429, "", out)),
		named("error-500", "500", page(500, "", in)),
		named("error-503", "503", page(503, "", in)),
		named("error-502", "502", page(502, "Stripe isn't responding. Nothing was charged. Please try again in a moment.", in)),
	}
}

// asking is a page without access that names whom to ask.
func asking(message string, frame layout.Props, people ...ui.NameWithRole) Specimen {
	return Specimen{Page: layout.ErrorPage(layout.ErrorPageProps{Layout: frame, Status: 403, Message: message, Helpers: people, RequestID: "req_8fQ2mZ"})}
}

func contacts(frame layout.Props) organizationviews.ContactsPageProps {
	p := organizationviews.ContactsPageProps{Layout: frame, Organization: header(layout.TabBilling), Managers: []string{"Ana Lima", "Ben Okafor"}}
	for i, group := range []string{"Payments", "Plan", "Seats"} {
		label := []string{"A payment failed", "Your plan was renewed", "The number of seats changed"}[i]
		p.Notices = append(p.Notices, organizationviews.NoticeSetting{Kind: mail.Kind("notice_" + strconv.Itoa(i)), Group: group, Label: label, On: i != 1})
	}
	return p
}

func contactsFixed(frame layout.Props) organizationviews.ContactsPageProps {
	p := contacts(frame)
	p.Contacts, p.AtStripe = []string{"accounts@lantern.example", unbroken + "@example.com"}, "accounts@lantern.example"
	p.Email, p.Error = "accounts at lantern", "Enter an e-mail address such as billing@example.com."
	return p
}
