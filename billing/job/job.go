package job

import "time"

// Kind is the kind of work that a job starts.
type Kind string

// The kinds of jobs.
const (
	KindEvent     Kind = "event"     // process a pending Stripe event
	KindSeats     Kind = "seats"     // send an organization's seat count to Stripe
	KindMail      Kind = "mail"      // send a queued e-mail
	KindDuplicate Kind = "duplicate" // cancel a duplicate subscription
	KindRecovery  Kind = "recovery"  // send the links for requested password resets
	KindWebhook   Kind = "webhook"   // make messages of an organization's changes
	KindDelivery  Kind = "delivery"  // send messages to an endpoint
)

// Job wakes a worker for a row that has work due. It carries no data: the worker reads what to do
// from rows, and a periodic sweep over the same rows finds work whose job was lost or failed.
type Job struct {
	Kind Kind
	ID   string // of the row
	// Distinguishes states of the row, so that a running job does not deduplicate a job for a newer
	// state.
	Revision string
	Delay    time.Duration // from now
}
