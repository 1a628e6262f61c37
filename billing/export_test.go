package billing

import "context"

// QueueMail lets tests queue a mail in a transaction of theirs.
func (s *Service) QueueMail(ctx context.Context, tx Tx, m Mail) error {
	return s.queueMail(ctx, tx, m)
}

// QueueNotice lets tests queue a notice in a transaction of theirs.
func (s *Service) QueueNotice(ctx context.Context, tx Tx, m Mail) error {
	return s.queueNotice(ctx, tx, m)
}

// SweepMail does once what the background work does about mail.
func (s *Service) SweepMail(ctx context.Context) { s.sweepMail(ctx) }

// SummarizeDueSeats does once what the background work does about summaries.
func (s *Service) SummarizeDueSeats(ctx context.Context) error { return s.sendDueSeatSummaries(ctx) }

// DeleteDueOrganizations does once what the background work does about deletions.
func (s *Service) DeleteDueOrganizations(ctx context.Context) error {
	return s.deleteDueOrganizations(ctx)
}
