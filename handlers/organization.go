package handlers

import (
	"net/http"

	"usher/billing/account"
	"usher/views/layout"
)

// membersPerPage bounds how long a page of people gets.
const membersPerPage = 100

// showOrganization shows one of the organization's tabs; an unknown one is the first.
func (s *server) showOrganization(w http.ResponseWriter, r *http.Request) error {
	switch layout.OrganizationTab(r.URL.Query().Get("tab")) {
	case layout.TabMembers:
		return s.showMembers(w, r)
	case layout.TabRoles:
		return s.showRoles(w, r)
	case layout.TabBilling:
		return s.showBilling(w, r)
	case layout.TabActivity:
		return s.showActivity(w, r)
	}
	return s.showGeneral(w, r)
}

func organizationHeader(r *http.Request, tab layout.OrganizationTab) layout.OrganizationHeader {
	organization := accessOf(r).Organization
	return layout.OrganizationHeader{ID: organization.ID, Name: organization.Name, Current: tab, Deleted: organization.DeletedAt != nil}
}

// billingNames lists who may manage billing.
func billingNames(members []account.Member) []string {
	var names []string
	for _, member := range members {
		if (account.Access{Member: member}).CanManageBilling() {
			names = append(names, member.Name)
		}
	}
	return names
}

// switchOrganization makes another one of the viewer's organizations the one they work in.
func (s *server) switchOrganization(w http.ResponseWriter, r *http.Request) error {
	access, err := s.billing.Organizations.Access(r.Context(), identityOf(r).userID, r.PostFormValue("organizationId"))
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), sessionOrganization, access.Organization.ID)
	s.redirect(w, r, "/dashboard")
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
