package wire

import "time"

// AddIntervals returns the time n intervals after the anchor, in UTC. A day that a month does not
// have becomes its last day. Because the anchor is the base, the day returns in the next longer
// month (inferred).
func AddIntervals(anchor int64, interval string, n int64) int64 {
	t := time.Unix(anchor, 0).UTC()
	switch interval {
	case "day":
		return t.AddDate(0, 0, int(n)).Unix()
	case "week":
		return t.AddDate(0, 0, 7*int(n)).Unix()
	case "year":
		return addMonths(t, 12*int(n)).Unix()
	}
	return addMonths(t, int(n)).Unix()
}

func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// PeriodAfter returns the first end of a period after a time, counted from the anchor.
func PeriodAfter(anchor int64, interval string, count, after int64) int64 {
	length := max(1, AddIntervals(anchor, interval, count)-anchor)
	// A month can be up to three days shorter than the first one.
	n := max(0, (after-anchor)/(length+4*24*60*60))
	for {
		end := AddIntervals(anchor, interval, n*count)
		if end > after {
			return end
		}
		n++
	}
}
