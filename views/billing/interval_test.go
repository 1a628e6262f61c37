package billing

import (
	"testing"

	"usher/billing/catalog"
)

func TestPerInterval(t *testing.T) {
	for _, c := range []struct {
		perSeat  bool
		interval catalog.Interval
		want     string
	}{{true, catalog.Monthly, "per person / month"}, {true, catalog.Yearly, "per person / year"}, {false, catalog.Yearly, "per year"}} {
		if got := perInterval(t.Context(), c.perSeat, c.interval); got != c.want {
			t.Errorf("perInterval(%t, %s) = %q, want %q", c.perSeat, c.interval, got, c.want)
		}
	}
}
