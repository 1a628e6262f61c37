package billing

import "context"

// QueueMail lets tests queue a mail in a transaction of theirs.
func (s *Service) QueueMail(ctx context.Context, q Queries, m Mail) error {
	return s.queueMail(ctx, q, m)
}

// QueueNotice lets tests queue a notice in a transaction of theirs.
func (s *Service) QueueNotice(ctx context.Context, q Queries, m Mail) error {
	return s.queueNotice(ctx, q, m)
}

// SweepMail does once what the background work does about mail.
func (s *Service) SweepMail(ctx context.Context) { s.sweepMail(ctx) }

// SummarizeDueSeats does once what the background work does about summaries.
func (s *Service) SummarizeDueSeats(ctx context.Context) error { return s.summarizeDueSeats(ctx) }

// DeleteDueOrganizations does once what the background work does about deletions.
func (s *Service) DeleteDueOrganizations(ctx context.Context) error {
	return s.deleteDueOrganizations(ctx)
}
