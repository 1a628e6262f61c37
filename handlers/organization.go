package handlers

import (
	"net/http"

	"usher/billing"
	"usher/billing/account"
	"usher/views/layout"
)

// organizationPages are the organization page with its tabs, and the forms of its General tab.
type organizationPages struct {
	*site
	members     *memberPages
	roles       *rolePages
	billing     *billingPages
	seats       *seatPages
	audit       *auditPages
	memberships *account.Members
	deletions   *billing.Deletions
}

// membersPerPage is the page size of the member list.
const membersPerPage = 50

// showTab shows one of the organization's tabs; General is the default.
func (p *organizationPages) showTab(w http.ResponseWriter, r *http.Request) error {
	switch layout.OrganizationTab(r.URL.Query().Get("tab")) {
	case layout.TabMembers:
		return p.members.list(w, r)
	case layout.TabRoles:
		return p.roles.list(w, r)
	case layout.TabBilling:
		return p.billing.showTab(w, r)
	case layout.TabActivity:
		return p.seats.showActivity(w, r)
	case layout.TabAudit:
		return p.audit.show(w, r)
	}
	return p.showGeneral(w, r)
}

func organizationHeader(r *http.Request, tab layout.OrganizationTab) layout.OrganizationHeader {
	organization := accessOf(r).Organization
	return layout.OrganizationHeader{ID: organization.ID, Name: organization.Name, Current: tab, Deleted: organization.DeletedAt != nil, Audit: accessOf(r).CanManageMembers()}
}

func memberNames(members []account.Member) []string {
	var names []string
	for _, member := range members {
		names = append(names, member.Name)
	}
	return names
}

// switchTo makes another of the viewer's organizations the current one.
func (p *organizationPages) switchTo(w http.ResponseWriter, r *http.Request) error {
	access, err := p.organizations.Access(r.Context(), identityOf(r).userID, r.PostFormValue("organizationId"))
	if err != nil {
		return err
	}
	p.sessions.Put(r.Context(), sessionOrganization, access.Organization.ID)
	redirect(w, r, "/dashboard")
	return nil
}

// leave ends the viewer's membership and makes their oldest remaining organization the current one.
func (p *organizationPages) leave(w http.ResponseWriter, r *http.Request) error {
	if err := p.memberships.Leave(r.Context(), accessOf(r)); err != nil {
		return err
	}
	next, err := p.sessions.firstOrganization(r.Context(), identityOf(r).userID)
	if err != nil {
		return err
	}
	p.sessions.Put(r.Context(), sessionOrganization, next)
	if next == "" {
		redirect(w, r, "/pricing?notice="+noticeLeft)
		return nil
	}
	redirect(w, r, "/dashboard?notice="+noticeLeft)
	return nil
}
