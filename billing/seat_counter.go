package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/job"
)

// SeatCounter counts the seats that an organization needs and stores the result: SeatState decides,
// SeatCounter writes. Its exported methods implement [account.Hooks].
type SeatCounter struct{ *core }

// seatReason says why seats are recounted, for the seat ledger.
type seatReason struct {
	actor   string // user id; empty: the system or Stripe
	subject string // user id of the member whose membership changed; empty: none
	reason  string
	// members are several changes at once, each with its own reason, instead of subject and reason.
	members []account.MembershipChange
}

// ReasonResent is the ledger's reason for a version whose number did not change: Stripe had another
// quantity, because it was changed there or because a new subscription began with it.
const ReasonResent = "the number at Stripe was corrected"

// ReasonBought is the ledger's reason for the seats that a subscription was bought with. The
// request of such a line is the subscription's id.
const ReasonBought = "the subscription began"

// MembershipChanged recounts the seats after a membership changed. The ledger gets a line about the
// member exactly when they begin or cease to be billed, even if the number of seats stays the same
// (the plan's minimum), so that their newest line says since when and why they are billed. A
// correction of the count alone gets a line about no member.
func (sc *SeatCounter) MembershipChanged(ctx context.Context, accountTx account.Tx, c account.MembershipChange) error {
	tx, organizationID := accountTx.(Tx), c.After.OrganizationID
	if c.Before.Billed() == c.After.Billed() {
		return sc.recount(ctx, tx, organizationID, seatReason{actor: c.ActorID, reason: reasonRecounted})
	}
	before, _, err := apperr.Found(tx.Seats().LockState(ctx, organizationID))
	if err != nil {
		return fmt.Errorf("lock seat state: %w", err)
	}
	cause := seatReason{actor: c.ActorID, subject: c.After.UserID, reason: c.Reason}
	if err := sc.recount(ctx, tx, organizationID, cause); err != nil {
		return err
	}
	after, err := tx.Seats().State(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("read seat state: %w", err)
	}
	if after.DesiredSeats != before.DesiredSeats {
		return nil // the recount has written the line
	}
	return tx.SeatLedger().Insert(ctx, sc.seatChange(before, after, cause))
}

// MembershipsChanged recounts the seats once for several changes. The ledger gets a line about each
// member who begins or ceases to be billed, with the same version; together they lead from the
// former number to the new one.
func (sc *SeatCounter) MembershipsChanged(ctx context.Context, accountTx account.Tx, organizationID string, changes []account.MembershipChange) error {
	tx := accountTx.(Tx)
	changes = billingChanges(changes)
	if len(changes) == 0 {
		return nil
	}
	before, billed, err := tx.Seats().LockAndCount(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("lock seat state and count billable members: %w", err)
	}
	current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sc.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	if known && !current.Status.Ended() && addedSeats(changes) > 0 {
		if err := requireSeats(sc.planOf(current), billed); err != nil {
			return err
		}
	}
	cause := seatReason{members: changes}
	if err := sc.recountFor(ctx, tx, organizationID, current, cause); err != nil {
		return err
	}
	after, err := tx.Seats().State(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("read seat state: %w", err)
	}
	if after.DesiredSeats != before.DesiredSeats {
		return nil // the recount has written the lines
	}
	return tx.SeatLedger().InsertAll(ctx, sc.memberLines(before, after, current, billed, cause))
}

// billingChanges returns the changes of who is billed, those who cease to be first.
func billingChanges(changes []account.MembershipChange) []account.MembershipChange {
	var ended, begun []account.MembershipChange
	for _, c := range changes {
		switch {
		case c.Before.Billed() && !c.After.Billed():
			ended = append(ended, c)
		case !c.Before.Billed() && c.After.Billed():
			begun = append(begun, c)
		}
	}
	return append(ended, begun...)
}

// addedSeats returns by how many the billed members grow.
func addedSeats(changes []account.MembershipChange) (added int) {
	for _, c := range changes {
		if c.After.Billed() {
			added++
		} else {
			added--
		}
	}
	return added
}

// memberLines returns a line of the ledger for each change. billed is the number of billed members
// after all of them.
func (sc *SeatCounter) memberLines(before, after SeatState, current Subscription, billed int, cause seatReason) []SeatChange {
	plan, state := sc.planOf(current), after
	count, from := billed-addedSeats(cause.members), before.DesiredSeats
	lines := make([]SeatChange, len(cause.members))
	for i, c := range cause.members {
		count += addedSeats(cause.members[i : i+1])
		to := state.desiredSeats(plan, count, sc.Now())
		if i == len(lines)-1 || after.keepsQuantity(current) {
			to = after.DesiredSeats
		}
		lines[i] = sc.seatChange(before, after, seatReason{actor: c.ActorID, subject: c.After.UserID, reason: c.Reason})
		lines[i].From, lines[i].To = from, to
		from = to
	}
	return lines
}

// recount counts the billed members, stores the desired seats and schedules the update at Stripe.
// Every transaction that can change the members or the subscription calls it; the organization is
// locked (or new) in it. The number is always counted, never incremented.
func (sc *SeatCounter) recount(ctx context.Context, tx Tx, organizationID string, cause seatReason) error {
	current, _, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sc.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	return sc.recountFor(ctx, tx, organizationID, current, cause)
}

// recountFor is recount for a caller that has read the current subscription; the zero value means
// there is none.
func (sc *SeatCounter) recountFor(ctx context.Context, tx Tx, organizationID string, current Subscription, cause seatReason) error {
	before, billed, err := tx.Seats().LockAndCount(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("lock seat state and count billable members: %w", err)
	}
	if err := sc.wakeScheduled(ctx, tx, current, before, billed); err != nil {
		return err
	}
	after := before
	after.OrganizationID = organizationID
	plan := sc.planOf(current)
	began, err := sc.began(ctx, tx, plan, current, before)
	if err != nil {
		return err
	}
	if began && current.Quantity == plan.Quantity(billed) {
		after.SyncVersion++ // of what was bought, so that no earlier update has the same
	}
	after.update(plan, current, billed, sc.Now())
	if began {
		if err := sc.recordBought(ctx, tx, plan, current, after); err != nil {
			return err
		}
	}
	if after == before {
		return nil
	}
	if after.DesiredSeats != before.DesiredSeats {
		after.scheduleSummary(sc.Now())
	}
	if !began || after.DesiredSeats != before.DesiredSeats {
		if err := sc.insertSeatChange(ctx, tx, before, after, current, billed, cause); err != nil {
			return err
		}
	}
	if err := tx.Seats().PutState(ctx, after); err != nil {
		return fmt.Errorf("write seat state: %w", err)
	}
	if after.DueAt == nil || before.DueAt != nil && !after.DueAt.Before(*before.DueAt) {
		return nil // the job enqueued for the earlier time reschedules itself
	}
	revision := fmt.Sprintf("%d:%d", after.SyncVersion, after.Attempt)
	return sc.Enqueue(ctx, tx.Jobs(), job.KindSeats, organizationID, revision, *after.DueAt)
}

// began reports whether the seats of a subscription are synced for the first time: what it was
// bought with is not recorded yet.
func (sc *SeatCounter) began(ctx context.Context, tx Tx, plan catalog.Plan, current Subscription, state SeatState) (bool, error) {
	synced := state.LastSyncAt != nil && !state.LastSyncAt.Before(current.CreatedAt)
	if synced || !plan.PerSeat || !seatsSynced(plan, current) || current.Quantity < 1 {
		return false, nil
	}
	attempts, err := tx.SeatAttempts().List(ctx, current.ID, time.Time{})
	if err != nil {
		return false, fmt.Errorf("list seat attempts: %w", err)
	}
	return len(attempts) == 0, nil
}

// recordBought writes the ledger line of the seats that a subscription was bought with, and an
// attempt of the same version, so that the ledger attributes the changes before it to the purchase
// and not to the first update after it.
func (sc *SeatCounter) recordBought(ctx context.Context, tx Tx, plan catalog.Plan, current Subscription, state SeatState) error {
	version, err := sc.boughtVersion(ctx, tx, plan, current, state)
	if err != nil {
		return err
	}
	accepted := true
	err = tx.SeatAttempts().Insert(ctx, SeatAttempt{
		Key: "bought:" + current.ID, OrganizationID: state.OrganizationID, SubscriptionID: current.ID, Version: version,
		Quantity: current.Quantity, At: current.CreatedAt, RequestID: current.ID, Accepted: &accepted, AcknowledgedAt: &current.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("record bought seats: %w", err)
	}
	err = tx.SeatLedger().Insert(ctx, SeatChange{
		OrganizationID: state.OrganizationID, At: sc.Now(), Reason: ReasonBought, To: current.Quantity, Version: version,
	})
	if err != nil {
		return fmt.Errorf("write seat ledger: %w", err)
	}
	tx.Record("subscription %s: began with %d seats", current.ID, current.Quantity)
	return nil
}

// boughtVersion returns the version of the desired seats that a subscription was bought with: the
// newest one, or if members changed since it was counted for Checkout, the newest with that
// quantity. 0: none had it.
func (sc *SeatCounter) boughtVersion(ctx context.Context, tx Tx, plan catalog.Plan, current Subscription, state SeatState) (int64, error) {
	if current.Quantity == state.quantity(plan) {
		return state.SyncVersion, nil
	}
	changes, err := tx.SeatLedger().List(ctx, state.OrganizationID, boughtLines)
	if err != nil {
		return 0, fmt.Errorf("read the seat ledger: %w", err)
	}
	newer := int64(-1)
	for _, change := range changes {
		// Of several lines of a version, the newest has its number.
		if change.Version != newer && plan.Quantity(change.To) == current.Quantity {
			return change.Version, nil
		}
		newer = change.Version
	}
	return 0, nil
}

// boughtLines bounds the lines of the ledger that are searched for the seats of a purchase.
const boughtLines = 1000

// insertSeatChange writes the ledger line of a new version: another number, or the same number sent
// again because Stripe has another one.
func (sc *SeatCounter) insertSeatChange(ctx context.Context, tx Tx, before, after SeatState, current Subscription, billed int, cause seatReason) error {
	if after.SyncVersion == before.SyncVersion {
		return nil
	}
	change, lines := sc.seatChange(before, after, cause), []SeatChange(nil)
	if after.DesiredSeats != before.DesiredSeats {
		lines = sc.memberLines(before, after, current, billed, cause)
	} else {
		change.From, change.To = current.Quantity, after.quantity(sc.planOf(current))
		change.ActorUserID, change.SubjectUserID, change.Reason = "", "", ReasonResent
	}
	if len(lines) == 0 {
		lines = []SeatChange{change}
	}
	if err := tx.SeatLedger().InsertAll(ctx, lines); err != nil {
		return fmt.Errorf("write seat ledger: %w", err)
	}
	tx.Record("desired seats: %d, before: %d", change.To, change.From)
	return sc.recordSeats(ctx, tx, change)
}

func (sc *SeatCounter) seatChange(before, after SeatState, cause seatReason) SeatChange {
	return SeatChange{
		OrganizationID: after.OrganizationID, At: sc.Now(), ActorUserID: cause.actor, SubjectUserID: cause.subject,
		Reason: cause.reason, From: before.DesiredSeats, To: after.DesiredSeats, Version: after.SyncVersion,
	}
}

// RequireFreeSeat returns CodeConflict with the field billable if the plan's maximum leaves no seat
// for one more billed member. promised is the number of seats reserved by invitations.
func (sc *SeatCounter) RequireFreeSeat(ctx context.Context, accountTx account.Tx, organizationID string, promised int) error {
	tx := accountTx.(Tx)
	current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sc.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	plan := sc.planOf(current)
	if !known || current.Status.Ended() || plan.SeatMaximum == 0 {
		return nil
	}
	billed, err := tx.Members().CountBillable(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("count billable members: %w", err)
	}
	return requireSeats(plan, billed+promised+1)
}

// requireSeats returns CodeConflict with the field billable unless the plan has room for so many.
func requireSeats(plan catalog.Plan, billed int) error {
	if err := plan.RequireSeats(billed); err != nil {
		return &apperr.Error{Code: apperr.CodeConflict, Field: "billable", Message: apperr.MessageOf(err)}
	}
	return nil
}
