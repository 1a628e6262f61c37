package billing

import (
	"context"

	"usher/billing/mail"
)

// QueueMail lets tests queue a mail in a transaction of theirs.
func (s *Service) QueueMail(ctx context.Context, tx Tx, m mail.Message) error {
	return s.Outbox.Queue(ctx, tx, m)
}

// QueueNotice lets tests queue a notice in a transaction of theirs.
func (s *Service) QueueNotice(ctx context.Context, tx Tx, m mail.Message) error {
	return s.Notices.queueTo(ctx, tx, m)
}

// SweepMail does once what the background work does about mail.
func (s *Service) SweepMail(ctx context.Context) { s.Worker.sweepMail(ctx) }

// SummarizeDueSeats does once what the background work does about summaries.
func (s *Service) SummarizeDueSeats(ctx context.Context) error {
	return s.SeatLedger.sendDueSummaries(ctx)
}

// DeleteDueOrganizations does once what the background work does about deletions.
func (s *Service) DeleteDueOrganizations(ctx context.Context) error {
	return s.Deletions.deleteDue(ctx)
}
