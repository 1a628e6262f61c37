package ui

import (
	"context"
	"fmt"
	"time"

	"usher/billing/catalog"
	"usher/views/locale"
)

// formatWithZone formats date, time and zone for a tooltip: 1 Dec 2026, 14:02:05 UTC.
func formatWithZone(ctx context.Context, t time.Time) string {
	return locale.Date(ctx, t) + t.Format(", 15:04:05 MST")
}

// formatRFC3339 formats a time in UTC for the datetime attribute.
func formatRFC3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// People formats a number of people: 1 person, 9 people.
func People(ctx context.Context, n int) string { return locale.N(ctx, "%s person", "%s people", n) }

// Seats formats a number of seats: 1 seat, 9 seats.
func Seats(ctx context.Context, n int) string { return locale.N(ctx, "%s seat", "%s seats", n) }

// IntervalName is how often a plan is billed: monthly or yearly.
func IntervalName(ctx context.Context, interval catalog.Interval) string {
	if interval == catalog.Yearly {
		return locale.T(ctx, "yearly")
	}
	return locale.T(ctx, "monthly")
}

// PlanName is a plan with its interval: Pro, yearly. An unknown interval is left out.
func PlanName(ctx context.Context, plan string, interval catalog.Interval) string {
	if interval == "" {
		return plan
	}
	return plan + ", " + IntervalName(ctx, interval)
}

// PollTrigger is the value of hx-trigger for a panel that polls at this interval.
func PollTrigger(every time.Duration) string {
	return fmt.Sprintf("every %dms", every.Milliseconds())
}
