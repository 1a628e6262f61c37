package handlers

import (
	"net/http"
	"strings"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

const generalPath = "/organization?tab=general"

func (p *organizationPages) showGeneral(w http.ResponseWriter, r *http.Request) error {
	return p.renderGeneral(w, r, http.StatusOK, func(*organizationviews.GeneralPageProps) {})
}

// renderGeneral renders the General tab; edit changes the props, for instance to show a rejected
// form.
func (p *organizationPages) renderGeneral(w http.ResponseWriter, r *http.Request, status int, edit func(*organizationviews.GeneralPageProps)) error {
	access := accessOf(r)
	people, err := p.memberships.Count(r.Context(), access, account.MemberSearch{})
	if err != nil {
		return err
	}
	managers, err := p.memberships.BillingManagers(r.Context(), access)
	if err != nil {
		return err
	}
	props := organizationviews.GeneralPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabGeneral),
		CreatedAt: access.Organization.CreatedAt, People: people, YourRole: roleName(r.Context(), access.Member.Role), BillingNames: memberNames(managers),
	}
	props.APIKeys, props.Webhooks, props.Domains = access.IsAdmin(), access.IsAdmin(), access.IsAdmin() && p.provider != nil
	if access.CanManageMembers() {
		props.Rename = &organizationviews.RenameProps{Name: access.Organization.Name}
		props.SecondFactor = &organizationviews.SecondFactorProps{Required: access.Organization.RequireSecondFactor, Ready: access.User.SecondFactorAt != nil}
	}
	if err := p.addAdminSections(r, &props); err != nil {
		return err
	}
	edit(&props)
	return render(w, r, status, organizationviews.GeneralPage(props))
}

// maxListedMembers is how many members a list of choices has at most. A new admin of a larger
// organization is named by address.
const maxListedMembers = 100

// addAdminSections adds the sections that only an admin sees.
func (p *organizationPages) addAdminSections(r *http.Request, props *organizationviews.GeneralPageProps) error {
	access := accessOf(r)
	if !access.IsAdmin() {
		return nil
	}
	organization := access.Organization
	props.Transfer, props.Deletion = &organizationviews.TransferProps{}, &organizationviews.DeletionProps{Days: int(billing.DeletionUndo.Hours() / 24), At: timeOrZero(organization.DeletesAt)}
	if props.Transfer.ByAddress = props.People > maxListedMembers; props.Transfer.ByAddress {
		return nil
	}
	members, err := p.memberships.Search(r.Context(), access, account.MemberSearch{}, 0, maxListedMembers)
	for _, member := range members {
		if member.UserID != access.User.ID && member.Status == account.MemberActive && !member.Provisional {
			props.Transfer.Members = append(props.Transfer.Members, ui.Option{Value: member.ID, Label: member.Name + " (" + member.Email + ")"})
		}
	}
	return err
}

func (p *organizationPages) rename(w http.ResponseWriter, r *http.Request) error {
	input := r.PostFormValue("name")
	_, err := p.organizations.Rename(r.Context(), accessOf(r), input)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderGeneral(w, r, http.StatusUnprocessableEntity, func(props *organizationviews.GeneralPageProps) {
			props.Rename = &organizationviews.RenameProps{Name: input, Error: invalid["name"]}
		})
	}
	if err != nil {
		return err
	}
	redirect(w, r, generalPath+"&notice="+noticeRenamed)
	return nil
}

// transfer makes another member the admin in the viewer's place.
func (p *organizationPages) transfer(w http.ResponseWriter, r *http.Request) error {
	memberID, address := r.PostFormValue("memberId"), strings.TrimSpace(r.PostFormValue("email"))
	if address != "" {
		member, _, err := apperr.Found(p.memberships.ByAddress(r.Context(), accessOf(r), address))
		if err != nil {
			return err
		}
		memberID = member.ID
	}
	err := p.memberships.HandOver(r.Context(), accessOf(r), memberID, r.PostFormValue("name"))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderGeneral(w, r, http.StatusUnprocessableEntity, func(props *organizationviews.GeneralPageProps) {
			props.Transfer.MemberID, props.Transfer.Address = memberID, address
			props.Transfer.Error, props.Transfer.NameError = invalid["memberId"], invalid["name"]
		})
	}
	if err != nil {
		return err
	}
	redirect(w, r, generalPath+"&notice="+noticeHandedOver)
	return nil
}

// requestDeletion schedules the deletion of the organization.
func (p *organizationPages) requestDeletion(w http.ResponseWriter, r *http.Request) error {
	err := p.deletions.Request(r.Context(), accessOf(r), r.PostFormValue("name"))
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		return p.renderGeneral(w, r, http.StatusUnprocessableEntity, func(props *organizationviews.GeneralPageProps) { props.Deletion.Error = invalid["name"] })
	}
	if err != nil {
		return err
	}
	redirect(w, r, generalPath)
	return nil
}

// withdrawDeletion cancels a scheduled deletion.
func (p *organizationPages) withdrawDeletion(w http.ResponseWriter, r *http.Request) error {
	if err := p.deletions.Withdraw(r.Context(), accessOf(r)); err != nil {
		return err
	}
	redirect(w, r, generalPath+"&notice="+noticeDeletionWithdrawn)
	return nil
}
