package handlers

import (
	"net/http"

	"usher/billing"
	"usher/billing/account"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

const generalPath = "/organization?tab=general"

func (p *organizationPages) showGeneral(w http.ResponseWriter, r *http.Request) error {
	return p.renderGeneral(w, r, http.StatusOK, func(*organizationviews.GeneralPageProps) {})
}

// generalPage shows the General tab with what one of its forms has to have mended.
func (p *organizationPages) renderGeneral(w http.ResponseWriter, r *http.Request, status int, mend func(*organizationviews.GeneralPageProps)) error {
	access := accessOf(r)
	members, err := p.memberships.List(r.Context(), access)
	if err != nil {
		return err
	}
	props := organizationviews.GeneralPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabGeneral),
		CreatedAt: access.Organization.CreatedAt, People: len(members), YourRole: access.Member.Role.Name, BillingNames: billingNames(members),
	}
	if access.CanManageMembers() {
		props.Rename = &organizationviews.RenameProps{Name: access.Organization.Name}
	}
	p.addAdminSections(r, &props, members)
	mend(&props)
	return render(w, r, status, organizationviews.GeneralPage(props))
}

// generalSections adds what only an admin may do.
func (p *organizationPages) addAdminSections(r *http.Request, props *organizationviews.GeneralPageProps, members []account.Member) {
	access := accessOf(r)
	if !access.IsAdmin() {
		return
	}
	organization := access.Organization
	props.Transfer, props.Deletion = &organizationviews.TransferProps{}, &organizationviews.DeletionProps{Days: int(billing.DeletionUndo.Hours() / 24), At: timeOrZero(organization.DeletesAt)}
	for _, member := range members {
		if member.UserID != access.User.ID && member.Status == account.MemberActive {
			props.Transfer.Members = append(props.Transfer.Members, ui.Option{Value: member.ID, Label: member.Name + " (" + member.Email + ")"})
		}
	}
}

// renameOrganization gives the organization another name.
func (p *organizationPages) rename(w http.ResponseWriter, r *http.Request) error {
	typed := r.PostFormValue("name")
	_, err := p.organizations.Rename(r.Context(), accessOf(r), typed)
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return p.renderGeneral(w, r, http.StatusUnprocessableEntity, func(props *organizationviews.GeneralPageProps) {
			props.Rename = &organizationviews.RenameProps{Name: typed, Error: wrong["name"]}
		})
	}
	if err != nil {
		return err
	}
	redirect(w, r, generalPath+"&notice="+noticeRenamed)
	return nil
}

// handOver makes somebody else the admin in the viewer's place.
func (p *organizationPages) transfer(w http.ResponseWriter, r *http.Request) error {
	err := p.memberships.HandOver(r.Context(), accessOf(r), r.PostFormValue("memberId"))
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return p.renderGeneral(w, r, http.StatusUnprocessableEntity, func(props *organizationviews.GeneralPageProps) { props.Transfer.Error = wrong["memberId"] })
	}
	if err != nil {
		return err
	}
	redirect(w, r, generalPath+"&notice="+noticeHandedOver)
	return nil
}

// deleteOrganization has the organization deleted, after a while.
func (p *organizationPages) requestDeletion(w http.ResponseWriter, r *http.Request) error {
	err := p.deletions.Request(r.Context(), accessOf(r), r.PostFormValue("name"))
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return p.renderGeneral(w, r, http.StatusUnprocessableEntity, func(props *organizationviews.GeneralPageProps) { props.Deletion.Error = wrong["name"] })
	}
	if err != nil {
		return err
	}
	redirect(w, r, generalPath)
	return nil
}

// keepOrganization takes that back.
func (p *organizationPages) withdrawDeletion(w http.ResponseWriter, r *http.Request) error {
	if err := p.deletions.Withdraw(r.Context(), accessOf(r)); err != nil {
		return err
	}
	redirect(w, r, generalPath+"&notice="+noticeDeletionWithdrawn)
	return nil
}
