package account

import "context"

// MembershipChange is a membership before and after a change. Before is not billable when a
// membership begins, After is not billable when it ends.
type MembershipChange struct {
	Before, After Member
	ActorID       string // user id; empty for the system
	Reason        string // for the seat ledger
}

// Hooks connect memberships to billing. They run in the transaction of the change, whose
// organization is locked. Package billing implements them, so that account does not import it.
type Hooks interface {
	// MembershipChanged recounts the organization's seats.
	MembershipChanged(ctx context.Context, tx Tx, change MembershipChange) error
	// MembershipsChanged recounts the organization's seats once for several changes. Error:
	// CodeConflict with the field billable if more people would be billed than the plan's maximum.
	MembershipsChanged(ctx context.Context, tx Tx, organizationID string, changes []MembershipChange) error
	// RequireFreeSeat returns CodeConflict with the field billable if the plan has no seat for one
	// more person. promised is the number of seats reserved by pending invitations.
	RequireFreeSeat(ctx context.Context, tx Tx, organizationID string, promised int) error
	// CustomerDetailsChanged schedules the update of the customer at Stripe: the organization has
	// another name, or the person to whom Stripe writes another address.
	CustomerDetailsChanged(ctx context.Context, tx Tx, organizationID string) error
}
