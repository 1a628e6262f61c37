package billing

import (
	"context"
	"sync"
	"time"

	"usher/billing/account"
	"usher/billing/job"
	"usher/billing/mail"
	"usher/billing/webhook"
)

// Worker does the background work: Run sweeps the tables, RunJob handles one job of the queue. The
// rows are authoritative; a job only wakes the worker early.
type Worker struct {
	*core
	recovery      *account.Recovery
	rateLimits    *account.RateLimits
	loginDevices  *account.LoginDevices
	idempotency   *account.IdempotencyKeys
	audit         *account.Audit
	outbox        *mail.Outbox
	inbox         *Inbox
	seatSyncer    *SeatSyncer
	seatLedger    *SeatLedgers
	previews      *SeatPreviews
	plans         *PlanChanges
	cancellations *Cancellations
	credits       *Credits
	trials        *Trials
	duplicates    *Duplicates
	payments      *InvoicePayments
	customers     *Customers
	deletions     *Deletions
	reconciler    *Reconciler
	publisher     *webhook.Publisher
	deliverer     *webhook.Deliverer
}

func newWorker(c *core, s *Service) *Worker {
	return &Worker{
		core: c, recovery: s.Recovery, rateLimits: s.RateLimits, loginDevices: s.LoginDevices, idempotency: s.Idempotency, audit: s.Audit, outbox: s.Outbox, inbox: s.Inbox, seatSyncer: s.SeatSyncer,
		payments: s.InvoicePayments, seatLedger: s.SeatLedger, previews: s.SeatPreviews, plans: s.PlanChanges, cancellations: s.Cancellations, credits: s.Credits,
		trials: s.Trials, duplicates: s.Duplicates, customers: s.Customers, deletions: s.Deletions,
		reconciler: s.Reconciler, publisher: s.Publisher, deliverer: s.Deliverer,
	}
}

// Bounds of background work.
const (
	workers       = 4               // so that one slow answer of Stripe does not delay the others
	sweepInterval = 2 * time.Second // how soon work is found whose job was lost
	// setupInterval is how often the account and missing prices are fetched while they are not
	// known.
	setupInterval = 30 * time.Second
	pruneInterval = 10 * time.Minute
	// jobTimeout is for one event or one seat sync, including the calls to Stripe.
	jobTimeout = 15 * time.Second
	seatBatch  = 50
)

// periodicTask is work found by querying rows, so that any number of replicas may run it at once.
type periodicTask struct {
	name    string
	every   time.Duration // 0: every sweep
	workers int           // how many run at once
	run     func(context.Context) error
}

// periodicTasks lists the background work except mail and reconciliation.
func (w *Worker) periodicTasks() []periodicTask {
	return []periodicTask{
		{"pending events", 0, workers, w.inbox.processAllDue},
		{"seat syncs", 0, 1, w.seatSyncer.syncAllDue},
		{"seat releases", 0, 1, w.seatSyncer.releaseUnusedSeats},
		{"charges of seat changes", setupInterval, 1, w.seatSyncer.recordCharges},
		{"plan changes", 0, 1, w.plans.processAllDue},
		{"cancellations", 0, 1, w.cancellations.processAllDue},
		{"duplicate subscriptions", 0, 1, w.duplicates.cancelAllDue},
		{"payments of invoices", 0, 1, w.payments.processAllDue},
		{"cards that expire", pruneInterval, 1, w.payments.noticeExpiringCards},
		{"customer updates", 0, 1, w.customers.updateDue},
		{"seat summaries", setupInterval, 1, w.seatLedger.sendDueSummaries},
		{"cancellations of deletions", 0, 1, w.deletions.cancelDue},
		{"organization deletions", 0, 1, w.deletions.deleteDue},
		{"repeated trials", 0, 1, w.trials.cancelRepeated},
		{"monthly credits", 0, 1, w.credits.grantDueMonths},
		{"account and prices", setupInterval, 1, w.retryStart},
		{"old plan previews", pruneInterval, 1, w.plans.prune},
		{"old seat previews", pruneInterval, 1, w.previews.prune},
		{"old events", pruneInterval, 1, w.inbox.prune},
		{"foreign prices", pruneInterval, 1, w.pruneForeign},
		{"old rate limit counts", setupInterval, 1, w.rateLimits.Prune},
		{"old answers to keyed requests", pruneInterval, 1, w.idempotency.Prune},
		{"old log-in devices", pruneInterval, 1, w.loginDevices.Prune},
		{"old audit entries", pruneInterval, 1, w.audit.Prune},
		{"old webhook messages", pruneInterval, 1, w.deliverer.Prune},
	}
}

// Run does the work that is due in the tables (pending events, seat syncs, e-mails) until ctx ends.
// Any number of replicas may run it. Most work is done earlier by jobs ([Worker.RunJob]); Run finds
// work whose job was lost, and retries. It returns nil.
func (w *Worker) Run(ctx context.Context) error {
	var separate sync.WaitGroup // loops that may take long and must not delay the sweep
	separate.Go(func() { w.runMail(ctx) })
	separate.Go(func() { w.runReconciler(ctx) })
	separate.Go(func() { w.runPublisher(ctx) })
	separate.Go(func() { w.runDeliverer(ctx) })
	defer separate.Wait()
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	tasks := w.periodicTasks()
	done := make([]time.Time, len(tasks)) // when each task last ran
	for {
		w.sweep(ctx, tasks, done)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// runReconciler runs the reconciler whenever it is due.
func (w *Worker) runReconciler(ctx context.Context) {
	ticker := time.NewTicker(setupInterval)
	defer ticker.Stop()
	for {
		if err := w.reconciler.runIfDue(ctx); err != nil && ctx.Err() == nil {
			w.Log.WarnContext(ctx, "reconciliation failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sweep runs the tasks that are due, concurrently, and waits for them.
func (w *Worker) sweep(ctx context.Context, tasks []periodicTask, done []time.Time) {
	var group sync.WaitGroup
	for i, task := range tasks {
		now := w.Now()
		if !done[i].IsZero() && now.Sub(done[i]) < task.every {
			continue
		}
		done[i] = now
		for range task.workers {
			group.Go(func() {
				if err := task.run(ctx); err != nil && ctx.Err() == nil {
					w.Log.ErrorContext(ctx, "periodic task failed", "task", task.name, "err", err)
				}
			})
		}
	}
	group.Wait()
}

// runMail sends queued e-mails and processes password recovery requests until ctx ends. It is a
// loop of its own, so that a slow mail server does not delay other work, and the reverse.
func (w *Worker) runMail(ctx context.Context) {
	w.repeat(ctx, func() { w.sweepMail(ctx) })
}

func (w *Worker) sweepMail(ctx context.Context) {
	if err := w.recovery.ProcessRequests(ctx); err != nil && ctx.Err() == nil {
		w.Log.ErrorContext(ctx, "password recovery failed", "err", err)
	}
	if !w.outbox.Sends() {
		return
	}
	w.outbox.SendAllDue(ctx)
}

// runPublisher makes messages of changes whose job was lost, until ctx ends.
func (w *Worker) runPublisher(ctx context.Context) {
	w.repeat(ctx, func() {
		if err := w.publisher.PublishAllDue(ctx); err != nil && ctx.Err() == nil {
			w.Log.ErrorContext(ctx, "webhook changes not published", "err", err)
		}
	})
}

// runDeliverer sends messages whose job was lost, until ctx ends. Slow receivers delay only this
// loop.
func (w *Worker) runDeliverer(ctx context.Context) {
	w.repeat(ctx, func() { w.deliverer.DeliverAllDue(ctx) })
}

// repeat calls do at once and then at each interval of the sweep, until ctx ends.
func (w *Worker) repeat(ctx context.Context, do func()) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// RunJob does one piece of due work of the job's kind, if there is any. again is the time after
// which the job is to run once more; 0: do not reschedule.
func (w *Worker) RunJob(ctx context.Context, j job.Job) (again time.Duration, err error) {
	switch j.Kind {
	case job.KindEvent:
		_, err = w.inbox.processDue(ctx)
	case job.KindSeats:
		return w.seatSyncer.runJob(ctx, j.ID)
	case job.KindMail:
		if w.outbox.Sends() {
			_, err = w.outbox.SendDue(ctx)
		}
	case job.KindDuplicate:
		_, err = w.duplicates.cancelDue(ctx)
	case job.KindRecovery:
		err = w.recovery.ProcessRequests(ctx)
	case job.KindWebhook:
		err = w.publisher.Publish(ctx, j.ID)
	case job.KindDelivery:
		_, err = w.deliverer.Deliver(ctx, j.ID)
	}
	return 0, err
}

// UnsentMail lists e-mails that were not sent, newest first. Pending password recovery requests are
// processed before, so that their e-mails are listed.
func (w *Worker) UnsentMail(ctx context.Context) ([]mail.Unsent, error) {
	if err := w.recovery.ProcessRequests(ctx); err != nil {
		return nil, err
	}
	return w.outbox.Unsent(ctx)
}
