package account

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"usher/billing/apperr"
)

// Provisioning writes the members of an organization on behalf of a program, which knows its people
// without asking them.
//
// Whoever is new becomes a member at once and takes a seat, as a provisional user of this
// organization: one without an address, who cannot sign in. The address is kept with the membership
// and never compared with those of accounts, so that a program learns nothing about accounts, and
// an account gets no organization that its owner did not accept. By an invitation the owner of the
// address takes the membership over, see [Invitations.Accept] (docs/adr/0009).
type Provisioning struct {
	*base
	members     *Members
	invitations *Invitations
	hooks       Hooks
}

// ProvisionalPrefix begins the address of provisional users, which is no address.
const ProvisionalPrefix = "provisional:"

// MemberChanges is what a request changed.
type MemberChanges struct {
	Members                 []Member // all of them afterwards, by name; set by [Provisioning.PutTx]
	Added, Changed, Removed []Member
}

// InOrganization is [Members.AsMemberManager] for programs too.
func (pv *Provisioning) InOrganization(ctx context.Context, a Access, f func(tx Tx, actor Access) error) error {
	if a.Key == nil {
		return pv.members.AsMemberManager(ctx, a, f)
	}
	if err := a.requireManageMembers(); err != nil {
		return err
	}
	return pv.store.InTx(ctx, func(tx Tx) error {
		organization, err := tx.Organizations().Lock(ctx, a.Organization.ID)
		if err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if organization.DeletedAt != nil {
			return apperr.Errorf(apperr.CodeConflict, MessageDeleted)
		}
		actor := a
		actor.Organization = organization
		return f(tx, actor)
	})
}

// PutTx makes the members of the actor's organization the given ones, in the caller's transaction;
// see [Provisioning.InOrganization]. A set that is there already changes nothing. The status of
// members stays as it is. Errors: CodeInvalid with the index of a member; CodeForbidden;
// CodeConflict for the last admin and at the plan's maximum.
func (pv *Provisioning) PutTx(ctx context.Context, tx Tx, actor Access, specs []MemberSpec) (MemberChanges, error) {
	roles, err := tx.Roles().List(ctx, actor.Organization.ID)
	if err != nil {
		return MemberChanges{}, err
	}
	described, err := checkSpecs(specs, roles)
	if err != nil {
		return MemberChanges{}, err
	}
	present, err := tx.Members().List(ctx, actor.Organization.ID)
	if err != nil {
		return MemberChanges{}, err
	}
	set := setOf(present, described)
	if err := cmp.Or(set.requireCovered(actor), set.requireAdmin()); err != nil {
		return MemberChanges{}, err
	}
	changes, err := pv.write(ctx, tx, actor, set)
	if err != nil {
		return MemberChanges{}, err
	}
	changes.Members = slices.Concat(set.same, changes.Changed, changes.Added)
	slices.SortStableFunc(changes.Members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return changes, nil
}

// AddTx adds one member in the caller's transaction. A member who is there already as described is
// returned, and added is false. Errors: as [Provisioning.PutTx]; CodeConflict for a member with the
// externalId or address who differs.
func (pv *Provisioning) AddTx(ctx context.Context, tx Tx, actor Access, spec MemberSpec) (member Member, added bool, err error) {
	roles, err := tx.Roles().List(ctx, actor.Organization.ID)
	if err != nil {
		return Member{}, false, err
	}
	described, err := spec.check(roles)
	if err != nil {
		return Member{}, false, err
	}
	present, err := tx.Members().ByKeys(ctx, actor.Organization.ID, described.keys())
	if err != nil {
		return Member{}, false, err
	}
	if m, known := matchMembers(present, []describedMember{described})[0]; known {
		if m.isMovedBy(described) || m.managedBy(described) != m {
			return Member{}, false, apperr.Errorf(apperr.CodeConflict, "A member with this externalId or e-mail address is there already (%s) and differs. PUT /api/v1/members changes members.", m.ID)
		}
		return m, false, nil
	}
	set := memberSet{added: []describedMember{described}}
	if err := set.requireCovered(actor); err != nil {
		return Member{}, false, err
	}
	changes, err := pv.write(ctx, tx, actor, set)
	if err != nil {
		return Member{}, false, err
	}
	return changes.Added[0], true, nil
}

// RemoveTx removes a member in the caller's transaction. Errors: [apperr.ErrNotFound];
// CodeForbidden; CodeConflict for the last admin.
func (pv *Provisioning) RemoveTx(ctx context.Context, tx Tx, actor Access, memberID string) error {
	gone, err := tx.Members().Get(ctx, actor.Organization.ID, memberID)
	if err != nil {
		return err
	}
	admins, err := otherMembers(ctx, tx, gone, MemberKeys{RoleIDs: []string{RoleAdmin}})
	if err != nil {
		return err
	}
	set := memberSet{removed: []Member{gone}, same: admins}
	if err := cmp.Or(set.requireCovered(actor), set.requireAdmin()); err != nil {
		return err
	}
	_, err = pv.write(ctx, tx, actor, set)
	return err
}

// otherMembers lists the members with one of the keys, except one.
func otherMembers(ctx context.Context, tx Tx, except Member, keys MemberKeys) ([]Member, error) {
	found, err := tx.Members().ByKeys(ctx, except.OrganizationID, keys)
	return slices.DeleteFunc(found, func(m Member) bool { return m.ID == except.ID }), err
}

// write writes a set: whoever leaves first, so that ids and addresses are free.
func (pv *Provisioning) write(ctx context.Context, tx Tx, actor Access, set memberSet) (MemberChanges, error) {
	changes := MemberChanges{Added: pv.provisional(actor, set.added), Removed: set.removed}
	for _, pair := range set.changed {
		changes.Changed = append(changes.Changed, pair.after)
	}
	if set.isEmpty() {
		return changes, nil
	}
	if err := pv.writeRows(ctx, tx, actor, set, changes); err != nil {
		return MemberChanges{}, err
	}
	if err := pv.recordAll(ctx, tx, set.auditEntries(actor, changes.Added)); err != nil {
		return MemberChanges{}, err
	}
	return changes, pv.hooks.MembershipsChanged(ctx, tx, actor.Organization.ID, set.membershipChanges(actor, changes.Added))
}

func (pv *Provisioning) writeRows(ctx context.Context, tx Tx, actor Access, set memberSet, changes MemberChanges) error {
	if len(changes.Removed) > 0 {
		if err := tx.Members().DeleteAll(ctx, actor.Organization.ID, memberIDs(changes.Removed)); err != nil {
			return err
		}
	}
	if gone := set.formerAddresses(); len(gone) > 0 {
		if err := tx.Invitations().RevokeOfKeys(ctx, actor.Organization.ID, gone, pv.Now()); err != nil {
			return err
		}
	}
	if len(changes.Changed) > 0 {
		if err := tx.Members().UpdateManaged(ctx, changes.Changed); err != nil {
			return err
		}
	}
	if len(changes.Added) == 0 {
		return nil
	}
	users := make([]User, len(changes.Added))
	for i, m := range changes.Added {
		users[i] = User{ID: m.UserID, Email: ProvisionalPrefix + m.UserID, Name: m.Name, PasswordHash: noPassword, CreatedAt: m.JoinedAt}
	}
	if err := tx.Users().InsertAll(ctx, users); err != nil {
		return err
	}
	return tx.Members().InsertAll(ctx, changes.Added)
}

// provisional returns the members to insert.
func (pv *Provisioning) provisional(actor Access, described []describedMember) []Member {
	added := make([]Member, len(described))
	for i, w := range described {
		m := Member{
			ID: pv.NewID("mem"), OrganizationID: actor.Organization.ID, UserID: pv.NewID("usr"), Status: MemberActive,
			JoinedAt: pv.Now(), Provisional: true,
		}
		if w.Suspended {
			m.Status, m.SuspendedByProgram = MemberSuspended, true
		}
		added[i] = m.managedBy(w)
	}
	return added
}

// formerAddresses lists the addresses whose owners can no longer take a membership over.
func (s memberSet) formerAddresses() (gone []string) {
	for _, m := range s.removed {
		gone = append(gone, m.Email)
	}
	for _, pair := range s.changed {
		if pair.before.Email != pair.after.Email {
			gone = append(gone, pair.before.Email)
		}
	}
	return gone
}

// membershipChanges returns the changes for the seats.
func (s memberSet) membershipChanges(actor Access, added []Member) (changes []MembershipChange) {
	by := actor.ActorID()
	for _, m := range s.removed {
		gone := m
		gone.Billable = false
		changes = append(changes, MembershipChange{Before: m, After: gone, ActorID: by, Reason: actor.reason(ReasonRemoved, ReasonKeyRemoved)})
	}
	for _, pair := range s.changed {
		changes = append(changes, MembershipChange{Before: pair.before, After: pair.after, ActorID: by, Reason: pair.reason(actor)})
	}
	for _, m := range added {
		before := m
		before.Billable = false
		changes = append(changes, MembershipChange{Before: before, After: m, ActorID: by, Reason: actor.reason(ReasonAdded, ReasonKeyAdded)})
	}
	return changes
}

// reason returns the seat ledger's text about a changed member.
func (p memberPair) reason(actor Access) string {
	switch {
	case p.before.Status != p.after.Status && p.after.Status == MemberSuspended:
		return actor.reason(ReasonSuspended, ReasonKeySuspended)
	case p.before.Status != p.after.Status:
		return actor.reason(ReasonReactivated, ReasonKeyReactivated)
	case p.after.Billable:
		return actor.reason(ReasonSeatGiven, ReasonKeySeatGiven)
	}
	return actor.reason(ReasonSeatTaken, ReasonKeySeatTaken)
}

// auditEntries returns an entry for each part of a membership that changed.
func (s memberSet) auditEntries(actor Access, added []Member) (entries []AuditEntry) {
	for _, m := range s.removed {
		entries = append(entries, actor.Did(ActMemberRemoved).To(m.UserID, m.Name).Changed(AuditValues{"role": m.Role.Name}, nil))
	}
	for _, pair := range s.changed {
		entries = append(entries, changeEntries(actor.Did(""), pair.before, pair.after)...)
		if before, after := pair.before.identity(), pair.after.identity(); before["name"] != after["name"] || before["email"] != after["email"] {
			entries = append(entries, actor.Did(ActMemberDescribed).To(pair.after.UserID, pair.after.Name).Changed(before, after))
		}
	}
	for _, m := range added {
		entries = append(entries, actor.Did(ActMemberAdded).To(m.UserID, m.Name).Changed(nil, AuditValues{"role": m.Role.Name}))
	}
	return entries
}

// identity is how a member is shown in the organization.
func (m Member) identity() AuditValues { return AuditValues{"name": m.Name, "email": m.Email} }

func memberIDs(members []Member) []string {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	return ids
}
