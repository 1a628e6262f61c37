package handlers

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usher/billing"
	"usher/billing/account"
	"usher/views/layout"
	"usher/views/locale"
	organizationviews "usher/views/organization"
	"usher/views/ui"
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
	invitations, err := p.invitations.Pending(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props, err := p.listProps(r, memberSearch(r), invitations)
	if err != nil {
		return err
	}
	if err := p.addSeats(r, &props, p.reservedSeats(invitations), form); err != nil {
		return err
	}
	return render(w, r, status, organizationviews.MembersPage(props))
}

// listProps returns a page of the list: invitations that match first, then members.
func (p *memberPages) listProps(r *http.Request, search account.MemberSearch, invitations []account.Invitation) (organizationviews.MembersPageProps, error) {
	access := accessOf(r)
	people, err := p.members.Count(r.Context(), access, account.MemberSearch{})
	if err != nil {
		return organizationviews.MembersPageProps{}, err
	}
	matching := people
	if search != (account.MemberSearch{}) {
		if matching, err = p.members.Count(r.Context(), access, search); err != nil {
			return organizationviews.MembersPageProps{}, err
		}
	}
	invited := matchingInvitations(search, invitations)
	from, to, pager := paginate(r, len(invited)+matching, membersPerPage)
	first := len(invited) // index of the first member in the list
	members, err := p.members.Search(r.Context(), access, search, max(0, from-first), max(0, to-max(from, first)))
	if err != nil {
		return organizationviews.MembersPageProps{}, err
	}
	rows, err := p.rows(r, members)
	if err != nil {
		return organizationviews.MembersPageProps{}, err
	}
	props := organizationviews.MembersPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabMembers),
		Invitations: p.invitationRows(r.Context(), invited[min(from, first):min(to, first)], access), Members: rows, Pager: pager, CanManage: access.CanManageMembers(), Filter: organizationviews.MemberFilter(r.Context(), search),
		Seats: organizationviews.MemberSeats{People: people},
	}
	return props, p.addNotice(r, &props)
}

// matchingInvitations returns the invitations whose address contains the text of a search. They
// have no seat and no status yet.
func matchingInvitations(search account.MemberSearch, invitations []account.Invitation) []account.Invitation {
	if search.Seat != "" {
		return nil
	}
	text := strings.ToLower(account.NormalizeSearch(search.Text))
	return slices.DeleteFunc(slices.Clone(invitations), func(i account.Invitation) bool {
		return !strings.Contains(strings.ToLower(i.Email), text)
	})
}

// addNotice moves the notice about the last change to the list, beside what was changed.
func (p *memberPages) addNotice(r *http.Request, props *organizationviews.MembersPageProps) error {
	query := r.URL.Query()
	if _, known := notices[query.Get("notice")]; known {
		last := len(props.Layout.Notices) - 1 // layout added it last
		notice := props.Layout.Notices[last]
		props.Notice, props.Layout.Notices = &notice, props.Layout.Notices[:last]
	}
	if query.Has("changed") {
		changed, err := p.members.ByKeys(r.Context(), accessOf(r), account.MemberKeys{IDs: []string{query.Get("member")}})
		if err != nil {
			return err
		}
		for _, member := range changed {
			props.Notice = cmp.Or(memberNotice(r.Context(), query.Get("changed"), member), props.Notice)
		}
	}
	props.Notice = cmp.Or(p.seatChanges.notice(r), props.Notice)
	return nil
}

// What was changed about a member: a value of the query parameter changed.
const (
	changedRole   = "role"
	changedSeat   = "seat"
	changedStatus = "status"
	changedMore   = "more"
)

// memberNotice says what is true of a member after a change that costs nothing; nil: no such
// change.
func memberNotice(ctx context.Context, changed string, m account.Member) *ui.NoticeProps {
	notice := ui.NoticeProps{Tone: ui.Good}
	switch changed {
	case changedRole:
		notice.Title = locale.T(ctx, "%s now has the role %s.", m.Name, roleName(ctx, m.Role))
	case changedSeat:
		notice.Title = locale.T(ctx, "%s no longer has a seat.", m.Name)
		if m.Billable {
			notice.Title = locale.T(ctx, "%s now has a seat.", m.Name)
		}
	case changedStatus:
		notice.Title = locale.T(ctx, "%s is active again.", m.Name)
		if m.Status == account.MemberSuspended {
			notice.Title = locale.T(ctx, "%s is suspended and can't sign in here.", m.Name)
		}
	case changedMore:
		notice.Title = locale.T(ctx, "The changes to %s are saved.", m.Name)
	default:
		return nil
	}
	return &notice
}

// changedPath is the members page with the notice of a change.
func changedPath(memberID string, change account.MemberChange) string {
	changed := changedMore
	switch {
	case change.RoleID != nil && change.Billable == nil && change.Status == nil:
		changed = changedRole
	case change.RoleID == nil && change.Billable != nil && change.Status == nil:
		changed = changedSeat
	case change.RoleID == nil && change.Billable == nil && change.Status != nil:
		changed = changedStatus
	}
	return membersTab + "&" + url.Values{"changed": {changed}, "member": {memberID}}.Encode()
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
		row := memberRow(r.Context(), member, identityOf(r))
		if change, known := since[member.UserID]; known {
			row.Why = organizationviews.BillingReason{Since: change.At, Event: locale.Phrase(r.Context(), billing.ReasonPhrase(change.Reason)), By: change.ActorName}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func memberRow(ctx context.Context, m account.Member, v identity) organizationviews.MemberRow {
	return organizationviews.MemberRow{
		ID: m.ID, Name: m.Name, Email: m.Email, RoleID: m.Role.ID, Role: roleName(ctx, m.Role), Billed: m.Billed(), Billable: m.Billable, Status: m.Status,
		JoinedAt: m.JoinedAt, LastSeenAt: timeOrZero(m.LastSeenAt), You: m.UserID == v.userID, Fixed: !v.access.Covers(m.Role), Provisional: m.Provisional,
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
		Roles: roleOptions(r.Context(), roles, accessOf(r)), NextSeat: nextSeat(overview, 0), Errors: invalid,
	}))
}

// update changes the role, status or seat of a member. A change that costs something is shown with
// its amounts first. It reaches seats in the same transaction; see [billing.SeatPreviews.Apply].
func (p *memberPages) update(w http.ResponseWriter, r *http.Request) error {
	change := memberChange(r)
	request := billing.SeatRequest{Kind: billing.SeatMembers, MemberIDs: []string{r.PathValue("id")}, Change: change}
	err := p.seatChanges.run(w, r, request, changedPath(r.PathValue("id"), change))
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
	invalid := fieldMessages(r.Context(), cause)
	return p.renderMember(w, r, refusalStatus(cause), member, organizationviews.MemberErrors{
		Form: formMessage(r.Context(), cause), RoleID: invalid["roleId"], Billable: invalid["billable"], Status: invalid["status"],
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
