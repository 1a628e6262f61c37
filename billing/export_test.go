package billing

import (
	"context"
	"time"

	"usher/billing/mail"
)

// QueueMail queues a mail in the given transaction.
func (s *Service) QueueMail(ctx context.Context, tx Tx, m mail.Message) error {
	return s.Outbox.Queue(ctx, tx, m)
}

// QueueNotice queues a notice in the given transaction.
func (s *Service) QueueNotice(ctx context.Context, tx Tx, m mail.Message) error {
	return s.Notices.queueTo(ctx, tx, m)
}

// QueueAttemptNotice queues the notice about the last attempt to collect a fetched invoice.
func (s *Service) QueueAttemptNotice(ctx context.Context, tx Tx, e Event, fetched Invoice) error {
	return s.Notices.attempt(ctx, tx, e, fetched)
}

// SweepMail runs the mail tasks of the background worker once.
func (s *Service) SweepMail(ctx context.Context) { s.Worker.sweepMail(ctx) }

// SummarizeDueSeats runs the seat summary task of the background worker once.
func (s *Service) SummarizeDueSeats(ctx context.Context) error {
	return s.SeatLedger.sendDueSummaries(ctx)
}

// DeleteDueOrganizations runs the deletion task of the background worker once.
func (s *Service) DeleteDueOrganizations(ctx context.Context) error {
	return s.Deletions.deleteDue(ctx)
}

// PaidWithoutCredits lists the paid invoices that should have a credit fact and have none.
func (s *Service) PaidWithoutCredits(ctx context.Context, organizationID string) ([]Invoice, error) {
	missing, _, err := s.Credits.missingFor(ctx, organizationID, "")
	return missing, err
}

// ProcessDueEvent processes one pending event.
func (s *Service) ProcessDueEvent(ctx context.Context) (bool, error) { return s.Inbox.processDue(ctx) }

// EventAttempts is eventAttempts.
const EventAttempts = eventAttempts

// ForeignLifetime is foreignLifetime.
const ForeignLifetime = foreignLifetime

// EnsureKnown fetches the prices that the replica does not know.
func (s *Service) EnsureKnown(ctx context.Context, priceIDs []string) error {
	return s.Prices.ensureKnown(ctx, priceIDs)
}

// RefreshPrices runs the task of the background worker for the account and prices once.
func (s *Service) RefreshPrices(ctx context.Context) error { return s.Prices.retryStart(ctx) }

// CancelDueDeletions runs the worker's task that cancels and resumes the plans of organizations
// whose deletion is scheduled or withdrawn.
func (s *Service) CancelDueDeletions(ctx context.Context) error {
	return s.Deletions.cancelDue(ctx)
}

// ProcessPlanChanges runs the plan change task of the background worker once.
func (s *Service) ProcessPlanChanges(ctx context.Context) error {
	return s.PlanChanges.processAllDue(ctx)
}

// RecordSeatCharges runs the worker's task that reads what confirmed seat changes were charged.
func (s *Service) RecordSeatCharges(ctx context.Context) error {
	return s.SeatSyncer.recordCharges(ctx)
}

// ReconcileIfDue runs the reconciliation of the background worker once, if it is due.
func ReconcileIfDue(ctx context.Context, s *Service) error { return s.Reconciler.runIfDue(ctx) }

// Sweep runs every periodic task of the background worker once.
func (s *Service) Sweep(ctx context.Context) {
	tasks := s.Worker.periodicTasks()
	s.Worker.sweep(ctx, tasks, make([]time.Time, len(tasks)))
}

// SetUpcomingLimit replaces the limit of the wait for upcoming invoices, for a busy machine.
func (s *Service) SetUpcomingLimit(limit time.Duration) { s.Upcoming.limit = limit }

// NoticeExpiringCards runs the periodic task.
func (s *Service) NoticeExpiringCards(ctx context.Context) error {
	return s.InvoicePayments.noticeExpiringCards(ctx)
}

// ProcessCancellations runs the task of the background worker that completes cancellations once.
func (s *Service) ProcessCancellations(ctx context.Context) error {
	return s.Cancellations.processAllDue(ctx)
}

// HoldsSeats is exported for tests.
func (s Subscription) HoldsSeats(quantity int, now time.Time) bool {
	return s.holdsSeats(quantity, now)
}

// QueuedEvents returns how many events wait for a committer.
func (in *Inbox) QueuedEvents() int {
	in.queue.mutex.Lock()
	defer in.queue.mutex.Unlock()
	return len(in.queue.waiting)
}
