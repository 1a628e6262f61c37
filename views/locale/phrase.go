package locale

import (
	"context"

	"usher/billing/phrase"
)

// Phrase shows a text of the domain.
func Phrase(ctx context.Context, p phrase.Phrase) string {
	if p.IsVerbatim() {
		return p.String()
	}
	var args []any
	for _, arg := range p.Args {
		args = append(args, Arg(ctx, arg))
	}
	if p.Several != "" {
		return N(ctx, p.Format, p.Several, p.Number, args...)
	}
	return T(ctx, p.Format, args...)
}

// Arg shows what fills a verb of a text of the domain.
func Arg(ctx context.Context, a phrase.Arg) string {
	switch {
	case a.Phrase != nil:
		return Phrase(ctx, *a.Phrase)
	case a.Money != nil:
		return Money(ctx, *a.Money)
	case a.Date != nil:
		return Date(ctx, a.Date.UTC())
	case a.Day != nil:
		return DayOfMonth(ctx, a.Day.UTC())
	}
	return a.Name
}
