package billing

import (
	"testing"

	"usher/billing"
)

func TestPerInterval(t *testing.T) {
	for _, c := range []struct {
		perSeat  bool
		interval billing.Interval
		want     string
	}{{true, billing.Monthly, "per person / month"}, {true, billing.Yearly, "per person / year"}, {false, billing.Yearly, "per year"}} {
		if got := perInterval(c.perSeat, c.interval); got != c.want {
			t.Errorf("perInterval(%t, %s) = %q, want %q", c.perSeat, c.interval, got, c.want)
		}
	}
}
