package billing

import (
	"context"
	"sync"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/job"
	"usher/billing/mail"
)

// Worker does the background work.
type Worker struct {
	*core
	recovery   *account.Recovery
	rateLimits *account.RateLimits
	outbox     *mail.Outbox
	inbox      *Inbox
	seatSyncer *SeatSyncer
	seatLedger *SeatLedgers
	credits    *Credits
	duplicates *Duplicates
	customers  *Customers
	deletions  *Deletions
	reconciler *Reconciler
}

func newWorker(c *core, s *Service) *Worker {
	return &Worker{
		core: c, recovery: s.Recovery, rateLimits: s.RateLimits, outbox: s.Outbox, inbox: s.Inbox, seatSyncer: s.SeatSyncer,
		seatLedger: s.SeatLedger, credits: s.Credits, duplicates: s.Duplicates, customers: s.Customers, deletions: s.Deletions,
		reconciler: s.Reconciler,
	}
}

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
func (w *Worker) periodicTasks() []periodicTask {
	return []periodicTask{
		{"pending events", 0, workers, w.inbox.processAllDue},
		{"seats to tell", 0, 1, w.seatSyncer.syncAllDue},
		{"seats to give back", 0, 1, w.seatSyncer.releaseUnusedSeats},
		{"second subscriptions", 0, 1, w.duplicates.cancelAllDue},
		{"customers to name", 0, 1, w.customers.updateDue},
		{"summaries of seats", setupInterval, 1, w.seatLedger.sendDueSummaries},
		{"organizations to delete", 0, 1, w.deletions.deleteDue},
		{"monthly credits", 0, 1, w.credits.grantDueMonths},
		{"account and prices", setupInterval, 1, w.retryStart},
		{"old events", pruneInterval, 1, w.inbox.prune},
		{"old counts of the limits", setupInterval, 1, w.rateLimits.Prune},
	}
}

// Work does what waits in the tables (pending events, seats to tell, e-mails) until ctx ends. What has to be done is read from rows, so any
// number of replicas may work at once. Alarms have most of it done sooner ([Service.RunJob]); this finds what they were lost for, and what is
// to be tried again. It returns nil.
func (w *Worker) Run(ctx context.Context) error {
	var apart sync.WaitGroup // what may take long, so that the sweep does not wait for it
	apart.Go(func() { w.runMail(ctx) })
	apart.Go(func() { w.runReconciler(ctx) })
	defer apart.Wait()
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	tasks := w.periodicTasks()
	done := make([]time.Time, len(tasks)) // when each was done last
	for {
		w.sweep(ctx, tasks, done)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// runReconciler compares with Stripe whenever it is this replica's turn.
func (w *Worker) runReconciler(ctx context.Context) {
	ticker := time.NewTicker(setupInterval)
	defer ticker.Stop()
	for {
		if err := w.reconciler.runIfDue(ctx); err != nil && ctx.Err() == nil {
			w.Log.WarnContext(ctx, "comparison with Stripe", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sweep does every chore whose time has come, all at once, and waits for them.
func (w *Worker) sweep(ctx context.Context, tasks []periodicTask, done []time.Time) {
	var group sync.WaitGroup
	for i, c := range tasks {
		now := w.Now()
		if !done[i].IsZero() && now.Sub(done[i]) < c.every {
			continue
		}
		done[i] = now
		for range c.workers {
			group.Go(func() {
				if err := c.run(ctx); err != nil && ctx.Err() == nil {
					w.Log.ErrorContext(ctx, "background work", "chore", c.name, "error", err)
				}
			})
		}
	}
	group.Wait()
}

// runMail sends what is queued, and settles what was asked for by mail, until ctx ends. It has a loop of its own: a slow mail server
// holds nothing else up, and nothing else holds mail up.
func (w *Worker) runMail(ctx context.Context) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		w.sweepMail(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *Worker) sweepMail(ctx context.Context) {
	if err := w.recovery.ProcessRequests(ctx); err != nil && ctx.Err() == nil {
		w.Log.ErrorContext(ctx, "password recoveries", "error", err)
	}
	if !w.outbox.Sends() {
		return
	}
	w.outbox.SendAllDue(ctx)
}

// RunJob does one piece of the work that an alarm is about, if it is still there to be done. again is how long to wait before the same
// alarm is to ring once more; 0: it has done its service.
func (w *Worker) RunJob(ctx context.Context, a job.Job) (again time.Duration, err error) {
	switch a.Kind {
	case job.KindEvent:
		_, err = w.inbox.processDue(ctx)
	case job.KindSeats:
		return w.runSeatJob(ctx, a.ID)
	case job.KindMail:
		if w.outbox.Sends() {
			_, err = w.outbox.SendDue(ctx)
		}
	case job.KindDuplicate:
		_, err = w.duplicates.cancelDue(ctx)
	case job.KindRecovery:
		err = w.recovery.ProcessRequests(ctx)
	}
	return 0, err
}

// runSeatJob tells Stripe an organization's seats, or waits on while the gathering goes on.
func (w *Worker) runSeatJob(ctx context.Context, organizationID string) (again time.Duration, err error) {
	w.seatSyncer.syncDue(ctx, organizationID)
	state, known, err := apperr.Found(w.store.Seats().State(ctx, organizationID))
	if err != nil || !known || state.DueAt == nil {
		return 0, err
	}
	return max(0, state.DueAt.Sub(w.Now())), nil
}

// UnsentMail lists e-mails that were not sent, the newest first. Pending requests for links are
// processed before, so that the newest link is listed.
func (w *Worker) UnsentMail(ctx context.Context) ([]mail.Unsent, error) {
	if err := w.recovery.ProcessRequests(ctx); err != nil {
		return nil, err
	}
	return w.outbox.Unsent(ctx)
}
