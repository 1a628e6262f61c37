package billing

import (
	"fmt"
	"slices"
	"time"
)

// ChangeLog collects in words what transactions write on behalf of an event, so that operators see what it changed.
type ChangeLog struct{ Lines []string }

// Record adds a line once: a transaction that is retried records the same line again. A nil log records nothing.
func (l *ChangeLog) Record(format string, args ...any) {
	if l == nil {
		return
	}
	if line := fmt.Sprintf(format, args...); !slices.Contains(l.Lines, line) {
		l.Lines = append(l.Lines, line)
	}
}

// recordSubscription records what differs between two snapshots of a subscription.
func recordSubscription(tx Tx, before, after Subscription) {
	if before.Revision == 0 {
		tx.Record("subscription %s: %s, %s × %d", after.ID, after.Status, after.PriceID, after.Quantity)
		return
	}
	step := func(field string, from, to any) {
		if from != to {
			tx.Record("subscription %s: %s %v, before: %v", after.ID, field, to, from)
		}
	}
	step("status", before.Status, after.Status)
	step("price", before.PriceID, after.PriceID)
	step("quantity", before.Quantity, after.Quantity)
	step("period's end", before.CurrentPeriodEnd.UTC().Format(time.RFC3339), after.CurrentPeriodEnd.UTC().Format(time.RFC3339))
	step("ends", endInWords(before), endInWords(after))
}

func endInWords(s Subscription) string {
	if end, ending := s.EndsAt(); ending {
		return end.UTC().Format(time.RFC3339)
	}
	return "never"
}
