package job

import "time"

// JobKind says what an alarm is about.
type Kind string

// The kinds of alarms.
const (
	KindEvent     Kind = "event"     // an event of Stripe waits to be settled
	KindSeats     Kind = "seats"     // Stripe is to be told an organization's seats
	KindMail      Kind = "mail"      // an e-mail waits to be sent
	KindDuplicate Kind = "duplicate" // a second subscription is to be ended
	KindRecovery  Kind = "recovery"  // somebody asked for a link to choose a new password
)

// Job has a piece of work done soon, by whichever replica. It carries no news: what has to be done is read from rows when it rings,
// and a sweep over the same rows finds whatever an alarm was lost for. Retries are the sweep's too.
type Job struct {
	Kind     Kind
	ID       string        // of the row it is about
	Revision string        // tells it from alarms about earlier states of the same row, so that one that is just ringing does not swallow the next
	Delay    time.Duration // from now
}
