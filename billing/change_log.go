package billing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// changeLog collects in words what is written on behalf of an event, so that operators see what it changed.
type changeLog struct{ lines []string }

type changeLogKey struct{}

func withChangeLog(ctx context.Context) (context.Context, *changeLog) {
	log := &changeLog{}
	return context.WithValue(ctx, changeLogKey{}, log), log
}

// noteChange writes a line into the context's log, if there is one. A transaction that is run again notes the same again: once is enough.
func noteChange(ctx context.Context, format string, args ...any) {
	log, ok := ctx.Value(changeLogKey{}).(*changeLog)
	if !ok {
		return
	}
	if line := fmt.Sprintf(format, args...); !slices.Contains(log.lines, line) {
		log.lines = append(log.lines, line)
	}
}

// noteSubscription says what became of a subscription.
func noteSubscription(ctx context.Context, before, after Subscription) {
	if before.Revision == 0 {
		noteChange(ctx, "subscription %s: %s, %s × %d", after.ID, after.Status, after.PriceID, after.Quantity)
		return
	}
	step := func(what string, from, to any) {
		if from != to {
			noteChange(ctx, "subscription %s: %s %v, before: %v", after.ID, what, to, from)
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
	return "not by itself"
}
