package ui

import (
	"testing"
	"time"
)

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 people", 1: "1 person", 2: "2 people", 2000: "2,000 people"} {
		if got := People(t.Context(), n); got != want {
			t.Errorf("People(%d) = %q, want %q", n, got, want)
		}
	}
	if got := Seats(t.Context(), 1); got != "1 seat" {
		t.Errorf("Seats(1) = %q", got)
	}
}

func TestFormatTimes(t *testing.T) {
	at := time.Date(2026, time.December, 1, 0, 5, 9, 0, time.FixedZone("CET", 3600))
	for _, c := range []struct{ name, got, want string }{
		{"formatWithZone", formatWithZone(t.Context(), at), "1 Dec 2026, 00:05:09 CET"},
		{"formatRFC3339", formatRFC3339(at), "2026-11-30T23:05:09Z"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.name, c.got, c.want)
		}
	}
}
