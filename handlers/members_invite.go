package handlers

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"usher/billing"
	"usher/billing/account"
	billingviews "usher/views/billing"
	"usher/views/locale"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// addSeats adds the numbers of seats and, for whoever manages members, the invitation form.
func (p *memberPages) addSeats(r *http.Request, props *organizationviews.MembersPageProps, reserved int, form inviteForm) error {
	access := accessOf(r)
	overview, err := p.overviews.Get(r.Context(), access)
	if err != nil {
		return err
	}
	setMemberSeats(r.Context(), &props.Seats, overview)
	props.SeatPrice = seatPrice(r.Context(), overview)
	if overview.Seats.Synced && access.CanManageBilling() {
		props.SeatsProposed = overview.Seats.Desired + 1
	}
	if !access.CanManageMembers() {
		return nil
	}
	roles, err := p.roles.List(r.Context(), access)
	props.Roles = roleOptions(r.Context(), roles, access)
	props.Invite = p.inviteProps(r, props.Roles, nextSeat(overview, reserved), form)
	return err
}

// setMemberSeats sets the numbers of seats, or why none are paid for.
func setMemberSeats(ctx context.Context, props *organizationviews.MemberSeats, o billing.Overview) {
	s := o.Seats
	if !s.Synced {
		props.Row, props.Waiting = ui.SeatRowProps{Vacant: s.Billable}, billingviews.SeatsWaiting(ctx, planStatus(o), s.Billable)
		return
	}
	props.Synced, props.Needed, props.Paid, props.CheckedAt = true, s.Desired, s.Quantity, s.CheckedAt
	props.Row = seatRowProps(ctx, s, s.CheckedAt)
	props.Row.Sentence = ""
}

// inviteProps returns the props of the invitation form.
func (p *memberPages) inviteProps(r *http.Request, roles []ui.Option, next organizationviews.NextSeat, form inviteForm) *organizationviews.InviteFormProps {
	props := &organizationviews.InviteFormProps{
		OrganizationID: accessOf(r).Organization.ID, Email: form.input.Email, RoleID: form.input.RoleID, Billable: form.input.Billable,
		Roles: roles, NextSeat: next,
		Errors: organizationviews.InviteErrors{Email: form.errors["email"], RoleID: form.errors["roleId"], Billable: form.errors["billable"]},
	}
	if user := accessOf(r).User; p.invitations.MustVerify(user) {
		props.Unverified = user.Email
	}
	return props
}

// inviteCost says what the seats of a number of invited people cost.
func (p *memberPages) inviteCost(r *http.Request, people int, billable bool) (string, error) {
	if !billable {
		return locale.T(r.Context(), "They get no seat, so nothing is charged."), nil
	}
	invitations, err := p.invitations.Pending(r.Context(), accessOf(r))
	if err != nil {
		return "", err
	}
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	return nextSeat(overview, p.reservedSeats(invitations)).WordsFor(r.Context(), people), err
}

// reservedSeats counts the seats reserved for open invitations.
func (p *memberPages) reservedSeats(invitations []account.Invitation) int {
	n := 0
	for _, invitation := range invitations {
		if invitation.Billable && !invitation.Expired(p.now()) {
			n++
		}
	}
	return n
}

func (p *memberPages) invitationRows(ctx context.Context, invitations []account.Invitation, a account.Access) []organizationviews.InvitationRow {
	rows := make([]organizationviews.InvitationRow, 0, len(invitations))
	for _, i := range invitations {
		row := organizationviews.InvitationRow{
			ID: i.ID, Email: i.Email, Role: roleName(ctx, i.Role), Billable: i.Billable, By: cmp.Or(i.Inviter.Name, i.InvitedByKey), ExpiresAt: i.ExpiresAt, Fixed: !a.Covers(i.Role),
		}
		switch {
		case i.Expired(p.now()):
			row.Lapsed = locale.T(ctx, "Expired. Resend it to renew the link.")
		case !i.InviterAuthorized():
			row.Lapsed = locale.T(ctx, "The sender can no longer invite. Resend it in your name.")
		}
		rows = append(rows, row)
	}
	return rows
}

// inviteForm holds the submitted invitation and its errors.
type inviteForm struct {
	input  account.NewInvitation
	errors map[string]string
}

// nextSeat returns what one more billed member means for the plan. Reserved seats belong to open
// invitations.
func nextSeat(o billing.Overview, reserved int) organizationviews.NextSeat {
	if o.Plan == nil || o.Subscription.Status.Ended() {
		return organizationviews.NextSeat{}
	}
	next := organizationviews.NextSeat{Plan: o.Plan.Name, PerSeat: o.Plan.PerSeat, Price: o.Price.Amount, Interval: o.Price.Interval}
	next.TrialEndsAt, next.Unconfirmed = trialEnd(o), o.Seats.Unconfirmed
	taken := o.Seats.Billable + reserved
	if o.Plan.SeatMaximum > 0 && taken >= o.Plan.SeatMaximum {
		next.Full = o.Plan.SeatMaximum
	}
	if o.Plan.PerSeat {
		next.Free = max(0, o.Plan.Quantity(o.Seats.Billable)-taken)
	}
	return next
}

// trialEnd returns when the trial ends; zero: there is none.
func trialEnd(o billing.Overview) time.Time {
	if o.Subscription == nil || o.Subscription.Status != billing.StatusTrialing {
		return time.Time{}
	}
	return timeOrZero(o.Subscription.TrialEnd)
}

// seatPrice formats the price of a seat; empty if the plan is not billed per seat.
func seatPrice(ctx context.Context, o billing.Overview) string {
	if o.Plan == nil || !o.Plan.PerSeat || o.Subscription.Status.Ended() {
		return ""
	}
	return organizationviews.SeatPrice(ctx, o.Price.Amount, o.Price.Interval)
}

// roleOptions lists the roles. Roles with more permissions than the viewer's are disabled.
func roleOptions(ctx context.Context, roles []account.Role, a account.Access) []ui.Option {
	options := make([]ui.Option, 0, len(roles))
	for _, role := range roles {
		options = append(options, ui.Option{Value: role.ID, Label: roleName(ctx, role), Disabled: !a.Covers(role)})
	}
	// Browsers preselect the first option.
	slices.SortStableFunc(options, func(a, b ui.Option) int { return roleOrder(a) - roleOrder(b) })
	return options
}

func roleOrder(o ui.Option) int {
	if o.Value == account.RoleMember {
		return 0
	}
	return 1
}
