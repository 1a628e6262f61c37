package ui

import (
	"testing"
)

func TestSeatMapFillsFromTheMiddleOfTheFrontRow(t *testing.T) {
	for _, taken := range []int{0, 1, 8, 56, 57, 199, 200} {
		filled, all := 0, 0
		for _, row := range mapRows(taken, rowsFor(taken)) {
			for _, seat := range row.seats {
				if all++; seat.class == "seat-billed" {
					filled++
					if all > taken {
						t.Errorf("%d taken: seat %d is filled", taken, all)
					}
				}
			}
		}
		if filled != taken || all < taken {
			t.Errorf("%d taken: %d of %d filled", taken, filled, all)
		}
	}
	if first := mapRows(1, 4)[0].seats[0]; first.y != "-130" || first.transform != "rotate(0)" {
		t.Errorf("the first seat stands at %s, %s", first.y, first.transform)
	}
	for people, want := range map[int]int{0: 4, 56: 4, 57: 5, 171: 9, 172: 10, 200: 10, 9999: 10} {
		if got := rowsFor(people); got != want {
			t.Errorf("%d people: %d rows, want %d", people, got, want)
		}
	}
}
