package ui

import (
	"context"
	"fmt"
	"slices"
	"time"

	"usher/billing/catalog"
	"usher/views/locale"
)

// Charts are SVG as wide as their container. Positions along the width are percentages, so that
// nothing is stretched at 320 pixels; heights are pixels. Every scale begins at zero. The labels
// are HTML below the drawing, in the direction of the page; the drawing itself is mirrored by the
// stylesheet where the page runs from right to left. Each chart has its numbers as a table behind
// it.

// chartHeight is the height of a chart's drawing in pixels, with room above the largest value.
const (
	chartHeight = 120
	chartTop    = 8
)

// barHeight returns the height of a value in pixels, on a scale from zero to highest. A value above
// zero is never too low to be seen.
func barHeight(value, highest int64) float64 {
	if value <= 0 || highest <= 0 {
		return 0
	}
	return max(2, float64(value)*(chartHeight-chartTop)/float64(highest))
}

// levelY returns the distance of a value from the top of the drawing.
func levelY(value, highest int64) float64 {
	if highest <= 0 {
		return chartHeight
	}
	return chartHeight - float64(max(0, value))*(chartHeight-chartTop)/float64(highest)
}

// The part of its slot that a column fills: seats need the width on narrow screens, bars look heavy
// with it.
const (
	wideColumn   = 2. / 3
	narrowColumn = 2. / 5
)

// slot returns where the i-th of n columns begins and how wide it is, as percentages, if it fills a
// part of its slot.
func slot(i, n int, part float64) (x, width float64) {
	whole := 100 / float64(n)
	return whole * (float64(i) + (1-part)/2), whole * part
}

func percent(x float64) string { return fmt.Sprintf("%.2f%%", x) }

func pixels(y float64) string { return fmt.Sprintf("%.1f", y) }

// MonthColumn is a month of [MonthChart]. The parts of the amount add up to Total; see
// [billing.Month].
type MonthColumn struct {
	Month time.Time
	// Known is false for a month without a plan and without an invoice: a gap.
	Known bool
	Seats int // at the end of the month; 0: none
	// Invoices is the number of invoices; Total is their sum.
	Invoices int
	Total    catalog.Money
	// The parts of Total in its minor unit: paid and kept, refunded or credited, to be paid, and
	// what could not be collected.
	Kept, Returned, Open, Failed int64
	// Notes name what is not obvious from the total: refunds, failures, other currencies.
	Notes []string
}

// MonthChartProps are the props of [MonthChart].
type MonthChartProps struct {
	ID     string // of the chart, unique on its page
	Title  string // what it shows, for screen readers too
	Months []MonthColumn
	// DrawSeats draws the seats of each month, with the invoices below them; otherwise the
	// invoices are drawn.
	DrawSeats bool
	// HideAmounts leaves out the invoices, for viewers who may not see them.
	HideAmounts bool
}

// Up to seatColumnLimit seats of a month are drawn one by one, each seatSize pixels high, so that a
// column fits a twelfth of a narrow screen.
const (
	seatColumnLimit = 12
	seatSize        = 14
)

// chartPart is a rectangle of a column. Heights are pixels from the top of the drawing.
type chartPart struct {
	class     string
	y, height float64
}

// parts stacks the parts of a month's amount, from the bottom: kept, returned, open, failed.
func (m MonthColumn) parts(highest int64) []chartPart {
	var parts []chartPart
	y := float64(chartHeight)
	for _, part := range []struct {
		class string
		value int64
	}{{"bar-billed", m.Kept}, {"bar-less", m.Returned}, {"bar-pending", m.Open}, {"bar-failed", m.Failed}} {
		if height := barHeight(part.value, highest); height > 0 {
			y -= height
			parts = append(parts, chartPart{class: part.class, y: y, height: height})
		}
	}
	return parts
}

// highest is the largest value that is drawn.
func (p MonthChartProps) highest() int64 {
	var most int64
	for _, m := range p.Months {
		if p.DrawSeats {
			most = max(most, int64(m.Seats))
		} else {
			most = max(most, max(0, m.Kept)+max(0, m.Returned)+max(0, m.Open)+max(0, m.Failed))
		}
	}
	return most
}

// drawsSeats reports whether seats are drawn one by one; more are drawn as a column.
func (p MonthChartProps) drawsSeats() bool { return p.DrawSeats && p.highest() <= seatColumnLimit }

// height is the height of the drawing: seats that are drawn one by one have a size of their own.
func (p MonthChartProps) height() int {
	if p.drawsSeats() {
		return chartTop + seatSize*max(2, int(p.highest()))
	}
	return chartHeight
}

// hasPart reports whether a part of any month has an amount, for the key.
func (p MonthChartProps) hasPart(of func(MonthColumn) int64) bool {
	return !p.DrawSeats && slices.ContainsFunc(p.Months, func(m MonthColumn) bool { return of(m) > 0 })
}

// hasKey reports whether there is anything but what was paid and kept.
func (p MonthChartProps) hasKey() bool {
	return p.hasPart(func(m MonthColumn) int64 { return m.Returned + m.Open + m.Failed })
}

// troubled reports whether a part of the month's amount was not collected.
func (m MonthColumn) troubled() bool { return m.Failed > 0 }

// below is the label below a column: the invoices' total, or the seats for viewers who see none.
func (p MonthChartProps) below(ctx context.Context, m MonthColumn) string {
	switch {
	case !m.Known:
		return ""
	case p.HideAmounts:
		return locale.Count(ctx, m.Seats)
	case m.Invoices == 0:
		return "–"
	}
	return locale.ShortMoney(ctx, m.Total)
}

// words says in words what a column shows.
func (p MonthChartProps) words(ctx context.Context, m MonthColumn) string {
	if !m.Known {
		return locale.T(ctx, "%s: no plan", locale.MonthAndYear(ctx, m.Month))
	}
	text := locale.MonthAndYear(ctx, m.Month) + ": " + Seats(ctx, m.Seats)
	if !p.HideAmounts {
		text += ", " + m.amount(ctx)
	}
	for _, note := range m.Notes {
		text += ", " + note
	}
	return text
}

// amount is the month's total in the table.
func (m MonthColumn) amount(ctx context.Context) string {
	if m.Invoices == 0 {
		return locale.T(ctx, "no invoice")
	}
	return locale.Money(ctx, m.Total)
}
