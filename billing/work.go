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
	setupInterval = 30 * time.Second // how often the account and missing prices are asked for while they are not known
	pruneInterval = 10 * time.Minute
	jobTimeout    = 15 * time.Second // for one event or one organization's seats, Stripe's answers included
	seatBatch     = 50
)

// periodicTask is work that is found by looking at rows, so that any number of replicas may be at it at once.
type periodicTask struct {
	name    string
	every   time.Duration // 0: at every sweep
	workers int           // how many are at it at once
	run     func(context.Context) error
}

// chores is the whole of the background work but the mail.
func (s *Service) periodicTasks() []periodicTask {
	return []periodicTask{
		{"pending events", 0, workers, s.processDueEvents},
		{"seats to tell", 0, 1, s.syncDueSeats},
		{"seats to give back", 0, 1, s.releaseUnusedSeats},
		{"second subscriptions", 0, 1, s.cancelDueDuplicates},
		{"customers to name", 0, 1, s.updateDueCustomers},
		{"summaries of seats", setupInterval, 1, s.sendDueSeatSummaries},
		{"organizations to delete", 0, 1, s.deleteDueOrganizations},
		{"monthly credits", 0, 1, s.grantDueMonths},
		{"account and prices", setupInterval, 1, s.retryStart},
		{"old events", pruneInterval, 1, s.pruneEvents},
		{"old counts of the limits", setupInterval, 1, s.pruneRateLimits},
	}
}

// Work does what waits in the tables (pending events, seats to tell, e-mails) until ctx ends. What has to be done is read from rows, so any
// number of replicas may work at once. Alarms have most of it done sooner ([Service.RunJob]); this finds what they were lost for, and what is
// to be tried again. It returns nil.
func (s *Service) Work(ctx context.Context) error {
	var apart sync.WaitGroup // what may take long, so that the sweep does not wait for it
	apart.Go(func() { s.runMail(ctx) })
	apart.Go(func() { s.runReconciler(ctx) })
	defer apart.Wait()
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	tasks := s.periodicTasks()
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

// runReconciler compares with Stripe whenever it is this replica's turn.
func (s *Service) runReconciler(ctx context.Context) {
	ticker := time.NewTicker(setupInterval)
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
func (s *Service) sweep(ctx context.Context, tasks []periodicTask, done []time.Time) {
	var group sync.WaitGroup
	for i, c := range tasks {
		now := s.now()
		if !done[i].IsZero() && now.Sub(done[i]) < c.every {
			continue
		}
		done[i] = now
		for range c.workers {
			group.Go(func() {
				if err := c.run(ctx); err != nil && ctx.Err() == nil {
					s.log.ErrorContext(ctx, "background work", "chore", c.name, "error", err)
				}
			})
		}
	}
	group.Wait()
}

// pruneRateLimits keeps the counts of the limits small.
func (s *Service) pruneRateLimits(ctx context.Context) error {
	return s.store.RateLimits().Prune(ctx, s.wall().Add(-maxWindow))
}

// retryStart learns what the start could not. Stripe being away is no error here: it is asked again soon.
func (s *Service) retryStart(ctx context.Context) error {
	if s.account.Load() != nil && s.pricesComplete.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := s.Start(ctx); err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "account or prices are not known yet", "error", err)
	}
	return nil
}

func (s *Service) processDueEvents(ctx context.Context) error {
	// A long backlog is worked on by one sweep after the other: the other chores are not to wait for its end.
	until := time.Now().Add(sweepInterval)
	for ctx.Err() == nil && time.Now().Before(until) {
		worked, err := s.processDueEvent(ctx)
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

func (s *Service) syncDueSeats(ctx context.Context) error {
	due, err := s.store.Seats().DueSyncs(ctx, s.now(), seatBatch)
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
