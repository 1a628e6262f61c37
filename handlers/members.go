package handlers

import (
	"net/http"

	"usher/billing/account"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

const (
	membersTab = "/organization?tab=members"
	rolesTab   = "/organization?tab=roles"
)

func (s *server) showMembers(w http.ResponseWriter, r *http.Request) error {
	return s.membersPage(w, r, http.StatusOK, inviteForm{account.NewInvitation{RoleID: account.RoleMember, Billable: true}, nil})
}

func (s *server) membersPage(w http.ResponseWriter, r *http.Request, status int, form inviteForm) error {
	access := accessOf(r)
	search := memberSearch(r)
	members, err := s.billing.Members.Search(r.Context(), access, search)
	if err != nil {
		return err
	}
	invitations, err := s.billing.Invitations.Pending(r.Context(), access)
	if err != nil {
		return err
	}
	overview, err := s.billing.Overviews.Get(r.Context(), access)
	if err != nil {
		return err
	}
	from, to, pager := paginate(r, len(members), membersPerPage)
	props := organizationviews.MembersPageProps{
		Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabMembers),
		Seats: seatRowProps(overview.Seats), SeatPrice: seatPrice(overview), Pager: pager, CanManage: access.CanManageMembers(),
		Filter: organizationviews.MemberFilter(search),
	}
	if narrowed := search != (account.MemberSearch{}); from == 0 && !narrowed {
		props.Invitations = s.invitationRows(invitations, access)
	}
	if props.Members, err = s.memberRows(r, members[from:to]); err != nil {
		return err
	}
	if access.CanManageMembers() {
		props.Invite, err = s.inviteProps(r, overview, s.promised(invitations), form)
	}
	if err != nil {
		return err
	}
	return render(w, r, status, organizationviews.MembersPage(props))
}

// memberSearch reads what the list is narrowed to.
func memberSearch(r *http.Request) account.MemberSearch {
	query := r.URL.Query()
	return account.MemberSearch{Text: query.Get("q"), Seat: account.MemberSeat(query.Get("show"))}
}

// memberRows draws members with why each of them is billed.
func (s *server) memberRows(r *http.Request, members []account.Member) ([]organizationviews.MemberRow, error) {
	ids := make([]string, 0, len(members))
	for _, member := range members {
		ids = append(ids, member.UserID)
	}
	since, err := s.billing.SeatLedger.BilledSince(r.Context(), accessOf(r), ids)
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

// showMember shows a member's page: what can be changed about them, and why they are billed.
func (s *server) showMember(w http.ResponseWriter, r *http.Request) error {
	member, err := s.billing.Members.Get(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.memberPage(w, r, http.StatusOK, member, organizationviews.MemberErrors{})
}

func (s *server) memberPage(w http.ResponseWriter, r *http.Request, status int, m account.Member, wrong organizationviews.MemberErrors) error {
	roles, err := s.billing.Roles.List(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	overview, err := s.billing.Overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	rows, err := s.memberRows(r, []account.Member{m})
	if err != nil {
		return err
	}
	return render(w, r, status, organizationviews.MemberPage(organizationviews.MemberPageProps{
		Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabMembers), Member: rows[0], RoleID: m.Role.ID,
		Roles: roleOptions(roles, accessOf(r)), NextSeat: nextSeat(overview, 0), Errors: wrong,
	}))
}

// changeMember changes what the form says about a member.
func (s *server) changeMember(w http.ResponseWriter, r *http.Request) error {
	change := memberChange(r)
	_, err := s.billing.Members.Change(r.Context(), accessOf(r), r.PathValue("id"), change)
	if isRefusal(err) {
		return s.refuseMember(w, r, change, err)
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, membersTab+"&notice="+noticeMemberChanged)
	return nil
}

// memberChange reads the form. One that names both role and status is a whole one, in which a box that is not ticked says no; else what
// the form does not name stays as it is.
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

// refuseMember shows the member's page with what was typed and why it can't be.
func (s *server) refuseMember(w http.ResponseWriter, r *http.Request, change account.MemberChange, cause error) error {
	stateOf(r).err = cause
	member, err := s.billing.Members.Get(r.Context(), accessOf(r), r.PathValue("id"))
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
	wrong := fieldMessages(cause)
	return s.memberPage(w, r, refusalStatus(cause), member, organizationviews.MemberErrors{
		Form: formMessage(cause), RoleID: wrong["roleId"], Billable: wrong["billable"], Status: wrong["status"],
	})
}

// removeMember takes a member out of the organization.
func (s *server) removeMember(w http.ResponseWriter, r *http.Request) error {
	err := s.billing.Members.Remove(r.Context(), accessOf(r), r.PathValue("id"))
	if isRefusal(err) {
		return s.refuseMember(w, r, account.MemberChange{}, err)
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, membersTab+"&notice="+noticeMemberRemoved)
	return nil
}
