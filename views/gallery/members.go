package gallery

import (
	"slices"

	"usher/billing"
	"usher/views"
)

func roleChoices() []views.Option {
	return []views.Option{
		{Value: billing.RoleMember, Label: "Member"}, {Value: billing.RoleBillingAdmin, Label: "Billing admin"},
		{Value: "role_1", Label: "Front of house and cloakroom supervision"}, {Value: billing.RoleAdmin, Label: "Admin", Disabled: true},
	}
}

func nextSeat() views.NextSeat {
	return views.NextSeat{Plan: "Pro", PerSeat: true, Price: dollars(2900), Interval: billing.Monthly}
}

func inviting(next views.NextSeat) *views.InviteProps {
	return &views.InviteProps{OrganizationID: "org_4h2k9x", RoleID: billing.RoleMember, Billable: true, Roles: roleChoices(), NextSeat: next}
}

// managedMembers are the members as somebody sees them who may change most of them.
func managedMembers() []views.MemberRow {
	rows := members()
	rows[0].Fixed, rows[0].You, rows[2].You = true, false, true
	for i := range rows {
		rows[i].ID = "mem_" + string(rune('a'+i))
		rows[i].Billable = rows[i].Billed
	}
	rows[2].Why = views.WhyBilled{Since: days(-90), Event: "accepted an invitation", By: "Ana Lima"}
	rows[4].Billable = true
	rows[4].Why = views.WhyBilled{Since: days(-2), Event: "was suspended", By: "Ben Okafor"}
	return rows
}

func managed(next views.NextSeat) views.MembersPageProps {
	return views.MembersPageProps{
		Filter: views.MemberFilter(billing.MemberSearch{}),
		Layout: signedIn(views.SectionOrganization), Organization: header(views.TabMembers), CanManage: true, SeatPrice: "$29 / month",
		Seats:  views.SeatRowProps{Billed: 3, Pending: 1, Sentence: "3 people billed of 5, and 1 seat on its way to Stripe"},
		Invite: inviting(next), Members: managedMembers(),
		Invitations: []views.InvitationRow{
			{ID: "inv_1", Email: "noa.levi@lyric.example", Role: "Member", Billable: true, By: "Ana Lima", ExpiresAt: days(6)},
			{ID: "inv_2", Email: "elfriede.von-und-zu-hohenzollern-sigmaringen@donaudampfschifffahrt.example", Role: "Billing admin", By: "Ben Okafor", ExpiresAt: days(-1), Lapsed: "It has expired."},
			{ID: "inv_3", Email: "chief@lyric.example", Role: "Admin", By: "Ana Lima", ExpiresAt: days(3), Fixed: true},
		},
		Pager: views.Pager{From: 1, To: 5, Total: 5},
	}
}

func memberSpecimens() []Specimen {
	wrong := managed(views.NextSeat{Plan: "Starter", PerSeat: true, Price: dollars(900), Interval: billing.Monthly, Full: 20})
	wrong.Invite.Email = "ben@lyric.example"
	wrong.Invite.Errors = views.InviteErrors{
		Email: billing.MessageMemberAlready, RoleID: billing.MessageGrantsMore, Billable: "Starter takes 20 billed people, and all seats are taken.",
	}
	return append([]Specimen{
		{Name: "members-managed", Title: "Members, to be managed", Page: views.MembersPage(managed(nextSeat()))},
		{Name: "members-refused", Title: "An invitation refused", Page: views.MembersPage(wrong)},
		{Name: "member", Title: "A member", Page: views.MemberPage(memberPage(2))},
		{Name: "member-suspended", Title: "A member, suspended", Page: views.MemberPage(memberPage(4))},
		{Name: "member-long", Title: "A member with a long name, refused", Page: views.MemberPage(refusedMember())},
		{Name: "member-fixed", Title: "A member who may do more", Page: views.MemberPage(memberPage(0))},
	}, slices.Concat(roleSpecimens(), inviteSpecimens(), settingsSpecimens())...)
}

func settingsSpecimens() []Specimen {
	p := views.SettingsPageProps{Layout: signedIn(views.SectionNone), Name: "Ana Lima", Email: "ana@lyric.example", Sessions: []views.SessionRow{{SignedInAt: days(0), Current: true}}}
	wrong := p
	wrong.Name, wrong.Sessions = unbroken, append(wrong.Sessions, views.SessionRow{SignedInAt: days(-3)}, views.SessionRow{SignedInAt: days(-9)})
	wrong.Errors = views.SettingsErrors{Name: "Please give your name, in 100 characters or fewer.", Current: "This is not your current password.", Password: "Please choose a password of at least 8 characters."}
	return []Specimen{
		{Name: "settings", Title: "Settings", Page: views.SettingsPage(p)},
		{Name: "settings-refused", Title: "Settings, something to mend", Page: views.SettingsPage(wrong)},
	}
}

func memberPage(i int) views.MemberPageProps {
	return views.MemberPageProps{
		Layout: signedIn(views.SectionOrganization), Organization: header(views.TabMembers), Member: managedMembers()[i], RoleID: billing.RoleMember,
		Roles: roleChoices(), NextSeat: nextSeat(),
	}
}

func refusedMember() views.MemberPageProps {
	p := memberPage(3)
	p.Errors = views.MemberErrors{
		Form: billing.MessageLastAdmin, RoleID: billing.MessageGrantsMore, Status: billing.MessageSuspendsSelf, Billable: "All seats are taken.",
	}
	return p
}

func roleSpecimens() []Specimen {
	form := views.RoleFormProps{OrganizationID: "org_4h2k9x", MayGrantMembers: true, MayGrantBilling: true}
	page := views.RolesPageProps{Layout: signedIn(views.SectionOrganization), Organization: header(views.TabRoles), Draft: &form, Roles: []views.RoleRow{
		{ID: billing.RoleAdmin, Name: "Admin", BuiltIn: true, CanManageMembers: true, CanManageBilling: true, People: 1},
		{ID: billing.RoleMember, Name: "Member", BuiltIn: true, People: 3},
		{ID: "role_1", Name: "Front of house and cloakroom supervision", CanManageMembers: true, Changeable: true},
	}}
	refused := page
	refused.Draft = &views.RoleFormProps{
		OrganizationID: "org_4h2k9x", Name: "admin", CanManageMembers: true, MayGrantMembers: true,
		Errors: views.RoleErrors{Form: billing.MessageRoleExceeds, Name: billing.MessageRoleTaken},
	}
	role := func(people int) views.RolePageProps {
		return views.RolePageProps{
			Layout: page.Layout, Organization: page.Organization, Title: "Front of house and cloakroom supervision", People: people,
			Form: views.RoleFormProps{OrganizationID: "org_4h2k9x", ID: "role_1", Name: "Front of house and cloakroom supervision", CanManageMembers: true, MayGrantMembers: true, MayGrantBilling: true},
		}
	}
	return []Specimen{
		{Name: "roles-managed", Title: "Roles, to be managed", Page: views.RolesPage(page)},
		{Name: "roles-refused", Title: "A role refused", Page: views.RolesPage(refused)},
		{Name: "role", Title: "A role that nobody holds", Page: views.RolePage(role(0))},
		{Name: "role-held", Title: "A role that is held", Page: views.RolePage(role(3))},
	}
}

func inviteSpecimens() []Specimen {
	page := func(layout views.LayoutProps, way views.InviteWay) views.InvitePageProps {
		return views.InvitePageProps{
			Layout: layout, Way: way, Organization: theatre, Inviter: "Ana Lima", Role: "Member", Email: "noa.levi@lyric.example",
			ExpiresAt: days(6), Action: "/invite/abc", LoginHref: "/login?next=%2Finvite%2Fabc",
		}
	}
	in, out := signedIn(views.SectionNone), visitor(views.SectionNone)
	wrong := page(out, views.InviteSignUp)
	wrong.Name, wrong.Errors = unbroken, views.AcceptErrors{Form: billing.MessageInvitationFull, Name: "Please give your name.", Password: "Please choose a password of at least 8 characters."}
	foreign := page(in, views.InviteForeign)
	foreign.SignedInAs = "elfriede.von-und-zu-hohenzollern-sigmaringen@donaudampfschifffahrt.example"
	closed := views.InvitePageProps{Layout: out, Way: views.InviteClosed, Message: billing.MessageInvitationGone}
	long := page(out, views.InviteSignUp)
	long.Organization, long.Inviter = longName, "ليلى حداد"
	return []Specimen{
		{Name: "invite", Title: "An invitation", Page: views.InvitePage(page(out, views.InviteSignUp))},
		{Name: "invite-long", Title: "An invitation, long names", Page: views.InvitePage(long)},
		{Name: "invite-refused", Title: "An invitation, something to mend", Page: views.InvitePage(wrong)},
		{Name: "invite-log-in", Title: "An invitation for an account", Page: views.InvitePage(page(out, views.InviteLogIn))},
		{Name: "invite-join", Title: "An invitation, signed in", Page: views.InvitePage(page(in, views.InviteJoin))},
		{Name: "invite-foreign", Title: "An invitation, signed in as another", Page: views.InvitePage(foreign)},
		{Name: "invite-closed", Title: "An invitation that does not count", Page: views.InvitePage(closed)},
	}
}

func renaming(layout views.LayoutProps) views.GeneralPageProps {
	layout.Viewer = &views.Viewer{
		Name: "Ana Lima", Organization: theatre, OrganizationID: "org_4h2k9x",
		Others: []views.Choice{{ID: "org_2", Name: longName}, {ID: "org_3", Name: rightToLeft}},
	}
	p := general(layout, header(views.TabGeneral))
	p.Rename = &views.RenameProps{Name: "", Error: "Please name your organization, in 100 characters or fewer."}
	p.HandOver = &views.HandOverProps{
		Members: []views.Option{{Value: "mem_1", Label: "Ben Okafor (ben@example.com)"}}, Error: "Please choose another member, one who is not suspended.",
	}
	p.Deletion = &views.DeletionProps{Days: 7, Error: "Please type the organization's name exactly as it stands here."}
	return p
}
