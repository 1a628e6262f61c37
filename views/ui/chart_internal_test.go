package ui

import (
	"math"
	"strings"
	"testing"
	"time"

	"usher/billing/catalog"
	"usher/views/viewtest"
)

func months(values ...MonthColumn) []MonthColumn {
	for i := range values {
		values[i].Month = time.Date(2026, time.Month(i+1), 1, 0, 0, 0, 0, time.UTC)
		values[i].Total = catalog.Money{Minor: values[i].Kept + values[i].Returned + values[i].Open + values[i].Failed, Currency: "usd"}
	}
	return values
}

// TestChartScaleBeginsAtZero: heights are in proportion to their values, so that twice the amount
// is twice as high.
func TestChartScaleBeginsAtZero(t *testing.T) {
	whole := float64(chartHeight - chartTop)
	for _, c := range []struct {
		value, highest int64
		want           float64
	}{{0, 100, 0}, {-5, 100, 0}, {100, 100, whole}, {50, 100, whole / 2}, {25, 100, whole / 4}, {1, 100_000, 2}, {0, 0, 0}} {
		if got := barHeight(c.value, c.highest); got != c.want {
			t.Errorf("%d of %d is %.2f high, want %.2f", c.value, c.highest, got, c.want)
		}
		if got, want := levelY(c.value, c.highest), chartHeight-c.want; c.value != 1 && got != want {
			t.Errorf("level %d of %d is at %.2f, want %.2f", c.value, c.highest, got, want)
		}
	}
}

// TestChartSlotsFillTheWidth: the columns lie side by side, centered above labels of equal width.
func TestChartSlotsFillTheWidth(t *testing.T) {
	for n := 1; n <= 48; n++ {
		end := 0.0
		for i := range n {
			x, width := slot(i, n, wideColumn)
			if x < end || x+width > 100 {
				t.Fatalf("column %d of %d lies from %.2f to %.2f, the one before ends at %.2f", i, n, x, x+width, end)
			}
			if middle := 100 * (float64(i) + 0.5) / float64(n); math.Abs(x+width/2-middle) > 0.001 {
				t.Fatalf("column %d of %d is centered at %.2f, want %.2f", i, n, x+width/2, middle)
			}
			end = x + width
		}
	}
}

// TestMonthPartsAddUp: the parts of a month are stacked from the axis without gap or overlap, and
// together are as high as their sum.
func TestMonthPartsAddUp(t *testing.T) {
	month := MonthColumn{Known: true, Kept: 6000, Returned: 2000, Open: 1000, Failed: 3000}
	parts := month.parts(12000)
	bottom := float64(chartHeight)
	for _, part := range parts {
		if math.Abs(part.y+part.height-bottom) > 0.001 {
			t.Errorf("%s ends at %.2f, want %.2f", part.class, part.y+part.height, bottom)
		}
		bottom = part.y
	}
	if len(parts) != 4 || math.Abs(bottom-chartTop) > 0.001 {
		t.Errorf("%d parts reach %.2f, want 4 that reach the top at %d", len(parts), bottom, chartTop)
	}
	if parts := (MonthColumn{Known: true, Kept: -500}).parts(12000); len(parts) != 0 {
		t.Errorf("a month that gave money back is drawn as %v", parts)
	}
}

// TestMonthChart: gaps stay empty, seats are drawn one by one up to the limit, and the table has
// every number and every note.
func TestMonthChart(t *testing.T) {
	p := MonthChartProps{ID: "history", Title: "Seats and invoices by month", DrawSeats: true, Months: months(
		MonthColumn{},
		MonthColumn{Known: true, Seats: 2},
		MonthColumn{Known: true, Seats: 3, Invoices: 1, Kept: 8700},
		MonthColumn{Known: true, Seats: 3, Invoices: 2, Kept: 5800, Returned: 2900, Failed: 2900, Notes: []string{"$29.00 refunded", "$29.00 failed"}},
	)}
	html := viewtest.HTML(t, MonthChart(p))
	if got := strings.Count(html, `href="#seat"`); got != 8 {
		t.Errorf("%d seats are drawn, want 8", got)
	}
	for _, want := range []string{
		`role="img" aria-labelledby="history-title"`, "Jan 2026</th><td class=\"number text-quiet\">no plan", "Feb 2026: 2 seats, no invoice",
		"Apr 2026: 3 seats, $116.00, $29.00 refunded, $29.00 failed", "$116</span>",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is missing in %s", want, html)
		}
	}
	if strings.Contains(html, "style=") {
		t.Error("the Content-Security-Policy refuses style attributes")
	}
	p.DrawSeats = false
	for class, want := range map[string]int{"bar-billed": 3, "bar-less": 2, "bar-failed": 2, "bar-pending": 0} { // with the key
		if got := strings.Count(viewtest.HTML(t, MonthChart(p)), `class="`+class+`"`); got != want {
			t.Errorf("%d parts are %s, want %d", got, class, want)
		}
	}
	p.HideAmounts, p.DrawSeats = true, true
	if html := viewtest.HTML(t, MonthChart(p)); strings.Contains(html, "$87") {
		t.Error("amounts are shown to whoever may not see them")
	}
	p.Months[3].Seats = seatColumnLimit + 1
	if html := viewtest.HTML(t, MonthChart(p)); strings.Contains(html, "#seat") || strings.Count(html, `class="bar-billed"`) != 3 {
		t.Error("many seats are not drawn as columns")
	}
}

// TestLevelChartSteps: the line holds each value until the next, breaks where nothing is known, and
// ends now; the projection goes from there to where it reaches zero.
func TestLevelChartSteps(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, 1+n, 0, 0, 0, 0, time.UTC) }
	p := LevelChartProps{
		From: day(0), Until: day(20), Now: day(10), Levels: []Level{
			{At: day(-5), Value: 400}, {At: day(2), Value: 1000, Mark: true}, {At: day(4), Unknown: true}, {At: day(6), Value: 500}, {At: day(8), Value: 250},
		},
		Projects: true, EmptyAt: day(15),
	}
	want := []levelStep{
		{x: 0, width: 10, y: levelY(400, 1000)},
		{x: 10, width: 10, y: chartTop, rise: levelY(400, 1000), joined: true, mark: true},
		{x: 30, width: 10, y: levelY(500, 1000)},
		{x: 40, width: 10, y: levelY(250, 1000), rise: levelY(500, 1000), joined: true},
	}
	got := p.steps()
	if len(got) != len(want) {
		t.Fatalf("steps %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if got, want := p.projection(), (projection{50, levelY(250, 1000), 75, chartHeight}); got != want {
		t.Errorf("projection %+v, want %+v", got, want)
	}
	html := viewtest.HTML(t, LevelChart(p))
	if strings.Count(html, `<circle class="chart-mark"`) != 2 || !strings.Contains(html, "1,000") { // one is the key's
		t.Errorf("the mark or the scale is missing in %s", html)
	}
}

// TestLevelChartOfNothing: a chart without a level or without time draws nothing and divides by
// nothing.
func TestLevelChartOfNothing(t *testing.T) {
	html := viewtest.HTML(t, LevelChart(LevelChartProps{ID: "empty", Title: "Empty", Projects: true}))
	if strings.Contains(html, "NaN") || strings.Contains(html, "chart-line") {
		t.Error(html)
	}
}

// TestSparkline: columns begin at zero, zeros are quiet, gaps are empty and failures are a part of
// their column.
func TestSparkline(t *testing.T) {
	p := SparklineProps{ID: "events", Title: "Events per hour", Unit: "events", Values: []SparkValue{
		{Label: "10:00", Gap: true}, {Label: "11:00"}, {Label: "12:00", Count: 50}, {Label: "13:00", Count: 100, Bad: 25},
	}}
	for i, want := range []sparkBar{{}, {}, {good: sparkHeight / 2.0}, {good: sparkHeight * 0.75, bad: sparkHeight * 0.25}} {
		if got := p.bar(p.Values[i]); got != want {
			t.Errorf("value %d is %+v, want %+v", i, got, want)
		}
	}
	html := viewtest.HTML(t, Sparkline(p))
	for _, want := range []string{"13:00: 100 events, 25 failed", `class="chart-zero"`, "<th scope=\"row\">13:00</th><td>100</td><td>25</td>"} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is missing in %s", want, html)
		}
	}
	if strings.Contains(html, "10:00") {
		t.Error("a gap is shown as a value")
	}
}
