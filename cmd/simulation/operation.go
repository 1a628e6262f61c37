package main

import (
	"fmt"
	"strings"

	"usher/billing"
	"usher/billing/catalog"
)

// operation is something that a person does in Usher. Kinds use the fields they need.
type operation struct {
	Kind           operationKind
	UserID         string // who does it
	OrganizationID string
	MemberID       string // or an invitation's id
	Plan           string
	SessionID      string // of a Checkout
	Email          string
	Role           string
	Token          string // of an invitation, or that confirms a preview
	Code           string // a promotion code
	Amount         int    // of credits
	Yes            bool   // the kind's choice: billable or not, yearly or monthly
	Seats          billing.SeatRequest
}

// operationKind names what is done.
type operationKind string

// CheckoutSession and subscription.
const (
	startCheckout         operationKind = "start checkout"
	startPackCheckout     operationKind = "start pack checkout"
	completeCheckout      operationKind = "complete checkout"
	refreshSubscription   operationKind = "refresh subscription"
	retrySeatSync         operationKind = "retry seat sync"
	undoSeatChange        operationKind = "undo seat change"
	previewSeats          operationKind = "preview seats"
	confirmSeats          operationKind = "confirm seats"
	undoSeats             operationKind = "undo confirmed seats" // previews and confirms the reverse
	cancelPlan            operationKind = "cancel plan"
	resumePlan            operationKind = "resume plan"
	changePlan            operationKind = "change plan" // previews and confirms
	keepPlan              operationKind = "keep plan"
	consumeCredits        operationKind = "consume credits"
	reconcileAll          operationKind = "reconcile"
	reconcileOrganization operationKind = "reconcile organization"
)

// Members, invitations and the organization.
const (
	setBillable        operationKind = "set billable"
	setStatus          operationKind = "set status"
	changeRole         operationKind = "change role"
	createRole         operationKind = "create role"
	transferAdmin      operationKind = "transfer admin role"
	removeMember       operationKind = "remove member"
	leaveOrganization  operationKind = "leave organization"
	deleteAccount      operationKind = "delete account"
	deleteOrganization operationKind = "delete organization"
	invite             operationKind = "invite"
	acceptInvitation   operationKind = "accept invitation"
	revokeInvitation   operationKind = "revoke invitation"
	resendInvitation   operationKind = "resend invitation"
)

func (o operation) interval() catalog.Interval {
	if o.Yes {
		return catalog.Yearly
	}
	return catalog.Monthly
}

// String describes the operation for the plan of a history.
func (o operation) String() string {
	var b strings.Builder
	b.WriteString(string(o.Kind))
	for _, field := range []struct{ name, value string }{
		{"user", o.UserID}, {"member", o.MemberID}, {"plan", o.Plan}, {"session", o.SessionID},
		{"email", o.Email}, {"role", o.Role}, {"token", o.Token}, {"code", o.Code},
		{"change", string(o.Seats.Kind)}, {"members", strings.Join(o.Seats.MemberIDs, ",")},
	} {
		if field.value != "" {
			fmt.Fprintf(&b, " %s=%s", field.name, field.value)
		}
	}
	if o.Yes {
		b.WriteString(" yes")
	}
	return b.String()
}
