package locale

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"usher/billing/catalog"
)

// Money formats an amount with all decimals of its currency: $2,610.00; 2.610,00 $.
func Money(ctx context.Context, m catalog.Money) string { return m.FormatIn(string(Of(ctx))) }

// ShortMoney is [Money] without decimals if they are all zero: $72; 72 $.
func ShortMoney(ctx context.Context, m catalog.Money) string { return m.FormatShortIn(string(Of(ctx))) }

// Count formats a number with thousands separators: 2,000; 2.000.
func Count[N int | int64](ctx context.Context, n N) string {
	separator := byte(',')
	if Of(ctx) == German {
		separator = '.'
	}
	digits, sign := strconv.FormatInt(int64(n), 10), ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	var out strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(separator)
		}
		out.WriteRune(digit)
	}
	return sign + out.String()
}

// months are the short names of months; German ones as Duden abbreviates them.
var months = map[Language][12]string{
	English: {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
	German:  {"Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."},
}

// Month is the short name of a month: Dec; Dez.
func Month(ctx context.Context, m time.Month) string { return months[Of(ctx)][m-1] }

// Date formats a date: 1 Dec 2026; 1. Dez. 2026.
func Date(ctx context.Context, t time.Time) string {
	return fmt.Sprintf("%s %d", DayOfMonth(ctx, t), t.Year())
}

// DayOfMonth formats a date without its year: 1 Dec; 1. Dez.
func DayOfMonth(ctx context.Context, t time.Time) string {
	day := strconv.Itoa(t.Day())
	if Of(ctx) == German {
		day += "."
	}
	return day + " " + Month(ctx, t.Month())
}

// MonthAndYear formats a month: Dec 2026; Dez. 2026.
func MonthAndYear(ctx context.Context, t time.Time) string {
	return fmt.Sprintf("%s %d", Month(ctx, t.Month()), t.Year())
}

// Time formats a time of day: 14:02.
func Time(t time.Time) string { return t.Format("15:04") }

// DateTime formats a time of which the day is not obvious, in UTC: 1 Dec 2026, 14:02 UTC.
func DateTime(ctx context.Context, t time.Time) string {
	t = t.UTC()
	return Date(ctx, t) + ", " + Time(t) + " UTC"
}
