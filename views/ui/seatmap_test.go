package ui

import (
	"testing"
)

func TestSeatMapFillsFromTheMiddleOfTheFrontRow(t *testing.T) {
	for _, taken := range []int{0, 1, 8, 40, 4000} {
		filled := 0
		for i, seat := range mapSeats(taken) {
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
	if first := mapSeats(1)[0].transform; first != "translate(160.0 120.0) rotate(0.0)" {
		t.Errorf("the first seat stands at %s", first)
	}
}
