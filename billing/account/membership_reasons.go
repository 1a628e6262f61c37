package account

// The reasons of changes of a membership. The seat ledger stores them; each continues the name of
// the member.
const (
	ReasonAdded          = "was added"
	ReasonAccepted       = "accepted an invitation"
	ReasonSeatGiven      = "was given a seat"
	ReasonSeatTaken      = "lost their seat"
	ReasonSuspended      = "was suspended"
	ReasonReactivated    = "was reactivated"
	ReasonRemoved        = "was removed"
	ReasonLeft           = "left"
	ReasonAccountDeleted = "deleted their account"
	// These are followed by the name of the API key that made the change.
	ReasonKeyAdded       = "was added by the API key "
	ReasonKeyRemoved     = "was removed by the API key "
	ReasonKeySeatGiven   = "was given a seat by the API key "
	ReasonKeySeatTaken   = "lost their seat by the API key "
	ReasonKeySuspended   = "was suspended by the API key "
	ReasonKeyReactivated = "was reactivated by the API key "
	// ReasonDomain is followed by the domain.
	ReasonDomain = "joined by the domain "
	// ReasonRole is followed by the name of the role.
	ReasonRole = "was made "
)
