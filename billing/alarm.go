package billing

import (
	"context"
	"fmt"
	"time"
)

// JobKind says what an alarm is about.
type JobKind string

// The kinds of alarms.
const (
	JobEvent     JobKind = "event"    // an event of Stripe waits to be settled
	JobSeats     JobKind = "seats"    // Stripe is to be told an organization's seats
	JobMail      JobKind = "mail"     // an e-mail waits to be sent
	JobDuplicate JobKind = "surplus"  // a second subscription is to be ended
	JobRecovery  JobKind = "recovery" // somebody asked for a link to choose a new password
)

// Job has a piece of work done soon, by whichever replica. It carries no news: what has to be done is read from rows when it rings,
// and a sweep over the same rows finds whatever an alarm was lost for. Retries are the sweep's too.
type Job struct {
	Kind     JobKind
	ID       string        // of the row it is about
	Revision string        // tells it from alarms about earlier states of the same row, so that one that is just ringing does not swallow the next
	Delay    time.Duration // from now
}

// enqueue is [JobQueries.SetAlarm] for a moment of the Service's own clock.
func (s *Service) enqueue(ctx context.Context, tx Tx, kind JobKind, id, turn string, at time.Time) error {
	if err := tx.Jobs().Enqueue(ctx, Job{Kind: kind, ID: id, Revision: turn, Delay: max(0, at.Sub(s.now()))}); err != nil {
		return fmt.Errorf("set alarm: %w", err)
	}
	return nil
}

// RunJob does one piece of the work that an alarm is about, if it is still there to be done. again is how long to wait before the same
// alarm is to ring once more; 0: it has done its service.
func (s *Service) RunJob(ctx context.Context, a Job) (again time.Duration, err error) {
	switch a.Kind {
	case JobEvent:
		_, err = s.processDueEvent(ctx)
	case JobSeats:
		return s.runSeatJob(ctx, a.ID)
	case JobMail:
		if s.mailer != nil {
			_, err = s.sendDueMail(ctx)
		}
	case JobDuplicate:
		_, err = s.cancelDueDuplicate(ctx)
	case JobRecovery:
		err = s.processRecoveryRequests(ctx)
	}
	return 0, err
}

// runSeatJob tells Stripe an organization's seats, or waits on while the gathering goes on.
func (s *Service) runSeatJob(ctx context.Context, organizationID string) (again time.Duration, err error) {
	s.syncDue(ctx, organizationID)
	state, known, err := Found(s.store.Seats().State(ctx, organizationID))
	if err != nil || !known || state.DueAt == nil {
		return 0, err
	}
	return max(0, state.DueAt.Sub(s.now())), nil
}
