package account

import "context"

// MembershipChange is a membership before and after a change. A membership that begins has a Before that is not billable, one that
// ends an After that is not billable.
type MembershipChange struct {
	Before, After Member
	ActorID       string // user id; empty: the system
	Reason        string // for the seat ledger
}

// Hooks connect memberships to billing. They run in the transaction of the change, whose organization is locked. Package billing
// implements them, so that this package does not import it.
type Hooks interface {
	// MembershipChanged recounts the organization's seats.
	MembershipChanged(ctx context.Context, tx Tx, change MembershipChange) error
	// RequireFreeSeat returns CodeConflict with the field billable where the plan has no seat for one more person. Promised is the
	// number of seats reserved by invitations.
	RequireFreeSeat(ctx context.Context, tx Tx, organizationID string, promised int) error
	// OrganizationRenamed schedules the update of the customer at Stripe.
	OrganizationRenamed(ctx context.Context, tx Tx, organizationID string) error
}
