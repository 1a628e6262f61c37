package billing

import (
	"context"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/job"
)

// SeatCounter counts the seats that an organization needs.
type SeatCounter struct{ *core }

// membershipChanged recounts the seats after a membership changed from before to after. The ledger gets a line about the member exactly when
// they began or ceased to be billed, even where the number stays as it is (the plan's minimum), so that their newest line tells since when
// and why they are billed. Where only the count itself was off, the line is about nobody.
func (sc *SeatCounter) membershipChanged(ctx context.Context, tx Tx, c account.MembershipChange) error {
	before, after := c.Before, c.After
	organizationID := after.OrganizationID
	if before.Billed() == after.Billed() {
		return sc.recount(ctx, tx, organizationID, seatReason{actor: c.ActorID, reason: "the seats were counted again"})
	}
	old, _, err := apperr.Found(tx.Seats().LockState(ctx, organizationID))
	if err != nil {
		return fmt.Errorf("lock seat state: %w", err)
	}
	cause := seatReason{actor: c.ActorID, subject: after.UserID, reason: c.Reason}
	if err := sc.recount(ctx, tx, organizationID, cause); err != nil {
		return err
	}
	counted, err := tx.Seats().State(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("read seat state: %w", err)
	}
	if counted.DesiredSeats != old.DesiredSeats {
		return nil // the recount has written the line
	}
	return tx.SeatLedger().Insert(ctx, sc.seatChange(old, counted, cause))
}

// requireFreeSeat refuses one more billed person where the plan takes no more. promised counts seats that are kept for others.
func (sc *SeatCounter) requireFreeSeat(ctx context.Context, tx Tx, organizationID string, promised int) error {
	current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sc.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	plan, _, offered := sc.Catalog().ByPrice(current.PriceID)
	if !known || !offered || current.Status.Ended() || plan.SeatMaximum == 0 {
		return nil
	}
	billed, err := tx.Members().CountBillable(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("count billable members: %w", err)
	}
	if billed+promised < plan.SeatMaximum {
		return nil
	}
	return &apperr.Error{Code: apperr.CodeConflict, Field: "billable", Message: seatLimitMessage(plan, promised)}
}

func seatLimitMessage(plan catalog.Plan, promised int) string {
	if promised > 0 {
		return fmt.Sprintf("%s takes %d billed people, and all seats are taken or promised by an invitation. Choose a larger plan, or free a seat.",
			plan.Name, plan.SeatMaximum)
	}
	return fmt.Sprintf("%s takes %d billed people, and all seats are taken. Choose a larger plan, or free a seat.", plan.Name, plan.SeatMaximum)
}

// recountSeats counts who is billed, writes what is wanted and when Stripe is to be told. It belongs into every transaction that can
// change either side; the organization is locked (or new) in it. The number is always counted, never added to.
func (sc *SeatCounter) recount(ctx context.Context, tx Tx, organizationID string, cause seatReason) error {
	current, living, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sc.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	return sc.recountUnder(ctx, tx, organizationID, current, living, cause)
}

// recountSeatsUnder is [Service.recountSeats] where the current subscription has just been read.
func (sc *SeatCounter) recountUnder(ctx context.Context, tx Tx, organizationID string, current Subscription, living bool, cause seatReason) error {
	state, billed, err := tx.Seats().LockAndCount(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("lock seat state and count billable members: %w", err)
	}
	before := state
	state.OrganizationID = organizationID
	sc.updateDesiredSeats(&state, current, living && sc.seatsSynced(current), billed)
	if state == before {
		return nil
	}
	if state.DesiredSeats != before.DesiredSeats {
		state.summarizeLater(sc.Now())
	}
	if err := sc.writeSeatChange(ctx, tx, before, state, current, cause); err != nil {
		return err
	}
	if err := tx.Seats().PutState(ctx, state); err != nil {
		return err
	}
	return sc.enqueueSync(ctx, tx, before, state)
}

// writeSeatChange gives every version of the wanted number its line in the ledger: another number, or the same told again because Stripe has
// another one.
func (sc *SeatCounter) writeSeatChange(ctx context.Context, tx Tx, before, after SeatState, current Subscription, cause seatReason) error {
	if after.SyncVersion == before.SyncVersion {
		return nil
	}
	change := sc.seatChange(before, after, cause)
	if after.DesiredSeats == before.DesiredSeats {
		change.From, change.ActorUserID, change.SubjectUserID, change.Reason = current.Quantity, "", "", ReasonResent
	}
	if err := tx.SeatLedger().Insert(ctx, change); err != nil {
		return fmt.Errorf("write seat ledger: %w", err)
	}
	tx.Record("seats wanted: %d, before: %d", change.To, change.From)
	return nil
}

// seatReason says why seats are recounted, for the ledger.
type seatReason struct {
	actor   string // user id; empty: the system or Stripe
	subject string // user id of whose membership changed; empty where it was nobody's
	reason  string
}

// ReasonResent stands in the ledger where the wanted number did not change and Stripe had another one: somebody changed it there, or a new
// compareSubscription began with it.
const ReasonResent = "the number at Stripe was set right"

// enqueueSync has Stripe told when it is due, unless an alarm is set that rings before: that one waits on by itself.
func (sc *SeatCounter) enqueueSync(ctx context.Context, tx Tx, before, after SeatState) error {
	if after.DueAt == nil || before.DueAt != nil && !after.DueAt.Before(*before.DueAt) {
		return nil
	}
	turn := fmt.Sprintf("%d:%d", after.SyncVersion, after.Attempt)
	return sc.Enqueue(ctx, tx.Jobs(), job.KindSeats, after.OrganizationID, turn, *after.DueAt)
}

func (sc *SeatCounter) seatChange(before, after SeatState, cause seatReason) SeatChange {
	return SeatChange{
		OrganizationID: after.OrganizationID, At: sc.Now(), ActorUserID: cause.actor, SubjectUserID: cause.subject,
		Reason: cause.reason, From: before.DesiredSeats, To: after.DesiredSeats, Version: after.SyncVersion,
	}
}
