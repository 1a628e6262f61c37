package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"usher/billing"
)

// day writes a date as people say it here: 1 Dec 2026.
func day(t time.Time) string { return t.Format("2 Jan 2006") }

// clock writes a time of day: 14:02.
func clock(t time.Time) string { return t.Format("15:04") }

// withZone writes the whole moment for a hover: 1 Dec 2026, 14:02:05 UTC.
func withZone(t time.Time) string { return t.Format("2 Jan 2006, 15:04:05 MST") }

// machine writes a moment for the datetime attribute.
func machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// count writes a number with its thousands apart: 2,000.
func count[N int | int64](n N) string {
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

// counted writes a number with its noun: 1 seat, 9 seats.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

func people(n int) string { return counted(n, "person", "people") }

func seats(n int) string { return counted(n, "seat", "seats") }

// per writes what a price is for: per person / month.
func per(perSeat bool, interval billing.Interval) string {
	if perSeat {
		return "per person / " + string(interval)
	}
	return "per " + string(interval)
}

// intervalWord writes how often a plan is paid: monthly, yearly.
func intervalWord(interval billing.Interval) string {
	if interval == billing.Yearly {
		return "yearly"
	}
	return "monthly"
}

// planName writes a plan with its interval: Pro, yearly.
func planName(plan string, interval billing.Interval) string {
	if interval == "" {
		return plan
	}
	return plan + ", " + intervalWord(interval)
}

// everyTrigger writes the htmx trigger of a panel that asks again after a while.
func everyTrigger(every time.Duration) string {
	return fmt.Sprintf("every %dms", every.Milliseconds())
}
