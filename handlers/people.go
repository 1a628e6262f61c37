package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"usher/billing"
	"usher/billing/account"
	"usher/views/layout"
	"usher/views/locale"
	organizationviews "usher/views/organization"
)

// peoplePages invite the people that an organization was planned for.
type peoplePages struct {
	*site
	invitations *account.Invitations
	overviews   *billing.Overviews
}

// Number of invitations in one form: separate fields up to the first, one field for a list above
// it.
const (
	maxInviteFields = 9
	maxInvitations  = 500
)

// show shows a form with a field for each planned person who is neither a member nor invited.
func (p *peoplePages) show(w http.ResponseWriter, r *http.Request) error {
	props, err := p.props(r)
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, props)
}

func (p *peoplePages) render(w http.ResponseWriter, r *http.Request, status int, props organizationviews.InvitePeopleProps) error {
	return render(w, r, status, organizationviews.InvitePeoplePage(organizationviews.InvitePeoplePageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabMembers), Form: props,
	}))
}

func (p *peoplePages) props(r *http.Request) (organizationviews.InvitePeopleProps, error) {
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return organizationviews.InvitePeopleProps{}, err
	}
	return p.formProps(r, overview)
}

// formProps returns the form for the people who are still to be invited; at least one field.
func (p *peoplePages) formProps(r *http.Request, o billing.Overview) (organizationviews.InvitePeopleProps, error) {
	access := accessOf(r)
	pending, err := p.invitations.Pending(r.Context(), access)
	if err != nil {
		return organizationviews.InvitePeopleProps{}, err
	}
	props := organizationviews.InvitePeopleProps{
		OrganizationID: o.Organization.ID, Planned: o.Organization.PlannedPeople, SeatPrice: seatPrice(r.Context(), o),
		Missing: max(0, o.Organization.PlannedPeople-o.Seats.Billable-len(pending)), TrialEndsAt: trialEnd(o),
	}
	if p.invitations.MustVerify(access.User) {
		props.Unverified = access.User.Email
	}
	fields := max(1, props.Missing)
	props.AsList = fields > maxInviteFields
	if !props.AsList {
		props.Addresses = make([]organizationviews.InviteAddress, fields)
	}
	return props, nil
}

// inviteBatch is a list of addresses that is invited step by step.
type inviteBatch struct {
	roleID   string
	billable bool
	left     []string
	done     int
	total    int
	refused  []string // in earlier steps
}

// readInviteBatch reads the form. Without role and seat, everybody becomes a member with a seat.
func readInviteBatch(r *http.Request) inviteBatch {
	batch := inviteBatch{left: inviteAddresses(r, "email"), refused: inviteAddresses(r, "refused")}
	batch.roleID, batch.billable = r.PostForm.Get("roleId"), !r.PostForm.Has("billable") || isChecked(r, "billable")
	done, err := strconv.Atoi(r.PostForm.Get("done"))
	if err == nil {
		batch.done = min(max(0, done), maxInvitations)
	}
	batch.refused = batch.refused[:min(len(batch.refused), batch.done)]
	batch.total = batch.done + len(batch.left)
	return batch
}

func (b inviteBatch) progress(r *http.Request) organizationviews.InviteProgressProps {
	return organizationviews.InviteProgressProps{
		OrganizationID: accessOf(r).Organization.ID, RoleID: b.roleID, Billable: b.billable, Done: b.done, Total: b.total, Left: b.left, Refused: b.refused,
	}
}

// invite invites everybody with an address in the form, [organizationviews.InviteStep] at a time.
// Addresses that were refused are shown again with the reason; the others are invited all the same.
func (p *peoplePages) invite(w http.ResponseWriter, r *http.Request) error {
	batch := readInviteBatch(r)
	step := min(len(batch.left), organizationviews.InviteStep)
	refused, err := p.inviteAll(r, batch, batch.left[:step])
	if err != nil {
		return err
	}
	batch.left, batch.done = batch.left[step:], batch.done+step
	if len(batch.left) > 0 {
		for _, address := range refused {
			batch.refused = append(batch.refused, address.Email)
		}
		return p.showProgress(w, r, batch.progress(r))
	}
	return p.finish(w, r, batch, refused)
}

// showProgress shows how many invitations are sent, as a page or in place.
func (p *peoplePages) showProgress(w http.ResponseWriter, r *http.Request, props organizationviews.InviteProgressProps) error {
	if isFragment(r) {
		return render(w, r, http.StatusOK, organizationviews.InviteProgress(props))
	}
	return render(w, r, http.StatusOK, organizationviews.InviteProgressPage(organizationviews.InviteProgressPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabMembers), Progress: props,
	}))
}

// finish shows the addresses that were refused in the last step and before it, or the members.
func (p *peoplePages) finish(w http.ResponseWriter, r *http.Request, batch inviteBatch, refused []organizationviews.InviteAddress) error {
	before, err := p.inviteAll(r, batch, batch.refused) // once more, for the reason
	if err != nil {
		return err
	}
	refused = append(before, refused...)
	if len(refused) == 0 && batch.total > 0 {
		showMembers(w, r, membersTab+"&notice="+noticePeopleInvited)
		return nil
	}
	props, err := p.props(r)
	if err != nil {
		return err
	}
	props.AsList, props.Sent = false, batch.total-len(refused)
	props.Addresses = refused
	if batch.total == 0 {
		props.Addresses = []organizationviews.InviteAddress{{Error: locale.Lookup(r.Context(), account.MessageInvitationAddress)}}
	}
	if isFragment(r) {
		return render(w, r, http.StatusUnprocessableEntity, organizationviews.InviteRefused(props))
	}
	return p.render(w, r, http.StatusUnprocessableEntity, props)
}

// inviteAll returns the addresses that were refused.
func (p *peoplePages) inviteAll(r *http.Request, batch inviteBatch, addresses []string) ([]organizationviews.InviteAddress, error) {
	var refused []organizationviews.InviteAddress
	for _, address := range addresses {
		_, err := p.invitations.Invite(r.Context(), accessOf(r), account.NewInvitation{Email: address, RoleID: batch.roleID, Billable: batch.billable})
		invalid := fieldMessages(r.Context(), err)
		if err != nil && len(invalid) == 0 {
			return nil, err
		}
		for _, message := range invalid {
			stateOf(r).err = err
			refused = append(refused, organizationviews.InviteAddress{Email: address, Error: message})
			break
		}
	}
	return refused, nil
}

// inviteAddresses reads the addresses of the fields with a name, of which each may have several.
func inviteAddresses(r *http.Request, name string) []string {
	_ = r.PostFormValue(name) // parses the form
	separates := func(c rune) bool { return strings.ContainsRune(" ,;\n\r\t", c) }
	addresses := strings.FieldsFunc(strings.Join(r.PostForm[name], "\n"), separates)
	return addresses[:min(len(addresses), maxInvitations)]
}
