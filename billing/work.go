package billing

import (
	"context"
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

// runMail sends what is queued, and settles what was asked for by mail, until ctx ends. It has a loop of its own: a slow mail server
// holds nothing else up, and nothing else holds mail up.
func (s *Service) runMail(ctx context.Context) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		s.sweepMail(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Service) sweepMail(ctx context.Context) {
	if err := s.processRecoveryRequests(ctx); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "password recoveries", "error", err)
	}
	if s.mailer == nil {
		return
	}
	var group sync.WaitGroup
	for range mailWorkers {
		group.Go(func() { s.sendDueMails(ctx) })
	}
	group.Wait()
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
