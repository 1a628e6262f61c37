package main

import (
	"fmt"
	"slices"

	"usher/billing/account"
)

// membershipKinds are the ways in which a membership changes. They are picked by index.
var membershipKinds = []operationKind{
	setBillable, setBillable, setBillable, setStatus, removeMember, leaveOrganization, changeRole, createRole,
	invite, invite, acceptInvitation, acceptInvitation, revokeInvitation, resendInvitation, transferAdmin, deleteAccount,
}

// changeMembership performs a random operation on a random member, guest or invitation.
func (h *history) changeMembership() {
	o := operation{Kind: membershipKinds[h.random.IntN(len(membershipKinds))], Yes: h.random.IntN(3) > 0}
	guest := h.random.IntN(guestsPerHistory)
	ok := true
	switch o.Kind {
	case invite:
		o.Email = guestEmail(h.seed, guest)
	case acceptInvitation:
		o.Token, o.UserID = h.usher.invitationToken(guestEmail(h.seed, guest)), guestID(h.seed, guest)
	case revokeInvitation, resendInvitation:
		o.MemberID, ok = h.anyInvitation()
	default:
		o, ok = h.onAnyMember(o)
	}
	if ok {
		h.perform(o)
	}
}

func (h *history) anyInvitation() (id string, ok bool) {
	invitations := h.usher.pendingInvitations(h.organizationID)
	if len(invitations) == 0 {
		return "", false
	}
	return invitations[h.random.IntN(len(invitations))].ID, true
}

// onAnyMember completes an operation on a random member.
func (h *history) onAnyMember(o operation) (operation, bool) {
	member, ok := h.anyMember()
	if !ok {
		return o, false
	}
	o.MemberID, o.Role = member.ID, h.anyRole()
	if o.Kind == leaveOrganization || o.Kind == deleteAccount {
		o.UserID = member.UserID
	}
	return o, true
}

// anyMember picks a member other than the founder.
func (h *history) anyMember() (account.Member, bool) {
	members := slices.DeleteFunc(h.usher.members(h.organizationID), func(m account.Member) bool { return m.UserID == h.founderID })
	if len(members) == 0 {
		return account.Member{}, false
	}
	return members[h.random.IntN(len(members))], true
}

func (h *history) anyRole() string {
	roles := h.usher.roles(h.organizationID)
	if len(roles) == 0 {
		return account.RoleMember
	}
	return roles[h.random.IntN(len(roles))].ID
}

// deleteOrganization requests the deletion and withdraws the request. If a crash comes in between,
// the organization is deleted a week later.
func (h *history) deleteOrganization() {
	h.deletions = append(h.deletions, h.stripe.now())
	h.perform(operation{Kind: deleteOrganization})
}

// toggleBillable changes the number of billed members by one.
func (h *history) toggleBillable() {
	for _, m := range h.usher.members(h.organizationID) {
		if m.UserID != h.founderID && m.Status == account.MemberActive {
			h.perform(operation{Kind: setBillable, MemberID: m.ID, Yes: !m.Billable})
			return
		}
	}
}

func userID(seed uint64, n int) string { return fmt.Sprintf("usr_%d_%d", seed, n) }

func guestID(seed uint64, n int) string { return fmt.Sprintf("usr_%d_guest%d", seed, n) }

func guestEmail(seed uint64, n int) string { return fmt.Sprintf("guest%d.%d@example.com", n, seed) }
