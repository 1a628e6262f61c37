package handlers

import (
	"net/http"
	"strings"

	"usher/billing"
	"usher/billing/account"
	"usher/views/layout"
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
	maxInvitations  = 50
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
		OrganizationID: o.Organization.ID, Planned: o.Organization.PlannedPeople, SeatPrice: seatPrice(o),
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

// invite invites everybody with an address in the form, as billed members. Addresses that were
// refused are shown again with the reason; the others are invited all the same.
func (p *peoplePages) invite(w http.ResponseWriter, r *http.Request) error {
	addresses := inviteAddresses(r)
	refused, err := p.inviteAll(r, addresses)
	if err != nil {
		return err
	}
	if len(refused) == 0 && len(addresses) > 0 {
		redirect(w, r, membersTab+"&notice="+noticePeopleInvited)
		return nil
	}
	props, err := p.props(r)
	if err != nil {
		return err
	}
	props.AsList, props.Sent = false, len(addresses)-len(refused)
	props.Addresses = refused
	if len(addresses) == 0 {
		props.Addresses = []organizationviews.InviteAddress{{Error: account.MessageInvitationAddress}}
	}
	return p.render(w, r, http.StatusUnprocessableEntity, props)
}

// inviteAll returns the addresses that were refused.
func (p *peoplePages) inviteAll(r *http.Request, addresses []string) ([]organizationviews.InviteAddress, error) {
	var refused []organizationviews.InviteAddress
	for _, address := range addresses {
		_, err := p.invitations.Invite(r.Context(), accessOf(r), account.NewInvitation{Email: address, Billable: true})
		invalid := fieldMessages(err)
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

// inviteAddresses reads the addresses of the form, of which each field may have several.
func inviteAddresses(r *http.Request) []string {
	_ = r.PostFormValue("email") // parses the form
	separates := func(c rune) bool { return strings.ContainsRune(" ,;\n\r\t", c) }
	addresses := strings.FieldsFunc(strings.Join(r.PostForm["email"], "\n"), separates)
	return addresses[:min(len(addresses), maxInvitations)]
}
