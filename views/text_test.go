package views

import (
	"testing"
	"time"

	"usher/billing"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", -1: "-1", -1000: "-1,000", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{0: "0 people", 1: "1 person", 2: "2 people", 2000: "2,000 people"} {
		if got := people(n); got != want {
			t.Errorf("people(%d) = %q, want %q", n, got, want)
		}
	}
	if got := seats(1); got != "1 seat" {
		t.Errorf("seats(1) = %q", got)
	}
}

func TestMoments(t *testing.T) {
	at := time.Date(2026, time.December, 1, 0, 5, 9, 0, time.FixedZone("CET", 3600))
	for _, c := range []struct{ name, got, want string }{
		{"day", day(at), "1 Dec 2026"},
		{"clock", clock(at), "00:05"},
		{"withZone", withZone(at), "1 Dec 2026, 00:05:09 CET"},
		{"machine", machine(at), "2026-11-30T23:05:09Z"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestPer(t *testing.T) {
	for _, c := range []struct {
		perSeat  bool
		interval billing.Interval
		want     string
	}{{true, billing.Monthly, "per person / month"}, {true, billing.Yearly, "per person / year"}, {false, billing.Yearly, "per year"}} {
		if got := per(c.perSeat, c.interval); got != c.want {
			t.Errorf("per(%t, %s) = %q, want %q", c.perSeat, c.interval, got, c.want)
		}
	}
}

func TestBarParts(t *testing.T) {
	for _, row := range []SeatRowProps{
		{Billed: 41}, {Billed: 1948, Pending: 12}, {Billed: 100000, Free: 1, Pending: 1, Failed: 1, Vacant: 1}, {Free: 20, Failed: 21}, {Billed: 1, Vacant: 99999},
	} {
		x := 0
		for _, part := range row.barParts() {
			if part.x != x || part.width < 6 {
				t.Errorf("%+v: part %+v, want x %d and a width that shows", row, part, x)
			}
			x += part.width
		}
		if x != 1000 {
			t.Errorf("%+v: the parts add up to %d", row, x)
		}
	}
}

func TestHouseFillsFromTheMiddleOfTheFrontRow(t *testing.T) {
	for _, taken := range []int{0, 1, 8, 40, 4000} {
		filled := 0
		for i, seat := range houseSeats(taken) {
			if seat.class == "seat-billed" {
				filled++
				if i >= taken {
					t.Errorf("%d taken: seat %d is filled", taken, i)
				}
			}
		}
		if want := min(taken, 40); filled != want {
			t.Errorf("%d taken: %d filled, want %d", taken, filled, want)
		}
	}
	if first := houseSeats(1)[0].transform; first != "translate(160.0 120.0) rotate(0.0)" {
		t.Errorf("the first seat stands at %s", first)
	}
}

func TestAfterName(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{{[]string{"A"}, "A."}, {[]string{"A", "B"}, "A and B."}, {[]string{"A", "B", "C"}, "A, B and C."}} {
		got := ""
		for i, name := range c.names {
			got += name + afterName(i, len(c.names), ".")
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.names, got, c.want)
		}
	}
}
