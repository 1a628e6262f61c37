package billing

import (
	"context"
	"fmt"
	"slices"

	"usher/billing/apperr"
	"usher/billing/mail"
	"usher/billing/phrase"
)

// sendDueSummaries mails the due summaries of seat changes to the billing contacts.
func (sl *SeatLedgers) sendDueSummaries(ctx context.Context) error {
	due, err := sl.store.Seats().DueSummaries(ctx, sl.Now(), seatBatch)
	if err != nil {
		return fmt.Errorf("list due seat summaries: %w", err)
	}
	for _, organizationID := range due {
		err := sl.store.InTx(ctx, func(tx Tx) error { return sl.sendSummary(ctx, tx, organizationID) })
		if err != nil {
			return fmt.Errorf("send seat summary: %w", err)
		}
	}
	return nil
}

// sendSummary queues one summary. There is none if no seats are synced or the number is the same as
// before.
func (sl *SeatLedgers) sendSummary(ctx context.Context, tx Tx, organizationID string) error {
	if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	state, err := tx.Seats().LockState(ctx, organizationID)
	if err != nil || state.SummaryDueAt == nil || sl.Now().Before(*state.SummaryDueAt) {
		return err
	}
	since := *state.SummarySince
	state.SummarySince, state.SummaryDueAt = nil, nil
	if err := tx.Seats().PutState(ctx, state); err != nil {
		return err
	}
	current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sl.knownAccount()))
	plan := sl.planOf(current)
	if err != nil || !known || !plan.PerSeat || !seatsSynced(plan, current) {
		return err
	}
	if since.Before(current.CreatedAt) {
		since = current.CreatedAt // members from before the subscription are no change
	}
	changes, err := tx.SeatLedger().List(ctx, organizationID, maxPendingChanges)
	if err != nil {
		return err
	}
	changes = slices.DeleteFunc(changes, func(c SeatChange) bool { return c.At.Before(since) || c.From == 0 || c.Reason == ReasonResent })
	if len(changes) == 0 || changes[0].To == changes[len(changes)-1].From {
		return nil
	}
	newest, oldest := changes[0], changes[len(changes)-1]
	return sl.notices.queue(ctx, tx, mail.Message{
		Kind: mail.KindSeatSummary, Key: fmt.Sprintf("seats:%d", newest.ID), OrganizationID: organizationID,
		Data: mail.Data{Plan: plan.Name, Seats: newest.To, FormerSeats: oldest.From, Lines: describeChanges(changes)},
	})
}

// describeChanges returns a line about each change, oldest first.
func describeChanges(changes []SeatChange) []phrase.Phrase {
	var lines []phrase.Phrase
	for _, c := range slices.Backward(changes) {
		line := ReasonPhrase(c.Reason)
		if c.SubjectName != "" {
			line = phrase.Of("%s %s", phrase.Name(c.SubjectName), phrase.In(line))
		}
		if c.ActorName != "" && c.ActorUserID != c.SubjectUserID {
			line = phrase.Of("%s, by %s", phrase.In(line), phrase.Name(c.ActorName))
		}
		lines = append(lines, line)
	}
	if more := len(lines) - summaryLines; more > 0 {
		lines = append(lines[:summaryLines], phrase.Of("and %s more, in the ledger", phrase.Number(more)))
	}
	return lines
}
