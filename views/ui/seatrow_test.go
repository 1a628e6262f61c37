package ui_test

import (
	"strings"
	"testing"

	"usher/views/ui"
	"usher/views/viewtest"
)

func TestSeatRowBecomesABarAboveForty(t *testing.T) {
	forty := viewtest.Render(t, ui.SeatRow(ui.SeatRowProps{Billed: 38, Pending: 2, Sentence: "40 seats"}))
	if forty.Find("svg.seat").Length() != 40 || forty.Find("rect").Length() != 0 {
		t.Error("forty seats are not drawn one by one")
	}
	more := viewtest.Render(t, ui.SeatRow(ui.SeatRowProps{Billed: 1948, Pending: 52, Sentence: "2,000 seats"}))
	if more.Find("svg rect").Length() != 2 || more.Find("svg.seat").Length() != 2 {
		t.Error("2,000 seats are not a bar of two parts with its key")
	}
	for _, want := range []string{"1,948 billed", "52 on the way to Stripe", "2,000 seats"} {
		if !strings.Contains(viewtest.Text(more.Selection), want) {
			t.Errorf("the bar does not say %q: %s", want, viewtest.Text(more.Selection))
		}
	}
}
