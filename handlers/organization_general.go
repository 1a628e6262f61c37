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

func (s *server) showGeneral(w http.ResponseWriter, r *http.Request) error {
	return s.generalPage(w, r, http.StatusOK, func(*organizationviews.GeneralPageProps) {})
}

// generalPage shows the General tab with what one of its forms has to have mended.
func (s *server) generalPage(w http.ResponseWriter, r *http.Request, status int, mend func(*organizationviews.GeneralPageProps)) error {
	access := accessOf(r)
	members, err := s.billing.Members.List(r.Context(), access)
	if err != nil {
		return err
	}
	props := organizationviews.GeneralPageProps{
		Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabGeneral),
		CreatedAt: access.Organization.CreatedAt, People: len(members), YourRole: access.Member.Role.Name, BillingNames: billingNames(members),
	}
	if access.CanManageMembers() {
		props.Rename = &organizationviews.RenameProps{Name: access.Organization.Name}
	}
	s.generalSections(r, &props, members)
	mend(&props)
	return render(w, r, status, organizationviews.GeneralPage(props))
}

// generalSections adds what only an admin may do.
func (s *server) generalSections(r *http.Request, p *organizationviews.GeneralPageProps, members []account.Member) {
	access := accessOf(r)
	if !access.IsAdmin() {
		return
	}
	organization := access.Organization
	p.Transfer, p.Deletion = &organizationviews.TransferProps{}, &organizationviews.DeletionProps{Days: int(billing.DeletionUndo.Hours() / 24), At: timeOrZero(organization.DeletesAt)}
	for _, member := range members {
		if member.UserID != access.User.ID && member.Status == account.MemberActive {
			p.Transfer.Members = append(p.Transfer.Members, ui.Option{Value: member.ID, Label: member.Name + " (" + member.Email + ")"})
		}
	}
}

// renameOrganization gives the organization another name.
func (s *server) renameOrganization(w http.ResponseWriter, r *http.Request) error {
	typed := r.PostFormValue("name")
	_, err := s.billing.Organizations.Rename(r.Context(), accessOf(r), typed)
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return s.generalPage(w, r, http.StatusUnprocessableEntity, func(p *organizationviews.GeneralPageProps) {
			p.Rename = &organizationviews.RenameProps{Name: typed, Error: wrong["name"]}
		})
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, generalPath+"&notice="+noticeRenamed)
	return nil
}

// handOver makes somebody else the admin in the viewer's place.
func (s *server) handOver(w http.ResponseWriter, r *http.Request) error {
	err := s.billing.Members.HandOver(r.Context(), accessOf(r), r.PostFormValue("memberId"))
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return s.generalPage(w, r, http.StatusUnprocessableEntity, func(p *organizationviews.GeneralPageProps) { p.Transfer.Error = wrong["memberId"] })
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, generalPath+"&notice="+noticeHandedOver)
	return nil
}

// deleteOrganization has the organization deleted, after a while.
func (s *server) deleteOrganization(w http.ResponseWriter, r *http.Request) error {
	err := s.billing.Deletions.Request(r.Context(), accessOf(r), r.PostFormValue("name"))
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return s.generalPage(w, r, http.StatusUnprocessableEntity, func(p *organizationviews.GeneralPageProps) { p.Deletion.Error = wrong["name"] })
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, generalPath)
	return nil
}

// keepOrganization takes that back.
func (s *server) keepOrganization(w http.ResponseWriter, r *http.Request) error {
	if err := s.billing.Deletions.Withdraw(r.Context(), accessOf(r)); err != nil {
		return err
	}
	s.redirect(w, r, generalPath+"&notice="+noticeDeletionWithdrawn)
	return nil
}
