package handlers

import (
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

func (s *server) showRoles(w http.ResponseWriter, r *http.Request) error {
	return s.rolesPage(w, r, http.StatusOK, account.RoleDraft{}, organizationviews.RoleErrors{})
}

func (s *server) rolesPage(w http.ResponseWriter, r *http.Request, status int, draft account.RoleDraft, wrong organizationviews.RoleErrors) error {
	access := accessOf(r)
	roles, err := s.billing.Roles.List(r.Context(), access)
	if err != nil {
		return err
	}
	held, err := s.holders(r)
	if err != nil {
		return err
	}
	props := organizationviews.RolesPageProps{Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabRoles)}
	for _, role := range roles {
		props.Roles = append(props.Roles, organizationviews.RoleRow{
			ID: role.ID, Name: role.Name, BuiltIn: role.OrganizationID == "", CanManageMembers: role.CanManageMembers,
			CanManageBilling: role.CanManageBilling, People: held[role.ID],
			Changeable: access.CanManageMembers() && role.OrganizationID != "" && access.Covers(role),
		})
	}
	if access.CanManageMembers() {
		form := roleForm(access, account.Role{}, draft, wrong)
		props.Draft = &form
	}
	return render(w, r, status, organizationviews.RolesPage(props))
}

// holders counts who has which role.
func (s *server) holders(r *http.Request) (map[string]int, error) {
	members, err := s.billing.Members.List(r.Context(), accessOf(r))
	if err != nil {
		return nil, err
	}
	held := map[string]int{}
	for _, member := range members {
		held[member.Role.ID]++
	}
	return held, nil
}

func roleForm(a account.Access, role account.Role, draft account.RoleDraft, wrong organizationviews.RoleErrors) organizationviews.RoleFormProps {
	return organizationviews.RoleFormProps{
		OrganizationID: a.Organization.ID, ID: role.ID, Name: draft.Name,
		CanManageMembers: draft.CanManageMembers, CanManageBilling: draft.CanManageBilling,
		MayGrantMembers: a.CanManageMembers(), MayGrantBilling: a.CanManageBilling(), Errors: wrong,
	}
}

func roleDraft(r *http.Request) account.RoleDraft {
	return account.RoleDraft{
		Name: r.PostFormValue("name"), CanManageBilling: isChecked(r, "canManageBilling"), CanManageMembers: isChecked(r, "canManageMembers"),
	}
}

func roleErrors(err error) organizationviews.RoleErrors {
	return organizationviews.RoleErrors{Form: formMessage(err), Name: fieldMessages(err)["name"]}
}

// createRole makes a custom role.
func (s *server) createRole(w http.ResponseWriter, r *http.Request) error {
	draft := roleDraft(r)
	_, err := s.billing.Roles.Create(r.Context(), accessOf(r), draft)
	if isRefusal(err) {
		stateOf(r).err = err
		return s.rolesPage(w, r, refusalStatus(err), draft, roleErrors(err))
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, rolesTab+"&notice="+noticeRoleSaved)
	return nil
}

// showRole shows a custom role's page. The built-in ones have none, since nothing about them can be changed.
func (s *server) showRole(w http.ResponseWriter, r *http.Request) error {
	role, err := s.customRole(r)
	if err != nil {
		return err
	}
	return s.rolePage(w, r, http.StatusOK, role, draftOf(role), organizationviews.RoleErrors{})
}

func (s *server) customRole(r *http.Request) (account.Role, error) {
	role, err := s.billing.Roles.Get(r.Context(), accessOf(r), r.PathValue("id"))
	if err == nil && role.OrganizationID == "" {
		err = apperr.Errorf(apperr.CodeConflict, account.MessageRoleBuiltIn)
	}
	return role, err
}

func draftOf(role account.Role) account.RoleDraft {
	return account.RoleDraft{Name: role.Name, CanManageBilling: role.CanManageBilling, CanManageMembers: role.CanManageMembers}
}

func (s *server) rolePage(w http.ResponseWriter, r *http.Request, status int, role account.Role, draft account.RoleDraft, wrong organizationviews.RoleErrors) error {
	held, err := s.holders(r)
	if err != nil {
		return err
	}
	return render(w, r, status, organizationviews.RolePage(organizationviews.RolePageProps{
		Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabRoles),
		Form: roleForm(accessOf(r), role, draft, wrong), Title: role.Name, People: held[role.ID],
	}))
}

// changeRole changes a custom role.
func (s *server) changeRole(w http.ResponseWriter, r *http.Request) error {
	draft := roleDraft(r)
	_, err := s.billing.Roles.Change(r.Context(), accessOf(r), r.PathValue("id"), draft)
	if isRefusal(err) {
		return s.refuseRole(w, r, draft, err)
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, rolesTab+"&notice="+noticeRoleSaved)
	return nil
}

func (s *server) refuseRole(w http.ResponseWriter, r *http.Request, draft account.RoleDraft, cause error) error {
	stateOf(r).err = cause
	role, err := s.customRole(r)
	if err != nil {
		return err
	}
	return s.rolePage(w, r, refusalStatus(cause), role, draft, roleErrors(cause))
}

// deleteRole deletes a custom role that nobody holds.
func (s *server) deleteRole(w http.ResponseWriter, r *http.Request) error {
	err := s.billing.Roles.Delete(r.Context(), accessOf(r), r.PathValue("id"))
	if isRefusal(err) {
		role, found := s.customRole(r)
		if found != nil {
			return found
		}
		return s.refuseRole(w, r, draftOf(role), err)
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, rolesTab+"&notice="+noticeRoleDeleted)
	return nil
}
