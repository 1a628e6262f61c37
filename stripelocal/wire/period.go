package wire

import "time"

// AddIntervals is the moment n intervals after the anchor, in UTC. A day that
// a month does not have becomes its last one; since it is always counted from
// the anchor, the day comes back in the next longer month (inferred).
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

// PeriodAfter is the first end of a period, counted from the anchor, that lies
// after a moment.
func PeriodAfter(anchor int64, interval string, count, moment int64) int64 {
	length := max(1, AddIntervals(anchor, interval, count)-anchor)
	// A month may be up to three days shorter than the first one was.
	n := max(0, (moment-anchor)/(length+4*24*60*60))
	for {
		end := AddIntervals(anchor, interval, n*count)
		if end > moment {
			return end
		}
		n++
	}
}
