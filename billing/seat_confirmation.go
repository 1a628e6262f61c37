package billing

import (
	"context"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Messages about the number of seats of an imported organization.
const (
	MessageSeatsConfirmed    = "The number of seats was confirmed already."
	MessageSeatsOnHold       = "The plan is on hold. Please confirm the number of seats when it continues."
	MessageSeatsNotConfirmed = "Please confirm the number of seats first. It is still the one from before your organization was set up here."
)

// confirmPeople ends the time in which an imported subscription keeps its quantity: from now on the
// seats follow the members. The organization is locked. Error: CodeConflict if nothing is to be
// confirmed, or the plan is on hold.
func (sc *SeatCounter) confirmPeople(ctx context.Context, tx Tx, a account.Access, current Subscription) error {
	state, known, err := apperr.Found(tx.Seats().LockState(ctx, a.Organization.ID))
	if err != nil {
		return fmt.Errorf("lock seat state: %w", err)
	}
	if !known || !state.keepsQuantity(current) {
		return apperr.Errorf(apperr.CodeConflict, MessageSeatsConfirmed)
	}
	if !seatsSynced(sc.planOf(current), current) {
		return apperr.Errorf(apperr.CodeConflict, MessageSeatsOnHold)
	}
	state.UnconfirmedSubscriptionID = ""
	if err := tx.Seats().PutState(ctx, state); err != nil {
		return fmt.Errorf("write seat state: %w", err)
	}
	if err := sc.recountFor(ctx, tx, a.Organization.ID, current, seatReason{actor: a.User.ID, reason: reasonPeopleConfirmed}); err != nil {
		return err
	}
	after, err := tx.Seats().State(ctx, a.Organization.ID)
	if err != nil {
		return fmt.Errorf("read seat state: %w", err)
	}
	from, to := account.AuditValues{"seats": fmt.Sprint(current.Quantity)}, account.AuditValues{"seats": fmt.Sprint(after.quantity(sc.planOf(current)))}
	return sc.audit(ctx, tx, a.Did(account.ActSeatsConfirmed).Changed(from, to))
}

// requireConfirmedSeats returns CodeConflict while an imported subscription keeps its quantity: a
// change of the plan would have to choose between that one and the number of people.
func (s *SeatState) requireConfirmedSeats(current Subscription) error {
	if s.keepsQuantity(current) {
		return apperr.Errorf(apperr.CodeConflict, MessageSeatsNotConfirmed)
	}
	return nil
}
