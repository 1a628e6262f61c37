package billing

import (
	"context"
	"fmt"
	"time"
)

// AlarmKind says what an alarm is about.
type AlarmKind string

// The kinds of alarms.
const (
	AlarmEvent    AlarmKind = "event"     // an event of Stripe waits to be settled
	AlarmSeats    AlarmKind = "seats"     // Stripe is to be told an organization's seats
	AlarmMail     AlarmKind = "mail"      // an e-mail waits to be sent
	AlarmSurplus  AlarmKind = "duplicate" // a second subscription is to be ended
	AlarmRecovery AlarmKind = "recovery"  // somebody asked for a link to choose a new password
)

// Alarm has a piece of work done soon, by whichever replica. It carries no news: what has to be done is read from rows when it rings,
// and a sweep over the same rows finds whatever an alarm was lost for. Retries are the sweep's too.
type Alarm struct {
	Kind AlarmKind
	ID   string        // of the row it is about
	Turn string        // tells it from alarms about earlier states of the same row, so that one that is just ringing does not swallow the next
	In   time.Duration // from now
}

// AlarmQueries set alarms.
type AlarmQueries interface {
	// SetAlarm has an alarm ring once its time has passed and the transaction has committed. One of the same kind, id and turn that
	// has not rung yet stays the only one.
	SetAlarm(ctx context.Context, a Alarm) error
}

// setAlarm is [AlarmQueries.SetAlarm] for a moment of the Service's own clock.
func (s *Service) setAlarm(ctx context.Context, q Queries, kind AlarmKind, id, turn string, at time.Time) error {
	if err := q.SetAlarm(ctx, Alarm{Kind: kind, ID: id, Turn: turn, In: max(0, at.Sub(s.now()))}); err != nil {
		return fmt.Errorf("set alarm: %w", err)
	}
	return nil
}

// Ring does one piece of the work that an alarm is about, if it is still there to be done. again is how long to wait before the same
// alarm is to ring once more; 0: it has done its service.
func (s *Service) Ring(ctx context.Context, a Alarm) (again time.Duration, err error) {
	switch a.Kind {
	case AlarmEvent:
		_, err = s.settleDueEvent(ctx)
	case AlarmSeats:
		return s.ringSeats(ctx, a.ID)
	case AlarmMail:
		if s.mailer != nil {
			_, err = s.sendDueMail(ctx)
		}
	case AlarmSurplus:
		_, err = s.endDueSurplus(ctx)
	case AlarmRecovery:
		err = s.settleRecoveries(ctx)
	}
	return 0, err
}

// ringSeats tells Stripe an organization's seats, or waits on while the gathering goes on.
func (s *Service) ringSeats(ctx context.Context, organizationID string) (again time.Duration, err error) {
	s.syncDue(ctx, organizationID)
	state, known, err := optional(s.store.SeatState(ctx, organizationID))
	if err != nil || !known || state.DueAt == nil {
		return 0, err
	}
	return max(0, state.DueAt.Sub(s.now())), nil
}
