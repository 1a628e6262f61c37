package handlers

import (
	"net/http"

	"usher/billing"
	"usher/billing/account"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

// memberPages are the pages about the members of an organization.
type memberPages struct {
	*site
	members     *account.Members
	roles       *account.Roles
	invitations *account.Invitations
	overviews   *billing.Overviews
	seatLedger  *billing.SeatLedgers
	seatChanges *seatChanges
}

const (
	membersTab = "/organization?tab=members"
	rolesTab   = "/organization?tab=roles"
)

func (p *memberPages) list(w http.ResponseWriter, r *http.Request) error {
	return p.renderList(w, r, http.StatusOK, inviteForm{account.NewInvitation{RoleID: account.RoleMember, Billable: true}, nil})
}

func (p *memberPages) renderList(w http.ResponseWriter, r *http.Request, status int, form inviteForm) error {
	props, err := p.listProps(r, memberSearch(r))
	if err != nil {
		return err
	}
	if err := p.addInvitations(r, &props, form); err != nil {
		return err
	}
	if notice := p.seatChanges.notice(r); notice != nil {
		props.Layout.Notices = append(props.Layout.Notices, *notice)
	}
	return render(w, r, status, organizationviews.MembersPage(props))
}

func (p *memberPages) listProps(r *http.Request, search account.MemberSearch) (organizationviews.MembersPageProps, error) {
	access := accessOf(r)
	members, err := p.members.Search(r.Context(), access, search)
	if err != nil {
		return organizationviews.MembersPageProps{}, err
	}
	from, to, pager := paginate(r, len(members), membersPerPage)
	rows, err := p.rows(r, members[from:to])
	return organizationviews.MembersPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabMembers),
		Members: rows, Pager: pager, CanManage: access.CanManageMembers(), Filter: organizationviews.MemberFilter(search),
	}, err
}

// memberSearch reads the filter from the query.
func memberSearch(r *http.Request) account.MemberSearch {
	query := r.URL.Query()
	return account.MemberSearch{Text: query.Get("q"), Seat: account.SeatFilter(query.Get("show"))}
}

// rows returns the table rows of members, each with the reason why the member is billed.
func (p *memberPages) rows(r *http.Request, members []account.Member) ([]organizationviews.MemberRow, error) {
	ids := make([]string, 0, len(members))
	for _, member := range members {
		ids = append(ids, member.UserID)
	}
	since, err := p.seatLedger.BilledSince(r.Context(), accessOf(r), ids)
	if err != nil {
		return nil, err
	}
	rows := make([]organizationviews.MemberRow, 0, len(members))
	for _, member := range members {
		row := memberRow(member, identityOf(r))
		if change, known := since[member.UserID]; known {
			row.Why = organizationviews.BillingReason{Since: change.At, Event: change.Reason, By: change.ActorName}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func memberRow(m account.Member, v identity) organizationviews.MemberRow {
	return organizationviews.MemberRow{
		ID: m.ID, Name: m.Name, Email: m.Email, Role: m.Role.Name, Billed: m.Billed(), Billable: m.Billable, Status: m.Status,
		JoinedAt: m.JoinedAt, LastSeenAt: timeOrZero(m.LastSeenAt), You: m.UserID == v.userID, Fixed: !v.access.Covers(m.Role),
	}
}

// show shows a member's page: what can be changed and why the member is billed.
func (p *memberPages) show(w http.ResponseWriter, r *http.Request) error {
	member, err := p.members.Get(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return p.renderMember(w, r, http.StatusOK, member, organizationviews.MemberErrors{})
}

func (p *memberPages) renderMember(w http.ResponseWriter, r *http.Request, status int, m account.Member, invalid organizationviews.MemberErrors) error {
	roles, err := p.roles.List(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	rows, err := p.rows(r, []account.Member{m})
	if err != nil {
		return err
	}
	return render(w, r, status, organizationviews.MemberPage(organizationviews.MemberPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabMembers), Member: rows[0], RoleID: m.Role.ID,
		Roles: roleOptions(roles, accessOf(r)), NextSeat: nextSeat(overview, 0), Errors: invalid,
	}))
}

// update changes the role, status or seat of a member. A change that costs something is shown with
// its amounts first. It reaches seats in the same transaction; see [billing.SeatPreviews.Apply].
func (p *memberPages) update(w http.ResponseWriter, r *http.Request) error {
	change := memberChange(r)
	request := billing.SeatRequest{Kind: billing.SeatMembers, MemberIDs: []string{r.PathValue("id")}, Change: change}
	err := p.seatChanges.run(w, r, request, membersTab+"&notice="+noticeMemberChanged)
	if isRefusal(err) {
		return p.showRefusal(w, r, change, err)
	}
	return err
}

// memberChange reads the form. If it contains both role and status it is complete, and an unchecked
// box means false. Otherwise missing fields stay unchanged.
func memberChange(r *http.Request) account.MemberChange {
	var change account.MemberChange
	form := r.PostForm
	if form.Has("roleId") {
		role := form.Get("roleId")
		change.RoleID = &role
	}
	if form.Has("status") {
		status := account.MemberStatus(form.Get("status"))
		change.Status = &status
	}
	if form.Has("billable") || (change.RoleID != nil && change.Status != nil) {
		billable := isChecked(r, "billable")
		change.Billable = &billable
	}
	return change
}

// showRefusal shows the member's page with the submitted values and the error.
func (p *memberPages) showRefusal(w http.ResponseWriter, r *http.Request, change account.MemberChange, cause error) error {
	if isFragment(r) {
		return p.seatChanges.refuse(w, r, cause)
	}
	stateOf(r).err = cause
	member, err := p.members.Get(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	if change.RoleID != nil {
		member.Role.ID = *change.RoleID
	}
	if change.Status != nil && change.Status.Valid() {
		member.Status = *change.Status
	}
	if change.Billable != nil {
		member.Billable = *change.Billable
	}
	invalid := fieldMessages(cause)
	return p.renderMember(w, r, refusalStatus(cause), member, organizationviews.MemberErrors{
		Form: formMessage(cause), RoleID: invalid["roleId"], Billable: invalid["billable"], Status: invalid["status"],
	})
}

func (p *memberPages) remove(w http.ResponseWriter, r *http.Request) error {
	request := billing.SeatRequest{Kind: billing.SeatRemoval, MemberIDs: []string{r.PathValue("id")}}
	err := p.seatChanges.run(w, r, request, membersTab+"&notice="+noticeMemberRemoved)
	if isRefusal(err) {
		return p.showRefusal(w, r, account.MemberChange{}, err)
	}
	return err
}
