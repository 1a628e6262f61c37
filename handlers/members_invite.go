package handlers

import (
	"net/http"
	"slices"

	"usher/billing"
	"usher/billing/account"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// inviteProps is the form above the members.
func (p *memberPages) inviteProps(r *http.Request, o billing.Overview, promised int, form inviteForm) (*organizationviews.InviteFormProps, error) {
	roles, err := p.roles.List(r.Context(), accessOf(r))
	if err != nil {
		return nil, err
	}
	return &organizationviews.InviteFormProps{
		OrganizationID: accessOf(r).Organization.ID, Email: form.input.Email, RoleID: form.input.RoleID, Billable: form.input.Billable,
		Roles: roleOptions(roles, accessOf(r)), NextSeat: nextSeat(o, promised),
		Errors: organizationviews.InviteErrors{Email: form.errors["email"], RoleID: form.errors["roleId"], Billable: form.errors["billable"]},
	}, nil
}

// promised counts the seats that are kept for those who are invited.
func (p *memberPages) reservedSeats(invitations []account.Invitation) int {
	n := 0
	for _, invitation := range invitations {
		if invitation.Billable && !invitation.Expired(p.now()) {
			n++
		}
	}
	return n
}

func (p *memberPages) invitationRows(invitations []account.Invitation, a account.Access) []organizationviews.InvitationRow {
	rows := make([]organizationviews.InvitationRow, 0, len(invitations))
	for _, i := range invitations {
		row := organizationviews.InvitationRow{
			ID: i.ID, Email: i.Email, Role: i.Role.Name, Billable: i.Billable, By: i.Inviter.Name, ExpiresAt: i.ExpiresAt, Fixed: !a.Covers(i.Role),
		}
		switch {
		case i.Expired(p.now()):
			row.Lapsed = "It has expired."
		case !i.Backed():
			row.Lapsed = "Who sent it may not invite now."
		}
		rows = append(rows, row)
	}
	return rows
}

// inviteForm is what was typed into the form above the members, and what is wrong with it.
type inviteForm struct {
	input  account.NewInvitation
	errors map[string]string
}

// nextSeat says what one more billed person means; promised seats are kept for those who are invited.
func nextSeat(o billing.Overview, promised int) organizationviews.NextSeat {
	if o.Plan == nil || o.Subscription.Status.Ended() {
		return organizationviews.NextSeat{}
	}
	next := organizationviews.NextSeat{Plan: o.Plan.Name, PerSeat: o.Plan.PerSeat, Price: o.Price.Amount, Interval: o.Price.Interval}
	taken := o.Seats.Billable + promised
	if o.Plan.SeatMaximum > 0 && taken >= o.Plan.SeatMaximum {
		next.Full = o.Plan.SeatMaximum
	}
	if o.Plan.PerSeat {
		next.Free = max(0, o.Plan.Quantity(o.Seats.Billable)-taken)
	}
	return next
}

// seatPrice writes what a billed person costs, where the plan counts people.
func seatPrice(o billing.Overview) string {
	if o.Plan == nil || !o.Plan.PerSeat || o.Subscription.Status.Ended() {
		return ""
	}
	return o.Price.Amount.FormatShort() + " / " + string(o.Price.Interval)
}

// roleOptions lists the roles; those that may do more than the viewer's are shown and not to be had.
func roleOptions(roles []account.Role, a account.Access) []ui.Option {
	options := make([]ui.Option, 0, len(roles))
	for _, role := range roles {
		options = append(options, ui.Option{Value: role.ID, Label: role.Name, Disabled: !a.Covers(role)})
	}
	// The one that fits most people stands first, and is what a browser picks where nothing is chosen.
	slices.SortStableFunc(options, func(a, b ui.Option) int { return roleOrder(a) - roleOrder(b) })
	return options
}

func roleOrder(o ui.Option) int {
	if o.Value == account.RoleMember {
		return 0
	}
	return 1
}
