package gallery

import (
	"slices"
	"strconv"

	"usher/billing/account"
	"usher/billing/catalog"
	authviews "usher/views/auth"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

func roleChoices() []ui.Option {
	return []ui.Option{
		{Value: account.RoleMember, Label: "Member"}, {Value: account.RoleBillingAdmin, Label: "Billing admin"},
		{Value: "role_1", Label: "Front of house and cloakroom supervision"}, {Value: account.RoleAdmin, Label: "Admin", Disabled: true},
	}
}

func nextSeat() organizationviews.NextSeat {
	return organizationviews.NextSeat{Plan: "Pro", PerSeat: true, Price: dollars(2900), Interval: catalog.Monthly}
}

func inviting(next organizationviews.NextSeat) *organizationviews.InviteFormProps {
	return &organizationviews.InviteFormProps{OrganizationID: "org_4h2k9x", RoleID: account.RoleMember, Billable: true, Roles: roleChoices(), NextSeat: next}
}

// memberSeats are the numbers above a list of people with a plan billed by the seat.
func memberSeats(people int, row ui.SeatRowProps) organizationviews.MemberSeats {
	paid := row.Billed + row.Free
	return organizationviews.MemberSeats{People: people, Row: row, Synced: true, Needed: row.Billed + row.Pending + row.Failed, Paid: paid, CheckedAt: now}
}

// managedMembers are the members as an admin sees them who may change most of them.
func managedMembers() []organizationviews.MemberRow {
	rows := members()
	rows[0].Fixed, rows[0].You, rows[2].You = true, false, true
	for i := range rows {
		rows[i].Billable = rows[i].Billed
	}
	rows[2].Why = organizationviews.BillingReason{Since: days(-90), Event: "accepted an invitation", By: "Ana Lima"}
	rows[4].Billable = true
	rows[4].Why = organizationviews.BillingReason{Since: days(-2), Event: "was suspended", By: "Ben Okafor"}
	return rows
}

func managed(next organizationviews.NextSeat) organizationviews.MembersPageProps {
	return organizationviews.MembersPageProps{
		Filter: organizationviews.MemberFilter(english, account.MemberSearch{}),
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabMembers), CanManage: true, SeatPrice: "$29 a month", SeatsProposed: 4,
		Seats:  memberSeats(5, ui.SeatRowProps{Billed: 3, Pending: 1}),
		Invite: inviting(next), Members: managedMembers(), Roles: roleChoices(),
		Invitations: []organizationviews.InvitationRow{
			{ID: "inv_1", Email: "noa.levi@lyric.example", Role: "Member", Billable: true, By: "Ana Lima", ExpiresAt: days(6)},
			{ID: "inv_2", Email: "elfriede.von-und-zu-hohenzollern-sigmaringen@donaudampfschifffahrt.example", Role: "Billing admin", By: "Ben Okafor", ExpiresAt: days(-1), Lapsed: "Expired. Resend it to renew the link."},
			{ID: "inv_3", Email: "chief@lyric.example", Role: "Admin", By: "Ana Lima", ExpiresAt: days(3), Fixed: true},
		},
		Pager: ui.PagerProps{From: 1, To: 5, Total: 5},
	}
}

func memberSpecimens() []Specimen {
	wrong := managed(organizationviews.NextSeat{Plan: "Starter", PerSeat: true, Price: dollars(900), Interval: catalog.Monthly, Full: 20})
	wrong.Invite.Email = "ben@lyric.example"
	wrong.Invite.Errors = organizationviews.InviteErrors{
		Email: account.MessageMemberAlready, RoleID: account.MessageGrantsMore, Billable: "Starter has seats for at most 20 people, and 21 would need one. Choose a larger plan, or free a seat.",
	}
	unverified := managed(nextSeat())
	unverified.Invite.Unverified = "ana@lyric.example"
	inTrial := nextSeat()
	inTrial.TrialEndsAt = days(12)
	changed := managed(nextSeat())
	changed.Notice = &ui.NoticeProps{Tone: ui.Good, Title: "ليلى حداد now has a seat: $15.47 on your next invoice.", Body: "Then +$29.00 a month.", Action: &ui.PostButtonProps{
		Action: "/organization/seats/undo", Fields: []ui.Hidden{{Name: "organizationId", Value: "org_4h2k9x"}, {Name: "change", Value: "sp_1"}}, Button: ui.ButtonProps{Label: "Undo", Kind: ui.Quiet},
	}}
	unplanned := managed(organizationviews.NextSeat{})
	unplanned.Seats, unplanned.SeatPrice, unplanned.SeatsProposed = organizationviews.MemberSeats{People: 5, Row: ui.SeatRowProps{Vacant: 3}}, "", 0
	alone := unplanned
	alone.Seats, alone.Members, alone.Invitations, alone.Pager = organizationviews.MemberSeats{People: 1, Row: ui.SeatRowProps{Vacant: 1}}, managedMembers()[2:3], nil, ui.PagerProps{From: 1, To: 1, Total: 1}
	nobody := managed(nextSeat())
	nobody.Members, nobody.Invitations, nobody.Pager = nil, nil, ui.PagerProps{}
	nobody.Filter = organizationviews.MemberFilter(english, account.MemberSearch{Text: "zzz"})
	return append([]Specimen{
		{Name: "members-managed", Title: "Members, to be managed", Page: organizationviews.MembersPage(managed(nextSeat()))},
		{Name: "members-changed", Title: "Members after a change", Page: organizationviews.MembersPage(changed)},
		{Name: "members-no-plan", Title: "Members without a plan", Page: organizationviews.MembersPage(unplanned)},
		{Name: "members-alone", Title: "Members, only you", Page: organizationviews.MembersPage(alone)},
		{Name: "members-no-match", Title: "Members, no match", Page: organizationviews.MembersPage(nobody)},
		{Name: "invite-refused-in-place", Title: "Addresses refused, over the list", Page: inPlace(organizationviews.InviteRefused(organizationviews.InvitePeopleProps{Sent: 46, Addresses: []organizationviews.InviteAddress{
			{Email: "ben@lyric", Error: account.MessageInvitationAddress}, {Email: "ana@lyric.example", Error: account.MessageMemberAlready},
		}}))},
		inviteProgress("invite-many", "Many invitations to confirm", 0, nil),
		inviteProgress("invite-progress", "Many invitations, sending", 25, []string{"ben@lyric.example"}),
		{Name: "members-trial", Title: "Members in a trial", Page: organizationviews.MembersPage(managed(inTrial))},
		{Name: "members-unverified", Title: "Members, address not confirmed", Page: organizationviews.MembersPage(unverified)},
		{Name: "members-refused", Title: "An invitation refused", Page: organizationviews.MembersPage(wrong)},
		{Name: "member", Title: "A member", Page: organizationviews.MemberPage(memberPage(2))},
		{Name: "member-suspended", Title: "A member, suspended", Page: organizationviews.MemberPage(memberPage(4))},
		{Name: "member-long", Title: "A member with a long name, refused", Page: organizationviews.MemberPage(refusedMember())},
		{Name: "member-fixed", Title: "A member who may do more", Page: organizationviews.MemberPage(memberPage(0))},
		invitePeople("invite-people", "Invite your people", organizationviews.InvitePeopleProps{Planned: 4, Missing: 3, SeatPrice: "$29 a month", Addresses: make([]organizationviews.InviteAddress, 3)}),
		invitePeople("invite-people-trial", "Invite your people in a trial", organizationviews.InvitePeopleProps{Planned: 2, Missing: 1, SeatPrice: "$9 a month", TrialEndsAt: days(12), Addresses: make([]organizationviews.InviteAddress, 1)}),
		invitePeople("invite-people-unverified", "Invite your people, address not confirmed", organizationviews.InvitePeopleProps{Planned: 4, Missing: 3, SeatPrice: "$29 a month", Unverified: "ana@lyric.example"}),
		invitePeople("invite-people-list", "Invite many people", organizationviews.InvitePeopleProps{Planned: 200, Missing: 188, SeatPrice: "$29 a month", AsList: true}),
		invitePeople("invite-people-refused", "Addresses refused", organizationviews.InvitePeopleProps{Planned: 4, Missing: 2, Sent: 1, Addresses: []organizationviews.InviteAddress{
			{Email: "ben@lyric", Error: account.MessageInvitationAddress}, {Email: "ana@lyric.example", Error: account.MessageMemberAlready},
		}}),
	}, slices.Concat(roleSpecimens(), apiKeySpecimens(), webhookSpecimens(), domainSpecimens(), inviteSpecimens(), settingsSpecimens())...)
}

func inviteProgress(name, title string, done int, refused []string) Specimen {
	p := organizationviews.InviteProgressProps{
		OrganizationID: "org_4h2k9x", RoleID: account.RoleMember, Billable: true, Cost: nextSeat().WordsFor(english, 48), Done: done, Total: 48,
		Refused: refused,
	}
	for i := done; i < p.Total; i++ {
		p.Left = append(p.Left, "person"+strconv.Itoa(i)+"@lyric.example")
	}
	return Specimen{Name: name, Title: title, Page: organizationviews.InviteProgressPage(organizationviews.InviteProgressPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabMembers), Progress: p,
	})}
}

func invitePeople(name, title string, form organizationviews.InvitePeopleProps) Specimen {
	form.OrganizationID = "org_4h2k9x"
	return Specimen{Name: name, Title: title, Page: organizationviews.InvitePeoplePage(organizationviews.InvitePeoplePageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabMembers), Form: form,
	})}
}

func settingsSpecimens() []Specimen {
	p := authviews.SettingsPageProps{Layout: signedIn(layout.SectionNone), Name: "Ana Lima", Email: "ana@lyric.example", Verified: true, Sessions: sessionList(1)}
	unverified := p
	unverified.Verified = false
	changing, halfway := p, p
	changing.EmailChange = &authviews.EmailChange{NewEmail: "ana@lyric-street.example"}
	halfway.EmailChange = &authviews.EmailChange{NewEmail: "ana@lyric-street.example", NewConfirmed: true}
	badAddress := p
	badAddress.NewEmail, badAddress.Errors = "ana", authviews.SettingsErrors{Email: account.MessageInvitationAddress}
	wrong := p
	wrong.Name, wrong.Sessions = unbroken, sessionList(3)
	wrong.Errors = authviews.SettingsErrors{Name: "Please give your name, in 100 characters or fewer.", Current: "This is not your current password.", Password: "Please choose a password of at least 8 characters."}
	return []Specimen{
		{Name: "settings", Title: "Settings", Page: authviews.SettingsPage(p)},
		{Name: "settings-unverified", Title: "Settings, address not confirmed", Page: authviews.SettingsPage(unverified)},
		{Name: "settings-email", Title: "Settings, address to be confirmed", Page: authviews.SettingsPage(changing)},
		{Name: "settings-email-halfway", Title: "Settings, address confirmed at one place", Page: authviews.SettingsPage(halfway)},
		{Name: "settings-email-refused", Title: "Settings, new address refused", Page: authviews.SettingsPage(badAddress)},
		confirm("", "", authviews.ConfirmPageProps{}),
		confirm("-refused", ", wrong password", authviews.ConfirmPageProps{Errors: authviews.ConfirmErrors{Password: "This is not your current password."}}),
		confirm("-code", ", with a code", authviews.ConfirmPageProps{SecondFactor: true, App: true}),
		confirm("-code-refused", ", wrong code", authviews.ConfirmPageProps{SecondFactor: true, App: true, Errors: authviews.ConfirmErrors{Code: wrongCode}}),
		confirm("-recovery", ", with a recovery code", authviews.ConfirmPageProps{SecondFactor: true, App: true, Recovery: true}),
		{Name: "settings-refused", Title: "Settings, something to mend", Page: authviews.SettingsPage(wrong)},
	}
}

func confirm(name, title string, p authviews.ConfirmPageProps) Specimen {
	p.Layout, p.Email, p.Action = signedIn(layout.SectionNone), "ana@lyric.example", "/login/confirm"
	p.CodeHref, p.RecoveryHref = p.Action, p.Action+"?with=recovery-code"
	return Specimen{Name: "confirm" + name, Title: "Confirm that it's you" + title, Page: authviews.ConfirmPage(p)}
}

// sessionList returns the first n sessions: of this browser, of another device, and of the previous
// release, which did not record where it began.
func sessionList(n int) authviews.SessionListProps {
	return authviews.SessionListProps{Sessions: []authviews.SessionRow{
		{ID: "ses_01", Device: "Firefox on Linux", Address: "203.0.113.7", StartedAt: days(-2), LastUsedAt: days(0), Current: true},
		{ID: "ses_02", Device: "Safari on an iPhone", Address: "2001:db8:85a3:8d3:1319:8a2e:370:7348", StartedAt: days(-3), LastUsedAt: days(-1)},
		{ID: "ses_03", Device: authviews.DeviceName(english, ""), StartedAt: days(-9)},
	}[:n]}
}

func memberPage(i int) organizationviews.MemberPageProps {
	return organizationviews.MemberPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabMembers), Member: managedMembers()[i], RoleID: account.RoleMember,
		Roles: roleChoices(), NextSeat: nextSeat(),
	}
}

func refusedMember() organizationviews.MemberPageProps {
	p := memberPage(3)
	p.Errors = organizationviews.MemberErrors{
		Form: account.MessageLastAdmin, RoleID: account.MessageGrantsMore, Status: account.MessageSuspendsSelf, Billable: "All seats are taken.",
	}
	return p
}

func roleSpecimens() []Specimen {
	form := organizationviews.RoleFormProps{OrganizationID: "org_4h2k9x", MayGrantMembers: true, MayGrantBilling: true}
	page := organizationviews.RolesPageProps{Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabRoles), Draft: &form, Roles: []organizationviews.RoleRow{
		{ID: account.RoleAdmin, Name: "Admin", BuiltIn: true, CanManageMembers: true, CanManageBilling: true, People: 1},
		{ID: account.RoleMember, Name: "Member", BuiltIn: true, People: 3},
		{ID: "role_1", Name: "Front of house and cloakroom supervision", CanManageMembers: true, Changeable: true},
	}}
	refused := page
	refused.Draft = &organizationviews.RoleFormProps{
		OrganizationID: "org_4h2k9x", Name: "admin", CanManageMembers: true, MayGrantMembers: true,
		Errors: organizationviews.RoleErrors{Form: account.MessageRoleExceeds, Name: account.MessageRoleTaken},
	}
	role := func(people int) organizationviews.RolePageProps {
		return organizationviews.RolePageProps{
			Layout: page.Layout, Organization: page.Organization, Title: "Front of house and cloakroom supervision", People: people,
			Form: organizationviews.RoleFormProps{OrganizationID: "org_4h2k9x", ID: "role_1", Name: "Front of house and cloakroom supervision", CanManageMembers: true, MayGrantMembers: true, MayGrantBilling: true},
		}
	}
	return []Specimen{
		{Name: "roles-managed", Title: "Roles, to be managed", Page: organizationviews.RolesPage(page)},
		{Name: "roles-refused", Title: "A role refused", Page: organizationviews.RolesPage(refused)},
		{Name: "role", Title: "A role that nobody holds", Page: organizationviews.RolePage(role(0))},
		{Name: "role-held", Title: "A role that is held", Page: organizationviews.RolePage(role(3))},
	}
}

func inviteSpecimens() []Specimen {
	page := func(frame layout.Props, state authviews.InvitationState) authviews.InvitationPageProps {
		return authviews.InvitationPageProps{
			Layout: frame, State: state, Organization: organizationName, Inviter: "Ana Lima", Role: "Member", Email: "noa.levi@lyric.example",
			ExpiresAt: days(6), Action: "/invite/abc", LoginHref: "/login?next=%2Finvite%2Fabc",
		}
	}
	in, out := signedIn(layout.SectionNone), visitor(layout.SectionNone)
	wrong := page(out, authviews.InvitationSignup)
	wrong.Name, wrong.Errors = unbroken, authviews.InvitationErrors{Form: account.MessageInvitationFull, Name: "Please give your name.", Password: "Please choose a password of at least 8 characters."}
	foreign := page(in, authviews.InvitationOtherAccount)
	foreign.SignedInAs = "elfriede.von-und-zu-hohenzollern-sigmaringen@donaudampfschifffahrt.example"
	closed := authviews.InvitationPageProps{Layout: out, State: authviews.InvitationClosed, Message: account.MessageInvitationGone}
	long := page(out, authviews.InvitationSignup)
	long.Organization, long.Inviter = longName, "ليلى حداد"
	return []Specimen{
		{Name: "invite", Title: "An invitation", Page: authviews.InvitationPage(page(out, authviews.InvitationSignup))},
		{Name: "invite-long", Title: "An invitation, long names", Page: authviews.InvitationPage(long)},
		{Name: "invite-refused", Title: "An invitation, something to mend", Page: authviews.InvitationPage(wrong)},
		{Name: "invite-log-in", Title: "An invitation for an account", Page: authviews.InvitationPage(page(out, authviews.InvitationLogin))},
		{Name: "invite-join", Title: "An invitation, signed in", Page: authviews.InvitationPage(page(in, authviews.InvitationJoin))},
		{Name: "invite-foreign", Title: "An invitation, signed in as another", Page: authviews.InvitationPage(foreign)},
		{Name: "invite-closed", Title: "An invitation that does not count", Page: authviews.InvitationPage(closed)},
	}
}

func renaming(frame layout.Props) organizationviews.GeneralPageProps {
	frame.Viewer = &layout.Viewer{
		Name: "Ana Lima", Organization: organizationName, OrganizationID: "org_4h2k9x",
		Others: []layout.OrganizationChoice{{ID: "org_2", Name: longName}, {ID: "org_3", Name: rightToLeft}},
	}
	p := general(frame, header(layout.TabGeneral))
	p.Rename = &organizationviews.RenameProps{Name: "", Error: "Please name your organization, in 100 characters or fewer."}
	p.Transfer = &organizationviews.TransferProps{
		Members: []ui.Option{{Value: "mem_1", Label: "Ben Okafor (ben@example.com)"}}, Error: "Please choose another member, one who is not suspended.",
	}
	p.Deletion = &organizationviews.DeletionProps{Days: 7, Error: "Please type the organization's name exactly as it stands here."}
	return p
}
