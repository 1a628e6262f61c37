package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"usher/billing/catalog"
)

// FormatDate formats a date: 1 Dec 2026.
func FormatDate(t time.Time) string { return t.Format("2 Jan 2006") }

// FormatTime formats a time of day: 14:02.
func FormatTime(t time.Time) string { return t.Format("15:04") }

// FormatDateTime formats a time of which the day is not obvious: 1 Dec 2026, 14:02 UTC.
func FormatDateTime(t time.Time) string {
	t = t.UTC()
	return FormatDate(t) + ", " + FormatTime(t) + " UTC"
}

// formatWithZone formats date, time and zone for a tooltip: 1 Dec 2026, 14:02:05 UTC.
func formatWithZone(t time.Time) string { return t.Format("2 Jan 2006, 15:04:05 MST") }

// formatRFC3339 formats a time in UTC for the datetime attribute.
func formatRFC3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// FormatCount formats a number with thousands separators: 2,000.
func FormatCount[N int | int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	var out strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(digit)
	}
	return sign + out.String()
}

// Plural formats a number with its noun: 1 seat, 9 seats.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return FormatCount(n) + " " + many
}

// People formats a number of people: 1 person, 9 people.
func People(n int) string { return Plural(n, "person", "people") }

// Seats formats a number of seats: 1 seat, 9 seats.
func Seats(n int) string { return Plural(n, "seat", "seats") }

// IntervalName is how often a plan is billed: monthly or yearly.
func IntervalName(interval catalog.Interval) string {
	if interval == catalog.Yearly {
		return "yearly"
	}
	return "monthly"
}

// PlanName is a plan with its interval: Pro, yearly. An unknown interval is left out.
func PlanName(plan string, interval catalog.Interval) string {
	if interval == "" {
		return plan
	}
	return plan + ", " + IntervalName(interval)
}

// PollTrigger is the value of hx-trigger for a panel that polls at this interval.
func PollTrigger(every time.Duration) string {
	return fmt.Sprintf("every %dms", every.Milliseconds())
}
