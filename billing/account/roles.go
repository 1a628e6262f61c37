package account

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"usher/billing/apperr"
	"usher/billing/phrase"
)

// The ids of the built-in roles. Custom roles have ids of the form role_….
const (
	RoleAdmin        = "admin"
	RoleBillingAdmin = "billing_admin"
	RoleMember       = "member"
)

// Role holds the permissions of members. Admins have every permission.
type Role struct {
	ID               string `db:"id"`
	OrganizationID   string `db:"organization_id,null"` // empty for built-in roles
	Name             string `db:"name"`
	CanManageBilling bool   `db:"can_manage_billing"`
	CanManageMembers bool   `db:"can_manage_members"`
}

// Messages shown when a rule about roles rejects a change.
const (
	MessageRoleBuiltIn = "Built-in roles can't be changed. Create your own role instead."
	MessageRoleTaken   = "Another role already has this name."
	MessageRoleExceeds = "You can't create or edit a role with more permissions than yours."
)

const maxRoleNameLength = 60 // characters

// RoleDraft is the input for a custom role.
type RoleDraft struct {
	Name             string
	CanManageBilling bool
	CanManageMembers bool
}

// Get returns a role that members of the organization can have. Error: [apperr.ErrNotFound].
func (rs *Roles) Get(ctx context.Context, a Access, roleID string) (Role, error) {
	return rs.store.Roles().Get(ctx, a.Organization.ID, roleID)
}

// Create creates a custom role. Errors: CodeForbidden if it exceeds the actor's permissions;
// CodeUnprocessable with the invalid field.
func (rs *Roles) Create(ctx context.Context, a Access, draft RoleDraft) (Role, error) {
	role := draft.applyTo(Role{ID: rs.NewID("role"), OrganizationID: a.Organization.ID})
	err := rs.members.AsMemberManager(ctx, a, func(tx Tx, actor Access) error {
		if err := checkRole(ctx, tx, actor, role); err != nil {
			return err
		}
		if err := tx.Roles().Insert(ctx, role); err != nil {
			return err
		}
		return rs.record(ctx, tx, actor.Did(ActRoleCreated).To(role.ID, role.Name).Changed(nil, role.auditValues()))
	})
	if err != nil {
		return Role{}, fmt.Errorf("create role: %w", err)
	}
	return role, nil
}

// Change changes a custom role. Its holders' permissions change at their next request. Errors: as
// [Roles.Create]; [apperr.ErrNotFound]; CodeConflict for a built-in role.
func (rs *Roles) Change(ctx context.Context, a Access, roleID string, draft RoleDraft) (Role, error) {
	var role Role
	err := rs.withCustomRole(ctx, a, roleID, func(tx Tx, actor Access, before Role) error {
		role = draft.applyTo(before)
		if err := checkRole(ctx, tx, actor, role); err != nil {
			return err
		}
		if err := tx.Roles().Update(ctx, role); err != nil {
			return err
		}
		return rs.record(ctx, tx, actor.Did(ActRoleChanged).To(role.ID, role.Name).Changed(before.auditValues(), role.auditValues()))
	})
	if err != nil {
		return Role{}, fmt.Errorf("change role: %w", err)
	}
	return role, nil
}

// Delete deletes a custom role. Errors: CodeForbidden; [apperr.ErrNotFound]; CodeConflict for a
// built-in role and one that members hold or pending invitations grant.
func (rs *Roles) Delete(ctx context.Context, a Access, roleID string) error {
	err := rs.withCustomRole(ctx, a, roleID, func(tx Tx, actor Access, role Role) error {
		members, invitations, err := tx.Roles().CountHolders(ctx, a.Organization.ID, roleID)
		if err != nil {
			return err
		}
		if members+invitations > 0 {
			return apperr.Errorf(apperr.CodeConflict, "%s belongs to %s. Give them another role first.", role.Name, phrase.In(holders(members, invitations)))
		}
		if err := tx.Roles().Delete(ctx, a.Organization.ID, roleID); err != nil {
			return err
		}
		return rs.record(ctx, tx, actor.Did(ActRoleDeleted).To(role.ID, role.Name).Changed(role.auditValues(), nil))
	})
	if err != nil {
		return fmt.Errorf("delete role: %w", err)
	}
	return nil
}

func (r Role) auditValues() AuditValues {
	return AuditValues{"name": r.Name, "billing": yesOrNo(r.CanManageBilling), "members": yesOrNo(r.CanManageMembers)}
}

func yesOrNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func holders(members, invitations int) phrase.Phrase {
	people, open := phrase.Count(members, "%s person", "%s people"), phrase.Count(invitations, "%s invitation", "%s invitations")
	switch {
	case invitations == 0:
		return people
	case members == 0:
		return open
	}
	return phrase.Of("%s and %s", phrase.In(people), phrase.In(open))
}

// withCustomRole runs f with a custom role that the actor covers.
func (rs *Roles) withCustomRole(ctx context.Context, a Access, roleID string, f func(Tx, Access, Role) error) error {
	return rs.members.AsMemberManager(ctx, a, func(tx Tx, actor Access) error {
		role, err := tx.Roles().Get(ctx, a.Organization.ID, roleID)
		if err != nil {
			return err
		}
		if role.OrganizationID == "" {
			return apperr.Errorf(apperr.CodeConflict, MessageRoleBuiltIn)
		}
		if !actor.Covers(role) {
			return apperr.Errorf(apperr.CodeForbidden, MessageRoleExceeds)
		}
		return f(tx, actor, role)
	})
}

func (d RoleDraft) applyTo(r Role) Role {
	r.Name, r.CanManageBilling, r.CanManageMembers = CleanName(d.Name), d.CanManageBilling, d.CanManageMembers
	return r
}

// checkRole rejects a role that exceeds the actor's permissions or has an empty, too long or
// duplicate name.
func checkRole(ctx context.Context, tx Tx, actor Access, role Role) error {
	if role.Name == "" || utf8.RuneCountInString(role.Name) > maxRoleNameLength {
		return apperr.FieldError("name", "Enter a name of at most %d characters.", maxRoleNameLength)
	}
	if !actor.Covers(role) {
		return apperr.Errorf(apperr.CodeForbidden, MessageRoleExceeds)
	}
	others, err := tx.Roles().List(ctx, role.OrganizationID)
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.ID != role.ID && strings.EqualFold(other.Name, role.Name) {
			return apperr.FieldError("name", MessageRoleTaken)
		}
	}
	return nil
}

// List lists the roles that members of the organization can have, built-in ones first.
func (rs *Roles) List(ctx context.Context, a Access) ([]Role, error) {
	return rs.store.Roles().List(ctx, a.Organization.ID)
}
