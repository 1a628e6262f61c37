package admin

import (
	"strconv"

	"usher/billing"
)

// The size of the chart of events in the units of its view box.
const (
	rateHeight = 56
	barStep    = 12
)

// rateBar is one bar of the chart: all events of an hour, and the failed ones in front of them.
type rateBar struct {
	x, y, height          string
	failedY, failedHeight string // "0": none failed
}

// rateBars returns the bars of the hours. The highest one has the full height, and an hour with
// any event a visible bar.
func rateBars(hours []billing.EventHour) []rateBar {
	most := 1
	for _, hour := range hours {
		most = max(most, hour.Events)
	}
	bars := make([]rateBar, 0, len(hours))
	for i, hour := range hours {
		height, failed := barHeight(hour.Events, most), barHeight(hour.Failed, most)
		bars = append(bars, rateBar{
			x: strconv.Itoa(i * barStep), y: strconv.Itoa(rateHeight - height), height: strconv.Itoa(height),
			failedY: strconv.Itoa(rateHeight - failed), failedHeight: strconv.Itoa(failed),
		})
	}
	return bars
}

func barHeight(n, most int) int {
	if n == 0 {
		return 0
	}
	return max(2, n*rateHeight/most)
}
