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
	sweepInterval = 2 * time.Second  // how soon work is found whose alarm was lost
	learnInterval = 30 * time.Second // how often the account and missing prices are asked for while they are not known
	pruneInterval = 10 * time.Minute
	jobTimeout    = 15 * time.Second // for one event or one organization's seats, Stripe's answers included
	seatBatch     = 50
)

// chore is work that is found by looking at rows, so that any number of replicas may be at it at once.
type chore struct {
	name    string
	every   time.Duration // 0: at every sweep
	workers int           // how many are at it at once
	do      func(context.Context) error
}

// chores is the whole of the background work but the mail.
func (s *Service) chores() []chore {
	return []chore{
		{"pending events", 0, workers, s.settleDueEvents},
		{"seats to tell", 0, 1, s.syncDueSeats},
		{"seats to give back", 0, 1, s.giveBackSeats},
		{"second subscriptions", 0, 1, s.endDueSurpluses},
		{"customers to name", 0, 1, s.pushCustomerDetails},
		{"summaries of seats", learnInterval, 1, s.summarizeDueSeats},
		{"organizations to delete", 0, 1, s.deleteDueOrganizations},
		{"monthly credits", 0, 1, s.grantDueMonths},
		{"account and prices", learnInterval, 1, s.catchUpWithStripe},
		{"old events", pruneInterval, 1, s.pruneEvents},
		{"old counts of the limits", learnInterval, 1, s.forgetOldHits},
	}
}

// Work does what waits in the tables (pending events, seats to tell, e-mails) until ctx ends. What has to be done is read from rows, so any
// number of replicas may work at once. Alarms have most of it done sooner ([Service.Ring]); this finds what they were lost for, and what is
// to be tried again. It returns nil.
func (s *Service) Work(ctx context.Context) error {
	var apart sync.WaitGroup // what may take long, so that the sweep does not wait for it
	apart.Go(func() { s.workMail(ctx) })
	apart.Go(func() { s.workReconcile(ctx) })
	defer apart.Wait()
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	tasks := s.chores()
	done := make([]time.Time, len(tasks)) // when each was done last
	for {
		s.sweep(ctx, tasks, done)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// workReconcile compares with Stripe whenever it is this replica's turn.
func (s *Service) workReconcile(ctx context.Context) {
	ticker := time.NewTicker(learnInterval)
	defer ticker.Stop()
	for {
		if err := s.reconcileIfDue(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "comparison with Stripe", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sweep does every chore whose time has come, all at once, and waits for them.
func (s *Service) sweep(ctx context.Context, tasks []chore, done []time.Time) {
	var group sync.WaitGroup
	for i, c := range tasks {
		now := s.now()
		if !done[i].IsZero() && now.Sub(done[i]) < c.every {
			continue
		}
		done[i] = now
		for range c.workers {
			group.Go(func() {
				if err := c.do(ctx); err != nil && ctx.Err() == nil {
					s.log.ErrorContext(ctx, "background work", "chore", c.name, "error", err)
				}
			})
		}
	}
	group.Wait()
}

// forgetOldHits keeps the counts of the limits small.
func (s *Service) forgetOldHits(ctx context.Context) error {
	return s.store.PruneHits(ctx, s.wall().Add(-longestWindow))
}

// catchUpWithStripe learns what the start could not. Stripe being away is no error here: it is asked again soon.
func (s *Service) catchUpWithStripe(ctx context.Context) error {
	if s.account.Load() != nil && s.resolved.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := s.Start(ctx); err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "account or prices are not known yet", "error", err)
	}
	return nil
}

func (s *Service) settleDueEvents(ctx context.Context) error {
	// A long backlog is worked on by one sweep after the other: the other chores are not to wait for its end.
	until := time.Now().Add(sweepInterval)
	for ctx.Err() == nil && time.Now().Before(until) {
		worked, err := s.settleDueEvent(ctx)
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

func (s *Service) syncDueSeats(ctx context.Context) error {
	due, err := s.store.DueSeatSyncs(ctx, s.now(), seatBatch)
	if err != nil {
		return err
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
	return nil
}

func (s *Service) syncDue(ctx context.Context, organizationID string) {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := s.SyncSeats(ctx, organizationID); err != nil && !errors.Is(err, context.Canceled) {
		s.log.WarnContext(ctx, "seat sync", "organization", organizationID, "error", err)
	}
}
