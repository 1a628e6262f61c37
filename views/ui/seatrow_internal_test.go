package ui

import (
	"testing"
)

func TestBarParts(t *testing.T) {
	for _, row := range []SeatRowProps{
		{Billed: 41}, {Billed: 1948, Pending: 12}, {Billed: 100000, Free: 1, Pending: 1, Failed: 1, Vacant: 1}, {Free: 20, Failed: 21}, {Billed: 1, Vacant: 99999},
	} {
		x := 0
		for _, part := range row.barParts(t.Context()) {
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
