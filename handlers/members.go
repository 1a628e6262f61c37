package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

const (
	membersTab = "/organization?tab=members"
	rolesTab   = "/organization?tab=roles"
)

func (s *server) showMembers(w http.ResponseWriter, r *http.Request) error {
	return s.membersPage(w, r, http.StatusOK, inviteForm{account.NewInvitation{RoleID: account.RoleMember, Billable: true}, nil})
}

// inviteForm is what was typed into the form above the members, and what is wrong with it.
type inviteForm struct {
	input account.NewInvitation
	errors map[string]string
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

// seatPrice writes what a billed person costs, where the plan counts people.
func seatPrice(o billing.Overview) string {
	if o.Plan == nil || !o.Plan.PerSeat || o.Subscription.Status.Ended() {
		return ""
	}
	return o.Price.Amount.FormatShort() + " / " + string(o.Price.Interval)
}

// nextSeat says what one more billed person means; promised seats are kept for those who are invited.
func nextSeat(o billing.Overview, promised int) organizationviews.NextSeat {
	if o.Plan == nil || o.Subscription.Status.Ended() {
		return organizationviews.NextSeat{}
	}
	next := organizationviews.NextSeat{Plan: o.Plan.Name, PerSeat: o.Plan.PerSeat, Price: o.Price.Amount, Interval: o.Price.Interval}
	taken := o.Seats.Billable + promised
	if o.Plan.SeatMaximum > 0 && taken >= o.Plan.SeatMaximum {
		next.Full = o.Plan.SeatMaximum
	}
	if o.Plan.PerSeat {
		next.Free = max(0, o.Plan.Quantity(o.Seats.Billable)-taken)
	}
	return next
}

// roleOptions lists the roles; those that may do more than the viewer's are shown and not to be had.
func roleOptions(roles []account.Role, a account.Access) []ui.Option {
	options := make([]ui.Option, 0, len(roles))
	for _, role := range roles {
		options = append(options, ui.Option{Value: role.ID, Label: role.Name, Disabled: !a.Covers(role)})
	}
	// The one that fits most people stands first, and is what a browser picks where nothing is chosen.
	slices.SortStableFunc(options, func(a, b ui.Option) int { return roleOrder(a) - roleOrder(b) })
	return options
}

func roleOrder(o ui.Option) int {
	if o.Value == account.RoleMember {
		return 0
	}
	return 1
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

// isChecked reads a box: browsers send on, other callers true, 1 or yes.
func isChecked(r *http.Request, name string) bool {
	switch strings.ToLower(r.PostFormValue(name)) {
	case "on", "true", "1", "yes":
		return true
	}
	return false
}

// isRefusal tells whether an error is a rule's no to a form, which comes back with what was typed.
func isRefusal(err error) bool {
	var refusal *apperr.Error
	if !errors.As(err, &refusal) || errors.Is(err, apperr.ErrNotFound) {
		return false
	}
	return refusal.Code == apperr.CodeUnprocessable || refusal.Code == apperr.CodeConflict || refusal.Field != ""
}

// refusalStatus is 422 for what was typed and stays what it is for the state of things.
func refusalStatus(err error) int { return problemOf(err).status }

// formMessage is what stands above a form: a refusal that is about none of its fields.
func formMessage(err error) string {
	if len(fieldMessages(err)) > 0 {
		return ""
	}
	return apperr.MessageOf(err)
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

// leaveOrganization takes the viewer out of the organization they work in, and leads to the next one they are in.
func (s *server) leaveOrganization(w http.ResponseWriter, r *http.Request) error {
	if err := s.billing.Members.Leave(r.Context(), accessOf(r)); err != nil {
		return err
	}
	next, err := s.firstOrganization(r.Context(), identityOf(r).userID)
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), sessionOrganization, next)
	if next == "" {
		s.redirect(w, r, "/pricing?notice="+noticeLeft)
		return nil
	}
	s.redirect(w, r, "/dashboard?notice="+noticeLeft)
	return nil
}
