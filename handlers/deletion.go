package handlers

import (
	"net/http"

	"usher/billing"
	"usher/views"
)

const generalPath = "/organization?tab=general"

// handOver makes somebody else the admin in the viewer's place.
func (s *server) handOver(w http.ResponseWriter, r *http.Request) error {
	err := s.billing.HandOver(r.Context(), accessOf(r), r.PostFormValue("memberId"))
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return s.generalPage(w, r, http.StatusUnprocessableEntity, func(p *views.GeneralPageProps) { p.HandOver.Error = wrong["memberId"] })
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, generalPath+"&notice="+noticeHandedOver)
	return nil
}

// deleteOrganization has the organization deleted, after a while.
func (s *server) deleteOrganization(w http.ResponseWriter, r *http.Request) error {
	err := s.billing.DeleteOrganization(r.Context(), accessOf(r), r.PostFormValue("name"))
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return s.generalPage(w, r, http.StatusUnprocessableEntity, func(p *views.GeneralPageProps) { p.Deletion.Error = wrong["name"] })
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, generalPath)
	return nil
}

// keepOrganization takes that back.
func (s *server) keepOrganization(w http.ResponseWriter, r *http.Request) error {
	if err := s.billing.KeepOrganization(r.Context(), accessOf(r)); err != nil {
		return err
	}
	s.redirect(w, r, generalPath+"&notice="+noticeKept)
	return nil
}

// cancelPlan has the plan end with what is paid for.
func (s *server) cancelPlan(w http.ResponseWriter, r *http.Request) error {
	return s.afterPlan(w, r, s.billing.CancelPlan(r.Context(), accessOf(r)), noticeCanceled)
}

// resumePlan has it go on.
func (s *server) resumePlan(w http.ResponseWriter, r *http.Request) error {
	return s.afterPlan(w, r, s.billing.ResumePlan(r.Context(), accessOf(r)), noticeResumed)
}

func (s *server) afterPlan(w http.ResponseWriter, r *http.Request, err error, notice string) error {
	if err != nil {
		return err
	}
	s.redirect(w, r, billingPath+"&notice="+notice)
	return nil
}

// generalSections adds what only an admin may do.
func (s *server) generalSections(r *http.Request, p *views.GeneralPageProps, members []billing.Member) {
	access := accessOf(r)
	if access.Member.Role.ID != billing.RoleAdmin {
		return
	}
	organization := access.Organization
	p.HandOver, p.Deletion = &views.HandOverProps{}, &views.DeletionProps{Days: int(billing.DeletionUndo.Hours() / 24), At: moment(organization.DeletesAt)}
	for _, member := range members {
		if member.UserID != access.User.ID && member.Status == billing.MemberActive {
			p.HandOver.Members = append(p.HandOver.Members, views.Option{Value: member.ID, Label: member.Name + " (" + member.Email + ")"})
		}
	}
}
