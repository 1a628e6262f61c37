package main

import (
	"context"
	"errors"
	"fmt"

	"usher/billing"
	"usher/billing/account"
)

// perform performs an operation. The result of starting a Checkout is its URL and its id, separated
// by a space; other results are empty.
func (r *replica) perform(ctx context.Context, o operation) (result string, err error) {
	defer recoverCrash(&err)
	ctx = withCrashes(ctx)
	switch o.Kind {
	case reconcileAll:
		_, err = r.service.Reconciler.Reconcile(ctx, billing.ReconcileOptions{})
		return "", err
	case acceptInvitation:
		_, err = r.service.Invitations.Accept(ctx, o.Token, o.UserID)
		return "", err
	}
	access, err := r.service.Organizations.Access(ctx, o.UserID, o.OrganizationID)
	if err != nil {
		return "", err
	}
	switch o.Kind {
	case startCheckout, startPackCheckout:
		return r.startCheckout(ctx, o, access)
	case previewSeats, confirmSeats, undoSeats:
		return r.changeSeats(ctx, o, access)
	case completeCheckout, refreshSubscription, retrySeatSync, undoSeatChange, cancelPlan, resumePlan, reconcileOrganization,
		changePlan, keepPlan, consumeCredits:
		return "", r.changeSubscription(ctx, o, access)
	case invite, revokeInvitation, resendInvitation:
		return "", r.changeInvitation(ctx, o, access)
	default:
		return "", r.changeMembership(ctx, o, access)
	}
}

func (r *replica) startCheckout(ctx context.Context, o operation, access account.Access) (string, error) {
	if o.Kind == startPackCheckout {
		session, err := r.service.Checkouts.StartPack(ctx, access, billing.CheckoutRequest{PackID: "credits_500"})
		if err != nil {
			return "", err
		}
		return session.URL + " " + session.StripeSessionID, nil
	}
	code, err := r.findCode(ctx, o, access)
	if err != nil {
		return "", err
	}
	session, err := r.service.Checkouts.Start(ctx, access, billing.CheckoutRequest{PlanID: o.Plan, Interval: o.interval(), PromotionCode: code})
	if err != nil {
		return "", err
	}
	return session.URL + " " + session.StripeSessionID, nil
}

// findCode returns the id of the promotion code that a person enters.
func (r *replica) findCode(ctx context.Context, o operation, access account.Access) (string, error) {
	if o.Code == "" {
		return "", nil
	}
	found, known, err := r.service.Promotions.Find(ctx, access, o.Code)
	if err == nil && !known {
		err = fmt.Errorf("the promotion code %s is not known", o.Code)
	}
	return found.ID, err
}

func (r *replica) changeSubscription(ctx context.Context, o operation, access account.Access) (err error) {
	switch o.Kind {
	case completeCheckout:
		_, err = r.service.Checkouts.Complete(ctx, access, o.SessionID)
	case refreshSubscription:
		err = r.service.Subscriptions.Refresh(ctx, access)
	case retrySeatSync:
		_, err = r.service.SeatSyncer.Retry(ctx, access)
	case undoSeatChange:
		_, err = r.service.SeatLedger.UndoPendingChanges(ctx, access)
	case cancelPlan:
		err = r.service.Cancellations.Cancel(ctx, access, billing.CancelRequest{Reason: "unused"})
	case resumePlan:
		err = r.service.Cancellations.Resume(ctx, access)
	case changePlan:
		err = r.changePlan(ctx, o, access)
	case keepPlan:
		err = r.service.PlanChanges.Keep(ctx, access)
	case consumeCredits:
		_, err = r.service.Credits.Consume(ctx, access, billing.Consumption{Amount: o.Amount, IdempotencyKey: "simulation"})
	case reconcileOrganization:
		_, err = r.service.Reconciler.Reconcile(ctx, billing.ReconcileOptions{OrganizationID: o.OrganizationID})
	}
	return err
}

// changePlan confirms what it was shown.
func (r *replica) changePlan(ctx context.Context, o operation, access account.Access) error {
	preview, err := r.service.PlanChanges.Preview(ctx, access, o.Plan, o.interval())
	if err != nil {
		return err
	}
	_, err = r.service.PlanChanges.Apply(ctx, access, o.Plan, o.interval(), preview.Confirm())
	return err
}

func (r *replica) changeInvitation(ctx context.Context, o operation, access account.Access) (err error) {
	switch o.Kind {
	case invite:
		_, err = r.service.Invitations.Invite(ctx, access, account.NewInvitation{Email: o.Email, Billable: o.Yes})
	case revokeInvitation:
		err = r.service.Invitations.Revoke(ctx, access, o.MemberID)
	case resendInvitation:
		_, err = r.service.Invitations.Resend(ctx, access, o.MemberID)
	}
	return err
}

func (r *replica) changeMembership(ctx context.Context, o operation, access account.Access) (err error) {
	switch o.Kind {
	case setBillable:
		_, err = r.service.Members.Change(ctx, access, o.MemberID, account.MemberChange{Billable: &o.Yes})
	case setStatus:
		status := account.MemberActive
		if o.Yes {
			status = account.MemberSuspended
		}
		_, err = r.service.Members.Change(ctx, access, o.MemberID, account.MemberChange{Status: &status})
	case changeRole:
		_, err = r.service.Members.Change(ctx, access, o.MemberID, account.MemberChange{RoleID: &o.Role})
	case createRole:
		_, err = r.service.Roles.Create(ctx, access, account.RoleDraft{Name: "Role " + o.MemberID, CanManageMembers: o.Yes})
	case removeMember:
		err = r.service.Members.Remove(ctx, access, o.MemberID)
	case leaveOrganization:
		err = r.service.Members.Leave(ctx, access)
	case deleteAccount:
		err = r.service.Users.Delete(ctx, o.UserID, password)
	case transferAdmin:
		err = r.transferAdmin(ctx, access, o.MemberID)
	case deleteOrganization: // and cancel the deletion, so that the history can continue
		err = errors.Join(r.service.Deletions.Request(ctx, access, access.Organization.Name), r.service.Deletions.Withdraw(ctx, access))
	default:
		err = fmt.Errorf("unknown operation %q", o.Kind)
	}
	return err
}

// transferAdmin makes a member the only admin, and then the founder again, so that the history can
// continue. If a crash comes in between, the founder's later operations are refused.
func (r *replica) transferAdmin(ctx context.Context, founder account.Access, memberID string) error {
	if err := r.service.Members.HandOver(ctx, founder, memberID, founder.Organization.Name); err != nil {
		return err
	}
	member, err := r.service.Members.Get(ctx, founder, memberID)
	if err != nil {
		return err
	}
	admin, err := r.service.Organizations.Access(ctx, member.UserID, founder.Organization.ID)
	if err != nil {
		return err
	}
	return r.service.Members.HandOver(ctx, admin, founder.Member.ID, admin.Organization.Name)
}
