package handlers

import (
	"context"
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/views/layout"
	"usher/views/locale"
	organizationviews "usher/views/organization"
)

// rolePages are the pages about custom roles.
type rolePages struct {
	*site
	roles   *account.Roles
	members *account.Members
}

func (p *rolePages) list(w http.ResponseWriter, r *http.Request) error {
	return p.renderList(w, r, http.StatusOK, account.RoleDraft{}, organizationviews.RoleErrors{})
}

func (p *rolePages) renderList(w http.ResponseWriter, r *http.Request, status int, draft account.RoleDraft, invalid organizationviews.RoleErrors) error {
	access := accessOf(r)
	roles, err := p.roles.List(r.Context(), access)
	if err != nil {
		return err
	}
	counts, err := p.members.CountByRole(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props := organizationviews.RolesPageProps{Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabRoles)}
	for _, role := range roles {
		props.Roles = append(props.Roles, organizationviews.RoleRow{
			ID: role.ID, Name: roleName(r.Context(), role), BuiltIn: role.OrganizationID == "", CanManageMembers: role.CanManageMembers,
			CanManageBilling: role.CanManageBilling, People: counts[role.ID],
			Changeable: access.CanManageMembers() && role.OrganizationID != "" && access.Covers(role),
		})
	}
	if access.CanManageMembers() {
		form := roleForm(access, account.Role{}, draft, invalid)
		props.Draft = &form
	}
	return render(w, r, status, organizationviews.RolesPage(props))
}

// roleName is the name of a role as it is shown. People named the custom ones.
func roleName(ctx context.Context, role account.Role) string {
	if role.OrganizationID == "" {
		return locale.Lookup(ctx, role.Name)
	}
	return role.Name
}

func roleForm(a account.Access, role account.Role, draft account.RoleDraft, invalid organizationviews.RoleErrors) organizationviews.RoleFormProps {
	return organizationviews.RoleFormProps{
		OrganizationID: a.Organization.ID, ID: role.ID, Name: draft.Name,
		CanManageMembers: draft.CanManageMembers, CanManageBilling: draft.CanManageBilling,
		MayGrantMembers: a.CanManageMembers(), MayGrantBilling: a.CanManageBilling(), Errors: invalid,
	}
}

func roleDraft(r *http.Request) account.RoleDraft {
	return account.RoleDraft{
		Name: r.PostFormValue("name"), CanManageBilling: isChecked(r, "canManageBilling"), CanManageMembers: isChecked(r, "canManageMembers"),
	}
}

func roleErrors(ctx context.Context, err error) organizationviews.RoleErrors {
	return organizationviews.RoleErrors{Form: formMessage(ctx, err), Name: fieldMessages(ctx, err)["name"]}
}

func (p *rolePages) create(w http.ResponseWriter, r *http.Request) error {
	draft := roleDraft(r)
	_, err := p.roles.Create(r.Context(), accessOf(r), draft)
	if isRefusal(err) {
		stateOf(r).err = err
		return p.renderList(w, r, refusalStatus(err), draft, roleErrors(r.Context(), err))
	}
	if err != nil {
		return err
	}
	redirect(w, r, rolesTab+"&notice="+noticeRoleSaved)
	return nil
}

// show shows a custom role. Built-in roles have no page, since they cannot be changed.
func (p *rolePages) show(w http.ResponseWriter, r *http.Request) error {
	role, err := p.customRole(r)
	if err != nil {
		return err
	}
	return p.renderRole(w, r, http.StatusOK, role, draftOf(role), organizationviews.RoleErrors{})
}

func (p *rolePages) customRole(r *http.Request) (account.Role, error) {
	role, err := p.roles.Get(r.Context(), accessOf(r), r.PathValue("id"))
	if err == nil && role.OrganizationID == "" {
		err = apperr.Errorf(apperr.CodeConflict, account.MessageRoleBuiltIn)
	}
	return role, err
}

func draftOf(role account.Role) account.RoleDraft {
	return account.RoleDraft{Name: role.Name, CanManageBilling: role.CanManageBilling, CanManageMembers: role.CanManageMembers}
}

func (p *rolePages) renderRole(w http.ResponseWriter, r *http.Request, status int, role account.Role, draft account.RoleDraft, invalid organizationviews.RoleErrors) error {
	counts, err := p.members.CountByRole(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return render(w, r, status, organizationviews.RolePage(organizationviews.RolePageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabRoles),
		Form: roleForm(accessOf(r), role, draft, invalid), Title: role.Name, People: counts[role.ID],
	}))
}

func (p *rolePages) update(w http.ResponseWriter, r *http.Request) error {
	draft := roleDraft(r)
	_, err := p.roles.Change(r.Context(), accessOf(r), r.PathValue("id"), draft)
	if isRefusal(err) {
		return p.showRefusal(w, r, draft, err)
	}
	if err != nil {
		return err
	}
	redirect(w, r, rolesTab+"&notice="+noticeRoleSaved)
	return nil
}

func (p *rolePages) showRefusal(w http.ResponseWriter, r *http.Request, draft account.RoleDraft, cause error) error {
	stateOf(r).err = cause
	role, err := p.customRole(r)
	if err != nil {
		return err
	}
	return p.renderRole(w, r, refusalStatus(cause), role, draft, roleErrors(r.Context(), cause))
}

// remove deletes a custom role without members.
func (p *rolePages) remove(w http.ResponseWriter, r *http.Request) error {
	err := p.roles.Delete(r.Context(), accessOf(r), r.PathValue("id"))
	if isRefusal(err) {
		role, found := p.customRole(r)
		if found != nil {
			return found
		}
		return p.showRefusal(w, r, draftOf(role), err)
	}
	if err != nil {
		return err
	}
	redirect(w, r, rolesTab+"&notice="+noticeRoleDeleted)
	return nil
}
