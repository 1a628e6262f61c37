package billing

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of background work.
const (
	workers       = 4                // so that one slow answer of Stripe does not hold the others up
	sweepInterval = 2 * time.Second  // how soon work is found whose wake-up was lost
	learnInterval = 30 * time.Second // how often the account and missing prices are asked for while they are not known
	jobTimeout    = 15 * time.Second // for one event or one organization's seats, Stripe's answers included
	seatBatch     = 50
)

// Work does what waits in the tables (pending events, seats to tell, e-mails) until ctx ends. What has to be done is read from rows, so any
// number of replicas may work at once, and a lost wake-up costs no more than one sweep. It returns nil.
func (s *Service) Work(ctx context.Context) error {
	var mail sync.WaitGroup
	mail.Go(func() { s.workMail(ctx) })
	defer mail.Wait()
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	var learned time.Time
	for {
		if s.now().Sub(learned) >= learnInterval {
			learned = s.now()
			s.catchUpWithStripe(ctx)
			s.forgetOldHits(ctx)
		}
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-ticker.C:
		}
	}
}

func (s *Service) sweep(ctx context.Context) {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { s.settleDueEvents(ctx) })
	}
	group.Go(func() { s.syncDueSeats(ctx) })
	group.Go(func() {
		if err := s.grantDueMonths(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "monthly credits", "error", err)
		}
	})
	group.Wait()
}

// forgetOldHits keeps the counts of the limits small.
func (s *Service) forgetOldHits(ctx context.Context) {
	if err := s.store.PruneHits(ctx, s.wall().Add(-longestWindow)); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "forget old counts", "error", err)
	}
}

// catchUpWithStripe learns what the start could not.
func (s *Service) catchUpWithStripe(ctx context.Context) {
	if s.account.Load() != nil && s.resolved.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := s.Start(ctx); err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "account or prices are not known yet", "error", err)
	}
}

func (s *Service) settleDueEvents(ctx context.Context) {
	for ctx.Err() == nil {
		worked, err := s.settleDueEvent(ctx)
		if err != nil && !errors.Is(err, context.Canceled) {
			s.log.ErrorContext(ctx, "pending events", "error", err)
		}
		if err != nil || !worked {
			return
		}
	}
}

func (s *Service) syncDueSeats(ctx context.Context) {
	due, err := s.store.DueSeatSyncs(ctx, s.now(), seatBatch)
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "due seats", "error", err)
		}
		return
	}
	queue := make(chan string)
	var group sync.WaitGroup
	for range min(workers, len(due)) {
		group.Go(func() {
			for id := range queue {
				s.syncDue(ctx, id)
			}
		})
	}
	for _, id := range due {
		queue <- id
	}
	close(queue)
	group.Wait()
}

func (s *Service) syncDue(ctx context.Context, organizationID string) {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := s.SyncSeats(ctx, organizationID); err != nil && !errors.Is(err, context.Canceled) {
		s.log.WarnContext(ctx, "seat sync", "organization", organizationID, "error", err)
	}
}
