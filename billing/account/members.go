package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/billing/apperr"
)

// MemberStatus is the status of a membership.
type MemberStatus string

// The member statuses. Only active members have access and are billed.
const (
	MemberActive    MemberStatus = "active"
	MemberSuspended MemberStatus = "suspended"
)

// Member is a user's membership in an organization.
type Member struct {
	ID             string       `db:"id"` // mem_…
	OrganizationID string       `db:"organization_id"`
	UserID         string       `db:"user_id"`
	Name           string       `db:"name,joined"`  // ManagedName, or the user's
	Email          string       `db:"email,joined"` // ManagedEmail, or the user's
	Role           Role         `db:"role,joined"`
	Billable       bool         `db:"billable"`
	Status         MemberStatus `db:"status"`
	JoinedAt       time.Time    `db:"joined_at"`
	LastSeenAt     *time.Time   `db:"last_seen_at"`
	// ExternalID is a program's id of the person; empty: none.
	ExternalID string `db:"external_id,null"`
	// ManagedName and ManagedEmail are what a program sent. They are shown in the organization
	// instead of the user's own; empty: no program did.
	ManagedName  string `db:"managed_name"`
	ManagedEmail string `db:"managed_email"`
	// Provisional means that a program named the person, who has not accepted. The user of such a
	// membership stands for the person and cannot sign in, see [Provisioning].
	Provisional bool `db:"provisional"`
	// SuspendedByProgram means that a program suspended the member, and may reactivate them. What
	// an admin suspended stays so.
	SuspendedByProgram bool `db:"suspended_by_program"`
	// GivenName and FamilyName are parts of the name as a program sent them; empty: none did. They
	// are shown to programs only.
	GivenName  string `db:"given_name"`
	FamilyName string `db:"family_name"`
}

// Billed reports whether the member occupies a billed seat. db counts seats by the same rule.
func (m Member) Billed() bool { return m.Billable && m.Status == MemberActive }

// withStatus returns the member with a status that a person chose.
func (m Member) withStatus(status MemberStatus) Member {
	if m.Status != status {
		m.Status, m.SuspendedByProgram = status, false
	}
	return m
}

// Reactivated returns the member as active.
func (m Member) Reactivated() Member { return m.withStatus(MemberActive) }

// Messages shown when a rule about members rejects a change.
const (
	MessageMemberAccess = "Only organization admins can manage members"
	MessageLastAdmin    = "This is the last admin. Make someone else an admin first."
	MessageGrantsMore   = "You can't give a role with more permissions than yours."
	MessageHoldsMore    = "You can't edit this person, because their role has more permissions than yours."
	MessageSuspendsSelf = "You can't suspend yourself. Ask another admin, or leave the organization."
)

// MemberChange describes a change to a member. Nil fields stay unchanged.
type MemberChange struct {
	RoleID   *string
	Billable *bool
	Status   *MemberStatus
}

// Get returns one of the organization's members. Errors: CodeForbidden if the actor may not manage
// members; [apperr.ErrNotFound], also for a member of another organization.
func (ms *Members) Get(ctx context.Context, a Access, memberID string) (Member, error) {
	if err := a.requireManageMembers(); err != nil {
		return Member{}, err
	}
	return ms.store.Members().Get(ctx, a.Organization.ID, memberID)
}

// Change changes role, billability and status of a member in one transaction and recounts the
// seats. It returns the changed member. Errors: CodeForbidden; [apperr.ErrNotFound]; CodeConflict
// for the last admin and at the plan's maximum; CodeUnprocessable for an unknown role or status.
func (ms *Members) Change(ctx context.Context, a Access, memberID string, change MemberChange) (Member, error) {
	var member Member
	err := ms.AsMemberManager(ctx, a, func(tx Tx, actor Access) (err error) {
		member, err = ms.ChangeTx(ctx, tx, actor, memberID, change)
		return err
	})
	if err != nil {
		return Member{}, fmt.Errorf("change member: %w", err)
	}
	return member, nil
}

// ChangeTx is [Members.Change] in the caller's transaction; see [Members.AsMemberManager].
func (ms *Members) ChangeTx(ctx context.Context, tx Tx, actor Access, memberID string, change MemberChange) (Member, error) {
	before, err := tx.Members().Get(ctx, actor.Organization.ID, memberID)
	if err != nil {
		return before, err
	}
	after, err := ms.applyChange(ctx, tx, actor, before, change)
	if err != nil || after == before {
		return after, err
	}
	return after, ms.UpdateTx(ctx, tx, actor, before, after)
}

// applyChange returns the changed member, or an error if the actor may not make the change.
func (ms *Members) applyChange(ctx context.Context, tx Tx, actor Access, m Member, change MemberChange) (Member, error) {
	if !actor.Covers(m.Role) {
		return m, apperr.Errorf(apperr.CodeForbidden, MessageHoldsMore)
	}
	if change.RoleID != nil && *change.RoleID != m.Role.ID {
		role, err := grantableRole(ctx, tx, actor, *change.RoleID)
		if err != nil {
			return m, err
		}
		m.Role = role
	}
	if change.Billable != nil {
		m.Billable = *change.Billable
	}
	if change.Status != nil {
		if !change.Status.Valid() {
			return m, apperr.FieldError("status", "Choose active or suspended.")
		}
		m = m.withStatus(*change.Status)
	}
	if m.Status == MemberSuspended && m.UserID == actor.User.ID {
		return m, &apperr.Error{Code: apperr.CodeConflict, Field: "status", Message: MessageSuspendsSelf}
	}
	return m, nil
}

// UpdateTx writes a changed member in the caller's transaction and recounts the seats. It requires
// another active admin if before was one, and a free seat if after is newly billed.
func (ms *Members) UpdateTx(ctx context.Context, tx Tx, actor Access, before, after Member) error {
	if before.isAdmin() && !after.isAdmin() {
		if err := requireOtherAdmin(ctx, tx, before); err != nil {
			return err
		}
	}
	if after.Billed() && !before.Billed() {
		if err := ms.hooks.RequireFreeSeat(ctx, tx, after.OrganizationID, 0); err != nil {
			return err
		}
	}
	if err := tx.Members().Update(ctx, after); err != nil {
		return err
	}
	if err := ms.recordChange(ctx, tx, actor.Did(""), before, after); err != nil {
		return err
	}
	return ms.hooks.MembershipChanged(ctx, tx, MembershipChange{
		Before: before, After: after, ActorID: actor.User.ID, Reason: changeReason(before, after),
	})
}

// recordChange writes an audit entry for each part of a membership that changed. by names the actor
// and the organization.
func (ms *Members) recordChange(ctx context.Context, tx Tx, by AuditEntry, before, after Member) error {
	for _, act := range changeEntries(by, before, after) {
		if err := ms.record(ctx, tx, act); err != nil {
			return err
		}
	}
	return nil
}

func changeEntries(by AuditEntry, before, after Member) (acts []AuditEntry) {
	entry := by.To(after.UserID, after.Name)
	if before.Role.ID != after.Role.ID {
		entry.Act = ActMemberRoleChanged
		acts = append(acts, entry.Changed(AuditValues{"role": before.Role.Name}, AuditValues{"role": after.Role.Name}))
	}
	if before.Status != after.Status {
		entry.Act = ActMemberReactivated
		if after.Status == MemberSuspended {
			entry.Act = ActMemberSuspended
		}
		acts = append(acts, entry)
	}
	if before.Billable != after.Billable {
		entry.Act = ActMemberNotBilled
		if after.Billable {
			entry.Act = ActMemberBilled
		}
		acts = append(acts, entry)
	}
	return acts
}

// changeReason returns the seat ledger's text about the change. It follows the member's name.
func changeReason(before, after Member) string {
	switch {
	case before.Status != after.Status && after.Status == MemberSuspended:
		return ReasonSuspended
	case before.Status != after.Status:
		return ReasonReactivated
	case after.Billable:
		return ReasonSeatGiven
	}
	return ReasonSeatTaken
}

// Remove removes a member from the organization. Sessions lose access at their next request, since
// [Organizations.Access] is read for each. Errors: as [Members.Change].
func (ms *Members) Remove(ctx context.Context, a Access, memberID string) error {
	err := ms.AsMemberManager(ctx, a, func(tx Tx, actor Access) error {
		_, err := ms.RemoveTx(ctx, tx, actor, memberID)
		return err
	})
	if err != nil {
		return fmt.Errorf("remove member: %w", err)
	}
	return nil
}

// RemoveTx is [Members.Remove] in the caller's transaction; see [Members.AsMemberManager]. It
// returns the former member.
func (ms *Members) RemoveTx(ctx context.Context, tx Tx, actor Access, memberID string) (Member, error) {
	member, err := tx.Members().Get(ctx, actor.Organization.ID, memberID)
	if err != nil {
		return member, err
	}
	if !actor.Covers(member.Role) {
		return member, apperr.Errorf(apperr.CodeForbidden, MessageHoldsMore)
	}
	if err := ms.record(ctx, tx, actor.Did(ActMemberRemoved).To(member.UserID, member.Name).Changed(AuditValues{"role": member.Role.Name}, nil)); err != nil {
		return member, err
	}
	return member, ms.removeTx(ctx, tx, member, actor.User.ID, ReasonRemoved)
}

// Leave removes the actor from the organization. Error: CodeConflict for the last admin.
func (ms *Members) Leave(ctx context.Context, a Access) error {
	err := ms.InLockedOrganization(ctx, a, func(tx Tx, actor Access) error {
		if err := ms.record(ctx, tx, actor.Did(ActMemberLeft).To(actor.User.ID, actor.User.Name)); err != nil {
			return err
		}
		return ms.removeTx(ctx, tx, actor.Member, actor.User.ID, ReasonLeft)
	})
	if err != nil {
		return fmt.Errorf("leave organization: %w", err)
	}
	return nil
}

// HandOver makes another member an admin and the actor a member, in one transaction. Billability
// stays unchanged. confirmedName is the organization's name as the actor typed it. Errors:
// CodeForbidden if the actor is no admin; CodeUnprocessable with the field memberId unless it is
// another active member, or name if the typed name is another one.
func (ms *Members) HandOver(ctx context.Context, a Access, memberID, confirmedName string) error {
	err := ms.InLockedOrganization(ctx, a, func(tx Tx, actor Access) error {
		if err := actor.RequireAdmin(); err != nil {
			return err
		}
		next, known, err := apperr.Found(tx.Members().Get(ctx, a.Organization.ID, memberID))
		if err != nil {
			return err
		}
		if !known || next.ID == actor.Member.ID || next.Status != MemberActive || next.Provisional {
			return apperr.FieldError("memberId", "Choose another member who is active.")
		}
		if CleanName(confirmedName) != actor.Organization.Name {
			return apperr.FieldError("name", MessageNameAsIs)
		}
		next.Role, actor.Member.Role = Role{ID: RoleAdmin}, Role{ID: RoleMember}
		if err := errors.Join(tx.Members().Update(ctx, next), tx.Members().Update(ctx, actor.Member)); err != nil {
			return err
		}
		return ms.record(ctx, tx, actor.Did(ActOrganizationHandedOn).To(next.UserID, next.Name))
	})
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	return nil
}

func (ms *Members) removeTx(ctx context.Context, tx Tx, m Member, actorID, reason string) error {
	if m.isAdmin() {
		if err := requireOtherAdmin(ctx, tx, m); err != nil {
			return err
		}
	}
	return ms.removeMembership(ctx, tx, m, actorID, reason)
}

// removeMembership deletes a membership and recounts the seats.
func (ms *Members) removeMembership(ctx context.Context, tx Tx, m Member, actorID, reason string) error {
	if err := tx.Members().Delete(ctx, m.OrganizationID, m.ID); err != nil {
		return err
	}
	gone := m
	gone.Billable = false
	return ms.hooks.MembershipChanged(ctx, tx, MembershipChange{Before: m, After: gone, ActorID: actorID, Reason: reason})
}

// AsMemberManager is [Members.InLockedOrganization] for an actor who may manage members.
func (ms *Members) AsMemberManager(ctx context.Context, a Access, f func(tx Tx, actor Access) error) error {
	return ms.InLockedOrganization(ctx, a, func(tx Tx, actor Access) error {
		if err := actor.requireManageMembers(); err != nil {
			return err
		}
		return f(tx, actor)
	})
}

// InLockedOrganization runs f in one transaction that locks the organization first. Changes of its
// memberships are therefore serialized, and concurrent changes cannot break a rule together. The
// actor is read after the lock, so that a concurrent change of role takes effect.
func (ms *Members) InLockedOrganization(ctx context.Context, a Access, f func(tx Tx, actor Access) error) error {
	return ms.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		actor, err := tx.Organizations().Access(ctx, a.User.ID, a.Organization.ID)
		if err != nil {
			return fmt.Errorf("read actor: %w", err)
		}
		if actor.Organization.DeletedAt != nil {
			return apperr.Errorf(apperr.CodeConflict, MessageDeleted)
		}
		return f(tx, actor)
	})
}

// requireOtherAdmin rejects the loss of the organization's last active admin.
func requireOtherAdmin(ctx context.Context, tx Tx, m Member) error {
	others, err := tx.Members().CountOtherAdmins(ctx, m.OrganizationID, m.ID)
	if err != nil {
		return fmt.Errorf("count admins: %w", err)
	}
	if others == 0 {
		return apperr.Errorf(apperr.CodeConflict, MessageLastAdmin)
	}
	return nil
}

// Valid reports whether the status is known.
func (m MemberStatus) Valid() bool {
	return slices.Contains([]MemberStatus{MemberActive, MemberSuspended}, m)
}

// isAdmin reports whether the member is an active admin who has joined.
func (m Member) isAdmin() bool {
	return m.Role.ID == RoleAdmin && m.Status == MemberActive && !m.Provisional
}

// grantableRole returns a role of the organization that the actor may grant.
func grantableRole(ctx context.Context, tx Tx, actor Access, roleID string) (Role, error) {
	role, err := tx.Roles().Get(ctx, actor.Organization.ID, roleID)
	if errors.Is(err, apperr.ErrNotFound) {
		return Role{}, apperr.FieldError("roleId", "Choose one of the roles.")
	}
	if err != nil {
		return Role{}, err
	}
	if !actor.Covers(role) {
		return Role{}, &apperr.Error{Code: apperr.CodeForbidden, Field: "roleId", Message: MessageGrantsMore}
	}
	return role, nil
}

// addTx writes a new active member and recounts the seats. The organization must be locked or
// created in this transaction.
func (ms *Members) addTx(ctx context.Context, tx Tx, m Member, actorID, reason string) error {
	m.ID, m.Status, m.JoinedAt = ms.NewID("mem"), MemberActive, ms.Now()
	if err := tx.Members().Insert(ctx, m); err != nil {
		return err
	}
	before := m
	before.Billable = false
	return ms.hooks.MembershipChanged(ctx, tx, MembershipChange{Before: before, After: m, ActorID: actorID, Reason: reason})
}

// NewMember describes a person to create as a member.
type NewMember struct {
	Name, Email, Password string
	// NoPassword creates an account without a password: its owner asks for a link to choose one.
	NoPassword bool
	RoleID     string
	Billable   bool
}

// leaveTx removes a member. The last active admin may only leave a deleted organization.
func (ms *Members) leaveTx(ctx context.Context, tx Tx, organizationID, memberID string) error {
	organization, err := tx.Organizations().Lock(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	// As of the lock.
	member, still, err := apperr.Found(tx.Members().Get(ctx, organizationID, memberID))
	if err != nil || !still {
		return err
	}
	if organization.DeletedAt == nil && member.isAdmin() {
		err := requireOtherAdmin(ctx, tx, member)
		// Name the organization: the page is not about one.
		if apperr.CodeOf(err) == apperr.CodeConflict {
			return apperr.Errorf(apperr.CodeConflict, "You are the last admin of %s. Hand it over or delete it first.", organization.Name)
		}
		if err != nil {
			return err
		}
	}
	left := User{ID: member.UserID, Name: member.Name}.did(ActMemberLeft, organizationID).To(member.UserID, member.Name)
	if err := ms.record(ctx, tx, left.Changed(nil, AuditValues{"reason": ReasonAccountDeleted})); err != nil {
		return err
	}
	return ms.removeMembership(ctx, tx, member, member.UserID, ReasonAccountDeleted)
}
