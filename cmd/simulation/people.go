package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"usher/billing"
)

// guestsOfEach are people of no organization yet, who can be invited.
const guestsOfEach = 2

// Everybody's password, and what is kept of it: hashing one for each of thousands would be most of the work.
const (
	password     = "usher-demo"
	passwordHash = "$argon2id$v=19$m=19456,t=2,p=1$jzBf6IYqJiwI1yqNmhmTPw$YyEbi9Co6sX7Z1oMUKrMpgXkFBPgALMv35z6J+mx7Bo"
)

// found makes a guest's account.
func (h *history) foundGuest(q billing.Queries, n int) error {
	id := fmt.Sprintf("usr_%d_guest%d", h.seed, n)
	return q.InsertUser(h.world.ctx, billing.User{ID: id, Email: h.guest(n), Name: "Guest", PasswordHash: passwordHash, CreatedAt: h.world.stripe.Now()})
}

func (h *history) guest(n int) string { return fmt.Sprintf("guest%d.%d@example.com", n, h.seed) }

// peopleActs are all ways in which a membership changes.
var peopleActs = []string{"bill", "bill", "bill", "suspend", "remove", "leave", "role", "new role", "invite", "invite", "accept", "accept", "revoke", "resend",
	"hand over", "delete account"}

func (h *history) people() {
	a := act{What: peopleActs[h.random.IntN(len(peopleActs))], Yes: h.random.IntN(3) > 0}
	n := h.random.IntN(guestsOfEach)
	switch a.What {
	case "invite":
		a.Email = h.guest(n)
	case "accept":
		a.Token, a.UserID = h.world.invitationTo(h.guest(n)), fmt.Sprintf("usr_%d_guest%d", h.seed, n)
	case "revoke", "resend":
		invitations, err := h.world.store.PendingInvitations(h.world.ctx, h.id)
		if err != nil || len(invitations) == 0 {
			return
		}
		a.MemberID = invitations[h.random.IntN(len(invitations))].ID
	default:
		member, ok := h.anyMember()
		if !ok {
			return
		}
		a.MemberID, a.Role = member.ID, h.anyRole()
		if a.What == "leave" || a.What == "delete account" {
			a.UserID = member.UserID
		}
	}
	h.here(a)
}

// anyMember picks one who is not the founder.
func (h *history) anyMember() (billing.Member, bool) {
	members, err := h.world.store.Members(h.world.ctx, h.id)
	members = slices.DeleteFunc(members, func(m billing.Member) bool { return m.UserID == h.userID })
	if err != nil || len(members) == 0 {
		return billing.Member{}, false
	}
	return members[h.random.IntN(len(members))], true
}

func (h *history) anyRole() string {
	roles, err := h.world.store.Roles(h.world.ctx, h.id)
	if err != nil || len(roles) == 0 {
		return billing.RoleMember
	}
	return roles[h.random.IntN(len(roles))].ID
}

var invitationLink = regexp.MustCompile(`/invite/(\S+)`)

// keepInvitation reads the link of a mail, as whoever got it would.
func (w *world) keepInvitation(m mailSent) {
	if link := invitationLink.FindStringSubmatch(m.Text); link != nil {
		w.invitations[m.To] = link[1]
	}
}

func (w *world) invitationTo(address string) string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.invitations[address]
}

// change does what somebody does about members, roles and invitations.
func (r *replica) change(ctx context.Context, a act, access billing.Access) (err error) {
	switch a.What {
	case "bill":
		_, err = r.service.ChangeMember(ctx, access, a.MemberID, billing.MemberChange{Billable: &a.Yes})
	case "suspend":
		status := billing.MemberActive
		if a.Yes {
			status = billing.MemberSuspended
		}
		_, err = r.service.ChangeMember(ctx, access, a.MemberID, billing.MemberChange{Status: &status})
	case "role":
		_, err = r.service.ChangeMember(ctx, access, a.MemberID, billing.MemberChange{RoleID: &a.Role})
	case "new role":
		_, err = r.service.CreateRole(ctx, access, billing.RoleDraft{Name: "Role " + a.MemberID, CanManageMembers: a.Yes})
	case "hand over": // and back, so that there is somebody to go on
		if err = r.service.HandOver(ctx, access, a.MemberID); err == nil {
			err = r.handBack(ctx, access, a.MemberID)
		}
	case "delete": // and taken back
		err = errors.Join(r.service.DeleteOrganization(ctx, access, access.Organization.Name), r.service.KeepOrganization(ctx, access))
	case "cancel plan":
		err = r.service.CancelPlan(ctx, access)
	case "resume plan":
		err = r.service.ResumePlan(ctx, access)
	case "delete account":
		err = r.service.DeleteAccount(ctx, a.UserID, password)
	case "remove":
		err = r.service.RemoveMember(ctx, access, a.MemberID)
	case "leave":
		err = r.service.LeaveOrganization(ctx, access)
	case "invite":
		_, err = r.service.Invite(ctx, access, billing.NewInvitation{Email: a.Email, Billable: a.Yes})
	case "revoke":
		err = r.service.RevokeInvitation(ctx, access, a.MemberID)
	case "resend":
		_, err = r.service.ResendInvitation(ctx, access, a.MemberID)
	default:
		err = fmt.Errorf("no such act: %s", a.What)
	}
	return err
}

// handBack makes the founder an admin again. Where a crash comes in between, others go on without them.
func (r *replica) handBack(ctx context.Context, founder billing.Access, memberID string) error {
	member, err := r.service.Member(ctx, founder, memberID)
	if err != nil {
		return err
	}
	next, err := r.service.Access(ctx, member.UserID, founder.Organization.ID)
	if err != nil {
		return err
	}
	return r.service.HandOver(ctx, next, founder.Member.ID)
}
