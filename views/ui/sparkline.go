package ui

import (
	"context"

	"usher/views/locale"
)

// SparkValue is a value of a [Sparkline], such as the events of an hour.
type SparkValue struct {
	Label string // such as "14:00"
	Count int
	Bad   int  // how many of Count failed
	Gap   bool // nothing is known
}

// SparklineProps are the props of [Sparkline]. Values are oldest first.
type SparklineProps struct {
	ID     string
	Title  string // what it shows, with its range: "Events per hour, the last 24 hours"
	Unit   string // heading of the values in the table: "Events"
	Values []SparkValue
}

// sparkHeight is the height of a sparkline in pixels.
const sparkHeight = 24

// sparkBar is a value of a sparkline: from the bottom up what went well, then what failed. A zero
// is a quiet line on the axis.
type sparkBar struct{ good, bad float64 }

func (p SparklineProps) highest() int {
	most := 1
	for _, value := range p.Values {
		most = max(most, value.Count)
	}
	return most
}

func (p SparklineProps) bar(v SparkValue) sparkBar {
	height := func(n int) float64 { return float64(max(0, n)) * sparkHeight / float64(p.highest()) }
	if v.Gap {
		return sparkBar{}
	}
	bar := sparkBar{good: height(v.Count - v.Bad), bad: height(v.Bad)}
	if v.Count > 0 && bar.good+bar.bad < 1 {
		bar.good = 1
	}
	return bar
}

func (v SparkValue) words(ctx context.Context, unit string) string {
	switch {
	case v.Gap:
		return locale.T(ctx, "%s: not known", v.Label)
	case v.Bad > 0:
		return locale.T(ctx, "%s: %s %s, %s failed", v.Label, locale.Count(ctx, v.Count), unit, locale.Count(ctx, v.Bad))
	}
	return v.Label + ": " + locale.Count(ctx, v.Count) + " " + unit
}
